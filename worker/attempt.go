package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// register creates the object of a new attempt under the first free number.
func (d *Daemon) register(ctx context.Context, job, device string, number int) (plan.Attempt, error) {
	for {
		a := plan.Attempt{Job: job, Number: number, Host: d.Host, Device: device, Started: d.stamp()}
		err := artifacts.CreateJSON(ctx, d.Store, plan.AttemptKey(job, number), a)
		if !errors.Is(err, artifacts.ErrExists) {
			return a, err
		}
		number++ // another daemon was delivered the same job
	}
}

// attempt runs a registered attempt from its start to the record of its end.
func (d *Daemon) attempt(ctx context.Context, t Task, spec plan.Spec, slot *slot) (End, error) {
	past, err := d.history(ctx, spec.Job)
	if err != nil {
		return d.orInterrupted(ctx, Retry, err)
	}
	if f, over := past.exhausted(); over {
		// Not even the daemons lived to give it up.
		dead := past.attempts[len(past.attempts)-1]
		dead.Detail = "the worker died with it"
		return d.giveUp(ctx, record{Attempt: dead, task: t, log: d.Log.With(t.ids()...).With("attempt", dead.Number)}, f)
	}
	a, err := d.register(ctx, spec.Job, slot.Device, past.next())
	if err != nil {
		return d.orInterrupted(ctx, Retry, err)
	}
	r := d.keep(t, a)
	r.trace = d.Tracer.Attempt(t, a)
	r.log.Info("attempt started", "host", a.Host, "on", cmp.Or(slot.About, slot.Device))
	stop := r.kept.refresh(ctx, d.LogEvery, d.Log)
	exit := d.supervise(ctx, r, slot)
	stop()
	end, err := d.conclude(ctx, r, spec, exit, past)
	d.Meter.Attempt(exit.cause(), d.Now().Sub(startOf(a)).Seconds())
	r.trace.End(end, exit.cause(), d.why(exit, err))
	d.slots.judge(slot, spec.Job, exit.failed(end), r.log)
	return end, err
}

// conclude records how an attempt ended. It goes on when ctx has ended, as an
// end is worth recording also while the daemon drains.
func (d *Daemon) conclude(ctx context.Context, r record, spec plan.Spec, x exit, past history) (End, error) {
	ctx = context.WithoutCancel(ctx)
	switch {
	case x.last.Kind == eventResult:
		return d.complete(ctx, r, spec, x.last.Outcome)
	case x.held == plan.Completed:
		d.note(ctx, r, Lost, x.detail())
		return Completed, nil
	case x.held != "":
		d.note(ctx, r, x.held, x.detail())
		return Canceled, nil
	case x.taken:
		d.note(ctx, r, Lost, x.detail())
		return Interrupted, nil
	case x.stopped: // also when it had to be killed: it did not fail by itself
		d.note(ctx, r, plan.State(Interrupted), x.detail())
		return Interrupted, nil
	case x.last.Kind == eventFailed && x.last.Permanent:
		r.Detail = x.last.Reason
		return d.giveUp(ctx, r, plan.Failure{Reason: x.last.Reason, Hint: x.last.Hint})
	case x.memory && onePicture(spec):
		r.Detail = x.detail()
		return d.giveUp(ctx, r, plan.Failure{Reason: "the job ran out of memory with one picture at a time: " + x.detail(), Hint: memoryHint(spec)})
	case x.lost:
		d.note(ctx, r, Lost, x.detail())
		return Retry, again(past.lost()+1, x.detail())
	case past.crashes()+1 > spec.Resources.MaxRestarts:
		r.Detail = x.detail()
		return d.giveUp(ctx, r, plan.Failure{Reason: fmt.Sprintf("%s (attempt %d, after %d restarts)", x.detail(), r.Number, past.crashes()), Hint: x.hint(spec)})
	}
	d.note(ctx, r, plan.Failed, x.detail())
	return Retry, again(past.crashes()+1, x.detail())
}

