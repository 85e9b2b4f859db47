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
	results, err := s.Glance(ctx, sweep)
	if err != nil {
		return nil, err
	}
	folds := map[string][]*plan.FoldResult{} // by job: two trials may have the same
	var jobs []string
	for n := range results.Trials {
		for i := range results.Trials[n].Folds {
			f := &results.Trials[n].Folds[i]
			if folds[f.Job] == nil {
				jobs = append(jobs, f.Job)
			}
			folds[f.Job] = append(folds[f.Job], f)
		}
	}
	err = s.Histories(ctx, sweep, jobs, func(job string, h []plan.Epoch) error {
		for _, f := range folds[job] {
			if h != nil && len(f.Metrics) > 0 { // else it has ended since
				f.History = h
			}
		}
		return nil
	})
	return results, err
}

// Glance is Load without histories, which are empty: what a leaderboard needs, in
// memory that does not grow with the epochs that were trained.
func (s *Scheduler) Glance(ctx context.Context, sweep string) (*plan.Results, error) {
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
	if err := s.fill(ctx, p, views); err != nil {
		return nil, fmt.Errorf("load sweep %s: %w", sweep, err)
	}
	results := plan.Summarize(p, views)
	for n, t := range v.trials {
		if t != nil {
			results.Trials[n].Stopped = t.stop
		}
	}
	results.State = overall(results.State, held)
	if results.State == plan.Canceled {
		var mark holdMark
		if err := artifacts.GetJSON(ctx, s.Store, plan.CancelKey(sweep), &mark); err == nil && mark.Reason != "" {
			results.Warnings = append(results.Warnings, CanceledBecause+mark.Reason)
		}
	}
	return results, nil
}

// CanceledBecause begins the warning that says why a sweep was canceled by itself.
const CanceledBecause = "the sweep was canceled: "

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
	if t == nil {
		t = blank
	}
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
				out.Partial = o.outcome
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

// count tells how the jobs of a trial stand.
func (v *sight) count(n int, held plan.State, queued map[string]plan.State) map[plan.State]int {
	folds := map[plan.State]int{}
	for _, job := range v.jobsOf(n) {
		folds[v.view(job, held, queued).State]++
	}
	return folds
}

// standing tells how the sweep stands, and of how many jobs: those that two trials
// share count once.
func (v *sight) standing(held plan.State, queued map[string]plan.State) (state plan.State, jobs, completed, failed int) {
	c, from := v.prefix.counts.clone(), v.prefix.n
	if v.shared {
		c, from = counts{}.clone(), 0
	}
	for n := from; n < len(v.trials); n++ {
		c.add(v.count(n, held, queued))
	}
	state = overall(v.plan.StateOf(c.trials), held)
	if !v.shared {
		return state, len(v.plan.Jobs), c.completed, c.failed
	}
	views := v.views(held, queued)
	for _, view := range views {
		switch view.State {
		case plan.Completed:
			completed++
		case plan.Failed:
			failed++
		}
	}
	return state, len(views), completed, failed
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
func (s *Scheduler) fill(ctx context.Context, p *plan.Plan, views map[string]plan.JobView) error {
	var completed, failed, running []string
	for job, v := range views {
		switch v.State {
		case plan.Completed:
			completed = append(completed, job)
		case plan.Failed:
			failed = append(failed, job)
		case plan.Running:
			running = append(running, v.At)
		}
	}
	outcomes, err := s.tell(ctx, p, completed)
	if err != nil {
		return err
	}
	for job, o := range outcomes {
		v := views[job]
		v.Outcome = o.outcome
		views[job] = v
	}
	read := make([]plan.JobView, len(failed))
	err = eachIndex(ctx, len(failed), func(ctx context.Context, i int) error {
		read[i] = views[failed[i]]
		return s.readFailure(ctx, &read[i])
	})
	if err != nil {
		return err
	}
	for i, job := range failed {
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

// readFailure reads why a job was given up.
func (s *Scheduler) readFailure(ctx context.Context, v *plan.JobView) error {
	failure := new(plan.Failure)
	err := artifacts.GetJSON(ctx, s.Store, plan.FailureKey(v.At), failure)
	if errors.Is(err, artifacts.ErrNotFound) { // retried a moment ago
		v.State = plan.Pending
		return nil
	}
	v.Failure, v.Attempts = failure, failure.Attempts
	return err
}

// Wait calls update with the results, less their histories, until the sweep is over,
// and returns the last of them with histories. While the store is not available it waits for it. Somebody must
// reconcile meanwhile: a worker, or ReconcileLoop in this process.
func (s *Scheduler) Wait(ctx context.Context, sweep string, update func(*plan.Results)) (*plan.Results, error) {
	tick := time.NewTicker(s.poll())
	defer tick.Stop()
	for {
		results, err := s.Glance(ctx, sweep)
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
				return s.Load(ctx, sweep)
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
