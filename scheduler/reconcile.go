package scheduler

import (
	"context"
	"fmt"
	"time"

	"orchestrator/scheduler/plan"
)

// Report says how a sweep stands and what a reconciliation did about it. Jobs
// that two trials share count once.
type Report struct {
	State     plan.State `json:"state"`
	Jobs      int        `json:"jobs"`
	Completed int        `json:"completed"`
	Failed    int        `json:"failed"`
	Enqueued  int        `json:"enqueued"`  // now
	Withdrawn int        `json:"withdrawn"` // now
}

// Reconcile brings the queue to what the sweep wants of it.
func (s *Scheduler) Reconcile(ctx context.Context, sweep string) (Report, error) {
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	canceled, err := s.exists(ctx, plan.CancelKey(sweep))
	if err != nil {
		return Report{}, fmt.Errorf("reconcile sweep %s: %w", sweep, err)
	}
	report, err := s.reconcile(ctx, p, canceled)
	if err != nil {
		return Report{}, fmt.Errorf("reconcile sweep %s: %w", sweep, err)
	}
	return report, nil
}

func (s *Scheduler) reconcile(ctx context.Context, p *plan.Plan, canceled bool) (Report, error) {
	jobs := jobIDs(p)
	report := Report{Jobs: len(jobs)}
	// The queue first: a job that was in no queue and then has no outcome is
	// truly missing. The other way round it may have ended in between.
	var queued map[string]plan.State
	if s.Queue != nil {
		var err error
		if queued, err = s.Queue.States(ctx, jobs); err != nil {
			return Report{}, err
		}
	}
	stands, err := s.look(ctx, jobs, queued)
	if err != nil {
		return Report{}, err
	}
	if s.Queue != nil {
		missing, unwanted := compare(p, canceled, stands, queued)
		if err := s.change(ctx, p, missing, unwanted); err != nil {
			return Report{}, err
		}
		report.Enqueued, report.Withdrawn = len(missing), len(unwanted)
	}
	report.State = sweepState(p, canceled, stands, queued)
	report.Completed, report.Failed = count(stands)
	return report, nil
}

// change enqueues and withdraws jobs.
func (s *Scheduler) change(ctx context.Context, p *plan.Plan, missing []plan.Job, unwanted []string) error {
	if len(missing) > 0 {
		if err := s.Queue.Enqueue(ctx, p.ID, p.Resources, missing...); err != nil {
			return err
		}
	}
	if len(unwanted) > 0 {
		return s.Queue.Withdraw(ctx, unwanted...)
	}
	return nil
}

// count tells how many jobs have an outcome and how many were given up.
func count(stands map[string]plan.State) (completed, failed int) {
	for _, state := range stands {
		if state == plan.Completed {
			completed++
		} else {
			failed++
		}
	}
	return completed, failed
}

// compare tells what the queue lacks and what it has too much. stands is what
// the store says of the jobs, queued what the queue says.
func compare(p *plan.Plan, canceled bool, stands, queued map[string]plan.State) (missing []plan.Job, unwanted []string) {
	seen := make(map[string]bool, len(p.Jobs))
	for _, job := range p.Jobs {
		if seen[job.ID] {
			continue
		}
		seen[job.ID] = true
		wanted := stands[job.ID] == "" && !canceled
		switch queue := queued[job.ID]; {
		case wanted && queue != plan.Pending && queue != plan.Running:
			missing = append(missing, job)
		case !wanted && queue == plan.Pending:
			unwanted = append(unwanted, job.ID)
		}
	}
	return missing, unwanted
}

// ReconcileLoop reconciles all sweeps that are not over, again and again until
// ctx ends, whose error it returns. What goes wrong is logged and tried again
// the next time.
func (s *Scheduler) ReconcileLoop(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	finished := map[string]bool{}
	for {
		s.reconcileAll(ctx, finished)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// reconcileAll leaves out the finished sweeps and adds to them: a completed one
// stays so. One that failed or was canceled may be taken up again by anyone.
func (s *Scheduler) reconcileAll(ctx context.Context, finished map[string]bool) {
	entries, err := s.entries(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log().Warn("list the sweeps", "error", err)
		}
		return
	}
	for _, e := range entries {
		if finished[e.id] || ctx.Err() != nil {
			continue
		}
		report, err := s.Reconcile(ctx, e.id)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log().Warn("reconcile", "sweep", e.id, "error", err)
		case report.State == plan.Completed:
			finished[e.id] = true
		case report.Enqueued+report.Withdrawn > 0:
			s.log().Info("reconciled", "sweep", e.id, "enqueued", report.Enqueued, "withdrawn", report.Withdrawn)
		}
	}
}
