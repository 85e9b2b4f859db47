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
	held, err := s.held(ctx, sweep)
	if err != nil {
		return nil, fmt.Errorf("load sweep %s: %w", sweep, err)
	}
	queued := s.queued(ctx, p)
	v, err := s.see(ctx, p, queued)
	if err != nil {
		return nil, fmt.Errorf("load sweep %s: %w", sweep, err)
	}
	views := v.views(held, queued)
	if err := s.fill(ctx, views); err != nil {
		return nil, fmt.Errorf("load sweep %s: %w", sweep, err)
	}
	results := plan.Summarize(p, views)
	for n, t := range v.trials {
		results.Trials[n].Stopped = t.stop
	}
	results.State = overall(results.State, held)
	if results.State == plan.Canceled {
		var mark holdMark
		if err := artifacts.GetJSON(ctx, s.Store, plan.CancelKey(sweep), &mark); err == nil && mark.Reason != "" {
			results.Warnings = append(results.Warnings, "the sweep was canceled: "+mark.Reason)
		}
	}
	return results, nil
}

// queued asks the queue about the jobs of a plan; nil where it does not answer.
func (s *Scheduler) queued(ctx context.Context, p *plan.Plan) map[string]plan.State {
	queued, err := s.ask(ctx, p)
	if err != nil {
		s.log().Debug("ask the queue for the states of jobs", "error", err)
		return nil
	}
	return queued
}

// views puts together what the store and the queue say.
func (v *sight) views(held plan.State, queued map[string]plan.State) map[string]plan.JobView {
	views := make(map[string]plan.JobView, len(v.plan.Jobs))
	for _, job := range v.plan.Jobs {
		views[job.ID] = v.view(job, held, queued)
	}
	return views
}

// view is how a job stands, and if it has not begun what leads to it.
func (v *sight) view(job plan.Job, held plan.State, queued map[string]plan.State) plan.JobView {
	t := v.trials[job.Trial]
	out := plan.JobView{State: t.stands[job.ID], At: job.ID}
	if out.State != "" {
		return out
	}
	running := queued[job.ID] == plan.Running
	if v.plan.Search.Adaptive() {
		for _, rung := range v.ladder(job) {
			if t.stands[rung.ID] == plan.Failed || queued[rung.ID] == plan.Running {
				out.At = rung.ID
			}
			if t.stands[rung.ID] == plan.Failed {
				out.State = plan.Failed
				return out
			}
			running = running || queued[rung.ID] == plan.Running && t.stands[rung.ID] == ""
			if o := t.outcomes[rung.ID]; o != nil {
				out.Partial = o
			}
		}
	}
	switch {
	case t.stop != nil || t.record.Out:
		out.State = plan.Pruned
	case held == plan.Canceled:
		out.State = held
	case running:
		out.State = plan.Running
	case held == plan.Paused:
		out.State = held
	default:
		out.State = plan.Pending
	}
	return out
}

// count tells how many jobs have an outcome and how many were given up.
func count(views map[string]plan.JobView) (completed, failed int) {
	for _, view := range views {
		switch view.State {
		case plan.Completed:
			completed++
		case plan.Failed:
			failed++
		}
	}
	return completed, failed
}

// overall lets a cancellation outweigh what its jobs came to before, and a pause
// what they wait for.
func overall(state, held plan.State) plan.State {
	switch {
	case held == plan.Canceled && state != plan.Completed:
		return held
	case held == plan.Paused && (state == plan.Pending || state == plan.Running):
		return held
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
			running = append(running, v.At)
		}
	}
	read := make([]plan.JobView, len(over))
	index := make([]int, len(over))
	for i := range index {
		index[i] = i
	}
	err := each(ctx, index, func(ctx context.Context, i int) (err error) {
		read[i] = views[over[i]]
		return s.readEnd(ctx, read[i].At, &read[i])
	})
	if err != nil {
		return err
	}
	for i, job := range over {
		views[job] = read[i]
	}
	board := s.progress(ctx, running)
	for job, v := range views {
		if p, there := board[v.At]; there && v.State == plan.Running {
			v.Progress, v.Attempts = &p, p.Attempt
			views[job] = v
		}
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
