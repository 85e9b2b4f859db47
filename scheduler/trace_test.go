package scheduler_test

import (
	"testing"
	"time"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// changes adds up what a scheduler tells its tracer.
type changes struct{ times, enqueued, withdrawn, stopped int }

func (c *changes) Reconciled(_ string, r scheduler.Report, stopped int, _ time.Time) {
	c.times++
	c.enqueued += r.Enqueued
	c.withdrawn += r.Withdrawn
	c.stopped += stopped
}

// Tracers are told of what changes, and of nothing else.
func TestTracerIsToldOfChanges(t *testing.T) {
	w, told := newWorld(t), &changes{}
	s := w.healthy()
	s.Tracer = told
	p, uploads := aPlan("s-111111", "j", 2, 2)
	submit(t, s, p, uploads)
	submit(t, s, p, uploads)
	reconcile(t, s, p.ID)
	expect(t, "told of a submission", [4]int{told.times, told.enqueued, told.withdrawn, told.stopped}, [4]int{1, 4, 0, 0})
	for range 2 {
		if _, err := s.Cancel(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "told of a cancel", [4]int{told.times, told.enqueued, told.withdrawn, told.stopped}, [4]int{2, 4, 4, 0})
}

func TestTracerIsToldOfStops(t *testing.T) {
	p, uploads := searchPlan(t, searches["asha"])
	w, told := newWorld(t), &changes{}
	s := w.healthy()
	s.Tracer = told
	submit(t, s, p, uploads)
	first := func(int) int { return 0 }
	jobs := 0
	for state := plan.Pending; !scheduler.Over(state); state = reconcile(t, s, p.ID).State {
		for w.train(first, func(plan.Spec) bool { return false }) {
			jobs++
		}
	}
	results, err := s.Load(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	pruned := 0
	for _, trial := range results.Trials {
		if trial.State == plan.Pruned {
			pruned++
		}
	}
	if told.stopped != pruned || pruned == 0 || told.enqueued-told.withdrawn != jobs {
		t.Errorf("it was told %+v of %d stops and %d jobs", *told, pruned, jobs)
	}
}
