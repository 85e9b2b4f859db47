package web

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// recently is for how long a change is told to those who come later: they may have
// fetched the page before it, and listen since after.
const recently = time.Minute

// changes notes what of many things changed when, by digests of what they look like.
type changes[K comparable] struct {
	now    func() time.Time
	seed   maphash.Seed
	seen   map[K]uint64
	latest map[K]time.Time // of the last while
}

func newChanges[K comparable](now func() time.Time) *changes[K] {
	return &changes[K]{now: now, seed: maphash.MakeSeed(), seen: map[K]uint64{}, latest: map[K]time.Time{}}
}

// note tells whether a thing looks other than last time. The first look at it is no
// change.
func (c *changes[K]) note(key K, v any) bool {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types, all of which encode
	}
	sum := maphash.Bytes(c.seed, data)
	before, known := c.seen[key]
	c.seen[key] = sum
	if known && before != sum {
		c.latest[key] = c.now()
		return true
	}
	return false
}

// forget drops what changed long ago.
func (c *changes[K]) forget() {
	for key, at := range c.latest {
		if c.now().Sub(at) > recently {
			delete(c.latest, key)
		}
	}
}

// listView looks at the list of sweeps.
type listView struct {
	s       *Server
	changes *changes[string]
	first   bool
	lines   map[string]sweepLine
	changed []sweepLine
}

func (v *listView) name() string { return "sweeps" }

func (v *listView) look(ctx context.Context) (bool, error) {
	list, err := v.s.getSweeps(ctx, nil)
	if err != nil {
		return false, err
	}
	v.changes.forget()
	v.lines, v.changed = map[string]sweepLine{}, nil
	for _, line := range list.Sweeps {
		_, known := v.changes.seen[line.Sweep]
		if changed := v.changes.note(line.Sweep, line); changed || !known && !v.first {
			v.changes.latest[line.Sweep] = v.changes.now()
			v.changed = append(v.changed, line)
		}
		v.lines[line.Sweep] = line
	}
	v.first = false
	return false, nil
}

func (v *listView) hello() any { return sweepList{Sweeps: []sweepLine{}} }

func (v *listView) news() any {
	if len(v.changed) == 0 {
		return nil
	}
	return sweepList{Sweeps: v.changed}
}

func (v *listView) recent() any {
	list := sweepList{}
	for sweep := range v.changes.latest {
		if line, there := v.lines[sweep]; there {
			list.Sweeps = append(list.Sweeps, line)
		}
	}
	if len(list.Sweeps) == 0 {
		return nil
	}
	slices.SortFunc(list.Sweeps, func(a, b sweepLine) int { return b.Created.Compare(a.Created) })
	return list
}

// sweepNews is what changed of a sweep.
type sweepNews struct {
	State   plan.State         `json:"state"`
	ETA     float64            `json:"eta_seconds"`
	Best    *plan.Best         `json:"best"`
	Counts  map[plan.State]int `json:"counts"`
	Seconds float64            `json:"seconds"`
	Trials  []plan.TrialResult `json:"trials" doc:"only those that changed, with only the folds that did, without histories"`
}

// sweepView looks at one sweep.
type sweepView struct {
	s       *Server
	sweep   string
	folds   *changes[[2]int] // trial and fold; fold -1: the trial itself
	head    *changes[string]
	results *plan.Results
	changed map[[2]int]bool
	moved   bool // the head changed
}

func (v *sweepView) name() string { return "sweep" }

// trialHead is what a trial is without its folds.
type trialHead struct {
	State   plan.State
	Summary map[string]plan.Stat
	Stopped *plan.Stop
}

func (v *sweepView) look(ctx context.Context) (bool, error) {
	r, err := v.s.o.Scheduler.Glance(ctx, v.sweep)
	if errors.Is(err, scheduler.ErrUnknownSweep) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	v.folds.forget()
	before := 0
	if v.results != nil {
		before = len(v.results.Trials)
	}
	v.results, v.changed = r, map[[2]int]bool{}
	for _, t := range r.Trials {
		added := before > 0 && t.Trial >= before // a search has proposed it since
		for _, f := range t.Folds {
			v.note([2]int{t.Trial, f.Fold}, f, added)
		}
		v.note([2]int{t.Trial, -1}, trialHead{t.State, t.Summary, t.Stopped}, added)
	}
	v.moved = v.head.note("", v.of(nil))
	return false, nil
}

func (v *sweepView) note(key [2]int, value any, added bool) {
	if v.folds.note(key, value) || added {
		v.changed[key] = true
		v.folds.latest[key] = v.folds.now()
	}
}

// of is the news of some folds and trials.
func (v *sweepView) of(keys map[[2]int]bool) *sweepNews {
	n := &sweepNews{State: v.results.State, ETA: v.results.ETA, Best: v.results.Best, Trials: []plan.TrialResult{}}
	n.Counts, n.Seconds = countJobs(v.results)
	for _, t := range v.results.Trials {
		folds := []plan.FoldResult{}
		for _, f := range t.Folds {
			if keys[[2]int{t.Trial, f.Fold}] {
				folds = append(folds, f)
			}
		}
		if len(folds) > 0 || keys[[2]int{t.Trial, -1}] {
			t.Folds = folds
			n.Trials = append(n.Trials, t)
		}
	}
	return n
}

func (v *sweepView) hello() any { return v.of(nil) }

func (v *sweepView) news() any {
	if len(v.changed) == 0 && !v.moved {
		return nil
	}
	return v.of(v.changed)
}

func (v *sweepView) recent() any {
	keys := map[[2]int]bool{}
	for key := range v.folds.latest {
		keys[key] = true
	}
	if len(keys) == 0 {
		return nil
	}
	return v.of(keys)
}

// listen makes the view of what a client asks for.
func (s *Server) listen(sweep string) view {
	if sweep == "" {
		return &listView{s: s, changes: newChanges[string](s.o.Access.Now), first: true}
	}
	return &sweepView{s: s, sweep: sweep, folds: newChanges[[2]int](s.o.Access.Now), head: newChanges[string](s.o.Access.Now)}
}
