package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"orchestrator/scheduler/plan"
)

func TestUpdate(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	p, uploads := aPlan("s-1", "j", 4, 2)
	if _, err := s.Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	report, err := s.Update(ctx, "s-1", plan.Settings{MaxConcurrent: 2})
	if err != nil || report.Withdrawn != 4 || w.pending() != "j00 j01 j10 j11" {
		t.Fatalf("%+v %v, pending %q", report, err, w.pending())
	}
	if _, err := s.Update(ctx, "s-1", plan.Settings{Priority: 7}); err != nil || w.queue.priorities["s-1"] != 7 {
		t.Errorf("%v, priorities %v", err, w.queue.priorities)
	}
	if w.pending() != "j00 j01 j10 j11" {
		t.Errorf("what was changed before is forgotten: pending %q", w.pending())
	}
	for _, job := range []string{"j00", "j01"} {
		w.complete("s-1", job, 0.5)
	}
	if _, err := w.healthy().Reconcile(ctx, "s-1"); err != nil || w.pending() != "j10 j11 j20 j21" {
		t.Errorf("%v, pending %q", err, w.pending())
	}
	learns, uploads := searchPlan(t, searches["tpe"])
	if _, err := s.Submit(ctx, learns, uploads); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(ctx, learns.ID, plan.Settings{MaxConcurrent: 9}); err == nil || !strings.Contains(err.Error(), "cannot be changed") {
		t.Errorf("a search was changed: %v", err)
	}
}

func TestBudget(t *testing.T) {
	now := time.Now()
	w := newWorld(t)
	s := w.healthy()
	s.Now = func() time.Time { return now }
	p, uploads := aPlan("s-1", "j", 2, 2)
	p.Budget = plan.Budget{Time: 3600, DeviceTime: 100}
	if _, err := s.Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	spend := func(job, sweep string, seconds float64) {
		w.put(plan.OutcomeKey(job), plan.Outcome{Job: job, Sweep: sweep, Seconds: seconds})
		w.set(job, plan.Completed)
	}
	spend("j00", "other-1", 1000) // which has cost this sweep nothing
	spend("j01", "s-1", 90)
	if report, err := s.Reconcile(ctx, "s-1"); err != nil || report.State != plan.Running {
		t.Fatalf("%+v %v", report, err)
	}
	spend("j10", "s-1", 20)
	report, err := s.Reconcile(ctx, "s-1")
	if err != nil || report.State != plan.Canceled || w.pending() != "" {
		t.Fatalf("%+v %v, pending %q", report, err, w.pending())
	}
	results, err := s.Load(ctx, "s-1")
	if err != nil || len(results.Warnings) != 1 || !strings.Contains(results.Warnings[0], "1m40s of device time is spent") {
		t.Errorf("%q %v", results.Warnings, err)
	}
	// More of it, and the sweep goes on; until its time is over.
	if _, err := s.Update(ctx, "s-1", plan.Settings{Budget: plan.Budget{DeviceTime: 200}}); err != nil {
		t.Fatal(err)
	}
	if report, err := s.Resume(ctx, "s-1"); err != nil || report.State != plan.Running || w.pending() != "j11" {
		t.Fatalf("%+v %v, pending %q", report, err, w.pending())
	}
	now = now.Add(2 * time.Hour)
	if report, err := s.Reconcile(ctx, "s-1"); err != nil || report.State != plan.Canceled {
		t.Errorf("%+v %v", report, err)
	}
}
