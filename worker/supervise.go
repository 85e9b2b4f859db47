package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// exit is how a trainer process ended.
type exit struct {
	last   event // its last word; Kind is empty if it said none
	memory bool  // it ended for want of memory
	// held is why it was told to stop: its sweep was Canceled or Paused, or the job is
	// Completed, by another attempt.
	held    plan.State
	stopped bool // it was told to stop for another reason
	taken   bool // that reason: another worker has the job
	stalled bool // it was killed for showing no sign of life
	lost    bool // it was killed from outside, or the store was away for too long
	why     string
}

func (x exit) detail() string {
	if x.last.Kind == eventFailed && x.last.Reason != "" {
		return x.last.Reason
	}
	return x.why
}

// failed tells whether the attempt ended in a way that its device may be at fault
// for.
func (x exit) failed(end End) bool {
	return (end == Retry || end == Failed) && !x.lost && !x.last.Permanent && !x.memory
}

// supervise runs the trainer process of an attempt until it has exited.
func (d *Daemon) supervise(ctx context.Context, r record, slot *slot) exit {
	events := make(chan event)
	a, log := r.Attempt, r.log
	c, err := startChild(d.Command(context.WithoutCancel(ctx)), slot.Env, order{Job: a.Job, Attempt: a.Number, Device: a.Device, Versions: slot.Versions, Settings: d.Settings},
		func(line []byte) { deliver(events, line, log) }, log)
	if err != nil {
		return exit{why: fmt.Sprintf("the trainer process could not be started: %v", err)}
	}
	slot.began(c.cmd.Process.Pid)
	defer slot.ended()
	board := d.newReporter(a)
	defer board.close()
	marked, stopWatching := d.watchHeld(ctx, r)
	defer stopWatching()
	s := supervision{d: d, slot: slot, oomKills: d.oomKills(), c: c, board: board, log: log, trace: r.trace, stall: time.NewTimer(d.Stall), began: d.Now()}
	defer s.end()
	return s.loop(ctx, events, marked)
}

// deliver parses a line of a child's standard output. What is no event, such as
// a message of a library, is logged.
func deliver(events chan<- event, line []byte, log *slog.Logger) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Kind == "" {
		log.Debug("trainer process says", "line", cut(line, maxLogLine))
		return
	}
	if e.Kind == eventLog {
		relay(log, e.Log)
	}
	events <- e
}

// supervision is the state of one supervise.
type supervision struct {
	d     *Daemon
	slot  *slot
	c     *child
	board *reporter
	log   *slog.Logger
	trace AttemptTrace
	began time.Time
	// writing is how many seconds of writing checkpoints were told of since the last one.
	writing float64
	// oomKills is what the system had counted when the child began.
	oomKills int64

	stall *time.Timer // until the child is taken for hanging
	grace *time.Timer // until a child that was told to stop is killed; nil before
	x     exit
}

func (s *supervision) end() {
	s.stall.Stop()
	if s.grace != nil {
		s.grace.Stop()
	}
}

// loop waits on everything that can happen to a running child. It never blocks
// on anything else, so the child never waits for the daemon.
func (s *supervision) loop(ctx context.Context, events <-chan event, marked <-chan plan.State) exit {
	interrupted, killing := ctx.Done(), s.d.killing
	for {
		select {
		case e := <-events:
			s.heard(e)
		case <-s.c.exited:
			return s.result()
		case <-interrupted:
			interrupted = nil
			s.x.stopped = true
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				s.x.taken, s.x.why = true, cause.Error()
			}
			s.stop()
		case s.x.held = <-marked:
			marked = nil
			if s.x.held == plan.Completed {
				s.kill("another attempt has recorded the outcome") // a checkpoint is of no use
				break
			}
			s.stop()
		case <-killing:
			killing = nil
			s.kill("the drain took too long")
		case <-s.graceOver():
			s.kill(fmt.Sprintf("it did not stop within %v", s.d.StopGrace))
		case <-s.stall.C:
			s.x.stalled = true
			s.kill(fmt.Sprintf("the trainer process showed no sign of life for %v", s.d.Stall))
		}
	}
}

