package main

import (
	"context"
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/scheduler/plan"
)

func newListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the sweeps in the store",
		Long:    "Lists all sweeps, the most recent first." + "\n" + exitHelp,
		Example: "  orchestrator list\n  orchestrator list --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			q, err := a.findQueue(cmd.Context())
			if err != nil {
				return err
			}
			if q != nil {
				defer q.Close()
			}
			sweeps, err := a.newScheduler(store, q).List(cmd.Context())
			if err != nil {
				return err
			}
			if a.config.Output == "json" {
				return printJSON(a.out, sweeps)
			}
			if len(sweeps) == 0 {
				fmt.Fprintf(a.out, "No sweeps in %s yet.\n", store)
				return nil
			}
			t := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
			fmt.Fprintf(t, "SWEEP\tSTATE\tTRIALS\tJOBS\tFAILED\tCREATED\n")
			for _, s := range sweeps {
				fmt.Fprintf(t, "%s\t%s\t%d\t%d/%d\t%d\t%s\n", s.Sweep, s.State, s.Trials, s.Completed, s.Jobs, s.Failed, s.Created.Local().Format(time.DateTime))
			}
			return t.Flush()
		},
	}
}

func newStatusCommand(a *app) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "status [SWEEP]",
		Short: "Say where every job of a sweep is",
		Long: `Prints the state of a sweep's jobs: epoch, loss and host of those that run, the
reasons of those that failed. --watch follows it to its end. SWEEP is an id, the
beginning of one, a name, or "latest" (the default).` + "\n" + exitHelp,
		Example: "  orchestrator status\n  orchestrator status hymenoptera --watch",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runStatus(cmd.Context(), a, sweepArg(args), watch)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "follow the sweep to its end")
	return cmd
}

func runStatus(ctx context.Context, a *app, sweep string, watch bool) error {
	s, id, done, err := a.lookAt(ctx, sweep)
	if err != nil {
		return err
	}
	defer done()
	if watch {
		d := newDisplay(a.out)
		r, err := s.Wait(ctx, id, d.update)
		d.close()
		if err != nil {
			return err
		}
		return sweepError(r, resumeCommand(r.Sweep))
	}
	r, err := s.Load(ctx, id)
	if err != nil {
		return err
	}
	if a.config.Output == "json" {
		return printJSON(a.out, r)
	}
	return printStatus(a, r)
}

func printStatus(a *app, r *plan.Results) error {
	done, total := countJobs(r)
	fmt.Fprintf(a.out, "%s: %s, %d of %d jobs over%s\n", r.Sweep, r.State, done, total, leftText(r))
	t := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "TRIAL\tFOLD\tSTATE\tATTEMPTS\tEPOCH\tDETAIL\n")
	eachFold(r, func(trial plan.TrialResult, f plan.FoldResult) {
		epoch := fmt.Sprint(f.Epochs)
		if f.Progress != nil && f.Progress.Stage == "" {
			epoch = fmt.Sprintf("%d/%d", f.Progress.Epoch, f.Progress.Epochs)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%s\n", trial.Trial, foldName(f), f.State, f.Attempts, epoch, statusDetail(r.Metric.Name, f))
	})
	return t.Flush()
}

// metricText is a fold's score: undefined where the test pictures allow none.
func metricText(all plan.Metrics, name string) string {
	x, there := all[name]
	if !there || math.IsNaN(x) {
		return name + " undefined"
	}
	return fmt.Sprintf("%s %.4f", name, x)
}

func statusDetail(metric string, f plan.FoldResult) string {
	switch {
	case f.Failure != nil:
		return f.Failure.Reason
	case f.State == plan.Completed:
		text := metricText(f.Metrics, metric)
		if f.Cached {
			text += ", in the store already"
		}
		return text
	case f.Progress != nil && f.Progress.Stage != "":
		return stageText(*f.Progress)
	case f.Progress != nil:
		text := fmt.Sprintf("loss %.4f on %s %s", f.Progress.Loss, f.Progress.Host, f.Progress.Device)
		if f.Progress.ETA > 0 {
			text += fmt.Sprintf(", %s left", time.Duration(f.Progress.ETA)*time.Second)
		}
		return text
	}
	return ""
}

// stageText says what a job does before it trains.
func stageText(p plan.Progress) string {
	return fmt.Sprintf("%s: %d of %d pictures on %s %s", p.Stage, p.Step, p.Steps, p.Host, p.Device)
}