// complete records the outcome, unless somebody was first.
func (d *Daemon) complete(ctx context.Context, r record, spec plan.Spec, o *plan.Outcome) (End, error) {
	o.Job, o.Sweep, o.Attempts = spec.Job, r.task.Sweep, r.Number
	o.Host, o.Device, o.Finished = d.Host, r.Device, d.stamp()
	err := patiently(ctx, d.Patience, r.log, func() error {
		return artifacts.CreateJSON(ctx, d.Store, plan.OutcomeKey(spec.Job), o)
	})
	detail := ""
	if errors.Is(err, artifacts.ErrExists) {
		detail, err = "another attempt had recorded the outcome already", nil
	}
	if err != nil {
		err = fmt.Errorf("record the outcome: %w", err)
		r.log.Error("attempt ended", "end", Retry, "why", err)
		return Retry, errors.Join(err, d.saveLast(ctx, r))
	}
	d.note(ctx, r, plan.Completed, detail)
	d.pruneAfter(ctx, spec, o.History, r.log)
	return Completed, nil
}

// pruneAfter removes the checkpoints that nobody wants kept once a job has an outcome.
func (d *Daemon) pruneAfter(ctx context.Context, spec plan.Spec, history []plan.Epoch, log *slog.Logger) {
	err := pruneCheckpoints(ctx, d.Store, spec.Job, spec.Rungs, func(all []plan.CheckpointID) map[plan.CheckpointID]bool {
		return spec.Checkpoints.Retained(spec.Metric, spec.Job, spec.Checkpoints.SaveTrialLatest, history, all)
	})
	if err != nil {
		log.Warn("checkpoints of a completed job are left over", "error", err)
	}
}

// giveUp records that the job will not be tried again, until its user says so.
func (d *Daemon) giveUp(ctx context.Context, r record, f plan.Failure) (End, error) {
	f.Job, f.Attempts, f.Finished = r.Job, r.Number, d.stamp()
	r.GivenUp = true
	if err := d.finish(ctx, r, plan.Failed, r.Detail); err != nil {
		return Retry, fmt.Errorf("record the failure: %w", err)
	}
	err := patiently(ctx, d.Patience, r.log, func() error {
		return artifacts.PutJSON(ctx, d.Store, plan.FailureKey(r.Job), f)
	})
	if err != nil {
		return Retry, fmt.Errorf("record the failure: %w", err)
	}
	return Failed, &GivenUpError{f}
}

// finish stores the end of an attempt's log, then completes its object: whoever
// sees that the attempt is over finds the whole log.
func (d *Daemon) finish(ctx context.Context, r record, end plan.State, detail string) error {
	a := r.Attempt
	a.Ended, a.End, a.Detail = d.stamp(), string(end), shorten(detail)
	r.log.Info("attempt ended", "end", end, "seconds", d.Now().Sub(startOf(a)).Seconds(), "given_up", a.GivenUp, "why", a.Detail)
	return patiently(ctx, d.Patience, r.log, func() error {
		if err := d.saveLast(ctx, r); err != nil {
			return err
		}
		return artifacts.PutJSON(ctx, d.Store, plan.AttemptKey(a.Job, a.Number), a)
	})
}

// note finishes an attempt whose end does not depend on being recorded.
func (d *Daemon) note(ctx context.Context, r record, end plan.State, detail string) {
	if err := d.finish(ctx, r, end, detail); err != nil {
		r.log.Warn("the end of an attempt is not recorded", "end", end, "error", err)
	}
}

func (d *Daemon) stamp() string { return d.Now().UTC().Format(time.RFC3339Nano) }

func startOf(a plan.Attempt) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, a.Started) // our own stamp
	return t
}

// shorten keeps the end of a long text: of a crash that is what explains it.
func shorten(s string) string {
	const most = 4000
	if len(s) > most {
		s = "..." + strings.ToValidUTF8(s[len(s)-most:], "")
	}
	return s
}
