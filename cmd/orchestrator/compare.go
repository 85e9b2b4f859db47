package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/artifacts"
	"orchestrator/artifacts/report"
	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// compareOptions are the flags of `compare`.
type compareOptions struct {
	metric   string
	baseline string
}

func newCompareCommand(a *app) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare [SWEEP[/TRIAL]]...",
		Short: "Compare trials fold by fold: differences, intervals, tests, and what they do not say",
		Long: `Compares trials, of one sweep or of several: the difference of each pair with its 95 %
confidence interval and p by the corrected resampled t-test, that p adjusted for the
number of pairs (Holm), Wilcoxon's signed-rank test, and in how many folds the one is
better. What to mind stands below.

SWEEP/TRIAL is one trial, SWEEP among several its best one. A single SWEEP (default:
latest) stands for all its trials that have completed a fold. Only trials on the same
folds of the same pictures are paired; of others the means are shown, and why.

--baseline compares each with one trial: SWEEP/TRIAL, a trial's number in the first
sweep, or best. Formats: --output table, json.` + "\n" + exitHelp,
		Example: "  orchestrator compare --baseline 0\n  orchestrator compare ablation/3 ablation/7 --metric loss\n  orchestrator compare finetune scratch --output json",
		RunE:    func(cmd *cobra.Command, args []string) error { return runCompare(cmd.Context(), a, o, args) },

		ValidArgsFunction: a.completeSweeps,
	}
	cmd.Flags().StringVar(&o.metric, "metric", "", "what is compared (default: the metric of the first sweep)")
	cmd.Flags().StringVar(&o.baseline, "baseline", "", "the trial that each is compared with: SWEEP/TRIAL, TRIAL or best (default: all pairs)")
	return cmd
}

func runCompare(ctx context.Context, a *app, o compareOptions, words []string) error {
	if a.config.Output != "table" && a.config.Output != "json" {
		return usagef("choose table or json", "--output %s: a comparison has no such format", a.config.Output)
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	c := &comparer{scheduler: a.newScheduler(store, nil), loaded: map[string]analysis.Subject{}}
	of, baseline, err := c.subjects(ctx, words, o.baseline)
	if err != nil {
		return err
	}
	comparison, err := analysis.Compare(of, o.metric, baseline)
	if err != nil {
		return err
	}
	if a.config.Output == "json" {
		return printJSON(a.out, comparison)
	}
	width, isTerminal := terminal(a.out)
	return report.Comparison(a.out, comparison, report.TableOptions{Width: width, Color: isTerminal})
}

// comparer finds the trials that words stand for.
type comparer struct {
	scheduler *scheduler.Scheduler
	loaded    map[string]analysis.Subject // by sweep
}

// subjects are the trials that the words name, and the number of the baseline among
// them.
func (c *comparer) subjects(ctx context.Context, words []string, baseline string) (of []analysis.Subject, at int, err error) {
	if len(words) == 0 {
		words = []string{"latest"}
	}
	first, err := c.load(ctx, beforeSlash(words[0]))
	if err != nil {
		return nil, 0, err
	}
	if len(words) == 1 && !strings.Contains(words[0], "/") {
		of = begun(first)
	} else {
		for _, word := range words {
			s, err := c.find(ctx, word)
			if err != nil {
				return nil, 0, err
			}
			of = append(of, s)
		}
	}
	if baseline == "" {
		return of, analysis.AllPairs, nil
	}
	if baseline == "best" {
		baseline = first.Results.Sweep
	} else if _, err := strconv.Atoi(baseline); err == nil {
		baseline = first.Results.Sweep + "/" + baseline
	}
	s, err := c.find(ctx, baseline)
	if err != nil {
		return nil, 0, err
	}
	if at = slices.IndexFunc(of, func(o analysis.Subject) bool { return o.String() == s.String() }); at < 0 {
		of, at = append(of, s), len(of)
	}
	return of, at, nil
}

// begun are the trials of a sweep that have completed a fold.
func begun(s analysis.Subject) []analysis.Subject {
	var all []analysis.Subject
	for i, t := range s.Results.Trials {
		if slices.ContainsFunc(t.Folds, func(f plan.FoldResult) bool { return f.State == plan.Completed }) {
			s.Trial = i
			all = append(all, s)
		}
	}
	return all
}

func beforeSlash(word string) string {
	sweep, _, _ := strings.Cut(word, "/")
	return sweep
}

// find is the trial that SWEEP/TRIAL names, or the best one of SWEEP.
func (c *comparer) find(ctx context.Context, word string) (analysis.Subject, error) {
	sweep, number, numbered := strings.Cut(word, "/")
	s, err := c.load(ctx, sweep)
	if err != nil {
		return s, err
	}
	if !numbered {
		if s.Results.Best == nil {
			return s, usagef("name a trial, as "+sweep+"/0", "no trial of sweep %s is completed, so that it has no best one", s.Results.Sweep)
		}
		s.Trial = s.Results.Best.Trial
		return s, nil
	}
	if s.Trial, err = strconv.Atoi(number); err != nil || s.Trial < 0 || s.Trial >= len(s.Results.Trials) {
		return s, usagef(fmt.Sprintf("trials are numbered 0 to %d", len(s.Results.Trials)-1), "sweep %s has no trial %q", s.Results.Sweep, number)
	}
	return s, nil
}

// load reads a sweep once.
func (c *comparer) load(ctx context.Context, word string) (analysis.Subject, error) {
	id, err := c.scheduler.ResolveNewest(ctx, word)
	if err != nil {
		return analysis.Subject{}, err
	}
	if s, known := c.loaded[id]; known {
		return s, nil
	}
	s := analysis.Subject{Plan: &plan.Plan{}}
	if s.Results, err = c.scheduler.Load(ctx, id); err != nil {
		return s, err
	}
	if err := artifacts.GetJSON(ctx, c.scheduler.Store, plan.PlanKey(id), s.Plan); err != nil {
		return s, fmt.Errorf("read the plan of sweep %s: %w", id, err)
	}
	c.loaded[id] = s
	return s, nil
}
