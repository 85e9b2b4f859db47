package analysis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/scheduler/plan"
)

const searchFile = `
name: s
dataset: {path: d}
model: {base: "builtin:tinynet"}
method: random
run_cap: 200
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.0001, max: 1}
  training.optimizer: {values: [sgd, adam]}
  training.batch_size: {values: [8, 16, 32]}
  training.momentum: {distribution: uniform, min: 0, max: 1}
  training.epochs: {value: 3}
`

// searched is a sweep of n random trials, whose accuracy depends on the decimal
// logarithm of the rate, on the optimizer, and of sgd on the momentum, which adam
// does not have; not on the batch size.
func searched(n int) (*plan.Plan, *plan.Results) {
	draw := rand.New(rand.NewPCG(11, 11))
	p := &plan.Plan{ID: "s-1a2b3c", Source: searchFile, Metric: plan.Metric{Name: "accuracy", Goal: "maximize"}}
	r := &plan.Results{Sweep: p.ID, Metric: p.Metric}
	for i := range n {
		rate := math.Pow(10, -4*draw.Float64())
		t := plan.TrialResult{Trial: i, State: plan.Completed, Parameters: map[string]any{
			"training.learning_rate": rate, "training.optimizer": "adam", "training.batch_size": []any{int64(8), int64(16), 32.0}[draw.IntN(3)], "training.epochs": int64(3),
		}}
		y := math.Log10(rate)
		if draw.IntN(2) == 0 {
			momentum := draw.Float64()
			t.Parameters["training.optimizer"], t.Parameters["training.momentum"] = "sgd", momentum
			y += 2 + momentum
		}
		t.Summary = map[string]plan.Stat{"accuracy": {Mean: y}, "flat": {Mean: 1}}
		r.Trials = append(r.Trials, t)
	}
	return p, r
}

// The variances are those of a uniform logarithm, 16/12, and of 2 + ½ in half of the
// trials, 25/16 ... of which being sgd and having a momentum are one and the same
// thing, that the forest divides between them.
func TestWeigh(t *testing.T) {
	p, r := searched(400)
	got, err := Weigh(p, r, "")
	if err != nil {
		t.Fatal(err)
	}
	shares := map[string]ParameterShare{}
	for _, s := range got.Parameters {
		shares[s.Name] = s
	}
	rate, sgd := 16./12, 25./16+1./24
	if x := float64(shares["training.learning_rate"].Importance); math.Abs(x-rate/(rate+sgd)) > 0.06 {
		t.Errorf("the rate accounts for %v, want %v", x, rate/(rate+sgd))
	}
	if x := float64(shares["training.batch_size"].Importance); x > 0.01 {
		t.Errorf("the batch size accounts for %v", x)
	}
	if _, there := shares["training.epochs"]; there || len(shares) != 4 {
		t.Errorf("parameters %v", got.Parameters)
	}
	if d := shares["training.learning_rate"].Direction; d < 0.4 {
		t.Errorf("the rate goes with the accuracy by %v", d)
	}
	if shares["training.optimizer"].Direction.Known() {
		t.Error("an optimizer has a direction")
	}
	if got.Explained < 0.8 || len(got.Pairs) != 6 || !strings.Contains(got.Source, "Hutter") {
		t.Errorf("%+v", got)
	}
	again, err := Weigh(p, r, "accuracy")
	if diff := cmp.Diff(got, again, cmp.Comparer(func(a, b Number) bool { return a == b || !a.Known() && !b.Known() })); err != nil || diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	p.Source = "" // a file that this version does not read
	if other, err := Weigh(p, r, ""); err != nil || len(other.Parameters) != 4 {
		t.Errorf("without the file: %v %+v", err, other)
	}
}

func TestWeighRefuses(t *testing.T) {
	p, r := searched(8)
	if got, err := Weigh(p, r, ""); err != nil || !strings.Contains(got.Note, "8 trials are few for 4 parameters") {
		t.Errorf("eight trials: %v %+v", err, got)
	}
	for name, c := range map[string]struct {
		change func(*plan.Results)
		metric string
		want   string
	}{
		"no variance":    {func(*plan.Results) {}, "flat", "no variance to explain"},
		"unknown metric": {func(*plan.Results) {}, "auc", `0 completed trials have the metric "auc"`},
		"pruned":         {func(r *plan.Results) { r.Trials[0].State = plan.Pruned }, "", "7 completed trials"},
		"no parameter": {func(r *plan.Results) {
			for i := range r.Trials {
				r.Trials[i].Parameters = nil
			}
		}, "", "no parameter differs"},
	} {
		_, r := searched(8)
		c.change(r)
		_, err := Weigh(p, r, c.metric)
		if hinted, ok := err.(interface{ Hint() string }); err == nil || !strings.Contains(err.Error(), c.want) || !ok || hinted.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImportanceNotes(t *testing.T) {
	for _, c := range []struct {
		trials, parameters, pruned int
		explained                  float64
		want                       string
	}{
		{100, 2, 0, -0.1, "of noise"}, {100, 2, 0, math.NaN(), "of noise"}, {100, 2, 0, 0.3, "only 30 %"}, {100, 2, 5, 0.9, "5 pruned trials"},
	} {
		if note := importanceNote(c.trials, c.parameters, c.pruned, c.explained); !strings.Contains(note, c.want) {
			t.Errorf("%s: %s", fmt.Sprint(c), note)
		}
	}
}
