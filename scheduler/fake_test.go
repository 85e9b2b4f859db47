package scheduler_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

var (
	ctx      = context.Background()
	errCrash = errors.New("killed here")
)

// crasher lets a number of steps pass and fails all that come after, as a
// process that was killed does no more: each call of a store or a queue is a
// step. Half of the steps that fail have taken effect before.
type crasher struct {
	mu    sync.Mutex
	left  int // negative: never
	after bool
}

// step does f unless the process is dead by now, and dies in it if it is time.
func (c *crasher) step(f func() error) error {
	c.mu.Lock()
	left := c.left
	if c.left > 0 {
		c.left--
	}
	c.mu.Unlock()
	switch {
	case left == 0:
		return errCrash
	case left == 1 && c.after:
		if err := f(); err != nil {
			return err
		}
		return errCrash
	case left == 1:
		return errCrash
	}
	return f()
}

// store is a store whose changes a crasher controls, and that counts reads.
type store struct {
	artifacts.Store
	crasher *crasher

	mu    sync.Mutex
	reads map[string]int
}

func (s *store) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	return s.crasher.step(func() error { return s.Store.Create(ctx, key, r, size) })
}

func (s *store) Delete(ctx context.Context, key string) error {
	return s.crasher.step(func() error { return s.Store.Delete(ctx, key) })
}

func (s *store) count(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads == nil {
		s.reads = map[string]int{}
	}
	s.reads[key]++
}

func (s *store) Get(ctx context.Context, key string) (r io.ReadCloser, i artifacts.Info, err error) {
	s.count(key)
	err = s.crasher.step(func() error { r, i, err = s.Store.Get(ctx, key); return err })
	return r, i, err
}

func (s *store) Stat(ctx context.Context, key string) (i artifacts.Info, err error) {
	s.count(key)
	err = s.crasher.step(func() error { i, err = s.Store.Stat(ctx, key); return err })
	return i, err
}

func (s *store) List(ctx context.Context, prefix string) iter.Seq2[artifacts.Info, error] {
	if err := s.crasher.step(func() error { return nil }); err != nil {
		return func(yield func(artifacts.Info, error) bool) { yield(artifacts.Info{}, err) }
	}
	return s.Store.List(ctx, prefix)
}

// queue is the queue as Redis would hold it; several processes share it.
type queue struct {
	mu         sync.Mutex
	store      artifacts.Store
	states     map[string]plan.State
	progress   map[string]plan.Progress
	priorities map[string]int
	sins       []string // jobs that were enqueued although their outcome was there
}

// connection is one process's connection to the queue.
type connection struct {
	*queue
	crasher *crasher
}

