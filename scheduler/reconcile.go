package scheduler

import (
	"context"
	"fmt"
	"slices"
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

// Reconcile records what is decided by now (trials to add, trials to stop), and
// brings the queue to what the sweep wants of it.
func (s *Scheduler) Reconcile(ctx context.Context, sweep string) (Report, error) {
	began := time.Now()
	stopped := 0
	report, err := s.reconcile(ctx, sweep, &stopped)
	s.meter().Reconciled(sweep, report, time.Since(began), err)
	if s.Tracer != nil && report.Enqueued+report.Withdrawn+stopped > 0 {
		s.Tracer.Reconciled(sweep, report, stopped, began)
	}
	if err != nil {
		return Report{}, fmt.Errorf("reconcile sweep %s: %w", sweep, err)
	}
	return report, nil
}

// Advance reconciles a sweep where the end of a job may be what others wait for.
func (s *Scheduler) Advance(ctx context.Context, sweep string) error {
	p, err := s.Plan(ctx, sweep)
	if err != nil || p.Search == nil {
		return err
	}
	report, err := s.Reconcile(ctx, sweep)
	if err == nil && report.Enqueued > 0 {
		err = s.arrange(ctx)
	}
	return err
}

// reconcile adds to stopped the trials that it was the one to stop.
func (s *Scheduler) reconcile(ctx context.Context, sweep string, stopped *int) (Report, error) {
	newest, err := s.Plan(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	held, err := s.held(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	settings, err := s.settings(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	for {
		p := with(newest, settings)
		queued, err := s.ask(ctx, p)
		if err != nil {
			return Report{}, err
		}
		v, err := s.see(ctx, p, queued)
		if err != nil {
			return Report{}, err
		}
		if held == "" {
			if held, err = s.bound(ctx, v); err != nil {
				return Report{}, err
			}
		}
		next := v.advance()
		if held == "" && (len(next.stops) > 0 || next.propose) {
			if err := s.decide(ctx, v, next, stopped); err != nil {
				return Report{}, err
			}
			if newest, err = s.Plan(ctx, sweep); err != nil {
				return Report{}, err
			}
			continue
		}
		return s.settle(ctx, v, next, held, queued)
	}
}

// held is Canceled or Paused where the sweep's user has said so.
func (s *Scheduler) held(ctx context.Context, sweep string) (plan.State, error) {
	for state, key := range map[plan.State]string{plan.Canceled: plan.CancelKey(sweep), plan.Paused: plan.PauseKey(sweep)} {
		there, err := s.exists(ctx, key)
		if err != nil {
			return "", err
		}
		if there {
			return state, nil
		}
	}
	return "", nil
}

// ask asks the queue about the jobs of a plan that may still change, before the store
// is looked at: a job that was in no queue and then has no outcome is truly missing.
// The other way round it may have ended in between.
func (s *Scheduler) ask(ctx context.Context, p *plan.Plan) (map[string]plan.State, error) {
	if s.Queue == nil {
		return nil, nil
	}
	return s.Queue.States(ctx, jobIDs(s.unsettled(p)))
}

// bound cancels a sweep whose budget is spent.
func (s *Scheduler) bound(ctx context.Context, v *sight) (plan.State, error) {
	why, err := s.spent(ctx, v)
	if err != nil || why == "" {
		return "", err
	}
	if state, _, _, _ := v.standing("", nil); state == plan.Completed {
		return "", nil
	}
	s.log().Warn("sweep canceled", "sweep", v.plan.ID, "why", why)
	_, err = s.create(ctx, plan.CancelKey(v.plan.ID), holdMark{Sweep: v.plan.ID, Since: s.now().UTC().Format(time.RFC3339), Reason: why})
	return plan.Canceled, err
}

// decide records what is decided, and adds to stopped.
func (s *Scheduler) decide(ctx context.Context, v *sight, next advice, stopped *int) error {
	p := v.plan
	for _, stop := range next.stops {
		created, err := s.create(ctx, plan.StopKey(p.ID, stop.Trial), stop)
		if err != nil {
			return fmt.Errorf("record why trial %d stops: %w", stop.Trial, err)
		}
		if !created { // somebody else was faster
			continue
		}
		*stopped++
		s.meter().Stopped(stop)
		s.log().Info("trial stopped", "sweep", p.ID, "trial", stop.Trial, "why", stop.Reason)
	}
	if next.propose {
		return s.propose(ctx, v)
	}
	return nil
}

// settle brings the queue to what is wanted.
func (s *Scheduler) settle(ctx context.Context, v *sight, next advice, held plan.State, queued map[string]plan.State) (Report, error) {
	p := v.plan
	var report Report
	report.State, report.Jobs, report.Completed, report.Failed = v.standing(held, queued)
	if s.Queue != nil {
		wanted := next.wanted
		if held != "" {
			wanted = nil
		}
		missing, unwanted := compare(wanted, queued)
		if err := s.change(ctx, p, missing, unwanted); err != nil {
			return Report{}, err
		}
		if err := s.urgency(ctx, p, report.State); err != nil {
			return Report{}, err
		}
		report.Enqueued, report.Withdrawn = len(missing), len(unwanted)
	}
	s.digest(ctx, p, Over(report.State))
	return report, nil
}

// change enqueues and withdraws jobs.
func (s *Scheduler) change(ctx context.Context, p *plan.Plan, missing []plan.Job, unwanted []string) error {
	if len(missing) > 0 && p.Search != nil { // those of other plans are there since the submission
		if err := s.storeSpecs(ctx, p, missing); err != nil {
			return err
		}
	}
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

// urgency tells the queue how urgent a sweep is, or that it is over.
func (s *Scheduler) urgency(ctx context.Context, p *plan.Plan, state plan.State) error {
	if Over(state) {
		return s.Queue.Forget(ctx, p.ID)
	}
	return s.Queue.Prioritize(ctx, p.ID, p.Resources.Priority)
}

// compare tells what the queue lacks and what it has too much: queued is what it
// says of all jobs of the sweep.
func compare(wanted []plan.Job, queued map[string]plan.State) (missing []plan.Job, unwanted []string) {
	want := make(map[string]bool, len(wanted))
	for _, job := range wanted {
		want[job.ID] = true
		if state := queued[job.ID]; state != plan.Pending && state != plan.Running {
			missing = append(missing, job)
		}
	}
	for job, state := range queued {
		if state == plan.Pending && !want[job] {
			unwanted = append(unwanted, job)
		}
	}
	slices.Sort(unwanted)
	return missing, unwanted
}

// ReconcileLoop reconciles all sweeps that are not over, or only those, again and again
// until ctx ends, whose error it returns. What goes wrong is logged and tried again
// the next time.
func (s *Scheduler) ReconcileLoop(ctx context.Context, interval time.Duration, only ...string) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	finished := map[string]bool{}
	for {
		s.reconcileAll(ctx, finished, only)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// reconcileAll leaves out the finished sweeps and adds to them: a completed one
// stays so. One that failed or was canceled may be taken up again by anyone.
func (s *Scheduler) reconcileAll(ctx context.Context, finished map[string]bool, only []string) {
	entries, err := s.entries(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log().Warn("list the sweeps", "error", err)
		}
		return
	}
	if s.forget(entries) {
		clear(finished) // one of them may have been submitted again
	}
	for _, e := range entries {
		if finished[e.id] || ctx.Err() != nil || len(only) > 0 && !slices.Contains(only, e.id) {
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
	if err := s.arrange(ctx); err != nil && ctx.Err() == nil {
		s.log().Warn("arrange the queue", "error", err)
	}
}
