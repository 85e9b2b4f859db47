package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/worker"
)

// addSetFlag lets any value of the sweep file be replaced for one call.
func addSetFlag(cmd *cobra.Command, set *[]string) {
	cmd.Flags().StringArrayVar(set, "set", nil, "replace a value of the sweep file: --set training.epochs=2 (repeatable)")
}

func newPlanCommand(a *app) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan SWEEP.yaml",
		Short: "Dry run: trials, folds, jobs, and what is already in the store",
		Long: `Does everything that run and submit do before they queue jobs: parses the file,
decodes the pictures, makes the folds, compiles the networks. Runs and writes
nothing. With --simulate it shows what the sweep would spend, on made-up outcomes: of
use where it learns or stops trials.` + "\n" + exitHelp,
		Example: "  orchestrator plan sweep.yaml\n  orchestrator plan sweep.yaml --set training.epochs=2 --output json\n  orchestrator plan sweep.yaml --simulate --slots 8",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPlan(cmd.Context(), a, args[0], o)
		},
	}
	addSetFlag(cmd, &o.set)
	cmd.Flags().BoolVar(&o.simulate, "simulate", false, "go through the search on made-up outcomes, and show what it spends")
	cmd.Flags().IntVar(&o.slots, "slots", 4, "jobs at a time in the simulation")
	return cmd
}

type planOptions struct {
	set      []string
	simulate bool
	slots    int
}

// planSummary is what `plan` prints.
type planSummary struct {
	Sweep    string        `json:"sweep"`
	Pictures int           `json:"pictures"`
	Classes  []string      `json:"classes"`
	LeftOut  int           `json:"left_out"`
	Notes    []string      `json:"notes,omitempty"` // what was taken for what in the data set
	Trials   []plan.Trial  `json:"trials"`
	Folds    []foldSummary `json:"folds"`
	Jobs     int           `json:"jobs"`
	Cached   int           `json:"cached"` // jobs with an outcome in the store
	Epochs   int           `json:"epochs"` // still to be trained, over all jobs
	Steps    int           `json:"steps"`  // likewise
	// Features are computed once, of the parts of the networks that no training
	// changes.
	Features []featureSummary `json:"features,omitempty"`
	// Majority is the accuracy of always answering the most frequent class of
	// a fold's test pictures' training set, as mean over folds.
	Majority float64 `json:"majority_accuracy"`
	// Search is there where not all trials train all epochs on all folds.
	Search     *plan.Search       `json:"search,omitempty"`
	Simulation *simulationSummary `json:"simulation,omitempty"`
	Space      spaceSummary       `json:"space,omitzero"`

	microBatches map[int][]int // trials, by the size that they have
}

type foldSummary struct {
	Name  string `json:"name"`
	Train int    `json:"train"`
	Test  int    `json:"test"`
}

// featureSummary is a frozen part and the trials that have it.
type featureSummary struct {
	worker.FrozenPart
	Model  string `json:"model"`
	Trials []int  `json:"trials"`
}

func runPlan(ctx context.Context, a *app, file string, o planOptions) error {
	if o.slots < 1 {
		return usagef("--slots 4", "%d slots cannot run anything", o.slots)
	}
	p, err := a.prepare(ctx, file, o.set)
	if err != nil {
		return err
	}
	done, err := a.cachedJobs(ctx, p.plan)
	if err != nil {
		return err
	}
	s := summarizePlan(p, done)
	if o.simulate {
		if s.Simulation, err = a.simulate(ctx, p.plan, o.slots); err != nil {
			return err
		}
	}
	if a.config.Output == "json" {
		return printJSON(a.out, s)
	}
	return printPlan(a.out, s)
}

