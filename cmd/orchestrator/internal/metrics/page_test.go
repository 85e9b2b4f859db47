package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

// full are metrics with everything that a worker can have: a queue with a job in it,
// a slot that trains, a CUDA device.
func full(t *testing.T) *Metrics {
	t.Helper()
	server, err := queue.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	q, err := queue.Open(t.Context(), server.Options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	if err := q.Enqueue(t.Context(), "s", plan.Resources{Device: "any", SlotsPerTrial: 1}, plan.Job{ID: "j"}); err != nil {
		t.Fatal(err)
	}
	m := New("v1", "e1")
	m.Register(q.Collector())
	m.Slots(func() []worker.SlotStatus { return []worker.SlotStatus{{Device: "cpu", Taken: true, PID: os.Getpid()}} })
	m.Register(&deviceCollector{now: time.Now, query: func() ([][]string, error) { return [][]string{{"0", "NVIDIA H100 80GB HBM3", "4", "81559", "97"}}, nil }})
	return m
}

// families are the metrics that are ours or asynq's, by name.
func families(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	all, err := full(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(f *dto.MetricFamily) bool {
		return !strings.HasPrefix(f.GetName(), "orchestrator_") && !strings.HasPrefix(f.GetName(), "asynq_")
	})
}

func labels(f *dto.MetricFamily) []string {
	var names []string
	for _, metric := range f.GetMetric() {
		for _, l := range metric.GetLabel() {
			if !slices.Contains(names, l.GetName()) {
				names = append(names, l.GetName())
			}
		}
	}
	return names
}

// TestMetricsPage holds docs/metrics.md to the registry.
func TestMetricsPage(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, `# Metrics

What `+"`orchestrator worker --metrics-listen 127.0.0.1:9464`"+` serves at `+"`/metrics`"+`, and `+"`orchestrator serve`"+` of its own process; besides these there
are the usual ones of Go (`+"`go_*`"+`) and of the process (`+"`process_*`"+`). A worker also counts what its trainer processes measure. No label names a
sweep, trial or job. [operations.md](operations.md#monitoring) has a dashboard and alerts.

This page is generated from the program: `+"`go test ./cmd/orchestrator/internal/metrics -run TestMetricsPage -update`"+`.

| metric | type | labels | meaning |
|---|---|---|---|
`)
	for _, f := range families(t) {
		names := ""
		if l := labels(f); len(l) > 0 {
			names = "`" + strings.Join(l, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), names, strings.TrimSuffix(f.GetHelp(), ".")+".")
	}
	const path = "../../../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("docs/metrics.md is out of date, run with -update (-want +got):\n%s", diff)
	}
}

// A label's values are few, whatever is trained: a new label is to be thought about.
func TestLabelsAreFew(t *testing.T) {
	few := []string{"version", "engine", "end", "cause", "operation", "error", "by", "cache", "state", "device", "slot", "index", "name", "queue"}
	for _, f := range families(t) {
		for _, name := range labels(f) {
			if !slices.Contains(few, name) {
				t.Errorf("%s has the label %s", f.GetName(), name)
			}
		}
	}
}

// Without Redis a scrape says so and has everything else.
func TestQueueThatIsAwayIsNoError(t *testing.T) {
	server, err := queue.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(t.Context(), server.Options())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	m := New("v1", "e1")
	m.Register(q.Collector())
	has(t, scrape(t, m), "orchestrator_queue_up 1", "orchestrator_queue_workers 0")
	server.Close()
	has(t, scrape(t, m), "orchestrator_queue_up 0", "orchestrator_epochs_total 0")
}
