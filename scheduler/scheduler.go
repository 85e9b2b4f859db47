package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// Queue is what the scheduler needs of a queue. Package queue implements it.
type Queue interface {
	// Enqueue makes sure that the jobs wait in the queue or run: those that do
	// so already are left alone, those that are over there are enqueued again.
	Enqueue(ctx context.Context, sweep string, r plan.Resources, jobs ...plan.Job) error
	// Withdraw removes the jobs from the queue, except those that run.
	Withdraw(ctx context.Context, jobs ...string) error
	// Prioritize says how urgent a sweep is, Arrange puts all jobs that wait into
	// the order that follows, and Forget ends what is kept of a sweep.
	Prioritize(ctx context.Context, sweep string, priority int) error
	Arrange(ctx context.Context) error
	Forget(ctx context.Context, sweep string) error
	// States tells where the jobs are: Pending, Running, Completed or Failed;
	// those that are in no queue are not in the map.
	States(ctx context.Context, jobs []string) (map[string]plan.State, error)
	// Progress is what running jobs last said of themselves.
	Progress(ctx context.Context, jobs []string) (map[string]plan.Progress, error)
}

// Scheduler works on the sweeps of one store. Its methods may be called from
// any number of goroutines, and by any number of processes at once.
type Scheduler struct {
	Store artifacts.Store
	// Queue may be nil: then nothing counts as running, and what Submit, Cancel,
	// Resume and Retry change in the store reaches the queue when a process that
	// has one reconciles.
	Queue  Queue
	Log    *slog.Logger     // nil: discard
	Meter  Meter            // nil: nobody measures
	Tracer Tracer           // nil: nobody traces
	Poll   time.Duration    // how often Wait looks; 0: a second
	Now    func() time.Time // nil: time.Now
	// CollectionPause is how long a submission waits for a gc beside it to see its plan;
	// 0: 10 s, which is longer than one needs.
	CollectionPause time.Duration

	mu     sync.Mutex
	sweeps map[string]*memory
	clock  int64 // of uses of memories
	// patience is after how many outcomes this process writes a digest.
	patience int
	created  map[string]time.Time // when each sweep was submitted, as it was last seen

	growing   sync.Mutex           // held while a plan grows: only the newest may
	searching sync.Mutex           // held while a trial is proposed
	searchers map[string]*searcher // by sweep
}

// maxParallel bounds the requests in flight: a sweep of ten thousand jobs takes
// seconds, and no store is overrun.
const maxParallel = 32

func (s *Scheduler) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

func (s *Scheduler) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Scheduler) poll() time.Duration { return cmp.Or(s.Poll, time.Second) }

// Plan reads the plan of a sweep with all trials so far; sweep is its whole ID. The
// plan is shared: do not change it.
func (s *Scheduler) Plan(ctx context.Context, sweep string) (*plan.Plan, error) {
	p := s.known(sweep)
	if p == nil {
		p = new(plan.Plan)
		err := artifacts.GetJSON(ctx, s.Store, plan.PlanKey(sweep), p)
		if errors.Is(err, artifacts.ErrNotFound) {
			return nil, s.unknown(ctx, sweep)
		}
		if err != nil {
			return nil, fmt.Errorf("read the plan of sweep %s: %w", sweep, err)
		}
	}
	if p.Search.Growing(len(p.Trials)) {
		return s.regrow(ctx, p)
	}
	s.remember(p)
	return p, nil
}

// exists tells whether the store has the object.
func (s *Scheduler) exists(ctx context.Context, key string) (bool, error) {
	_, err := s.Store.Stat(ctx, key)
	if errors.Is(err, artifacts.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// each calls f for every item, for several at a time, and returns the first
// error.
func each[T any](ctx context.Context, items []T, f func(context.Context, T) error) error {
	g, child := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel)
	for _, item := range items {
		if child.Err() != nil {
			break
		}
		g.Go(func() error { return f(child, item) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// eachIndex calls f for 0 to n-1, as each does.
func eachIndex(ctx context.Context, n int, f func(context.Context, int) error) error {
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	return each(ctx, indices, f)
}

// jobIDs lists the IDs of jobs, each once: two trials may be the same.
func jobIDs(jobs []plan.Job) []string {
	seen := make(map[string]bool, len(jobs))
	ids := make([]string, 0, len(jobs))
	for _, job := range jobs {
		if !seen[job.ID] {
			seen[job.ID] = true
			ids = append(ids, job.ID)
		}
	}
	return ids
}
