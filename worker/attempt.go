package worker

import (
	"context"
	"errors"
	"fmt"
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
func (d *Daemon) attempt(ctx context.Context, sweep string, spec plan.Spec, slot *slot) (End, error) {
	past, err := d.history(ctx, spec.Job)
	if err != nil {
		return d.orInterrupted(ctx, Retry, err)
	}
	if f, over := past.exhausted(); over {
		// Not even the daemons lived to give it up.
		dead := past.attempts[len(past.attempts)-1]
		dead.Detail = "the worker died with it"
		return d.giveUp(ctx, dead, f)
	}
	a, err := d.register(ctx, spec.Job, slot.Device, past.next())
	if err != nil {
		return d.orInterrupted(ctx, Retry, err)
	}
	log := d.Log.With("job", spec.Job, "attempt", a.Number, "device", slot.Device)
	log.Info("attempt started", "sweep", sweep, "trial", spec.Trial, "fold", spec.Fold)
	exit := d.supervise(ctx, sweep, a, slot.Slot)
	end, err := d.conclude(ctx, sweep, spec, a, exit, past)
	d.slots.judge(slot, spec.Job, exit.failed(end), log)
	log.Info("attempt ended", "end", end, "seconds", d.Now().Sub(startOf(a)).Seconds(), "why", exit.detail())
	return end, err
}

// conclude records how an attempt ended. It goes on when ctx has ended, as an
// end is worth recording also while the daemon drains.
func (d *Daemon) conclude(ctx context.Context, sweep string, spec plan.Spec, a plan.Attempt, x exit, past history) (End, error) {
	ctx = context.WithoutCancel(ctx)
	switch {
	case x.last.Kind == eventResult:
		return d.complete(ctx, sweep, spec, a, x.last.Outcome)
	case x.held != "":
		d.note(ctx, a, x.held, x.detail())
		return Canceled, nil
	case x.stopped: // also when it had to be killed: it did not fail by itself
		d.note(ctx, a, plan.State(Interrupted), x.detail())
		return Interrupted, nil
	case x.last.Kind == eventFailed && x.last.Permanent:
		a.Detail = x.last.Reason
		return d.giveUp(ctx, a, plan.Failure{Reason: x.last.Reason, Hint: x.last.Hint})
	case x.memory && onePicture(spec):
		a.Detail = x.detail()
		return d.giveUp(ctx, a, plan.Failure{Reason: "the job ran out of memory with one picture at a time: " + x.detail(), Hint: memoryHint(spec)})
	case x.lost:
		d.note(ctx, a, Lost, x.detail())
		return Retry, again(past.lost()+1, x.detail())
	case past.crashes()+1 > spec.Resources.MaxRestarts:
		a.Detail = x.detail()
		return d.giveUp(ctx, a, plan.Failure{Reason: fmt.Sprintf("%s (attempt %d, after %d restarts)", x.detail(), a.Number, past.crashes()), Hint: x.hint(spec)})
	}
	d.note(ctx, a, plan.Failed, x.detail())
	return Retry, again(past.crashes()+1, x.detail())
}

// complete records the outcome, unless somebody was first.
func (d *Daemon) complete(ctx context.Context, sweep string, spec plan.Spec, a plan.Attempt, o *plan.Outcome) (End, error) {
	o.Job, o.Sweep, o.Attempts = spec.Job, sweep, a.Number
	o.Host, o.Device, o.Finished = d.Host, a.Device, d.stamp()
	err := patiently(ctx, d.Patience, d.Log, func() error {
		return artifacts.CreateJSON(ctx, d.Store, plan.OutcomeKey(spec.Job), o)
	})
	detail := ""
	if errors.Is(err, artifacts.ErrExists) {
		detail, err = "another attempt had recorded the outcome already", nil
	}
	if err != nil {
		return Retry, fmt.Errorf("record the outcome: %w", err)
	}
	d.note(ctx, a, plan.Completed, detail)
	d.pruneAfter(ctx, spec)
	return Completed, nil
}

// pruneAfter removes the checkpoints that nobody needs once a job has an outcome.
func (d *Daemon) pruneAfter(ctx context.Context, spec plan.Spec) {
	err := pruneCheckpoints(ctx, d.Store, spec.Job, spec.Checkpoints.SaveTrialLatest)
	for _, rung := range spec.Rungs {
		err = errors.Join(err, pruneCheckpoints(ctx, d.Store, rung, 0))
	}
	if err != nil {
		d.Log.Warn("checkpoints of a completed job are left over", "job", spec.Job, "error", err)
	}
}

// giveUp records that the job will not be tried again, until its user says so.
func (d *Daemon) giveUp(ctx context.Context, a plan.Attempt, f plan.Failure) (End, error) {
	f.Job, f.Attempts, f.Finished = a.Job, a.Number, d.stamp()
	a.GivenUp = true
	if err := d.finish(ctx, a, plan.Failed, a.Detail); err != nil {
		return Retry, fmt.Errorf("record the failure: %w", err)
	}
	err := patiently(ctx, d.Patience, d.Log, func() error {
		return artifacts.PutJSON(ctx, d.Store, plan.FailureKey(a.Job), f)
	})
	if err != nil {
		return Retry, fmt.Errorf("record the failure: %w", err)
	}
	return Failed, &GivenUpError{f}
}

// finish completes an attempt's object.
func (d *Daemon) finish(ctx context.Context, a plan.Attempt, end plan.State, detail string) error {
	a.Ended, a.End, a.Detail = d.stamp(), string(end), shorten(detail)
	return patiently(ctx, d.Patience, d.Log, func() error {
		return artifacts.PutJSON(ctx, d.Store, plan.AttemptKey(a.Job, a.Number), a)
	})
}

// note finishes an attempt whose end does not depend on being recorded.
func (d *Daemon) note(ctx context.Context, a plan.Attempt, end plan.State, detail string) {
	if err := d.finish(ctx, a, end, detail); err != nil {
		d.Log.Warn("the end of an attempt is not recorded", "job", a.Job, "attempt", a.Number, "end", end, "error", err)
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