// cachedJobs says which jobs have an outcome in the store already. A folder
// that does not exist yet is not made for it.
func (a *app) cachedJobs(ctx context.Context, p *plan.Plan) (map[string]bool, error) {
	done := map[string]bool{}
	if !a.storeExists() {
		return done, nil
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range p.Jobs {
		ok, err := artifacts.Exists(ctx, store, plan.OutcomeKey(j.ID))
		if err != nil {
			return nil, err
		}
		done[j.ID] = ok
	}
	return done, nil
}

func summarizePlan(p *prepared, done map[string]bool) planSummary {
	s := planSummary{
		Sweep: p.plan.ID, Pictures: len(p.index.Samples), Classes: p.index.Classes, LeftOut: len(p.index.LeftOut), Notes: p.index.Notes,
		Trials: p.plan.Trials, Jobs: len(p.plan.Jobs), Majority: majority(p.plan), Features: p.features,
		Search: p.plan.Search, Space: summarizeSpace(p.sweep),
	}
	s.microBatches = map[int][]int{}
	for _, t := range p.plan.Trials {
		if size := int(t.Config.Training.MicroBatchSize); size > 0 {
			s.microBatches[size] = append(s.microBatches[size], t.Number)
		}
	}
	for _, f := range p.plan.Folds {
		s.Folds = append(s.Folds, foldSummary{f.Name, len(f.Train), len(f.Test)})
	}
	for _, j := range p.plan.Jobs {
		if done[j.ID] {
			s.Cached++
			continue
		}
		t := p.plan.Trials[j.Trial].Config.Training
		s.Epochs += t.Epochs
		s.Steps += t.Epochs * ((len(p.plan.Folds[j.Fold].Train) + t.BatchSize - 1) / t.BatchSize)
	}
	return s
}

// majority is the mean accuracy over folds of answering each test picture with
// the most frequent class of the training pictures.
func majority(p *plan.Plan) float64 {
	sum := 0.0
	for _, f := range p.Folds {
		counts := make([]int, len(p.Data.Classes))
		for _, i := range f.Train {
			counts[p.Data.Labels[i]]++
		}
		best := 0
		for c, n := range counts {
			if n > counts[best] {
				best = c
			}
		}
		right := 0
		for _, i := range f.Test {
			if p.Data.Labels[i] == best {
				right++
			}
		}
		sum += float64(right) / float64(len(f.Test))
	}
	return sum / float64(len(p.Folds))
}

func printPlan(w io.Writer, s planSummary) error {
	fmt.Fprintf(w, "Sweep %s\n", s.Sweep)
	fmt.Fprintf(w, "  %d pictures in %d classes (%s); %d files left out\n", s.Pictures, len(s.Classes), strings.Join(s.Classes, ", "), s.LeftOut)
	printNotes(w, "  ", s.Notes)
	fmt.Fprintf(w, "  %s × %s = %s, %d of them in the store already\n",
		counted(len(s.Trials), "trial"), counted(len(s.Folds), "fold"), counted(s.Jobs, "job"), s.Cached)
	printSpace(w, s.Space)
	printSearch(w, s)
	for _, size := range slices.Sorted(maps.Keys(s.microBatches)) {
		fmt.Fprintf(w, "  micro-batches of %s in %s\n", counted(size, "picture"), trialsText(s.microBatches[size], len(s.Trials)))
	}
	for _, f := range s.Features {
		fmt.Fprintf(w, "  %s is frozen up to %s: its features of all pictures (%s) are computed once, for %s\n",
			f.Model, strings.Join(f.UpTo, ", "), bytesText(f.Bytes), trialsText(f.Trials, len(s.Trials)))
	}
	fmt.Fprintf(w, "  always answering the most frequent class: accuracy %.4f\n\n", s.Majority)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "TRIAL\tPARAMETERS\n")
	for _, trial := range s.Trials {
		fmt.Fprintf(t, "%d\t%s\n", trial.Number, parametersText(trial.Parameters))
	}
	fmt.Fprintf(t, "\nFOLD\tTRAIN\tTEST\n")
	for _, f := range s.Folds {
		fmt.Fprintf(t, "%s\t%d\t%d\n", f.Name, f.Train, f.Test)
	}
	return t.Flush()
}

// printNotes says what was taken for what in a data set.
func printNotes(w io.Writer, indent string, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "%sNote: %s\n", indent, n)
	}
}

// trialsText names some of n trials.
func trialsText(trials []int, n int) string {
	if len(trials) == n {
		return "all trials"
	}
	names := make([]string, len(trials))
	for i, t := range trials {
		names[i] = fmt.Sprint(t)
	}
	if len(names) == 1 {
		return "trial " + names[0]
	}
	return "trials " + strings.Join(names, ", ")
}

// bytesText is a size as people write it.
func bytesText(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB"}
	x, unit := float64(n), 0
	for x >= 1000 && unit < len(units)-1 {
		x, unit = x/1000, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[unit])
}

// counted is a number with its noun: 1 trial, 2 trials.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func parametersText(parameters map[string]any) string {
	keys := make([]string, 0, len(parameters))
	for k := range parameters {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = fmt.Sprintf("%s=%v", k, parameters[k])
	}
	if len(parts) == 0 {
		return "(none searched)"
	}
	return strings.Join(parts, " ")
}
