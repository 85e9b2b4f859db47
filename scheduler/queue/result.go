package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

// End says how an attempt at a job ended, as far as the queue is concerned.
type End int

const (
	// Done: the job's outcome is recorded, or nobody wants it any more.
	Done End = iota
	// Interrupted: the worker stops; the job goes on elsewhere at once, from its
	// last checkpoint, and nothing counts as failed.
	Interrupted
	// Retry: the attempt failed and another one may succeed, after a while.
	Retry
	// Permanent: the job was given up. It is archived.
	Permanent
)

// Result is what a handler returns.
type Result struct {
	End    End
	After  time.Duration // of a Retry: not sooner than this
	Detail string        // for asynqmon: the result of a Done, the error of the others
}

// ended is a Result on its way through asynq, which knows only errors.
type ended struct{ Result }

func (e *ended) Error() string {
	if e.Detail != "" {
		return e.Detail
	}
	return map[End]string{Interrupted: "interrupted", Retry: "failed", Permanent: "given up"}[e.End]
}

func (r Result) error() error {
	switch r.End {
	case Done:
		return nil
	case Permanent:
		return fmt.Errorf("%w: %w", &ended{r}, asynq.SkipRetry)
	}
	return &ended{r}
}

// retryDelay tells asynq when a task is to run again. A worker's death is no
// reason to wait.
func retryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	var e *ended
	switch {
	case errors.As(err, &e):
		return e.After
	case errors.Is(err, asynq.ErrLeaseExpired):
		return 0
	}
	return 5 * time.Second // a panic in a handler
}

// isFailure tells asynq what to count: not what befell the queue, but what
// befell the job.
func isFailure(err error) bool {
	var e *ended
	if errors.As(err, &e) {
		return e.End != Interrupted
	}
	return !errors.Is(err, asynq.ErrLeaseExpired) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
