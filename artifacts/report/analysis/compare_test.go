package analysis

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sweepOf is a completed sweep of a trial for each row of accuracies, on folds of
// two pictures each; NaN: the fold has not ended.
func sweepOf(name string, rows ...[]float64) (*plan.Plan, *plan.Results) {
	p := &plan.Plan{ID: name, Metric: plan.Metric{Name: "accuracy", Goal: "maximize"}, Data: plan.Data{Pack: plan.Ref{Digest: "d1"}}}
	pictures := 2 * len(rows[0])
	for k := range rows[0] {
		f := plan.Fold{Number: k, Name: fmt.Sprint(k)}
		for i := range pictures {
			if i/2 == k {
				f.Test = append(f.Test, i)
			} else {
				f.Train = append(f.Train, i)
			}
		}
		p.Folds = append(p.Folds, f)
	}
	views := map[string]plan.JobView{}
	for trial, row := range rows {
		p.Trials = append(p.Trials, plan.Trial{Number: trial, Parameters: map[string]any{"training.learning_rate": 0.1 * float64(trial+1)}})
		for fold, accuracy := range row {
			id := fmt.Sprintf("%s-%d-%d", name, trial, fold)
			p.Jobs = append(p.Jobs, plan.Job{ID: id, Trial: trial, Fold: fold})
			if !math.IsNaN(accuracy) {
				views[id] = plan.JobView{State: plan.Completed, Outcome: &plan.Outcome{Sweep: name, Metrics: plan.Metrics{"accuracy": accuracy, "loss": 1 - accuracy}}}
			}
		}
	}
	return p, plan.Summarize(p, views)
}

func subjects(p *plan.Plan, r *plan.Results) []Subject {
	var all []Subject
	for i := range r.Trials {
		all = append(all, Subject{Plan: p, Results: r, Trial: i})
	}
	return all
}

