package scheduler_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/schedulertest"
)

// A glance and the histories are together what Load tells.
func TestGlance(t *testing.T) {
	store := artifacts.Mem()
	p, err := schedulertest.Fill(ctx, store, schedulertest.Shape{Trials: 4, Folds: 3, Epochs: 5, Done: 8, Failed: 1})
	if err != nil {
		t.Fatal(err)
	}
	want, err := (&scheduler.Scheduler{Store: store}).Load(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	s := &scheduler.Scheduler{Store: store}
	got, err := s.Glance(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	jobs := jobsOf(got)
	for _, trial := range got.Trials {
		for _, f := range trial.Folds {
			if f.History == nil || len(f.History) > 0 {
				t.Fatalf("job %s: the history is %v", f.Job, f.History)
			}
		}
	}
	histories := map[string][]plan.Epoch{}
	err = s.Histories(ctx, p.ID, jobs, func(job string, h []plan.Epoch) error {
		histories[job] = h
		return nil
	})
	if err != nil || len(histories) != 8 {
		t.Fatalf("%d histories of 8 outcomes: %v", len(histories), err)
	}
	for _, trial := range got.Trials {
		for i, f := range trial.Folds {
			if h := histories[f.Job]; h != nil {
				trial.Folds[i].History = h
			}
		}
	}
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("load and glance differ:\n%s", d)
	}
	enough := errors.New("enough")
	if err := s.Histories(ctx, p.ID, jobs, func(string, []plan.Epoch) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("an error of visit becomes %v", err)
	}
}

func jobsOf(r *plan.Results) []string {
	var jobs []string
	for _, trial := range r.Trials {
		for _, f := range trial.Folds {
			jobs = append(jobs, f.Job)
		}
	}
	return jobs
}
