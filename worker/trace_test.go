package worker

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/scheduler/plan"
)

// diary is a tracer that writes down what it is told.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) Attempt(t Task, a plan.Attempt) AttemptTrace {
	d.note("%s %d %d attempt %d on %s", t.Sweep, t.Trial, t.Fold, a.Number, a.Device)
	return d
}

func (d *diary) Epoch(e plan.Epoch) { d.note("epoch %d", e.Epoch) }

func (d *diary) Checkpoint(object string, took time.Duration) {
	d.note("checkpoint %s %v", object, took)
}

func (d *diary) End(end End, cause, reason string) { d.note("%s, %s: %s", end, cause, reason) }

// Tracers are told of every attempt from its beginning to its end, whatever that is.
func TestTracerIsToldOfEveryEnd(t *testing.T) {
	for job, want := range map[string]string{
		"epochs":    "epoch 1; checkpoint first 1.5s; epoch 2; checkpoint second 0s; completed, completed: ",
		"permanent": "failed, input: a bad ***",
		"transient": "retry, error: the store is away",
		"away":      "retry, lost: the store is away",
		"nomemory":  "retry, memory: there is not enough memory",
		"crash":     "retry, crash: ",
	} {
		t.Run(job, func(t *testing.T) {
			d := &diary{}
			b := newBench(t, func(o *Options) { o.Tracer, o.Secrets = d, []string{"picture"} })
			b.submit(job)
			_, _ = b.daemon.Do(t.Context(), Task{Sweep: "sweep", Trial: 3, Fold: 1, Job: job})
			if got := strings.Join(d.lines, "; "); !strings.HasPrefix(got, "sweep 3 1 attempt 1 on cpu; "+want) {
				t.Errorf("it was told %q, want %q", got, want)
			}
		})
	}
}

func TestTracerIsToldOfThoseThatAreStopped(t *testing.T) {
	d := &diary{}
	b := newBench(t, func(o *Options) { o.Tracer = d })
	b.submit("train")
	ended := b.start(t.Context(), "train")
	b.whenRunning("train")
	b.daemon.Stop()
	<-ended
	if got := strings.Join(d.lines, "; "); got != "sweep 0 0 attempt 1 on cpu; checkpoint somewhere 0s; interrupted, interrupted: " {
		t.Errorf("it was told %q", got)
	}
}