func (c connection) Enqueue(ctx context.Context, _ string, _ plan.Resources, jobs ...plan.Job) error {
	for _, job := range jobs {
		err := c.crasher.step(func() error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if s := c.states[job.ID]; s == plan.Pending || s == plan.Running {
				return nil
			}
			if _, err := c.store.Stat(ctx, plan.OutcomeKey(job.ID)); err == nil {
				c.sins = append(c.sins, job.ID)
			}
			c.states[job.ID] = plan.Pending
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c connection) Withdraw(_ context.Context, jobs ...string) error {
	for _, job := range jobs {
		err := c.crasher.step(func() error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.states[job] != plan.Running {
				delete(c.states, job)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c connection) Prioritize(_ context.Context, sweep string, priority int) error {
	return c.crasher.step(func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.priorities == nil {
			c.priorities = map[string]int{}
		}
		c.priorities[sweep] = priority
		return nil
	})
}

func (c connection) Arrange(context.Context) error {
	return c.crasher.step(func() error { return nil })
}

func (c connection) Forget(_ context.Context, sweep string) error {
	return c.crasher.step(func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.priorities, sweep)
		return nil
	})
}

func (c connection) States(_ context.Context, jobs []string) (map[string]plan.State, error) {
	states := map[string]plan.State{}
	err := c.crasher.step(func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, job := range jobs {
			if s, ok := c.states[job]; ok {
				states[job] = s
			}
		}
		return nil
	})
	return states, err
}

func (c connection) Progress(_ context.Context, jobs []string) (map[string]plan.Progress, error) {
	board := map[string]plan.Progress{}
	for _, job := range jobs {
		if p, ok := c.progress[job]; ok {
			board[job] = p
		}
	}
	return board, nil
}

// world is a store and a queue, without any process.
type world struct {
	t     testing.TB
	store artifacts.Store
	queue *queue
}

func newWorld(t testing.TB) *world {
	s := artifacts.Mem()
	return &world{t: t, store: s, queue: &queue{store: s, states: map[string]plan.State{}, progress: map[string]plan.Progress{}}}
}

// process is a fresh scheduler that dies with its n-th step; negative: never.
func (w *world) process(n int, after bool) *scheduler.Scheduler {
	c := &crasher{left: n, after: after}
	return &scheduler.Scheduler{Store: &store{Store: w.store, crasher: c}, Queue: connection{w.queue, c}}
}

func (w *world) healthy() *scheduler.Scheduler { return w.process(-1, false) }

func (w *world) put(key string, v any) {
	w.t.Helper()
	if err := artifacts.PutJSON(ctx, w.store, key, v); err != nil {
		w.t.Fatal(err)
	}
}

// complete does what a worker does: the outcome first, then the queue.
func (w *world) complete(sweep, job string, accuracy float64) {
	w.t.Helper()
	w.put(plan.OutcomeKey(job), plan.Outcome{Job: job, Sweep: sweep, Metrics: plan.Metrics{"accuracy": accuracy}, Attempts: 1, Epochs: 1})
	w.set(job, plan.Completed)
}

func (w *world) fail(job string) {
	w.t.Helper()
	w.put(plan.FailureKey(job), plan.Failure{Job: job, Reason: "out of memory", Attempts: 3})
	w.set(job, plan.Failed)
}

func (w *world) set(job string, s plan.State) {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	w.queue.states[job] = s
}

func (w *world) flush() {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	clear(w.queue.states)
}

// pending lists the jobs that wait, in order.
func (w *world) pending() string {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	var jobs []string
	for job, s := range w.queue.states {
		if s == plan.Pending {
			jobs = append(jobs, job)
		}
	}
	slices.Sort(jobs)
	return strings.Join(jobs, " ")
}

func (w *world) keys() []string {
	var keys []string
	for info, err := range w.store.List(ctx, "") {
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func (w *world) checkSins() {
	w.t.Helper()
	if len(w.queue.sins) > 0 {
		w.t.Errorf("enqueued although their outcomes exist: %v", w.queue.sins)
	}
}

// upload is an object of a plan with that content.
func upload(prefix, content string) (plan.Ref, scheduler.Upload) {
	sum := sha256.Sum256([]byte(content))
	digest := hex.EncodeToString(sum[:])
	ref := plan.Ref{Name: prefix, Digest: digest, Key: prefix + "/" + digest, Size: int64(len(content))}
	return ref, scheduler.Upload{Ref: ref, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(content))), nil }}
}

// aPlan has trials × folds jobs named j00, j01, j10, ... with a prefix.
func aPlan(id, prefix string, trials, folds int) (*plan.Plan, []scheduler.Upload) {
	pack, u1 := upload("packs", "pictures")
	base, u2 := upload("models", "weights")
	p := &plan.Plan{ID: id, Name: id[:strings.LastIndex(id, "-")], Metric: plan.Metric{Name: "accuracy", Goal: "maximize"}, Data: plan.Data{Pack: pack, Classes: []string{"a", "b"}}}
	for f := range folds {
		p.Folds = append(p.Folds, plan.Fold{Number: f, Name: fmt.Sprint(f), Train: []int{0}, Test: []int{1}})
	}
	for t := range trials {
		p.Trials = append(p.Trials, plan.Trial{Number: t, Base: base})
		for f := range folds {
			p.Jobs = append(p.Jobs, plan.Job{ID: fmt.Sprintf("%s%d%d", prefix, t, f), Trial: t, Fold: f})
		}
	}
	return p, []scheduler.Upload{u1, u2}
}
