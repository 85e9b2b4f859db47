package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/scheduler"
)

func newCancelCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel [SWEEP]",
		Short: "Stop a sweep's jobs and queue no more of them",
		Long: `Marks the sweep as canceled in the store, takes its jobs out of the queue, and
makes the workers that run one stop. Outcomes stay; resume takes it up again.` + "\n" + exitHelp,
		Example: "  orchestrator cancel hymenoptera",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, id, done, err := a.lookAt(cmd.Context(), sweepArg(args))
			if err != nil {
				return err
			}
			defer done()
			r, err := s.Cancel(cmd.Context(), id)
			if err != nil {
				return err
			}
			return a.printReport(id, r, "canceled")
		},
	}
}

func newResumeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "resume [SWEEP]",
		Short: "Queue what has no outcome: after cancel, or after Redis was lost",
		Long: `Removes the cancel mark and enqueues exactly the jobs that have no outcome. They
go on from their last checkpoints. A sweep of the embedded queue is taken up by
calling run with its file again.` + "\n" + exitHelp,
		Example: "  orchestrator resume latest",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, id, done, err := a.lookAt(cmd.Context(), sweepArg(args))
			if err != nil {
				return err
			}
			defer done()
			r, err := s.Resume(cmd.Context(), id)
			if err != nil {
				return err
			}
			return a.printReport(id, r, "resumed")
		},
	}
}

func newRetryCommand(a *app) *cobra.Command {
	var failed bool
	cmd := &cobra.Command{
		Use:   "retry [SWEEP] --failed",
		Short: "Try a sweep's failed jobs again",
		Long: `Forgets the failures of the jobs that were given up and enqueues them again, from
their last checkpoints. Jobs that have an outcome are left alone.` + "\n" + exitHelp,
		Example: "  orchestrator retry --failed",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !failed {
				return usagef("orchestrator retry --failed", "say which jobs: only --failed is offered")
			}
			s, id, done, err := a.lookAt(cmd.Context(), sweepArg(args))
			if err != nil {
				return err
			}
			defer done()
			_, r, err := s.Retry(cmd.Context(), id)
			if err != nil {
				return err
			}
			return a.printReport(id, r, "retried")
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "the jobs that failed")
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
