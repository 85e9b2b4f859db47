package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
)

// embeddedName is the name of the queue of a run.
const embeddedName = "run"

// turnPoll is how often a run that waits looks whether it is its turn.
const turnPoll = time.Second

// queueMark is what this process says in the store of its queue.
func queueMark(id, name, sweep string) plan.QueueMark {
	host, _ := os.Hostname()
	return plan.QueueMark{Queue: id, Name: name, Host: host, PID: os.Getpid(), Sweep: sweep, Since: time.Now().UTC().Format(time.RFC3339Nano)}
}

// awaitTurn waits until no other run works on the store, whose jobs this one would
// train as well, and says so in the store. Workers with a queue of their own do not
// end: beside them it is refused.
func (a *app) awaitTurn(ctx context.Context, s *scheduler.Scheduler, sweep string) (mark plan.QueueMark, release func(), err error) {
	mark = queueMark(strings.ToLower(rand.Text()), embeddedName, sweep)
	mark.Waits = true
	remove := func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = s.RemoveQueueMark(limit, mark) // or it is forgotten
	}
	defer func() {
		if err != nil {
			remove()
		}
	}()
	for told := ""; ; {
		if err := s.PutQueueMark(ctx, mark); err != nil {
			return mark, nil, err
		}
		others, err := s.OtherQueues(ctx, mark.Queue)
		if err != nil {
			return mark, nil, err
		}
		before, err := a.firstBefore(others, mark)
		switch {
		case err != nil:
			return mark, nil, err
		case before == nil && !mark.Waits:
			return mark, remove, nil
		}
		if mark.Waits = before != nil; !mark.Waits {
			continue // say so, and look again for one that came at the same moment
		}
		if told != before.Queue {
			told = before.Queue
			fmt.Fprintf(a.err, "Another run works on this store, on sweep %s (process %d on %s). This one waits for its end; what it trains is not trained again.\n",
				before.Sweep, before.PID, before.Host)
		}
		select {
		case <-ctx.Done():
			return mark, nil, errInterrupted
		case <-time.After(turnPoll):
		}
	}
}

// firstBefore is a run that works or has waited for longer, or nil; an error where
// workers with a Redis work.
func (a *app) firstBefore(others []plan.QueueMark, own plan.QueueMark) (*plan.QueueMark, error) {
	for i, o := range others {
		if o.Name != embeddedName {
			return nil, usagef("orchestrator submit with --redis of those workers, or run with another --store",
				"workers with the queue %s work on this store: beside them run would train their jobs a second time", o.Name)
		}
		gone := a.storeIsFolder() && o.Host == own.Host && errors.Is(syscall.Kill(o.PID, 0), syscall.ESRCH) // killed
		if earlier := o.Since < own.Since || o.Since == own.Since && o.Queue < own.Queue; !gone && (!o.Waits || earlier) {
			return &others[i], nil
		}
	}
	return nil, nil
}

// markQueue says in the store that the workers of a queue work on it, until ctx ends.
func markQueue(ctx context.Context, s *scheduler.Scheduler, q *queue.Queue) error {
	id, err := q.Identity(ctx)
	if err != nil {
		return err
	}
	mark := queueMark(id, q.String(), "")
	err = s.KeepQueueMark(ctx, mark)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = s.RemoveQueueMark(limit, mark) // other workers of the queue leave it again
	return err
}
