package scheduler_test

import (
	"context"
	"errors"
	"testing"

	"orchestrator/scheduler"
)

// Every kind of sweep is gone through to its end; one that stops nothing trains
// everything, in the time that its slots take.
func TestSimulateEnds(t *testing.T) {
	for name, more := range searches {
		p, _ := searchPlan(t, more)
		spend, err := scheduler.Simulate(ctx, p, 3, 1)
		if err != nil || spend.Jobs == 0 || spend.Span == 0 {
			t.Errorf("%s: %+v, %v", name, spend, err)
		}
	}
	for name, c := range map[string]struct {
		more   string
		trials int
	}{
		"all at once":          {"method: random\nrun_cap: 5", 5},
		"some at a time":       {"method: random\nrun_cap: 5\nmax_concurrent_trials: 2", 5},
		"one after the other":  {"method: sobol\nrun_cap: 3\nmax_concurrent_trials: 1", 3},
		"learns, stops nobody": {"method: tpe\nrun_cap: 6\nmax_concurrent_trials: 2", 6},
	} {
		p, _ := searchPlan(t, c.more)
		spend, err := scheduler.Simulate(ctx, p, 2, 1)
		want := scheduler.Spend{Trials: c.trials, Jobs: 4 * c.trials, Epochs: 8 * 4 * c.trials, Span: float64(8 * 4 * c.trials / 2)}
		if err != nil || spend != want {
			t.Errorf("%s: %+v, %v; want %+v", name, spend, err, want)
		}
	}
}

func TestSimulateCanBeInterrupted(t *testing.T) {
	p, _ := searchPlan(t, "method: random\nrun_cap: 5")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scheduler.Simulate(ctx, p, 2, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
