package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// What becomes of a job whose attempt did not succeed depends on what it died of:
//
//	its input is at fault (bad data, a loss that is no number, an operator without a
//	gradient, no memory for a single picture)   ──► given up at once
//	it crashed or failed by itself              ──► again, up to max_restarts times
//	it was killed, its worker died, or the store
//	was away for too long                       ──► again, which counts as nothing
//
// The last is bounded only where it never comes as far as another checkpoint: a job
// that takes its machine down each time looks the same.

// Lost is the end of an attempt that was killed, cut off from the store, or whose job
// another worker has taken over or completed.
const Lost = "lost"

// maxLost is how many attempts may be lost in a row without another checkpoint.
const maxLost = 20

// history is what the store knows of a job's attempts.
type history struct {
	attempts []plan.Attempt
	// checkpointed is the number of the attempt that wrote the newest checkpoint.
	checkpointed int
}

func (d *Daemon) history(ctx context.Context, job string) (history, error) {
	var h history
	for info, err := range d.Store.List(ctx, plan.AttemptPrefix(job)) {
		if err != nil {
			return history{}, err
		}
		if !strings.HasSuffix(info.Key, ".json") { // a log
			continue
		}
		var a plan.Attempt
		if err := artifacts.GetJSON(ctx, d.Store, info.Key, &a); err != nil {
			return history{}, err
		}
		h.attempts = append(h.attempts, a)
	}
	all, _, err := listCheckpoints(ctx, d.Store, job)
	if err != nil {
		return history{}, err
	}
	if len(all) > 0 {
		h.checkpointed = all[len(all)-1].Attempt
	}
	return h, nil
}

// crashes counts the attempts that failed since the job was last given up (and then
// retried by its user).
func (h history) crashes() int {
	return h.count(func(a plan.Attempt) bool { return a.End == string(plan.Failed) })
}

// lost counts the attempts since then that were lost after the newest checkpoint.
// One that runs elsewhere at this moment cannot be told from one that was.
func (h history) lost() int {
	return h.count(func(a plan.Attempt) bool { return (a.End == "" || a.End == Lost) && a.Number > h.checkpointed })
}

func (h history) count(counts func(plan.Attempt) bool) int {
	n := 0
	for _, a := range h.attempts {
		switch {
		case a.GivenUp:
			n = 0
		case counts(a):
			n++
		}
	}
	return n
}

func (h history) next() int {
	if len(h.attempts) == 0 {
		return 1
	}
	return h.attempts[len(h.attempts)-1].Number + 1
}

// exhausted gives a job up whose attempts are lost again and again.
func (h history) exhausted() (plan.Failure, bool) {
	n := h.lost()
	if n < maxLost {
		return plan.Failure{}, false
	}
	return plan.Failure{
		Reason: fmt.Sprintf("%d attempts in a row were killed, or died with their workers, before another checkpoint", n),
		Hint:   "look for an out-of-memory kill in the system's log; training.micro_batch_size lowers the need for memory, checkpoints.every_epochs: 1 keeps more of what was done",
	}, true
}

// TryAgainError says when another attempt may succeed.
type TryAgainError struct {
	After time.Duration
	Err   error
}

// Error is why this attempt did not succeed.
func (e *TryAgainError) Error() string { return e.Err.Error() }

func (e *TryAgainError) Unwrap() error { return e.Err }

// again is the error of an attempt after which others follow: nth in a row.
func again(nth int, why string) error {
	const first, most = 2 * time.Second, 2 * time.Minute
	return &TryAgainError{After: min(first<<min(max(nth-1, 0), 10), most), Err: errors.New(why)}
}

// wasKilled reports whether somebody killed the process: neither it itself nor, so
// far as can be told, the system for want of memory.
func (c *child) wasKilled() bool {
	status, ok := c.status()
	return ok && status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGTERM)
}
