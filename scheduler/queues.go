package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// Two queues on one store, each with workers, train every job twice. So each queue
// leaves a mark in the store, for whoever works on the store to see.

const (
	// markEvery is how often the mark of a queue is replaced, and markLasts how long one
	// counts that is not.
	markEvery = 10 * time.Second
	markLasts = 3 * markEvery
	// markForgotten is after how long one is removed that somebody left who was killed.
	markForgotten = time.Hour
)

// PutQueueMark leaves or replaces the mark of a queue.
func (s *Scheduler) PutQueueMark(ctx context.Context, m plan.QueueMark) error {
	if err := artifacts.PutJSON(ctx, s.Store, plan.QueueKey(m.Queue), m); err != nil {
		return fmt.Errorf("say in the store that the queue %s works on it: %w", m.Name, err)
	}
	return nil
}

// KeepQueueMark keeps the mark of a queue there until ctx ends, whose error it returns,
// and warns of each other queue that works on the store.
func (s *Scheduler) KeepQueueMark(ctx context.Context, m plan.QueueMark) error {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	told := map[string]bool{}
	for {
		err := s.PutQueueMark(ctx, m)
		var others []plan.QueueMark
		if err == nil {
			others, err = s.OtherQueues(ctx, m.Queue)
		}
		if err != nil && ctx.Err() == nil {
			s.log().Debug("look for other queues", "error", err)
		}
		for _, o := range others {
			if !told[o.Queue] && !o.Waits {
				told[o.Queue] = true
				s.log().Warn("another queue works on this store: what both have is trained twice", "queue", o.Name, "host", o.Host, "pid", o.PID, "own", m.Name)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// OtherQueues are the marks of queues but one that work on the store now, or wait to do
// so, the first to have come first. It removes those that were left long ago.
func (s *Scheduler) OtherQueues(ctx context.Context, but string) ([]plan.QueueMark, error) {
	now, marks := s.now(), []artifacts.Info{}
	for info, err := range s.Store.List(ctx, plan.QueuePrefix) {
		if err != nil {
			return nil, fmt.Errorf("look for the queues that work on the store: %w", err)
		}
		if info.Key == plan.QueueKey(but) {
			now = info.Modified // by the store's clock
			continue
		}
		marks = append(marks, info)
	}
	var others []plan.QueueMark
	for _, info := range marks {
		switch age := now.Sub(info.Modified); {
		case age > markForgotten:
			if err := s.Store.Delete(ctx, info.Key); err != nil {
				return nil, err
			}
			continue
		case age > markLasts:
			continue
		}
		var m plan.QueueMark
		err := artifacts.GetJSON(ctx, s.Store, info.Key, &m)
		if errors.Is(err, artifacts.ErrNotFound) {
			continue // over
		}
		if err != nil {
			return nil, fmt.Errorf("look for the queues that work on the store: %w", err)
		}
		others = append(others, m)
	}
	slices.SortFunc(others, func(a, b plan.QueueMark) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Queue, b.Queue))
	})
	return others, nil
}

// RemoveQueueMark removes the mark of a queue that works no more.
func (s *Scheduler) RemoveQueueMark(ctx context.Context, m plan.QueueMark) error {
	return s.Store.Delete(ctx, plan.QueueKey(m.Queue))
}
