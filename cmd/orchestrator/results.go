package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"orchestrator/artifacts"
	"orchestrator/artifacts/report"
	"orchestrator/scheduler/plan"
)

func newResultsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "results [SWEEP]",
		Short: "Print a sweep's table: mean ± standard deviation over the folds",
		Long: `Prints every trial with the mean and the sample standard deviation of its metrics
over the folds, the best trial marked. SWEEP is a sweep's id, the beginning of
one, its name (of several the newest), or "latest" (the default).

Formats: --output table, json (stable), csv (one row per fold), latex.` + "\n" + exitHelp,
		Example: "  orchestrator results\n  orchestrator results hymenoptera --output csv > folds.csv",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			store, err := a.openStore(ctx)
			if err != nil {
				return err
			}
			r, err := a.loadResults(ctx, store, sweepArg(args))
			if err != nil {
				return err
			}
			return a.printResults(r)
		},
	}
}

// sweepArg is the sweep that a command was given, or the latest.
func sweepArg(args []string) string {
	if len(args) == 0 {
		return "latest"
	}
	return args[0]
}

// loadResults reads a sweep's results from the store alone: no queue needed.
func (a *app) loadResults(ctx context.Context, store artifacts.Store, sweep string) (*plan.Results, error) {
	s := a.newScheduler(store, nil)
	id, err := s.ResolveNewest(ctx, sweep)
	if err != nil {
		return nil, err
	}
	return s.Load(ctx, id)
}

// printResults prints in the format of --output.
func (a *app) printResults(r *plan.Results) error {
	switch a.config.Output {
	case "json":
		return report.JSON(a.out, r)
	case "csv":
		return report.CSV(a.out, r)
	case "latex":
		return report.LaTeX(a.out, r)
	}
	width, isTerminal := terminal(a.out)
	if err := report.Table(a.out, r, report.TableOptions{Width: width, Color: isTerminal}); err != nil {
		return fmt.Errorf("printing the results: %w", err)
	}
	return nil
}
