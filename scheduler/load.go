package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// Load draws up the results of a sweep so far, with the progress of the jobs
// that run. It reads the store; a queue that cannot be reached only leaves out
// what runs.
func (s *Scheduler) Load(ctx context.Context, sweep string) (*plan.Results, error) {
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return nil, err
	}
	canceled, err := s.exists(ctx, plan.CancelKey(sweep))
	if err != nil {
		return nil, fmt.Errorf("load sweep %s: %w", sweep, err)
	}
	jobs := jobIDs(p)
	queued := s.queued(ctx, jobs)
	stands, err := s.look(ctx, jobs, queued)
	if err != nil {
		return nil, fmt.Errorf("load sweep %s: %w", sweep, err)
	}
	views := views(p, canceled, stands, queued)
	if err := s.fill(ctx, views); err != nil {
		return nil, fmt.Errorf("load sweep %s: %w", sweep, err)
	}
	results := plan.Summarize(p, views)
	results.State = overall(results.State, canceled)
	return results, nil
}

// queued asks the queue about the jobs; nil where it does not answer.
func (s *Scheduler) queued(ctx context.Context, jobs []string) map[string]plan.State {
	if s.Queue == nil {
		return nil
	}
	queued, err := s.Queue.States(ctx, jobs)
	if err != nil {
		s.log().Debug("ask the queue for the states of jobs", "error", err)
		return nil
	}
	return queued
}

// views puts together what the store and the queue say.
func views(p *plan.Plan, canceled bool, stands, queued map[string]plan.State) map[string]plan.JobView {
	views := make(map[string]plan.JobView, len(p.Jobs))
	for _, job := range p.Jobs {
		state := stands[job.ID]
		switch {
		case state != "":
		case canceled:
			state = plan.Canceled
		case queued[job.ID] == plan.Running:
			state = plan.Running
		default:
			state = plan.Pending
		}
		views[job.ID] = plan.JobView{State: state}
	}
	return views
}

// sweepState is the state of a whole sweep.
func sweepState(p *plan.Plan, canceled bool, stands, queued map[string]plan.State) plan.State {
	return overall(plan.Summarize(p, views(p, canceled, stands, queued)).State, canceled)
}

// overall lets a cancellation outweigh what its jobs came to before.
func overall(state plan.State, canceled bool) plan.State {
	if canceled && state != plan.Completed {
		return plan.Canceled
	}
	return state
}

// fill adds outcomes, failures and progress to the views.
func (s *Scheduler) fill(ctx context.Context, views map[string]plan.JobView) error {
	var over, running []string
	for job, v := range views {
		switch v.State {
		case plan.Completed, plan.Failed:
			over = append(over, job)
		case plan.Running:
			running = append(running, job)
		}
	}
	read := make([]plan.JobView, len(over))
	index := make([]int, len(over))
	for i := range index {
		index[i] = i
	}
	err := each(ctx, index, func(ctx context.Context, i int) (err error) {
		read[i] = views[over[i]]
		return s.readEnd(ctx, over[i], &read[i])
	})
	if err != nil {
		return err
	}
	for i, job := range over {
		views[job] = read[i]
	}
	for job, p := range s.progress(ctx, running) {
		v := views[job]
		v.Progress, v.Attempts = &p, p.Attempt
		views[job] = v
	}
	return nil
}

func (s *Scheduler) progress(ctx context.Context, running []string) map[string]plan.Progress {
	if len(running) == 0 {
		return nil
	}
	board, err := s.Queue.Progress(ctx, running)
	if err != nil {
		s.log().Debug("ask the queue for the progress of jobs", "error", err)
	}
	return board
}

// readEnd reads the outcome or the failure of a job that is over.
func (s *Scheduler) readEnd(ctx context.Context, job string, v *plan.JobView) error {
	if v.State == plan.Completed {
		outcome, err := s.Outcome(ctx, job)
		v.Outcome = outcome
		return err
	}
	failure := new(plan.Failure)
	err := artifacts.GetJSON(ctx, s.Store, plan.FailureKey(job), failure)
	if errors.Is(err, artifacts.ErrNotFound) { // retried a moment ago
		v.State = plan.Pending
		return nil
	}
	v.Failure, v.Attempts = failure, failure.Attempts
	return err
}

// Outcome reads the outcome of a job, once: outcomes never change.
func (s *Scheduler) Outcome(ctx context.Context, job string) (*plan.Outcome, error) {
	s.mu.Lock()
	outcome := s.outcomes[job]
	s.mu.Unlock()
	if outcome != nil {
		return outcome, nil
	}
	outcome = new(plan.Outcome)
	if err := artifacts.GetJSON(ctx, s.Store, plan.OutcomeKey(job), outcome); err != nil {
		return nil, fmt.Errorf("read the outcome of job %s: %w", job, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outcomes == nil {
		s.outcomes = map[string]*plan.Outcome{}
	}
	s.outcomes[job] = outcome
	return outcome, nil
}

// Wait calls update with the results until the sweep is over, and returns the
// last of them. While the store is not available it waits for it. Somebody must
// reconcile meanwhile: a worker, or ReconcileLoop in this process.
func (s *Scheduler) Wait(ctx context.Context, sweep string, update func(*plan.Results)) (*plan.Results, error) {
	tick := time.NewTicker(s.poll())
	defer tick.Stop()
	for {
		results, err := s.Load(ctx, sweep)
		switch {
		case errors.Is(err, artifacts.ErrUnavailable):
			s.log().Warn("wait for the store", "error", err)
		case err != nil:
			return nil, err
		default:
			if update != nil {
				update(results)
			}
			if Over(results.State) {
				return results, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// Over tells whether a sweep in this state does nothing more by itself.
func Over(state plan.State) bool {
	return state == plan.Completed || state == plan.Failed || state == plan.Canceled
}
