package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"orchestrator/cmd/orchestrator/internal/web"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
)

// liveQueue is the queue that is there at the moment: a run with an embedded one may
// begin and end while we serve. Without one nothing runs, and what is changed of a
// sweep reaches the queue when a process that has one reconciles.
type liveQueue struct {
	find    func(context.Context) (*queue.Queue, error) // nil without error: there is none
	changed func() string                               // another text: find again

	mu    sync.Mutex
	queue *queue.Queue
	as    string                 // what changed said when it was found
	pages map[bool]queue.Monitor // of the queue, by whether they may change it
}

// now is the queue, or nil.
func (l *liveQueue) now(ctx context.Context) (*queue.Queue, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	as := l.changed()
	if as == l.as {
		return l.queue, nil
	}
	q, err := l.find(ctx)
	if err != nil {
		return nil, err
	}
	l.drop() // that of a run that is over
	l.queue, l.as = q, as
	return q, nil
}

func (l *liveQueue) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

// drop closes what is open.
func (l *liveQueue) drop() {
	for _, page := range l.pages {
		_ = page.Close() // it only read
	}
	if l.queue != nil {
		_ = l.queue.Close()
	}
	l.queue, l.pages = nil, map[bool]queue.Monitor{}
}

// monitor shows the queue that is there now; nil: there is none.
func (l *liveQueue) monitor(changes bool) http.Handler {
	q, err := l.now(context.Background())
	if err != nil || q == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pages[changes] == nil {
		page, err := q.Monitor("/queues", !changes)
		if err != nil {
			return nil
		}
		l.pages[changes] = page
	}
	return l.pages[changes]
}

// with calls f with the queue, if there is one.
func (l *liveQueue) with(ctx context.Context, f func(*queue.Queue) error) error {
	q, err := l.now(ctx)
	if err != nil || q == nil {
		return err
	}
	if err := f(q); err != nil {
		l.doubt()
		return err
	}
	return nil
}

// doubt has the queue be found again: a run that was killed leaves word of one that is
// no more.
func (l *liveQueue) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.as = "in doubt"
}

func (l *liveQueue) name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue == nil {
		return ""
	}
	return l.queue.String()
}

// Enqueue implements scheduler.Queue, as do those below.
func (l *liveQueue) Enqueue(ctx context.Context, sweep string, r plan.Resources, jobs ...plan.Job) error {
	return l.with(ctx, func(q *queue.Queue) error { return q.Enqueue(ctx, sweep, r, jobs...) })
}

func (l *liveQueue) Withdraw(ctx context.Context, jobs ...string) error {
	return l.with(ctx, func(q *queue.Queue) error { return q.Withdraw(ctx, jobs...) })
}

func (l *liveQueue) Prioritize(ctx context.Context, sweep string, priority int) error {
	return l.with(ctx, func(q *queue.Queue) error { return q.Prioritize(ctx, sweep, priority) })
}

func (l *liveQueue) Arrange(ctx context.Context) error {
	return l.with(ctx, func(q *queue.Queue) error { return q.Arrange(ctx) })
}

func (l *liveQueue) Forget(ctx context.Context, sweep string) error {
	return l.with(ctx, func(q *queue.Queue) error { return q.Forget(ctx, sweep) })
}

func (l *liveQueue) States(ctx context.Context, jobs []string) (states map[string]plan.State, err error) {
	err = l.with(ctx, func(q *queue.Queue) (err error) { states, err = q.States(ctx, jobs); return err })
	return states, err
}

func (l *liveQueue) Progress(ctx context.Context, jobs []string) (board map[string]plan.Progress, err error) {
	err = l.with(ctx, func(q *queue.Queue) (err error) { board, err = q.Progress(ctx, jobs); return err })
	return board, err
}

// workers lists the daemons that the queue knows of, with how far their jobs are.
func (l *liveQueue) workers(ctx context.Context) (list []web.Worker, err error) {
	err = l.with(ctx, func(q *queue.Queue) error {
		workers, err := q.Workers(ctx)
		if err != nil {
			return err
		}
		var jobs []string
		for _, w := range workers {
			for _, t := range w.Running {
				jobs = append(jobs, t.Job)
			}
		}
		board, err := q.Progress(ctx, jobs)
		if err != nil {
			return err
		}
		list = describeWorkers(workers, board, time.Now())
		return nil
	})
	return list, err
}

func describeWorkers(workers []queue.Worker, board map[string]plan.Progress, now time.Time) []web.Worker {
	list := make([]web.Worker, len(workers))
	for i, w := range workers {
		list[i] = web.Worker{Host: w.Host, PID: w.PID, Slots: w.Slots, Devices: w.Devices, Labels: w.Labels, Status: w.Status,
			Since: w.Started.UTC(), Seen: now.UTC(), Running: []web.RunningAt{}}
		for _, t := range w.Running {
			p := board[t.Job]
			list[i].Running = append(list[i].Running, web.RunningAt{Job: t.Job, Sweep: t.Sweep, Trial: t.Trial, Fold: t.Fold, Epoch: p.Epoch, Epochs: p.Epochs})
		}
	}
	return list
}
