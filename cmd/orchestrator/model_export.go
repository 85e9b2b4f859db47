package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/onnx/onnximport"
)

// exportOptions are the flags of `model export`.
type exportOptions struct {
	file  modelFile
	trial int
	fold  string
}

func newModelExportCommand(a *app) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export [SWEEP] --file FILE",
		Short: "Write a network that a sweep has trained",
		Long: `Writes the network of one job as it is in the store: an ONNX file that ONNX Runtime
and others run, with class names and preprocessing in its metadata.

Without flags it is the best trial's network of the first completed fold. Folds are
equally good guesses: the one with the best score had the easiest test pictures.` + "\n" + exitHelp,
		Example: "  orchestrator model export latest --file model.onnx\n  orchestrator model export finetune --trial 3 --fold 2 --file fold-2.onnx",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runModelExport(cmd.Context(), a, o, append(args, "latest")[0])
		},
	}
	o.file.addFlags(cmd)
	cmd.Flags().IntVar(&o.trial, "trial", -1, "a trial's number (default: the best)")
	cmd.Flags().StringVar(&o.fold, "fold", "", "a fold's name (default: the first that is completed)")
	return cmd
}

func runModelExport(ctx context.Context, a *app, o exportOptions, sweep string) error {
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	results, err := a.loadResults(ctx, store, sweep)
	if err != nil {
		return err
	}
	trial, folds, err := completedFolds(results, o.trial)
	if err != nil {
		return err
	}
	fold, err := foldNamed(folds, o.fold, trial)
	if err != nil {
		return err
	}
	data, err := readModel(ctx, store, results.Sweep, fold.Job)
	if err != nil {
		return err
	}
	g, err := onnximport.Read(data)
	if err != nil {
		return fmt.Errorf("reading the network of job %s: %w", fold.Job, err)
	}
	if err := o.file.save(data); err != nil {
		return err
	}
	return a.printWritten(o.file.path, g)
}

// foldNamed finds a fold, the first where there is no name.
func foldNamed(folds []plan.FoldResult, name string, trial int) (plan.FoldResult, error) {
	var names []string
	for _, f := range folds {
		if name == "" || f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return plan.FoldResult{}, usagef("completed are "+strings.Join(names, ", "), "trial %d has no completed fold %q", trial, name)
}
