package worker

import (
	"errors"
	"slices"
	"sync"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// Bounds are the upper bounds of a Tally's buckets, in seconds: from a step of a tiny
// network to the upload of a large one. What takes longer is in no bucket.
var Bounds = []float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
	0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100,
}

// Tally counts durations: what a histogram is made of.
type Tally struct {
	Count   uint64   `json:"count"`
	Seconds float64  `json:"seconds"` // the sum
	Buckets []uint64 `json:"buckets"` // by Bounds, each without those before it; shorter where the last are 0
}

// Add counts one.
func (t *Tally) Add(seconds float64) {
	t.Count++
	t.Seconds += seconds
	at, _ := slices.BinarySearch(Bounds, seconds)
	if at == len(Bounds) {
		return
	}
	for len(t.Buckets) <= at {
		t.Buckets = append(t.Buckets, 0)
	}
	t.Buckets[at]++
}

// Merge adds what another one counted.
func (t *Tally) Merge(other Tally) {
	t.Count += other.Count
	t.Seconds += other.Seconds
	for i, n := range other.Buckets[:min(len(other.Buckets), len(Bounds))] {
		for len(t.Buckets) <= i {
			t.Buckets = append(t.Buckets, 0)
		}
		t.Buckets[i] += n
	}
}

// StoreUse is what the calls of one operation of the artifact store came to.
type StoreUse struct {
	Took   Tally             `json:"took"`
	Bytes  int64             `json:"bytes,omitempty"`
	Errors map[string]uint64 `json:"errors,omitempty"` // by StoreError
}

// Measures is what a trainer process has measured since it last told.
type Measures struct {
	Steps           Tally                `json:"steps"`   // the time of each, waiting for data included
	DataWaits       Tally                `json:"waits"`   // of which waiting for data
	Checkpoints     Tally                `json:"written"` // the time to encode, hash and store each
	CheckpointBytes int64                `json:"bytes"`   // of tensors
	Epochs          uint64               `json:"epochs"`  // evaluated
	Store           map[string]*StoreUse `json:"store"`   // by operation
}

func (m *Measures) empty() bool {
	return m.Steps.Count == 0 && m.Checkpoints.Count == 0 && m.Epochs == 0 && len(m.Store) == 0
}

// StoreError says in a word why an operation of a store failed; "" where it did not,
// as when there is no such object: that is an answer.
func StoreError(err error) string {
	switch {
	case err == nil, errors.Is(err, artifacts.ErrNotFound), errors.Is(err, artifacts.ErrExists):
		return ""
	case errors.Is(err, artifacts.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, artifacts.ErrDenied):
		return "denied"
	case errors.Is(err, artifacts.ErrNoSpace):
		return "full"
	}
	return "other"
}

// meter measures in a trainer process. A nil one does nothing.
type meter struct {
	mu sync.Mutex
	m  Measures
}

// step costs some tens of nanoseconds, as it comes after each step.
func (t *meter) step(seconds, waited float64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.m.Steps.Add(seconds)
	t.m.DataWaits.Add(waited)
	t.mu.Unlock()
}

func (t *meter) epoch() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.m.Epochs++
	t.mu.Unlock()
}

func (t *meter) checkpoint(took time.Duration, bytes int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.m.Checkpoints.Add(took.Seconds())
	t.m.CheckpointBytes += bytes
	t.mu.Unlock()
}

// store takes what artifacts.Observed tells.
func (t *meter) store(o artifacts.Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m.Store == nil {
		t.m.Store = map[string]*StoreUse{}
	}
	use := t.m.Store[o.Name]
	if use == nil {
		use = &StoreUse{}
		t.m.Store[o.Name] = use
	}
	use.Took.Add(o.Took.Seconds())
	use.Bytes += o.Bytes
	if why := StoreError(o.Err); why != "" {
		if use.Errors == nil {
			use.Errors = map[string]uint64{}
		}
		use.Errors[why]++
	}
}

// take is what was measured since the last call, or nil.
func (t *meter) take() *Measures {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m.empty() {
		return nil
	}
	m := t.m
	t.m = Measures{}
	return &m
}

// Meter is told what there is to measure about jobs. Its methods may be called from
// any number of goroutines.
type Meter interface {
	// Attempt: an attempt ended, after so many seconds and for this cause, which is
	// one of Causes.
	Attempt(cause string, seconds float64)
	// Job: a job that was delivered to this worker has come to this end, with or
	// without an attempt.
	Job(end End, attempted bool)
	// Measured adds what a trainer process measured.
	Measured(m Measures)
}

// Causes are why attempts end.
var Causes = []string{
	"completed", "canceled", "paused", "interrupted", "lost", // nothing failed
	"input",  // would fail in every attempt
	"memory", // there was none
	"stall",  // no sign of life
	"error",  // the trainer process said why
	"crash",  // it did not
}

// cause is why the attempt ended, one of Causes.
func (x exit) cause() string {
	switch {
	case x.last.Kind == eventResult:
		return "completed"
	case x.held == plan.Completed, x.taken:
		return "lost"
	case x.held != "":
		return string(x.held)
	case x.stopped:
		return "interrupted"
	case x.last.Permanent:
		return "input"
	case x.memory:
		return "memory"
	case x.lost:
		return "lost"
	case x.stalled:
		return "stall"
	case x.last.Kind == eventFailed:
		return "error"
	}
	return "crash"
}

// noMeter is for a daemon that nobody measures.
type noMeter struct{}

func (noMeter) Attempt(string, float64) {}
func (noMeter) Job(End, bool)           {}
func (noMeter) Measured(Measures)       {}
