package worker

import (
	"context"
	"time"

	"orchestrator/scheduler/plan"
)

// reporter tells the board the latest word of a running job, no more often than
// is useful, and never lets the job wait for a board that does not answer.
type reporter struct {
	latest chan plan.Progress // holds at most one, the newest
	done   chan struct{}
	cancel context.CancelFunc
	base   plan.Progress // what the daemon knows
	now    func() time.Time
}

func (d *Daemon) newReporter(a plan.Attempt) *reporter {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reporter{
		latest: make(chan plan.Progress, 1), done: make(chan struct{}), cancel: cancel, now: d.Now,
		base: plan.Progress{Job: a.Job, Attempt: a.Number, Host: d.Host, Device: a.Device},
	}
	go r.run(ctx, d)
	return r
}

// set replaces what is to be reported next.
func (r *reporter) set(p plan.Progress, running time.Duration) {
	p.Job, p.Attempt, p.Host, p.Device = r.base.Job, r.base.Attempt, r.base.Host, r.base.Device
	p.Seconds, p.Updated = running.Seconds(), r.now().UTC().Format(time.RFC3339)
	select {
	case <-r.latest:
	default:
	}
	r.latest <- p // room, as only one goroutine sets
}

func (r *reporter) run(ctx context.Context, d *Daemon) {
	defer close(r.done)
	tick := time.NewTicker(d.ReportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-r.latest:
			if d.Board == nil {
				continue
			}
			if err := d.Board.Report(ctx, p.Job, p); err != nil {
				d.Log.Debug("cannot report progress", "job", p.Job, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *reporter) close() {
	r.cancel()
	<-r.done
}
