package analysis

import (
	"fmt"
	"math"
	"slices"

	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// Subject is a trial that is compared with others, of the same sweep or not.
type Subject struct {
	Plan    *plan.Plan
	Results *plan.Results
	Trial   int

	folds []string // foldKeys of the plan, where someone has them
}

func (s Subject) result() *plan.TrialResult { return &s.Results.Trials[s.Trial] }

// String is SWEEP/TRIAL.
func (s Subject) String() string { return fmt.Sprintf("%s/%d", s.Results.Sweep, s.Trial) }

// Comparison is trials in one metric, and what can be said of pairs of them.
type Comparison struct {
	Metric string   `json:"metric"`
	Goal   string   `json:"goal"` // maximize | minimize
	Of     []Trial  `json:"of"`
	Pairs  []Pair   `json:"pairs"`
	Notes  []string `json:"notes"` // what to mind of all pairs
}

// Trial is one of those that are compared.
type Trial struct {
	Sweep      string         `json:"sweep"`
	Trial      int            `json:"trial"`
	State      plan.State     `json:"state"`
	Parameters map[string]any `json:"parameters"`
	Stopped    *plan.Stop     `json:"stopped,omitempty"` // why the trial was pruned
	Mean       Number         `json:"mean"`
	Std        Number         `json:"std"` // sample standard deviation
	Folds      []FoldScore    `json:"folds"`
}

// FoldScore is a trial's score in one fold, null where the fold is not completed.
type FoldScore struct {
	Name  string `json:"name"`
	Value Number `json:"value"`
}

// Pair is what can be said of two trials on the folds that both have completed.
type Pair struct {
	A           int      `json:"a"` // numbers in Comparison.Of
	B           int      `json:"b"`
	Folds       int      `json:"folds"`             // that both share; 0: unpaired
	Refused     string   `json:"refused,omitempty"` // why the folds cannot be paired
	Difference  Number   `json:"difference"`        // A - B; of means where unpaired
	Low         Number   `json:"low"`               // 95 % confidence interval
	High        Number   `json:"high"`
	TP          Number   `json:"t_p"`    // corrected resampled t-test
	HolmP       Number   `json:"holm_p"` // t_p, adjusted for the number of pairs
	WilcoxonP   Number   `json:"wilcoxon_p"`
	WilcoxonMin Number   `json:"wilcoxon_least_p"` // no difference, however large, is below
	Sign        Sign     `json:"sign"`
	Notes       []string `json:"notes"`
}

// Sign counts the folds in which A is better than B, as the metric's goal has it.
type Sign struct {
	Better int `json:"better"`
	Worse  int `json:"worse"`
	Equal  int `json:"equal"`
}

// AllPairs is the baseline of a comparison of each trial with each other.
const AllPairs = -1

// MostPairs bounds a comparison: 100 trials with each other have 4,950 pairs.
const MostPairs = 5000

// Compare compares trials in a metric ("": that of the first one's sweep): all
// pairs, or each with the one whose number in of is baseline. A metric that none
// has, or one trial alone, is an error; what a pair cannot be compared for stands
// with the pair.
func Compare(of []Subject, metric string, baseline int) (*Comparison, error) {
	switch {
	case len(of) < 2:
		return nil, &inputError{"a comparison is of two or more trials, and there is " + []string{"none", "one"}[len(of)], "name another trial, as SWEEP/TRIAL"}
	case baseline < 0 && len(of)*(len(of)-1)/2 > MostPairs, len(of)-1 > MostPairs:
		return nil, &inputError{fmt.Sprintf("%d trials are too many to compare", len(of)), "name fewer, or a baseline: at most 100 are compared with each other"}
	case baseline >= len(of):
		return nil, &inputError{fmt.Sprintf("the baseline is number %d of %d trials", baseline, len(of)), "name one of those that are compared"}
	}
	if metric == "" {
		metric = of[0].Results.Metric.Name
	}
	if known := metricsOf(of); !slices.Contains(known, metric) {
		return nil, &inputError{fmt.Sprintf("no completed fold of these trials has the metric %q", metric), hintOfMetrics(known)}
	}
	c := &Comparison{Metric: metric, Goal: goalOf(of, metric), Of: []Trial{}, Pairs: []Pair{}}
	of = withFolds(of)
	for _, s := range of {
		c.Of = append(c.Of, s.trial(metric))
	}
	for a := range of {
		for b := range of {
			if baseline >= 0 && b == baseline && a != b || baseline < 0 && a < b {
				p := Between(of[a], of[b], metric, c.Goal)
				p.A, p.B = a, b
				c.Pairs = append(c.Pairs, p)
			}
		}
	}
	c.adjust()
	c.Notes = c.notes(of)
	return c, nil
}

// adjust corrects the pairs' p for their number.
func (c *Comparison) adjust() {
	p := make([]float64, len(c.Pairs))
	for i := range c.Pairs {
		p[i] = float64(c.Pairs[i].TP)
	}
	for i, x := range stats.Holm(p) {
		c.Pairs[i].HolmP = Number(x)
	}
}

// Between compares two trials; A and B are left to the caller.
func Between(a, b Subject, metric, goal string) Pair {
	p := Pair{Low: Unknown, High: Unknown, TP: Unknown, HolmP: Unknown, WilcoxonP: Unknown, WilcoxonMin: Unknown, Notes: []string{}}
	x, y := a.trial(metric), b.trial(metric)
	p.Difference = x.Mean - y.Mean
	shared := pairFolds(a, b, metric)
	if p.Refused = shared.refused; p.Refused != "" {
		p.Notes = append(p.Notes, "the means are of different folds: their difference has no interval, and may come from the pictures alone")
		return p
	}
	p.Folds = len(shared.a)
	mean := 0.0
	for i := range shared.a {
		mean += (shared.a[i] - shared.b[i]) / float64(p.Folds)
	}
	p.Difference = Number(mean)
	if d, err := stats.Compare(shared.a, shared.b, shared.test, shared.train); err == nil {
		p.Difference, p.Low, p.High, p.TP = Number(d.Mean), Number(d.Low), Number(d.High), Number(d.P)
	}
	if w, err := stats.Wilcoxon(shared.a, shared.b); err == nil {
		p.WilcoxonP, p.WilcoxonMin = Number(w.P), Number(math.Min(1, math.Ldexp(2, -w.Pairs)))
	}
	p.Sign.Better, p.Sign.Worse, p.Sign.Equal = stats.Signs(shared.a, shared.b)
	if goal == "minimize" {
		p.Sign.Better, p.Sign.Worse = p.Sign.Worse, p.Sign.Better
	}
	p.Notes = append(p.Notes, pairNotes(a, b, &p, shared)...)
	return p
}

// trial is what is shown of a subject. Mean and deviation are those of the table of
// results: of a trial that was pruned in all folds, at its last rung.
func (s Subject) trial(metric string) Trial {
	r := s.result()
	t := Trial{Sweep: s.Results.Sweep, Trial: s.Trial, State: r.State, Parameters: r.Parameters, Stopped: r.Stopped, Mean: Unknown, Std: Unknown, Folds: []FoldScore{}}
	for _, f := range r.Folds {
		t.Folds = append(t.Folds, FoldScore{f.Name, score(f, metric)})
	}
	if stat, ok := r.Summary[metric]; ok {
		t.Mean, t.Std = Number(stat.Mean), Number(stat.Std)
	}
	return t
}

func score(f plan.FoldResult, metric string) Number {
	x, ok := f.Metrics[metric]
	if !ok || f.State != plan.Completed {
		return Unknown
	}
	return Number(x)
}
