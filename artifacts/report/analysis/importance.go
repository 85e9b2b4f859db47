package analysis

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// Importance says how much of the variance of a metric over the searched space
// comes from which parameter.
type Importance struct {
	Metric     string           `json:"metric"`
	Method     string           `json:"method"` // fanova
	Source     string           `json:"source"`
	Trials     int              `json:"trials"`
	Explained  Number           `json:"explained"`  // R² of the forest for trials that it was not grown on
	Parameters []ParameterShare `json:"parameters"` // the most important first
	Pairs      []PairShare      `json:"pairs"`      // beyond their parameters alone; the most important ones
	Note       string           `json:"note"`
}

// ParameterShare is what a parameter alone accounts for.
type ParameterShare struct {
	Name       string `json:"name"`
	Importance Number `json:"importance"`
	Std        Number `json:"std"` // over the trees of the forest
	// Direction is the rank correlation with the metric (Spearman), of parameters that
	// have an order.
	Direction Number `json:"direction"`
}

// PairShare is what two parameters account for together, beyond each alone.
type PairShare struct {
	Names      []string `json:"names"`
	Importance Number   `json:"importance"`
	Std        Number   `json:"std"`
}

const (
	source = "Functional ANOVA by a random forest: Hutter, Hoos, Leyton-Brown 2014, An efficient approach for assessing hyperparameter importance"
	// leastTrials is below what even the largest effect drowns in chance.
	leastTrials = 8
	// mostPairs is how many pairs are listed.
	mostPairs = 20
	// forestSeed is that of all forests, so that the same trials give the same figures.
	forestSeed = 1
)

// Weigh says which of the searched parameters matter to a metric ("": that of the
// sweep): by the completed trials' means over folds, over the space that the sweep
// file describes. Too few trials, or ones that are all alike, are an error that says
// so.
func Weigh(p *plan.Plan, r *plan.Results, metric string) (*Importance, error) {
	if metric == "" {
		metric = r.Metric.Name
	}
	var trials []*plan.TrialResult
	var y []float64
	left := 0
	for i := range r.Trials {
		t := &r.Trials[i]
		s, ok := t.Summary[metric]
		if t.State == plan.Completed && ok && !math.IsNaN(s.Mean) && !math.IsInf(s.Mean, 0) {
			trials, y = append(trials, t), append(y, s.Mean)
		} else if t.State == plan.Pruned {
			left++
		}
	}
	inputs := inputsOf(p, trials)
	switch {
	case len(trials) < leastTrials:
		return nil, &inputError{fmt.Sprintf("%d completed trials have the metric %q, and importance takes %d at the least", len(trials), metric, leastTrials),
			"wait for more trials, or search with a larger run_cap"}
	case len(inputs) == 0:
		return nil, &inputError{"no parameter differs between the completed trials", "search at least one parameter"}
	case slices.Min(y) == slices.Max(y):
		return nil, &inputError{fmt.Sprintf("all %d trials have the same %s, %v: there is no variance to explain", len(y), metric, y[0]), "choose another metric"}
	}
	dims, x := make([]stats.Dimension, len(inputs)), make([][]float64, len(trials))
	for k := range inputs {
		dims[k] = inputs[k].dimension
	}
	for i, t := range trials {
		for k := range inputs {
			x[i] = append(x[i], inputs[k].at(t.Parameters[inputs[k].path]))
		}
	}
	d, err := stats.Decompose(dims, x, y, forestSeed)
	if err != nil {
		return nil, err
	}
	out := &Importance{Metric: metric, Method: "fanova", Source: source, Trials: len(trials), Explained: Number(d.Explained)}
	out.Parameters, out.Pairs = listed(inputs, x, y, d)
	out.Note = importanceNote(len(trials), len(inputs), left, d.Explained)
	return out, nil
}

// listed names the shares, the largest first.
func listed(inputs []input, x [][]float64, y []float64, d *stats.Decomposition) ([]ParameterShare, []PairShare) {
	var parameters []ParameterShare
	for k := range inputs {
		s := ParameterShare{inputs[k].path, Number(d.Single[k]), Number(d.SingleStd[k]), Unknown}
		if inputs[k].ordered() {
			var at, value []float64
			for i := range x {
				if x[i][k] >= 0 {
					at, value = append(at, x[i][k]), append(value, y[i])
				}
			}
			rho, _ := stats.Spearman(at, value)
			s.Direction = Number(rho)
		}
		parameters = append(parameters, s)
	}
	slices.SortStableFunc(parameters, func(a, b ParameterShare) int { return descending(a.Importance, b.Importance) })
	pairs := []PairShare{}
	for _, s := range d.Pairs {
		pairs = append(pairs, PairShare{[]string{inputs[s.A].path, inputs[s.B].path}, Number(s.Share), Number(s.Std)})
	}
	slices.SortStableFunc(pairs, func(a, b PairShare) int { return descending(a.Importance, b.Importance) })
	return parameters, pairs[:min(len(pairs), mostPairs)]
}

func descending(a, b Number) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

// importanceNote says how far the shares can be trusted.
func importanceNote(trials, parameters, pruned int, explained float64) string {
	note := "Shares of the variance over the whole space that was searched, bad regions included: what matters far from the best may not matter near it."
	switch {
	case !(explained > 0):
		note += " The forest explains nothing of trials that it has not seen: these shares are of noise."
	case explained < 0.5:
		note += fmt.Sprintf(" The forest explains only %.0f %% of the variance of trials that it has not seen: take the shares as hints.", 100*explained)
	}
	if trials < 10*parameters {
		note += fmt.Sprintf(" %d trials are few for %d parameters.", trials, parameters)
	}
	if pruned > 0 {
		note += fmt.Sprintf(" %d pruned trials are left out, so that bad regions count for less than they would.", pruned)
	}
	return note
}

// input is a searched parameter as the forest sees it.
type input struct {
	path      string
	dimension stats.Dimension
	levels    []string                    // of lists, as JSON text; "" where the parameter does not exist
	share     func(value float64) float64 // of ranges
}

func (in *input) ordered() bool { return in.levels == nil || in.dimension.Ordered }

// at is the input's value of a parameter's.
func (in *input) at(value any) float64 {
	if in.levels != nil {
		return float64(slices.Index(in.levels, levelText(value)))
	}
	x, ok := number(value)
	if !ok {
		return -1
	}
	return in.share(x)
}

// levelText is the same for the same value, whether it comes from a file or from
// JSON.
func levelText(value any) string {
	if value == nil {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}