func golden(t *testing.T, name string, value any) {
	t.Helper()
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(data)+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var (
	good = []float64{0.82, 0.84, 0.83, 0.81, 0.85}
	flat = []float64{0.80, 0.80, 0.80, 0.80, 0.80}
	part = []float64{0.80, 0.70, math.NaN(), 0.75, math.NaN()}
)

// The JSON of a comparison is a contract with pages and scripts.
func TestComparisonJSON(t *testing.T) {
	p, r := sweepOf("study-1a2b3c", good, flat, part)
	c, err := Compare(subjects(p, r), "", AllPairs)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.json", c)
}

func TestPairs(t *testing.T) {
	p, r := sweepOf("study-1a2b3c", good, flat, part)
	c, err := Compare(subjects(p, r), "", 1)
	if err != nil {
		t.Fatal(err)
	}
	want, err := stats.Compare(good, flat, 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	pair := c.Pairs[0]
	if len(c.Pairs) != 2 || pair.A != 0 || pair.B != 1 || float64(pair.TP) != want.P || float64(pair.Low) != want.Low || pair.WilcoxonP != 0.0625 {
		t.Errorf("%+v, want %+v", pair, want)
	}
	if pair.HolmP != 2*pair.TP || pair.Sign != (Sign{Better: 5}) {
		t.Errorf("Holm %v of %v, signs %+v", pair.HolmP, pair.TP, pair.Sign)
	}
	for _, note := range []string{"best of 3 trials", "cannot get below p = 0.0625"} {
		if !strings.Contains(strings.Join(pair.Notes, "\n"), note) {
			t.Errorf("no note %q in %q", note, pair.Notes)
		}
	}
	if c.Pairs[1].Folds != 3 || !strings.Contains(strings.Join(c.Pairs[1].Notes, "\n"), "3 of 5 folds") {
		t.Errorf("the unfinished trial: %+v", c.Pairs[1])
	}
	// Of loss less is better.
	c, err = Compare(subjects(p, r), "loss", 1)
	if err != nil || c.Goal != "minimize" || c.Pairs[0].Sign != (Sign{Better: 5}) || c.Pairs[0].Difference > 0 {
		t.Errorf("loss: %v %+v", err, c)
	}
}

// Sweeps over the same folds of the same pictures are paired, others not.
func TestAcrossSweeps(t *testing.T) {
	p, r := sweepOf("study-1a2b3c", good)
	for name, c := range map[string]struct {
		change func(*plan.Plan)
		folds  int
		refuse string
	}{
		"the same":         {func(*plan.Plan) {}, 5, ""},
		"folds renumbered": {func(q *plan.Plan) { q.Folds[0].Test, q.Folds[1].Test = q.Folds[1].Test, q.Folds[0].Test }, 3, ""},
		"other order":      {func(q *plan.Plan) { q.Folds[0].Test = []int{1, 0} }, 5, ""},
		"other pictures":   {func(q *plan.Plan) { q.Data.Pack.Digest = "d2" }, 0, "different pictures"},
		"other folds": {func(q *plan.Plan) {
			for i := range q.Folds {
				q.Folds[i].Train = q.Folds[i].Train[1:]
			}
		}, 0, "no fold in common"},
	} {
		q, s := sweepOf("other-4d5e6f", flat)
		c.change(q)
		got, err := Compare([]Subject{{Plan: p, Results: r}, {Plan: q, Results: s}}, "accuracy", AllPairs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pair := got.Pairs[0]
		if pair.Folds != c.folds || !strings.Contains(pair.Refused, c.refuse) || (pair.Refused == "") != (c.refuse == "") {
			t.Errorf("%s: %+v", name, pair)
		}
		if c.refuse != "" && (pair.TP.Known() || pair.Low.Known() || pair.WilcoxonP.Known() || math.Abs(float64(pair.Difference)-0.03) > 1e-12) {
			t.Errorf("%s: figures of what cannot be paired: %+v", name, pair)
		}
	}
}

func TestRefusals(t *testing.T) {
	p, r := sweepOf("study-1a2b3c", good, flat)
	nothing := plan.Summarize(p, nil)
	for name, c := range map[string]struct {
		of       []Subject
		metric   string
		baseline int
		want     string
	}{
		"one trial":        {subjects(p, r)[:1], "", AllPairs, "two or more"},
		"an unknown score": {subjects(p, r), "f1", AllPairs, `has the metric "f1"`},
		"nothing yet":      {subjects(p, nothing), "", AllPairs, "no completed fold"},
		"no such baseline": {subjects(p, r), "", 2, "number 2 of 2 trials"},
		"too many":         {make([]Subject, 101), "", AllPairs, "too many"},
	} {
		_, err := Compare(c.of, c.metric, c.baseline)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		var coded interface{ ExitCode() int }
		if coded, _ = err.(interface{ ExitCode() int }); coded == nil || coded.ExitCode() != 2 {
			t.Errorf("%s: %v is no mistake of the user", name, err)
		}
	}
}

func TestDivergedAndSingleFolds(t *testing.T) {
	p, r := sweepOf("study-1a2b3c", []float64{0.8, 0.9}, []float64{0.7, 0.6})
	r.Trials[1].Folds[0].Metrics = plan.Metrics{"accuracy": math.NaN()}
	pair := Between(Subject{Plan: p, Results: r}, Subject{Plan: p, Results: r, Trial: 1}, "accuracy", "maximize")
	notes := strings.Join(pair.Notes, "\n")
	if pair.Folds != 1 || pair.TP.Known() || !strings.Contains(notes, "diverged") || !strings.Contains(notes, "one fold has no interval") {
		t.Errorf("%+v", pair)
	}
	p, r = sweepOf("study-1a2b3c", good, good)
	p.Folds[1].Test = p.Folds[0].Test // every picture of fold 0 is tested twice
	for i := range r.Trials[1].Folds {
		r.Trials[1].Folds[i].Job = r.Trials[0].Folds[i].Job
	}
	c, err := Compare(subjects(p, r), "", AllPairs)
	if err != nil || c.Pairs[0].WilcoxonP != 1 || c.Pairs[0].TP != 1 {
		t.Fatalf("%v %+v", err, c)
	}
	if all := strings.Join(append(c.Pairs[0].Notes, c.Notes...), "\n"); !strings.Contains(all, "the same jobs") || !strings.Contains(all, "Bouckaert") {
		t.Errorf("notes %s", all)
	}
}

func TestEvaluationJSON(t *testing.T) {
	var answers []stats.Answer
	for i, x := range []float64{0.9, 0.8, 0.3, 0.6, 0.1, 0.45} {
		a := stats.Answer{Label: i % 2, Probabilities: []float64{1 - x, x, 0}}
		if x > 0.5 {
			a.Predicted = 1
		}
		answers = append(answers, a)
	}
	golden(t, "evaluation.json", Evaluate(answers, []string{"no", "yes", "never"}))
	if e := Evaluate(nil, []string{"a"}); e != nil {
		t.Errorf("an evaluation of nothing: %+v", e)
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]Number{"null": Unknown, "0.25": 0.25} {
		var n Number
		if err := json.Unmarshal([]byte(text), &n); err != nil || n.Known() != want.Known() || n.Known() && n != want {
			t.Errorf("%s is %v, %v", text, n, err)
		}
		if data, err := json.Marshal(n); err != nil || string(data) != text {
			t.Errorf("%v is written %s, %v", n, data, err)
		}
	}
	if data, err := json.Marshal(Number(math.Inf(1))); err != nil || string(data) != "null" {
		t.Errorf("infinity is written %s, %v", data, err)
	}
}
