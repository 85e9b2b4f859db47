package schedulertest_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/schedulertest"
)

var ctx = context.Background()

// contents are all objects of a store.
func contents(t *testing.T, s artifacts.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for info, err := range s.List(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		all[info.Key] = string(object(t, s, info.Key))
	}
	return all
}

func object(t *testing.T, s artifacts.Store, key string) []byte {
	t.Helper()
	r, _, err := s.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestFill(t *testing.T) {
	shape := schedulertest.Shape{Trials: 5, Folds: 3, Epochs: 4, Done: 8, Failed: 2, Running: 1, Seed: 3}
	store := artifacts.Mem()
	p, err := schedulertest.Fill(ctx, store, shape)
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&scheduler.Scheduler{Store: store}).Load(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	states := map[plan.State]int{}
	for _, trial := range r.Trials {
		for _, f := range trial.Folds {
			states[f.State]++
			if f.State == plan.Completed && (len(f.History) != 4 || !cmp.Equal(f.History[3].Metrics, f.Metrics)) {
				t.Errorf("the history of job %s ends with %v, its metrics are %v", f.Job, f.History, f.Metrics)
			}
		}
	}
	if want := map[plan.State]int{plan.Completed: 8, plan.Failed: 2, plan.Pending: 5}; !cmp.Equal(states, want) || r.Best == nil {
		t.Errorf("%v, want %v; best %v", states, want, r.Best)
	}
	records, err := csv.NewReader(bytes.NewReader(object(t, store, plan.PredictionsKey(p.Jobs[0].ID)))).ReadAll()
	if err != nil || len(records) != 1+len(p.Folds[0].Test) {
		t.Errorf("the predictions have %d lines for %d pictures: %v", len(records), len(p.Folds[0].Test), err)
	}
	again := artifacts.Mem()
	if _, err := schedulertest.Fill(ctx, again, shape); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(contents(t, store), contents(t, again)); d != "" {
		t.Errorf("the same shape fills another store with something else:\n%s", d)
	}
}

func TestFillBare(t *testing.T) {
	store := artifacts.Mem()
	p, err := schedulertest.Fill(ctx, store, schedulertest.Shape{Name: "large", Trials: 20, Folds: 10, Epochs: 2, Done: schedulertest.All, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	list, err := (&scheduler.Scheduler{Store: store}).List(ctx)
	if err != nil || len(list) != 1 || list[0].Completed != 200 || list[0].State != plan.Completed {
		t.Errorf("%+v %v", list, err)
	}
	if ok, err := artifacts.Exists(ctx, store, p.Data.Pack.Key); ok || err != nil {
		t.Errorf("a bare sweep has a data set: %v", err)
	}
}
