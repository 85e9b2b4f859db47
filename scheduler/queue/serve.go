package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
)

// Handler runs one job to its end. Neither an outage of Redis nor the end of Serve's
// context cancels its context and takes a training run along: to stop it is
// OnDrain's part. Its context ends only where another worker turns out to run the
// same job still; the handler should then end as if the worker stopped.
type Handler func(ctx context.Context, t Task) Result

// ServeOptions configure a server: the slots of one kind of device.
type ServeOptions struct {
	Devices     []string // the demands that the slots meet, of Devices
	Labels      []string // that jobs may ask for besides
	Concurrency int      // slots; at least 1
	Handler     Handler
	// OnDrain is called once, when Serve's context ends: it tells the running
	// handlers to checkpoint and return Interrupted. It must not block.
	OnDrain func()
	// DrainTimeout is how long Serve then waits for them; 0: ten minutes.
	// Handlers that take longer are left behind, and their jobs handed back.
	DrainTimeout time.Duration
	Log          *slog.Logger // nil: discard
}

const (
	// pickup is how often an idle server looks for a job: 25 ms on average
	// between enqueuing and starting, at 20 small scripts a second.
	pickup = 50 * time.Millisecond
	// forward is how often retries that are due become pending.
	forward = 500 * time.Millisecond

	// handBack is what asynq has to report the ends of the last handlers, once
	// they have returned. It requeues what is still active then.
	handBack = 2 * time.Second

	defaultDrainTimeout = 10 * time.Minute
)

// Serve runs jobs until ctx ends. It then takes no more, calls OnDrain, waits
// for the handlers and hands back what they did not finish. It returns nil
// after that, and an error only where it could not start. Outages of Redis
// while it runs are sat out.
func (q *Queue) Serve(ctx context.Context, o ServeOptions) error {
	if len(names(o.Devices, nil, 1)) == 0 || o.Concurrency < 1 || o.Handler == nil {
		return errors.New("serve the queue: devices, slots and a handler are required")
	}
	if err := q.redis.Ping(ctx).Err(); ctx.Err() != nil {
		return nil // it is over before it began
	} else if err != nil {
		return q.options.explain(err)
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.DrainTimeout = cmp.Or(o.DrainTimeout, defaultDrainTimeout)

	s := newServer(q, o)
	server := asynq.NewServerFromRedisClient(q.redis, s.config())
	if err := server.Start(asynq.HandlerFunc(s.process)); err != nil {
		return fmt.Errorf("serve the queue: %w", err)
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() { defer close(kept); s.keep(keeping) }()

	<-ctx.Done()
	server.Stop()
	s.drain()
	server.Shutdown()
	stop()
	<-kept
	return nil
}

// config is what asynq needs.
func (s *server) config() asynq.Config {
	return asynq.Config{
		Concurrency:              s.options.Concurrency,
		Queues:                   names(s.options.Devices, s.options.Labels, s.options.Concurrency),
		TaskCheckInterval:        pickup,
		DelayedTaskCheckInterval: forward,
		ShutdownTimeout:          handBack,
		RetryDelayFunc:           retryDelay,
		IsFailure:                isFailure,
		Logger:                   asynqLog{s.options.Log},
		LogLevel:                 asynq.InfoLevel,
	}
}
