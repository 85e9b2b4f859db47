package scheduler

import (
	"context"
	"fmt"
	"time"

	"orchestrator/scheduler/plan"
)

// holdMark is the content of a mark that holds a sweep; that it exists is what
// counts.
type holdMark struct {
	Sweep  string `json:"sweep"`
	Since  string `json:"since"`            // RFC 3339, UTC
	Reason string `json:"reason,omitempty"` // where it was not its user who said so
}

// Cancel marks the sweep as canceled and takes its jobs out of the queue.
// Workers that run one of them see the mark and stop. Jobs that other sweeps
// want too go on under their names.
func (s *Scheduler) Cancel(ctx context.Context, sweep string) (Report, error) {
	return s.hold(ctx, sweep, plan.CancelKey(sweep))
}

func (s *Scheduler) hold(ctx context.Context, sweep, key string) (Report, error) {
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	m := holdMark{Sweep: sweep, Since: s.now().UTC().Format(time.RFC3339)}
	if _, err := s.create(ctx, key, m); err != nil {
		return Report{}, fmt.Errorf("hold sweep %s: %w", sweep, err)
	}
	report, err := s.Reconcile(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	if report.Withdrawn > 0 {
		err = s.reconcileSharing(ctx, p)
	}
	return report, err
}

// reconcileSharing reconciles the other sweeps that share jobs with the plan.
func (s *Scheduler) reconcileSharing(ctx context.Context, p *plan.Plan) error {
	ours := map[string]bool{}
	for _, job := range s.withRungs(p, p.Jobs) {
		ours[job.ID] = true
	}
	entries, err := s.entries(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.id == p.ID || e.held != "" {
			continue
		}
		other, err := s.Plan(ctx, e.id)
		if err != nil {
			return err
		}
		for _, job := range s.withRungs(other, other.Jobs) {
			if !ours[job.ID] {
				continue
			}
			if _, err := s.Reconcile(ctx, e.id); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// Pause marks the sweep as paused and takes its jobs out of the queue. Workers that
// run one of them see the mark, write a checkpoint and stop; Resume goes on from
// there.
func (s *Scheduler) Pause(ctx context.Context, sweep string) (Report, error) {
	return s.hold(ctx, sweep, plan.PauseKey(sweep))
}

// Resume takes a sweep up again: it removes the marks of Cancel and Pause, and enqueues what
// has no outcome. Jobs that were given up stay so; Retry is for them.
func (s *Scheduler) Resume(ctx context.Context, sweep string) (Report, error) {
	if _, err := s.Plan(ctx, sweep); err != nil {
		return Report{}, err
	}
	for _, key := range []string{plan.CancelKey(sweep), plan.PauseKey(sweep)} {
		if err := s.Store.Delete(ctx, key); err != nil {
			return Report{}, fmt.Errorf("resume sweep %s: %w", sweep, err)
		}
	}
	return s.Reconcile(ctx, sweep)
}

// Retry forgets the failures of a sweep's jobs and enqueues them again; they go
// on from their last checkpoints. It returns how many there were.
func (s *Scheduler) Retry(ctx context.Context, sweep string) (int, Report, error) {
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return 0, Report{}, err
	}
	stands, err := s.look(ctx, sweep, jobIDs(s.withRungs(p, p.Jobs)), nil)
	if err != nil {
		return 0, Report{}, fmt.Errorf("retry sweep %s: %w", sweep, err)
	}
	var failed []string
	for job, state := range stands {
		if state == plan.Failed {
			failed = append(failed, job)
		}
	}
	if err := each(ctx, failed, s.forgive); err != nil {
		return 0, Report{}, fmt.Errorf("retry sweep %s: %w", sweep, err)
	}
	report, err := s.Reconcile(ctx, sweep)
	return len(failed), report, err
}

// forgive removes the record that a job was given up. Its attempts stay on
// record; workers count restarts from where it was given up.
func (s *Scheduler) forgive(ctx context.Context, job string) error {
	if err := s.Store.Delete(ctx, plan.FailureKey(job)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.sweeps {
		delete(m.marks, job)
	}
	return nil
}
