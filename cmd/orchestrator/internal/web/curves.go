package web

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orchestrator/scheduler/plan"
)

type curvesInput struct {
	SweepInput
	Metric string `query:"metric" maxLength:"40" doc:"train_loss, or one that the folds are scored by; the sweep's own where it is left out"`
	Trials string `query:"trials" maxLength:"4000" doc:"numbers of trials, as 0,3,7; the best 20 where it is left out"`
	Points int    `query:"points" minimum:"3" maximum:"1000" default:"100" doc:"most points of a curve"`
}

// curves are learning curves of some trials.
type curves struct {
	Metric string       `json:"metric"`
	Trials []trialCurve `json:"trials"`
}

type trialCurve struct {
	Trial int         `json:"trial"`
	State plan.State  `json:"state"`
	Mean  meanCurve   `json:"mean" doc:"over the folds that have begun, as far as all of them have come"`
	Folds []foldCurve `json:"folds"`
}

type meanCurve struct {
	Epoch []float64 `json:"epoch"`
	Value []float64 `json:"value"`
	Low   []float64 `json:"low" doc:"the smallest of the folds"`
	High  []float64 `json:"high" doc:"the largest of the folds"`
}

type foldCurve struct {
	Fold  int       `json:"fold"`
	Name  string    `json:"name"`
	Job   string    `json:"job"`
	Epoch []float64 `json:"epoch"`
	Value []float64 `json:"value" doc:"without those that are not finite"`
}

const (
	curvesBest = 20  // trials where none are named
	curvesMost = 100 // trials at once
)

func (s *Server) getCurves(ctx context.Context, in *curvesInput) (*curves, error) {
	p, err := s.o.Scheduler.Plan(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	numbers, err := trialNumbers(in.Trials)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		if numbers, err = s.bestTrials(ctx, p, curvesBest); err != nil {
			return nil, err
		}
	}
	trials, err := s.withHistories(ctx, p, numbers)
	if err != nil {
		return nil, err
	}
	out := &curves{Metric: cmp.Or(in.Metric, p.Metric.Name), Trials: []trialCurve{}}
	for _, t := range trials {
		out.Trials = append(out.Trials, curveOf(t, out.Metric, in.Points))
	}
	return out, nil
}

// trialNumbers reads "0,3,7".
func trialNumbers(text string) ([]int, error) {
	var numbers []int
	if text == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 0 {
			return nil, problemf(http.StatusUnprocessableEntity, "as trials=0,3,7", "%q is no number of a trial", word)
		}
		numbers = append(numbers, n)
	}
	if len(numbers) > curvesMost {
		return nil, problemf(http.StatusUnprocessableEntity, "ask for fewer at a time", "%d trials are too many: at most %d", len(numbers), curvesMost)
	}
	return numbers, nil
}

// bestTrials are the first n trials by the sweep's metric; those that are not completed
// come after the others, and those without it last, in their order.
func (s *Server) bestTrials(ctx context.Context, p *plan.Plan, n int) ([]int, error) {
	r, err := s.o.Scheduler.Glance(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	score := func(t plan.TrialResult) float64 {
		stat, there := t.Summary[r.Metric.Name]
		switch {
		case !there || math.IsNaN(stat.Mean):
			return math.Inf(-1)
		case r.Metric.Goal == "minimize":
			return -stat.Mean
		}
		return stat.Mean
	}
	stage := func(t plan.TrialResult) int {
		switch {
		case math.IsInf(score(t), -1):
			return 2
		case t.Partial() != "":
			return 1
		}
		return 0
	}
	trials := slices.Clone(r.Trials)
	slices.SortStableFunc(trials, func(a, b plan.TrialResult) int {
		return cmp.Or(cmp.Compare(stage(a), stage(b)), cmp.Compare(score(b), score(a)))
	})
	var best []int
	for _, t := range trials[:min(n, len(trials))] {
		best = append(best, t.Trial)
	}
	return best, nil
}

// curveOf is a trial's curves, each of at most so many points.
func curveOf(t plan.TrialResult, metric string, points int) trialCurve {
	out := trialCurve{Trial: t.Trial, State: t.State, Folds: []foldCurve{}}
	var begun [][]plan.Epoch
	for _, f := range t.Folds {
		epochs, values := lineOfHistory(f.History, metric)
		keep := thin(epochs, values, points)
		out.Folds = append(out.Folds, foldCurve{Fold: f.Fold, Name: f.Name, Job: f.Job, Epoch: pick(epochs, keep), Value: pick(values, keep)})
		if len(f.History) > 0 {
			begun = append(begun, f.History)
		}
	}
	out.Mean = meanOf(begun, metric, points)
	return out
}

// lineOfHistory are the epochs at which a metric is finite, and what it is there.
func lineOfHistory(history []plan.Epoch, metric string) (epochs, values []float64) {
	for _, e := range history {
		if v := valueAt(e, metric); !math.IsNaN(v) && !math.IsInf(v, 0) {
			epochs, values = append(epochs, float64(e.Epoch)), append(values, v)
		}
	}
	return epochs, values
}

func valueAt(e plan.Epoch, metric string) float64 {
	if metric == "train_loss" {
		return e.TrainLoss
	}
	if v, there := e.Metrics[metric]; there {
		return v
	}
	return math.NaN()
}

// meanOf is the mean curve of several folds with the range of their values, as far as
// all of them have come.
func meanOf(histories [][]plan.Epoch, metric string, points int) meanCurve {
	var epochs, mean, low, high []float64
	for i := 0; len(histories) > 0 && i < len(histories[0]); i++ {
		sum, least, most, n := 0.0, math.Inf(1), math.Inf(-1), 0
		for _, h := range histories {
			if i < len(h) {
				if v := valueAt(h[i], metric); !math.IsNaN(v) && !math.IsInf(v, 0) {
					sum, least, most, n = sum+v, min(least, v), max(most, v), n+1
				}
			}
		}
		if n == len(histories) {
			epochs, mean = append(epochs, float64(histories[0][i].Epoch)), append(mean, sum/float64(n))
			low, high = append(low, least), append(high, most)
		}
	}
	keep := thin(epochs, mean, points)
	return meanCurve{Epoch: pick(epochs, keep), Value: pick(mean, keep), Low: pick(low, keep), High: pick(high, keep)}
}

func pick(all []float64, at []int) []float64 {
	out := make([]float64, len(at))
	for i, k := range at {
		out[i] = all[k]
	}
	return out
}
