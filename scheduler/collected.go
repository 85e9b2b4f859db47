package scheduler

import (
	"context"
	"fmt"
	"time"

	"orchestrator/scheduler/plan"
)

// Package gc removes what no plan refers to. What a submission, or a search, has found
// in the store and relied on may be gone before there is a plan, or a trial, that says
// so: here it is stored again.

// collectionPause is longer than a gc goes on without looking at the plans again.
const collectionPause = 10 * time.Second

// collections are the marks that gcs leave, and what tells one state of them from
// another.
func (s *Scheduler) collections(ctx context.Context) (marks map[string]time.Time, err error) {
	marks = map[string]time.Time{}
	for info, err := range s.Store.List(ctx, plan.CollectionPrefix) {
		if err != nil {
			return nil, fmt.Errorf("look for a gc that is under way: %w", err)
		}
		marks[info.Key] = info.Modified
	}
	return marks, nil
}

// collected tells whether a gc may have removed, since the marks were those, what was
// relied on, and waits until those that run must have seen a plan that is stored by now.
func (s *Scheduler) collected(ctx context.Context, before map[string]time.Time) (bool, error) {
	now, err := s.collections(ctx)
	if err != nil {
		return false, err
	}
	ran, runs := len(before) != len(now), false
	for key, at := range now {
		ran = ran || !before[key].Equal(at)
		runs = runs || key != plan.LastCollectionKey && s.now().Sub(at) < 24*time.Hour // else it was killed
	}
	if !runs {
		return ran, nil
	}
	pause := s.CollectionPause
	if pause == 0 {
		pause = collectionPause
	}
	select {
	case <-time.After(pause):
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// RestoreSpec stores the spec of a job again, or of a rung that leads to one: a search
// may have relied on one that was about to be removed.
func (s *Scheduler) RestoreSpec(ctx context.Context, sweep, job string) error {
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return err
	}
	for _, j := range s.withRungs(p, p.Jobs) {
		if j.ID == job {
			return s.storeSpecs(ctx, p, []plan.Job{j})
		}
	}
	return fmt.Errorf("restore the spec of job %s: sweep %s has no such job", job, sweep)
}

// forget drops all that is known where a sweep has been deleted, or deleted and
// submitted again, as its outcomes are gone; it tells whether that is so.
func (s *Scheduler) forget(entries []entry) (gone bool) {
	s.searching.Lock()
	defer s.searching.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := make(map[string]time.Time, len(entries))
	for _, e := range entries {
		now[e.id] = e.created
	}
	for id, created := range s.created {
		gone = gone || !now[id].Equal(created)
	}
	s.created = now
	if gone {
		s.sweeps, s.searchers = nil, nil
	}
	return gone
}
