package worker

import (
	"time"

	"orchestrator/scheduler/plan"
)

// Tracer is told of attempts as they happen, for those who want to see what happened
// when. Its methods, and those of what it returns, may be called from any number of
// goroutines, but for one attempt from one at a time, and must not wait for anybody.
type Tracer interface {
	// Attempt: an attempt begins now.
	Attempt(t Task, a plan.Attempt) AttemptTrace
}

// AttemptTrace is told of one attempt, until it ends.
type AttemptTrace interface {
	// Epoch: an epoch was trained and evaluated.
	Epoch(e plan.Epoch)
	// Checkpoint: a checkpoint is in the store under this key. To encode, hash and store
	// it took so long; 0: not known.
	Checkpoint(object string, took time.Duration)
	// End: the attempt is over, for this cause, which is one of Causes. The reason is in
	// words, without secrets; empty where nothing failed.
	End(end End, cause, reason string)
}

// noTracer is for a daemon that nobody traces.
type noTracer struct{}

func (noTracer) Attempt(Task, plan.Attempt) AttemptTrace { return noTrace{} }

type noTrace struct{}

func (noTrace) Epoch(plan.Epoch)                 {}
func (noTrace) Checkpoint(string, time.Duration) {}
func (noTrace) End(End, string, string)          {}

// why is what a trace says of how an attempt ended.
func (d *Daemon) why(x exit, err error) string {
	reason := x.detail()
	if err != nil {
		reason = err.Error()
	}
	return hide(d.Secrets).Replace(shorten(reason))
}
