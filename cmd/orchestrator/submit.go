package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

type submitOptions struct {
	set   []string
	watch bool
}

func newSubmitCommand(a *app) *cobra.Command {
	var o submitOptions
	cmd := &cobra.Command{
		Use:   "submit SWEEP.yaml",
		Short: "Queue a sweep for the workers",
		Long: `Checks the sweep as plan does, brings its data and networks to the store unless
they are there, and enqueues its jobs. Submitting the same sweep again is safe:
it has the same id, and nothing is trained twice. One that is canceled or paused
stays so: exit code 4 says that nothing is queued. With --watch it follows the sweep
and ends by printing its results.` + "\n" + exitHelp,
		Example: "  orchestrator submit sweep.yaml\n  orchestrator submit sweep.yaml --watch",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runSubmit(cmd.Context(), a, args[0], o) },
	}
	addSetFlag(cmd, &o.set)
	cmd.Flags().BoolVar(&o.watch, "watch", false, "follow the sweep and print its results")
	return cmd
}

func runSubmit(ctx context.Context, a *app, file string, o submitOptions) error {
	q, err := a.needQueue(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	began := time.Now()
	p, err := a.prepare(ctx, file, o.set)
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	s := a.newScheduler(store, q)
	notifier, err := a.newNotifier(store, s, nil)
	if err != nil {
		return err
	}
	submitted, err := a.submit(ctx, s, p, began)
	if err != nil {
		return err
	}
	if held := submitted.State == plan.Canceled || submitted.State == plan.Paused; held || !o.watch {
		return errors.Join(a.printSubmitted(submitted), a.notQueued(submitted))
	}
	err = a.watchToEnd(ctx, s, p.plan.ID)
	a.notifyNow(ctx, notifier)
	return err
}

// submit submits a sweep whose submission began then, with what came before.
func (a *app) submit(ctx context.Context, s *scheduler.Scheduler, p *prepared, began time.Time) (*scheduler.Submitted, error) {
	printNotes(a.err, "", p.index.Notes)
	done := a.busy(func() string { return "storing the sweep, its pictures and its networks" })
	submitted, err := s.Submit(ctx, p.plan, p.uploads)
	done()
	if a.traces != nil {
		a.traces.Submit(p.plan.ID, submitted, began, err)
	}
	return submitted, err
}

func (a *app) printSubmitted(s *scheduler.Submitted) error {
	if a.config.Output == "json" {
		return printJSON(a.out, s)
	}
	_, err := fmt.Fprintf(a.out, "%s: %d jobs, %d completed already, %d enqueued now\n", s.Sweep, s.Jobs, s.Completed, s.Enqueued)
	return err
}

// notQueued is an error where a submission queues nothing, as the sweep is canceled or
// paused, or has nothing left but jobs that failed.
func (a *app) notQueued(s *scheduler.Submitted) error {
	switch s.State {
	case plan.Canceled, plan.Paused:
		return &incompleteError{sweep: s.Sweep, state: s.State, hint: resumeCommand(s.Sweep)}
	case plan.Failed:
		fmt.Fprintf(a.err, "%s failed. To try again: orchestrator retry --failed %s\n", counted(s.Failed, "job"), s.Sweep)
		return errJobFailed
	}
	return nil
}

// watchToEnd follows a sweep that workers run, then prints its results. It
// reconciles as well, so that a queue that forgets loses nothing.
func (a *app) watchToEnd(ctx context.Context, s *scheduler.Scheduler, sweep string) error {
	r, err := a.follow(ctx, s, sweep, func(ctx context.Context) error {
		if err := s.ReconcileLoop(ctx, reconcileEvery); ctx.Err() == nil {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.printResults(r); err != nil {
		return err
	}
	return sweepError(r, resumeCommand(r.Sweep))
}
