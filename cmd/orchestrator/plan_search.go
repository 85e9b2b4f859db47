package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// simulations is how often a search is gone through.
const simulations = 50

// simulationSummary is what simulated courses of a sweep cost.
type simulationSummary struct {
	Runs   int        `json:"runs"`
	Slots  int        `json:"slots"`
	Full   int        `json:"full"` // epochs, did every trial train all folds to the end
	Epochs [3]float64 `json:"epochs"`
	Jobs   [3]float64 `json:"jobs"`
	Stops  [3]float64 `json:"stopped"`
	// Span is the time to the end in epochs.
	Span [3]float64 `json:"span"`
}

// simulate goes through the sweep many times and notes the least, the median and
// the most of each figure. Where no outcome changes what is trained, once says it all.
func (a *app) simulate(ctx context.Context, p *plan.Plan, slots int) (*simulationSummary, error) {
	s := &simulationSummary{Runs: simulations, Slots: slots}
	if !p.Search.Adaptive() {
		s.Runs = 1
	}
	var done atomic.Int64
	defer a.busy(func() string { return fmt.Sprintf("simulating: %d of %d courses", done.Load(), s.Runs) })()
	var epochs, jobs, stops, span []float64
	for seed := range uint64(s.Runs) {
		spend, err := scheduler.Simulate(ctx, p, slots, seed)
		if err != nil {
			return nil, err
		}
		done.Add(1)
		epochs, jobs = append(epochs, float64(spend.Epochs)), append(jobs, float64(spend.Jobs))
		stops, span = append(stops, float64(spend.Stopped)), append(span, spend.Span)
	}
	s.Epochs, s.Jobs, s.Stops, s.Span = spread(epochs), spread(jobs), spread(stops), spread(span)
	for _, t := range p.Trials {
		s.Full += t.Config.Training.Epochs * len(p.Folds)
	}
	if p.Search != nil { // those to come train as long as the first, on average
		s.Full = s.Full * p.Search.Trials / len(p.Trials)
	}
	return s, nil
}

// spread is the least, the median and the most.
func spread(x []float64) [3]float64 {
	slices.Sort(x)
	return [3]float64{x[0], x[len(x)/2], x[len(x)-1]}
}

// printSearch says how much there is to do.
func printSearch(w io.Writer, s planSummary) {
	defer printSimulation(w, s.Simulation)
	if s.Search == nil {
		fmt.Fprintf(w, "  %d epochs, %d training steps to do\n", s.Epochs, s.Steps)
		return
	}
	if s.Search.Learns() {
		fmt.Fprintf(w, "  %s proposes up to %d trials from the outcomes of those before; these are the first\n", s.Search.Method, s.Search.Trials)
	}
	if n := s.Search.Concurrent; n > 0 {
		fmt.Fprintf(w, "  up to %s under way at a time\n", counted(n, "trial"))
	}
	e := s.Search.EarlyTerminate
	if e.Type != "" {
		fmt.Fprintf(w, "  early termination by %s, from epoch %d\n", e.Type, e.MinIter)
	}
	if e.Folds.Min > 0 {
		fmt.Fprintf(w, "  a trial stops after %s or more where its chance to win is below %g\n", counted(e.Folds.Min, "fold"), e.Folds.Alpha)
	}
	fmt.Fprintf(w, "  these trials to their ends: %d epochs, %d training steps\n", s.Epochs, s.Steps)
}

// printSimulation says what simulated courses cost, if there are any.
func printSimulation(w io.Writer, m *simulationSummary) {
	if m == nil {
		return
	}
	fmt.Fprintf(w, "  simulated %s: %.0f epochs (%.0f to %.0f), %.0f %% of the %d without early termination;\n",
		counted(m.Runs, "time"), m.Epochs[1], m.Epochs[0], m.Epochs[2], 100*m.Epochs[1]/float64(m.Full), m.Full)
	fmt.Fprintf(w, "    %.0f trials stopped (%.0f to %.0f), %.0f jobs trained to the end (%.0f to %.0f);\n",
		m.Stops[1], m.Stops[0], m.Stops[2], m.Jobs[1], m.Jobs[0], m.Jobs[2])
	fmt.Fprintf(w, "    on %s the time of %.0f epochs one after the other\n", counted(m.Slots, "slot"), m.Span[1])
}
