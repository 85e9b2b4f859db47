package queue

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
)

const (
	// A worker's death is noticed after claimTTL, up to one beat and the suspicion:
	// 11 seconds at most. A worker that was only slow for so long has its job run
	// twice, which costs time and nothing else.
	claimTTL     = 6 * time.Second
	beatInterval = time.Second
	// busyDelay is when a job that could not start here is tried again: nobody
	// is late by much and nothing spins.
	busyDelay = 2 * time.Second
	// claimAfter is how long a job runs before it is claimed. Most of what is shorter
	// was done before and only has to be found so: claiming it would halve the rate at
	// which such jobs pass. It is far below the suspicion after which an unclaimed job
	// is taken back.
	claimAfter = 250 * time.Millisecond
)

// server is the state of one Serve.
type server struct {
	queue   *Queue
	options ServeOptions
	id      string        // of the claims
	slots   chan struct{} // one element per handler that really runs

	mu       sync.Mutex
	running  map[string]*run // by job
	draining bool
}

// run is a handler at work. asynq may have given it up, after an outage; it
// keeps its slot until it has returned.
type run struct {
	ended  chan struct{}
	result Result // once ended is closed

	claimed bool   // here; guarded by server.mu
	other   string // the server that runs the job instead; guarded by server.mu
	// stop has the handler end as if the worker stopped; with a cause, another worker
	// has the job.
	stop context.CancelCauseFunc
}

func newServer(q *Queue, o ServeOptions) *server {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &server{
		queue: q, options: o,
		id:      fmt.Sprintf("%s:%d:%s", host, os.Getpid(), uuid.NewString()),
		slots:   make(chan struct{}, o.Concurrency),
		running: map[string]*run{},
	}
}

// process is asynq's handler: it starts or joins the handler of the job and
// waits for it.
func (s *server) process(ctx context.Context, t *asynq.Task) error {
	task, err := parseTask(t.Payload())
	if err != nil {
		return Result{End: Permanent, Detail: err.Error()}.error()
	}
	r, refusal := s.start(context.WithoutCancel(ctx), task)
	if refusal != nil {
		s.options.Log.With(task.ids()...).Info("job handed back", "why", refusal.Detail)
		return refusal.error()
	}
	select {
	case <-r.ended:
	case <-ctx.Done():
		// asynq has let go of the task, after an outage of Redis. The handler
		// goes on; whoever is handed the job next joins it or finds it done.
		return ctx.Err()
	}
	if r.result.End == Done && r.result.Detail != "" {
		queue, _ := asynq.GetQueueName(ctx)
		// For display only; an error here is none of the job's.
		_ = setResult.Run(ctx, s.queue.redis, []string{taskKey(queue, task.Job)}, r.result.Detail).Err()
	}
	return r.result.error()
}

// start returns the running handler of the job, a new one if there is none. Or
// it refuses: the job cannot start here now.
func (s *server) start(ctx context.Context, t Task) (*run, *Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[t.Job]; r != nil {
		return r, nil
	}
	if s.draining {
		return nil, &Result{End: Interrupted, Detail: "the worker stops"}
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return nil, &Result{End: Interrupted, After: busyDelay, Detail: "a job that the queue had given up still runs in this slot"}
	}
	r := &run{ended: make(chan struct{})}
	ctx, r.stop = context.WithCancelCause(ctx)
	s.running[t.Job] = r
	go s.run(ctx, t, r)
	return r, nil
}

// drain refuses new handlers, tells those that run, and waits for them.
func (s *server) drain() {
	s.mu.Lock()
	s.draining = true
	runs := slices.Collect(maps.Values(s.running))
	s.mu.Unlock()
	if s.options.OnDrain != nil {
		s.options.OnDrain()
	}
	timeout := time.After(s.options.DrainTimeout)
	for _, r := range runs {
		select {
		case <-r.ended:
		case <-timeout:
			s.options.Log.Warn("jobs left behind that did not stop in time")
			return
		}
	}
}

// run calls the handler and claims the job once it has run for a while, or asks. Where
// another worker turns out to run the job still, as after an outage, this one stops.
func (s *server) run(ctx context.Context, t Task, r *run) {
	holder := sync.OnceValue(func() string { return s.claimFor(ctx, t.Job, r) })
	looked := make(chan struct{})
	later := time.AfterFunc(claimAfter, func() {
		if holder() != "" {
			r.stop(nil)
		}
		close(looked)
	})
	result := s.handle(context.WithValue(ctx, claiming{}, holder), t)
	if !later.Stop() {
		<-looked
	}
	r.stop(nil)
	s.mu.Lock()
	delete(s.running, t.Job)
	claimed := r.claimed
	if r.other != "" && result.End != Done {
		result = Result{End: Interrupted, After: busyDelay, Detail: "runs on " + r.other}
	}
	s.mu.Unlock()
	if claimed {
		_ = unclaim.Run(context.WithoutCancel(ctx), s.queue.redis, []string{claimKey(t.Job)}, s.id).Err() // or it expires
	}
	r.result = result
	<-s.slots
	close(r.ended)
}

// claimFor claims the job of a run, and tells who else has it.
func (s *server) claimFor(ctx context.Context, job string, r *run) (other string) {
	other = s.claim(ctx, job)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.claimed, r.other = other == "", other
	return other
}

// claiming is the key of a handler's context under which it claims its job.
type claiming struct{}

// Claim claims the job of the handler whose context that is, and tells whether it is
// this worker's: a handler that is about to begin what takes long asks first. Where it
// is not, the handler is to return as if it had been interrupted.
func Claim(ctx context.Context) bool {
	holder, ok := ctx.Value(claiming{}).(func() string)
	return !ok || holder() == ""
}

// handle calls the handler; one that panics has failed, and nothing else has.
func (s *server) handle(ctx context.Context, t Task) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			s.options.Log.With(t.ids()...).Error("handler panicked", "panic", p)
			r = Result{End: Retry, After: busyDelay, Detail: fmt.Sprint("panic: ", p)}
		}
	}()
	return s.options.Handler(ctx, t)
}

// claim says that the job runs here. It returns who else says so, or "". Where
// Redis does not answer the job runs: a second run of it is harmless.
func (s *server) claim(ctx context.Context, job string) (holder string) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	holder, err := claim.Run(ctx, s.queue.redis, []string{claimKey(job)}, s.id, claimTTL.Milliseconds()).Text()
	if err != nil {
		return ""
	}
	return holder
}