func (s *supervision) graceOver() <-chan time.Time {
	if s.grace == nil {
		return nil
	}
	return s.grace.C
}

func (s *supervision) heard(e event) {
	s.stall.Reset(s.d.Stall)
	if e.Measures != nil {
		s.d.Meter.Measured(*e.Measures)
		s.writing += e.Measures.Checkpoints.Seconds
	}
	switch e.Kind {
	case eventProgress:
		if e.Progress != nil {
			s.slot.progress(*e.Progress)
			s.board.set(*e.Progress, s.d.Now().Sub(s.began))
		}
	case eventEvaluated:
		if e.Epoch != nil {
			s.log.Info("epoch done", "epoch", e.Epoch.Epoch, "train_loss", e.Epoch.TrainLoss, "scores", e.Epoch.Metrics)
			s.trace.Epoch(*e.Epoch)
		}
	case eventCheckpointed:
		s.log.Debug("checkpoint written", "object", e.Object)
		s.trace.Checkpoint(e.Object, time.Duration(s.writing*float64(time.Second)))
		s.writing = 0
	}
	if e.last() {
		s.x.last = e
	}
}

// stop asks the child to write a checkpoint and exit.
func (s *supervision) stop() {
	if s.grace == nil {
		s.grace = time.NewTimer(s.d.StopGrace)
		s.c.stop()
	}
}

func (s *supervision) kill(why string) {
	s.x.why = why
	s.log.Warn("killing the trainer process", "why", why)
	s.c.kill()
}

// result interprets the exit of the child. A process that told its result has
// one, however it then went down.
func (s *supervision) result() exit {
	if s.x.last.Kind == eventResult && s.x.last.Outcome == nil {
		s.x.last = event{Kind: eventFailed, Reason: "the trainer process reported a result without an outcome"}
	}
	if s.x.last.Kind == eventInterrupted && !s.x.stopped && s.x.held == "" {
		s.x.stopped = true // somebody sent it a signal
	}
	s.x.memory = s.x.last.OutOfMemory
	if s.x.why == "" && s.x.last.Kind == "" {
		s.x.why = s.c.obituary()
		s.x.memory = s.c.outOfMemory(s.d.oomKills() - s.oomKills)
		s.x.lost = !s.x.memory && s.c.wasKilled()
	}
	s.x.lost = s.x.lost || s.x.last.Transient
	return s.x
}

// outcomeEvery is every how many looks at the marks of a sweep the outcome is looked
// for as well: hardly ever does another attempt run beside one that holds its claim.
const outcomeEvery = 5

// watchHeld sends on marked when the sweep is canceled or paused, or the job completed
// by another attempt.
func (d *Daemon) watchHeld(ctx context.Context, r record) (marked <-chan plan.State, stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	found, done := make(chan plan.State, 1), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(d.CancelPoll)
		defer tick.Stop()
		for looks := 1; ; looks++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			state, err := d.held(ctx, r.task.Sweep)
			if state == "" && err == nil && looks%outcomeEvery == 0 {
				state, err = d.completed(ctx, r.Job)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				r.log.Debug("cannot look for the marks of the sweep or the outcome", "error", err)
			}
			if state != "" {
				found <- state
				return
			}
		}
	}()
	return found, func() { cancel(); <-done }
}

// held is Canceled or Paused where the sweep has such a mark.
func (d *Daemon) held(ctx context.Context, sweep string) (plan.State, error) {
	for _, mark := range []struct {
		key   string
		state plan.State
	}{{plan.CancelKey(sweep), plan.Canceled}, {plan.PauseKey(sweep), plan.Paused}} {
		there, err := artifacts.Exists(ctx, d.Store, mark.key)
		if err != nil {
			return "", err
		}
		if there {
			return mark.state, nil
		}
	}
	return "", nil
}

// completed is Completed where the job has an outcome.
func (d *Daemon) completed(ctx context.Context, job string) (plan.State, error) {
	done, err := artifacts.Exists(ctx, d.Store, plan.OutcomeKey(job))
	if err != nil || !done {
		return "", err
	}
	return plan.Completed, nil
}
