package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/worker"
)

// tallies are a histogram for each value of a label, of durations that were counted
// elsewhere.
type tallies struct {
	desc  *prometheus.Desc
	label bool

	mu      sync.Mutex
	byLabel map[string]*worker.Tally
}

func newTallies(name, help string, label ...string) *tallies {
	return &tallies{
		desc:  prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, label, nil),
		label: len(label) > 0, byLabel: map[string]*worker.Tally{},
	}
}

// tally is one without a label.
type tally struct{ *tallies }

func (m *Metrics) tally(name, help string) *tally {
	t := &tally{newTallies(name, help)}
	t.add(worker.Tally{})
	m.registry.MustRegister(t)
	return t
}

func (t *tally) add(other worker.Tally) { t.tallies.add("", other) }

func (t *tallies) add(label string, other worker.Tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.byLabel[label]
	if own == nil {
		own = &worker.Tally{}
		t.byLabel[label] = own
	}
	own.Merge(other)
}

// Describe names the histogram.
func (t *tallies) Describe(to chan<- *prometheus.Desc) { to <- t.desc }

// Collect gives what was counted so far.
func (t *tallies) Collect(to chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for label, own := range t.byLabel {
		buckets, sum := make(map[float64]uint64, len(worker.Bounds)), uint64(0)
		for i, bound := range worker.Bounds {
			if i < len(own.Buckets) {
				sum += own.Buckets[i]
			}
			buckets[bound] = sum
		}
		var values []string
		if t.label {
			values = []string{label}
		}
		to <- prometheus.MustNewConstHistogram(t.desc, own.Count, own.Seconds, buckets, values...)
	}
}
