package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/search"
)

// searcher is what a process keeps of a sweep that learns.
type searcher struct {
	sweep *plan.Sweep     // the file, read again
	taken map[string]bool // parameters of the trials so far, by plan.ParametersKey
	seen  int             // trials in taken
	known search.Known    // what the search may know of them
	sure  int             // outcomes in known that will not change
}

// regrow is the newest of a plan that is known, brought up to date.
func (s *Scheduler) regrow(ctx context.Context, p *plan.Plan) (*plan.Plan, error) {
	s.growing.Lock()
	defer s.growing.Unlock()
	if newest := s.known(p.ID); newest != nil {
		p = newest
	} else { // one that was forgotten may have grown from this one
		own := *p
		own.Trials, own.Jobs = slices.Clip(p.Trials), slices.Clip(p.Jobs)
		p = &own
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
func (s *Scheduler) propose(ctx context.Context, v *sight) error {
	p := v.plan
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
	t, err := g.next(v)
	if errors.Is(err, search.ErrExhausted) {
		_, err := s.create(ctx, plan.ExhaustedKey(p.ID), struct {
			Trials int `json:"trials"`
		}{len(p.Trials)})
		return err
	}
	if err != nil {
		return fmt.Errorf("sweep %s: %w", p.ID, err)
	}
	created, err := s.create(ctx, plan.TrialKey(p.ID, t.Number), t)
	if created {
		s.meter().Proposed()
		s.log().Info("trial added", "sweep", p.ID, "trial", t.Number)
	}
	return err
}

// create stores an object, and tells whether it was this call that did; one that is
// there is as good.
func (s *Scheduler) create(ctx context.Context, key string, v any) (created bool, err error) {
	err = artifacts.CreateJSON(ctx, s.Store, key, v)
	if errors.Is(err, artifacts.ErrExists) {
		return false, nil
	}
	return err == nil, err
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
		sweep, err := plan.ParseStored(p.Name, []byte(p.Source), overrides...)
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
func (g *searcher) next(v *sight) (plan.Trial, error) {
	p := v.plan
	g.learn(v)
	a, err := g.sweep.Proposal(len(p.Trials), &g.known, func(key string) bool { return g.taken[key] })
	var t plan.Trial
	if err == nil {
		t, err = p.Next(a)
	}
	if err != nil {
		return plan.Trial{}, fmt.Errorf("propose trial %d: %w", len(p.Trials), err)
	}
	return t, nil
}

// learn brings what the search may know up to date: what the trials came to up to a
// fixed distance before the next, and that those after it are under way.
func (g *searcher) learn(v *sight) {
	all := len(v.plan.Trials)
	last := all - v.plan.Search.Concurrent
	g.known.Outcomes = g.known.Outcomes[:min(g.sure, len(g.known.Outcomes))]
	for n := len(g.known.Outcomes); n < all; n++ {
		o := search.Outcome{Trial: n, Point: v.plan.Trials[n].Point, State: search.Running}
		if n <= last {
			o = v.experience(n)
		}
		g.known.Outcomes = append(g.known.Outcomes, o)
	}
	g.sure = max(0, min(v.prefix.n, last+1))
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
	if p.Search == nil || p.Search.EarlyTerminate.Type == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ladders, at := s.memory(p.ID).ladders, rungsOf{job.Trial, job.Fold}
	ladder, known := ladders[at]
	if !known {
		ladder, _ = p.Ladder(job) // encoding it has worked for the job itself
		ladders[at] = ladder
	}
	return ladder
}

// rungsOf names a fold of a trial.
type rungsOf struct{ trial, fold int }

// fewStops is up to how many trials it is cheaper to ask for the stop of each than to
// list all stops of the sweep.
const fewStops = 16

// stops reads which of the trials of a sweep that may still change were stopped, and why.
func (s *Scheduler) stops(ctx context.Context, v *sight) (map[int]plan.Stop, error) {
	p := v.plan
	if p.Search == nil || p.Search.EarlyTerminate == (plan.EarlyTerminate{}) {
		return nil, nil
	}
	stops := map[int]plan.Stop{}
	var ask []int
	s.mu.Lock()
	m := s.memory(p.ID)
	for n := v.prefix.n; n < len(v.trials); n++ {
		if stop, known := m.stopped[n]; known {
			stops[n] = stop
		} else if v.trials[n] == nil {
			ask = append(ask, n)
		}
	}
	s.mu.Unlock()
	if len(ask) > fewStops {
		var err error
		if ask, err = s.listStops(ctx, p, stops); err != nil {
			return nil, err
		}
	}
	read := make([]*plan.Stop, len(ask))
	err := eachIndex(ctx, len(ask), func(ctx context.Context, i int) error {
		stop := new(plan.Stop)
		err := artifacts.GetJSON(ctx, s.Store, plan.StopKey(p.ID, ask[i]), stop)
		if errors.Is(err, artifacts.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read why trial %d of sweep %s was stopped: %w", ask[i], p.ID, err)
		}
		read[i] = stop
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m = s.memory(p.ID)
	for i, n := range ask {
		if read[i] != nil {
			stops[n], m.stopped[n] = *read[i], *read[i]
		}
	}
	return stops, nil
}

// listStops lists the trials with a stop that is not among those.
func (s *Scheduler) listStops(ctx context.Context, p *plan.Plan, stops map[int]plan.Stop) ([]int, error) {
	var found []int
	for info, err := range s.Store.List(ctx, plan.StopPrefix(p.ID)) {
		if err != nil {
			return nil, fmt.Errorf("list the stopped trials of sweep %s: %w", p.ID, err)
		}
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(info.Key, plan.StopPrefix(p.ID)), "%06d.json", &n); err != nil {
			continue
		}
		if _, known := stops[n]; !known {
			found = append(found, n)
		}
	}
	return found, nil
}
