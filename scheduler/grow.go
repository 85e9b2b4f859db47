package scheduler

import (
	"context"
	"errors"
	"fmt"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/search"
)

// searcher is what a process keeps of a sweep that learns.
type searcher struct {
	sweep *plan.Sweep     // the file, read again
	taken map[string]bool // parameters of the trials so far, by plan.ParametersKey
	seen  int             // trials in taken
}

// regrow is the newest of a plan that is known, brought up to date.
func (s *Scheduler) regrow(ctx context.Context, p *plan.Plan) (*plan.Plan, error) {
	s.growing.Lock()
	defer s.growing.Unlock()
	if newest := s.known(p.ID); newest != nil {
		p = newest
	}
	p, err := s.grown(ctx, p)
	if err == nil {
		s.remember(p)
	}
	return p, err
}

// grown adds the trials that a search has recorded since the plan was last read.
func (s *Scheduler) grown(ctx context.Context, p *plan.Plan) (*plan.Plan, error) {
	for p.Search.Growing(len(p.Trials)) {
		var t plan.Trial
		err := artifacts.GetJSON(ctx, s.Store, plan.TrialKey(p.ID, len(p.Trials)), &t)
		if errors.Is(err, artifacts.ErrNotFound) {
			break
		}
		if err == nil {
			p, err = p.Grown(t)
		}
		if err != nil {
			return nil, fmt.Errorf("read trial %d of sweep %s: %w", len(p.Trials), p.ID, err)
		}
	}
	if p.Search.Growing(len(p.Trials)) {
		exhausted, err := s.exists(ctx, plan.ExhaustedKey(p.ID))
		if err != nil {
			return nil, fmt.Errorf("read sweep %s: %w", p.ID, err)
		}
		if exhausted {
			p = p.Exhausted()
		}
	}
	return p, nil
}

// propose records the next trial of a search, or that there is none. Somebody else
// who was faster has recorded the same.
func (s *Scheduler) propose(ctx context.Context, p *plan.Plan, before []search.Outcome) error {
	if p.Engine != plan.Engine {
		return fmt.Errorf("sweep %s was planned by engine %s and this program has engine %s: processes of the version that submitted it propose its trials",
			p.ID, p.Engine, plan.Engine)
	}
	s.searching.Lock()
	defer s.searching.Unlock()
	g, err := s.searcher(p)
	if err != nil {
		return err
	}
	t, err := g.next(p, before)
	if errors.Is(err, search.ErrExhausted) {
		return s.create(ctx, plan.ExhaustedKey(p.ID), struct {
			Trials int `json:"trials"`
		}{len(p.Trials)})
	}
	if err != nil {
		return fmt.Errorf("sweep %s: %w", p.ID, err)
	}
	return s.create(ctx, plan.TrialKey(p.ID, t.Number), t)
}

// create stores an object; one that is there is as good.
func (s *Scheduler) create(ctx context.Context, key string, v any) error {
	err := artifacts.CreateJSON(ctx, s.Store, key, v)
	if errors.Is(err, artifacts.ErrExists) {
		return nil
	}
	return err
}

// searcher reads the sweep file of a plan again, and notes the trials so far.
func (s *Scheduler) searcher(p *plan.Plan) (*searcher, error) {
	g := s.searchers[p.ID]
	if g == nil {
		overrides := make([]plan.Override, len(p.Overrides))
		for i, text := range p.Overrides {
			var err error
			if overrides[i], err = plan.ParseOverride(text); err != nil {
				return nil, fmt.Errorf("read the sweep file of %s again: %w", p.ID, err)
			}
		}
		sweep, err := plan.Parse(p.Name, []byte(p.Source), overrides...)
		if err != nil {
			return nil, fmt.Errorf("read the sweep file of %s again: %w", p.ID, err)
		}
		g = &searcher{sweep: sweep, taken: map[string]bool{}}
		if s.searchers == nil {
			s.searchers = map[string]*searcher{}
		}
		s.searchers[p.ID] = g
	}
	for ; g.seen < len(p.Trials); g.seen++ {
		g.taken[plan.ParametersKey(p.Trials[g.seen].Parameters)] = true
	}
	return g, nil
}

// next draws the trial that follows those of the plan; the error is
// search.ErrExhausted where there is none.
func (g *searcher) next(p *plan.Plan, before []search.Outcome) (plan.Trial, error) {
	a, err := g.sweep.Proposal(len(p.Trials), before, func(key string) bool { return g.taken[key] })
	var t plan.Trial
	if err == nil {
		t, err = p.Next(a)
	}
	if err != nil {
		return plan.Trial{}, fmt.Errorf("propose trial %d: %w", len(p.Trials), err)
	}
	return t, nil
}

// withRungs are the jobs and those that lead to them.
func (s *Scheduler) withRungs(p *plan.Plan, jobs []plan.Job) []plan.Job {
	if p.Search == nil {
		return jobs
	}
	var all []plan.Job
	for _, job := range jobs {
		all = append(append(all, s.ladder(p, job)...), job)
	}
	return all
}

// ladder are the jobs that lead to a job, worked out once.
func (s *Scheduler) ladder(p *plan.Plan, job plan.Job) []plan.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := rungsOf{p.ID, job.Trial, job.Fold}
	ladder, known := s.ladders[at]
	if !known {
		ladder, _ = p.Ladder(job) // encoding it has worked for the job itself
		if s.ladders == nil {
			s.ladders = map[rungsOf][]plan.Job{}
		}
		s.ladders[at] = ladder
	}
	return ladder
}

// rungsOf names a fold of a trial of a sweep.
type rungsOf struct {
	sweep       string
	trial, fold int
}

// stops reads which trials of a sweep were stopped, and why.
func (s *Scheduler) stops(ctx context.Context, p *plan.Plan) (map[int]plan.Stop, error) {
	if !p.Search.Adaptive() {
		return nil, nil
	}
	stops := map[int]plan.Stop{}
	for info, err := range s.Store.List(ctx, plan.StopPrefix(p.ID)) {
		if err != nil {
			return nil, fmt.Errorf("list the stopped trials of sweep %s: %w", p.ID, err)
		}
		s.mu.Lock()
		stop, known := s.stopped[info.Key]
		s.mu.Unlock()
		if !known {
			if err := artifacts.GetJSON(ctx, s.Store, info.Key, &stop); err != nil {
				return nil, fmt.Errorf("read why a trial of sweep %s was stopped: %w", p.ID, err)
			}
			s.mu.Lock()
			if s.stopped == nil {
				s.stopped = map[string]plan.Stop{}
			}
			s.stopped[info.Key] = stop
			s.mu.Unlock()
		}
		stops[stop.Trial] = stop
	}
	return stops, nil
}
