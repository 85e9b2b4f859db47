package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

func newCancelCommand(a *app) *cobra.Command {
	return controlCommand(a, "canceled", false, (*scheduler.Scheduler).Cancel, &cobra.Command{
		Use:   "cancel [SWEEP]",
		Short: "Stop a sweep's jobs and queue no more of them",
		Long: `Marks the sweep as canceled in the store, takes its jobs out of the queue, and
makes the workers that run one stop. Outcomes stay; resume takes it up again.` + "\n" + exitHelp,
		Example: "  orchestrator cancel hymenoptera",
	})
}

func newPauseCommand(a *app) *cobra.Command {
	return controlCommand(a, "paused", false, (*scheduler.Scheduler).Pause, &cobra.Command{
		Use:   "pause [SWEEP]",
		Short: "Stop a sweep's jobs for now, with checkpoints",
		Long: `Marks the sweep as paused in the store and takes its jobs out of the queue.
Workers that run one write a checkpoint and turn to other sweeps; resume goes on
from there.` + "\n" + exitHelp,
		Example: "  orchestrator pause hymenoptera\n  orchestrator resume hymenoptera",
	})
}

func newResumeCommand(a *app) *cobra.Command {
	return controlCommand(a, "resumed", true, (*scheduler.Scheduler).Resume, &cobra.Command{
		Use:   "resume [SWEEP]",
		Short: "Queue what has no outcome: after pause, after cancel, or after Redis was lost",
		Long: `Removes the marks of pause and cancel and enqueues exactly the jobs that have no outcome. They
go on from their last checkpoints. A sweep of the embedded queue is taken up by
calling run with its file again.` + "\n" + exitHelp,
		Example: "  orchestrator resume latest",
	})
}

type updateOptions struct {
	priority, concurrent int
	time, deviceTime     string
}

func newUpdateCommand(a *app) *cobra.Command {
	var o updateOptions
	cmd := controlCommand(a, "updated", false, func(s *scheduler.Scheduler, ctx context.Context, sweep string) (scheduler.Report, error) {
		change, err := o.settings()
		if err != nil {
			return scheduler.Report{}, err
		}
		return s.Update(ctx, sweep, change)
	}, &cobra.Command{
		Use:   "update [SWEEP]",
		Short: "Change a sweep's priority, trials at a time or budget while it runs",
		Long: `What is changed holds from now on: jobs that wait are put into their new order.
What the trials train is part of the sweep file and never changes.` + "\n" + exitHelp,
		Example: "  orchestrator update hymenoptera --priority 1\n  orchestrator update latest --max-concurrent-trials 2 --budget-time 2d",
	})
	f := cmd.Flags()
	f.IntVar(&o.priority, "priority", 0, plan.PriorityWords)
	f.IntVar(&o.concurrent, "max-concurrent-trials", 0, "trials under way at a time")
	f.StringVar(&o.time, "budget-time", "", "time since the submission after which it is canceled, as 12h30m")
	f.StringVar(&o.deviceTime, "budget-device-time", "", "the same for the time that all its jobs took in sum")
	return cmd
}

// settings checks what was given.
func (o updateOptions) settings() (plan.Settings, error) {
	const example = "orchestrator update latest --priority 1"
	change := plan.Settings{Priority: o.priority, MaxConcurrent: o.concurrent}
	for flag, to := range map[string]struct {
		text string
		into *plan.Seconds
	}{"--budget-time": {o.time, &change.Budget.Time}, "--budget-device-time": {o.deviceTime, &change.Budget.DeviceTime}} {
		var ok bool
		if *to.into, ok = plan.ParseSeconds(to.text); to.text != "" && !ok {
			return change, usagef(flag+" 12h30m", "%q is not a time", to.text)
		}
	}
	if change == (plan.Settings{}) {
		return change, usagef(example, "say what to change")
	}
	return change, nil // Update checks the bounds
}

func newRetryCommand(a *app) *cobra.Command {
	cmd := controlCommand(a, "retried", true, retryFailed, &cobra.Command{
		Use:   "retry [SWEEP] --failed",
		Short: "Try a sweep's failed jobs again",
		Long: `Forgets the failures of the jobs that were given up and enqueues them again, from
their last checkpoints. Jobs that have an outcome are left alone.` + "\n" + exitHelp,
		Example: "  orchestrator retry --failed",
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if failed, _ := cmd.Flags().GetBool("failed"); !failed {
				return usagef("orchestrator retry --failed", "say which jobs: only --failed is offered")
			}
			return nil
		},
	})
	cmd.Flags().Bool("failed", false, "the jobs that failed")
	return cmd
}

func retryFailed(s *scheduler.Scheduler, ctx context.Context, sweep string) (scheduler.Report, error) {
	_, report, err := s.Retry(ctx, sweep)
	return report, err
}

// controlCommand completes a command that does something to a whole sweep. One that
// goesOn with it has failed where the sweep stays canceled or paused.
func controlCommand(a *app, done string, goesOn bool, act func(*scheduler.Scheduler, context.Context, string) (scheduler.Report, error), cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, id, release, err := a.lookAt(cmd.Context(), sweepArg(args))
		if err != nil {
			return err
		}
		defer release()
		r, err := act(s, cmd.Context(), id)
		if err != nil {
			return err
		}
		if err := a.printReport(id, r, done); err != nil || !goesOn {
			return err
		}
		results, err := s.Glance(cmd.Context(), id)
		if err != nil {
			return err
		}
		return heldError(results, resumeCommand(id))
	}
	return cmd
}

func (a *app) printReport(sweep string, r scheduler.Report, what string) error {
	if a.config.Output == "json" {
		return printJSON(a.out, scheduler.Submitted{Sweep: sweep, Existed: true, Report: r})
	}
	_, err := fmt.Fprintf(a.out, "%s: %s; %d jobs, %d completed, %d failed, %d enqueued now, %d withdrawn now\n",
		sweep, what, r.Jobs, r.Completed, r.Failed, r.Enqueued, r.Withdrawn)
	return err
}
