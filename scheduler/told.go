package scheduler

import (
	"context"
	"errors"
	"fmt"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// told is what is kept of an outcome: not its history, which would be most of it.
type told struct {
	outcome *plan.Outcome // as much of it as a plan.Gist tells
	curve   []float64     // of the sweep's metric, greater is better, where rungs need it
}

// tellOf is what is kept of an outcome in a sweep.
func tellOf(p *plan.Plan, o *plan.Outcome) *told {
	gist := o.Gist()
	t := &told{outcome: gist.Outcome()}
	if !curved(p) {
		return t
	}
	t.curve = make([]float64, len(o.History))
	for i, line := range o.History {
		t.curve[i] = score(p.Metric, line.Metrics)
	}
	return t
}

// curved tells whether a sweep's decisions look at curves.
func curved(p *plan.Plan) bool {
	return p.Search != nil && p.Search.EarlyTerminate.Type != ""
}

// tell reads what is to be kept of the outcomes of completed jobs, each once:
// outcomes never change.
func (s *Scheduler) tell(ctx context.Context, p *plan.Plan, jobs []string) (map[string]*told, error) {
	all := make(map[string]*told, len(jobs))
	var ask []string
	s.mu.Lock()
	known := s.memory(p.ID).told
	for _, job := range jobs {
		if t := known[job]; t != nil {
			all[job] = t
		} else {
			ask = append(ask, job)
		}
	}
	s.mu.Unlock()
	s.meter().OutcomesRead(len(all), len(ask))
	read := make([]*told, len(ask))
	err := eachIndex(ctx, len(ask), func(ctx context.Context, i int) error {
		o, err := s.Outcome(ctx, ask[i])
		if err != nil {
			return err
		}
		read[i] = tellOf(p, o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known = s.memory(p.ID).told
	for i, job := range ask {
		all[job], known[job] = read[i], read[i]
	}
	return all, nil
}

// Outcome reads the whole outcome of a job. It is not kept.
func (s *Scheduler) Outcome(ctx context.Context, job string) (*plan.Outcome, error) {
	outcome := new(plan.Outcome)
	if err := artifacts.GetJSON(ctx, s.Store, plan.OutcomeKey(job), outcome); err != nil {
		return nil, fmt.Errorf("read the outcome of job %s: %w", job, err)
	}
	return outcome, nil
}

// Histories calls visit with the histories of jobs of a sweep, one after the other in
// any order: of a job that has an outcome, or of the last rung that it has reached.
// Others are left out. Nothing is kept. An error of visit ends it and is returned.
func (s *Scheduler) Histories(ctx context.Context, sweep string, jobs []string, visit func(job string, h []plan.Epoch) error) error {
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return err
	}
	if err := s.recall(ctx, p, jobs); err != nil {
		return fmt.Errorf("read histories of sweep %s: %w", sweep, err)
	}
	at, err := s.sources(ctx, p, jobs)
	if err != nil {
		return fmt.Errorf("read histories of sweep %s: %w", sweep, err)
	}
	jobs, err = s.visitDigests(ctx, p, at, visit)
	if err != nil {
		return err
	}
	return s.visitOutcomes(ctx, jobs, at, visit)
}

// sources are jobs by the one whose outcome has their history: the job itself, or the
// one that ends at the last rung it has reached.
type sources map[string][]string

// visit visits the history of the outcome of a job for all jobs that have it.
func (at sources) visit(job string, h []plan.Epoch, visit func(job string, h []plan.Epoch) error) error {
	for _, wanted := range at[job] {
		if err := visit(wanted, h); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scheduler) sources(ctx context.Context, p *plan.Plan, jobs []string) (sources, error) {
	at := make(sources, len(jobs))
	if !curved(p) {
		for _, job := range jobs {
			at[job] = []string{job}
		}
		return at, nil
	}
	v, err := s.see(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(jobs))
	for _, job := range jobs {
		wanted[job] = true
	}
	for _, job := range p.Jobs {
		if !wanted[job.ID] {
			continue
		}
		if view := v.view(job, "", nil); view.State == plan.Completed {
			at[job.ID] = []string{job.ID}
		} else if view.Partial != nil {
			at[view.Partial.Job] = append(at[view.Partial.Job], job.ID)
		}
		wanted[job.ID] = false // the next trial may have the same
	}
	return at, nil
}

// visitOutcomes visits the histories that are in no digest.
func (s *Scheduler) visitOutcomes(ctx context.Context, from []string, at sources, visit func(job string, h []plan.Epoch) error) error {
	for len(from) > 0 {
		batch := from[:min(len(from), maxParallel)]
		from = from[len(batch):]
		read := make([]*plan.Outcome, len(batch))
		err := eachIndex(ctx, len(batch), func(ctx context.Context, i int) (err error) {
			if read[i], err = s.Outcome(ctx, batch[i]); errors.Is(err, artifacts.ErrNotFound) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		for i, job := range batch {
			if read[i] == nil {
				continue
			}
			if err := at.visit(job, read[i].History, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
