package gc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/scheduler/plan"
)

// references are what the sweeps of a store refer to.
type references struct {
	sweeps map[string]*sweepReferences
	jobs   map[string]bool // rungs included
	keys   map[string]bool // data sets, base models
}

// sweepReferences are those of one sweep. They do not change once made.
type sweepReferences struct {
	plan   *plan.Plan
	groups [][]string // of each job: the rungs that lead to it, and it
	keys   []string
}

// references reads the plans of all sweeps but those. It is cheap where they were read
// before: a plan never changes but for the trials that a search adds.
func (c *Collector) references(ctx context.Context, without []string) (*references, error) {
	ids, err := c.sweeps(ctx)
	if err != nil {
		return nil, err
	}
	r := &references{sweeps: map[string]*sweepReferences{}, jobs: map[string]bool{}, keys: map[string]bool{}}
	for _, id := range ids {
		if slices.Contains(without, id) {
			continue
		}
		one, err := c.sweep(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("what sweep %s refers to is not known, so nothing is removed: %w", id, err)
		}
		r.add(id, one)
	}
	return r, nil
}

func (r *references) add(id string, one *sweepReferences) {
	r.sweeps[id] = one
	for _, group := range one.groups {
		for _, job := range group {
			r.jobs[job] = true
		}
	}
	for _, key := range one.keys {
		r.keys[key] = true
	}
}

// only are the references of some of the sweeps.
func (r *references) only(ids []string) *references {
	some := &references{sweeps: map[string]*sweepReferences{}, jobs: map[string]bool{}, keys: map[string]bool{}}
	for _, id := range ids {
		if one := r.sweeps[id]; one != nil {
			some.add(id, one)
		}
	}
	return some
}

// sweeps lists those that have a plan.
func (c *Collector) sweeps(ctx context.Context) ([]string, error) {
	root := strings.TrimSuffix(plan.SweepPrefix(""), "/")
	var ids []string
	for info, err := range c.Store.List(ctx, root) {
		if err != nil {
			return nil, fmt.Errorf("list the sweeps: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(info.Key, root), "/")
		if info.Key == plan.PlanKey(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (c *Collector) sweep(ctx context.Context, id string) (*sweepReferences, error) {
	p, err := c.scheduler().Plan(ctx, id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known[id]
	if known != nil && len(known.plan.Trials) == len(p.Trials) {
		return known, nil
	}
	fresh := &sweepReferences{plan: p}
	from := 0
	if known != nil { // a search has added trials
		fresh.groups, from = slices.Clip(known.groups), len(known.groups)
	}
	for _, job := range p.Jobs[from:] {
		ladder, err := p.Ladder(job)
		if err != nil {
			return nil, err
		}
		var group []string
		for _, rung := range ladder {
			group = append(group, rung.ID)
		}
		fresh.groups = append(fresh.groups, append(group, job.ID))
	}
	fresh.keys = inputs(p)
	if c.known == nil {
		c.known = map[string]*sweepReferences{}
	}
	c.known[id] = fresh
	return fresh, nil
}

// inputs are the keys of a plan's data set and base models, those of trials to come
// included.
func inputs(p *plan.Plan) []string {
	keys := map[string]bool{p.Data.Pack.Key: true}
	for _, t := range p.Trials {
		keys[t.Base.Key] = true
		for _, base := range t.FoldBases {
			keys[base.Key] = true
		}
	}
	if p.Search != nil {
		for _, base := range p.Search.Bases {
			keys[base.Key] = true
		}
		for _, own := range p.Search.FoldBases {
			for _, base := range own {
				keys[base.Key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}
