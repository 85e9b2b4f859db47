package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"orchestrator/scheduler/plan"
)

// Overview is one line of the list of sweeps.
type Overview struct {
	Sweep     string     `json:"sweep"`
	Name      string     `json:"name"`
	State     plan.State `json:"state"`
	Trials    int        `json:"trials"`
	Jobs      int        `json:"jobs"`
	Completed int        `json:"completed"`
	Failed    int        `json:"failed"`
	Created   time.Time  `json:"created"`
}

// List describes all sweeps, the most recent first.
func (s *Scheduler) List(ctx context.Context) ([]Overview, error) {
	entries, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Overview, 0, len(entries))
	for _, e := range entries {
		o, err := s.overview(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("list sweep %s: %w", e.id, err)
		}
		list = append(list, o)
	}
	return list, nil
}

func (s *Scheduler) overview(ctx context.Context, e entry) (Overview, error) {
	p, err := s.Plan(ctx, e.id)
	if err != nil {
		return Overview{}, err
	}
	queued := s.queued(ctx, p)
	v, err := s.see(ctx, p, queued)
	if err != nil {
		return Overview{}, err
	}
	o := Overview{Sweep: e.id, Name: p.Name, Trials: len(p.Trials), Created: e.created}
	o.State, o.Jobs, o.Completed, o.Failed = v.standing(e.held, queued)
	return o, nil
}

// entry is a sweep that exists.
type entry struct {
	id      string
	created time.Time
	held    plan.State // Canceled, Paused, or ""
}

// entries finds the sweeps in the store, the most recent first.
func (s *Scheduler) entries(ctx context.Context) ([]entry, error) {
	root := strings.TrimSuffix(plan.SweepPrefix(""), "/") // "sweeps/"
	found := map[string]*entry{}
	for info, err := range s.Store.List(ctx, root) {
		if err != nil {
			return nil, fmt.Errorf("list the sweeps: %w", err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(info.Key, root), "/")
		e := found[id]
		if e == nil {
			e = &entry{id: id}
			found[id] = e
		}
		switch info.Key {
		case plan.PlanKey(id):
			e.created = info.Modified
		case plan.CancelKey(id):
			e.held = plan.Canceled
		case plan.PauseKey(id):
			e.held = cmp.Or(e.held, plan.Paused)
		}
	}
	var entries []entry
	for _, e := range found {
		if !e.created.IsZero() { // a sweep exists once its plan does
			entries = append(entries, *e)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(b.created.Compare(a.created), strings.Compare(a.id, b.id))
	})
	return entries, nil
}
