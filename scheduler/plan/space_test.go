package plan

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// trials lists the parameters of a sweep's trials as JSON, one a line.
func trials(s *Sweep) string {
	var b strings.Builder
	for _, trial := range s.Trials {
		text, _ := json.Marshal(trial.Parameters)
		b.Write(append(text, '\n'))
	}
	return b.String()
}

func TestGridIsTheProductInTheOrderOfTheFile(t *testing.T) {
	for name, c := range map[string]struct{ parameters, want string }{
		"last fastest": {
			"  training.momentum: {values: [0.9, 0.5]}\n  training.batch_size: {values: [64, 16]}\n",
			`{"training.batch_size":64,"training.momentum":0.9}
{"training.batch_size":16,"training.momentum":0.9}
{"training.batch_size":64,"training.momentum":0.5}
{"training.batch_size":16,"training.momentum":0.5}
`},
		"constant": {
			"  training.momentum: {value: 0.5}\n",
			`{"training.momentum":0.5}` + "\n"},
		"whole numbers": {
			"  training.batch_size: {min: 1, max: 3}\n",
			"{\"training.batch_size\":1}\n{\"training.batch_size\":2}\n{\"training.batch_size\":3}\n"},
		"steps": {
			"  training.momentum: {distribution: q_uniform, min: 0.1, max: 0.35, q: 0.1}\n",
			"{\"training.momentum\":0.1}\n{\"training.momentum\":0.2}\n{\"training.momentum\":0.3}\n"},
		"nested, as W&B": {
			"  training: {parameters: {lr_policy: {parameters: {warm_up: {values: [0, 1]}}}}}\n",
			"{\"training.lr_policy.warm_up\":0}\n{\"training.lr_policy.warm_up\":1}\n"},
		"nested": {
			"  training: {momentum: {values: [0.9]}, lr_policy.warm_up: {values: [1]}}\n  preprocessing: {mirror: {values: [true]}}\n",
			`{"preprocessing.mirror":true,"training.lr_policy.warm_up":1,"training.momentum":0.9}` + "\n"},
		"whole sections": {
			"  training.lr_policy: {values: [{policy: cosine}, {policy: step, every_epochs: 2}]}\n",
			"{\"training.lr_policy\":{\"policy\":\"cosine\"}}\n{\"training.lr_policy\":{\"every_epochs\":2,\"policy\":\"step\"}}\n"},
		"in a list": {
			"  model.surgery: {values: [[{freeze: a}], []]}\n",
			"{\"model.surgery\":[{\"freeze\":\"a\"}]}\n{\"model.surgery\":[]}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustParse(t, minimal+"parameters:\n"+c.parameters)
			if diff := cmp.Diff(c.want, trials(s)); diff != "" {
				t.Errorf("trials (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTrialsHaveTheirValues(t *testing.T) {
	s := mustParse(t, `name: s
dataset: {path: data}
model: {base: m.onnx, surgery: [{freeze: x}, {append: {name: fc, outputs: 2}}]}
training: {epochs: 2, lr_mult: {a: 1, "fc*": 10}}
parameters:
  training.learning_rate: {values: [0.1, 0.2]}
  training.lr_mult.fc*: {value: 5}
  model.surgery.1.append.init.gaussian: {value: 0.25}
`)
	for i, rate := range []float64{0.1, 0.2} {
		c := s.Trials[i].Config
		if c.Training.LearningRate != rate || c.Model.Surgery[1].Append.Init.Gaussian != 0.25 {
			t.Errorf("trial %d: %+v", i, c)
		}
		if diff := cmp.Diff(Factors{{"a", 1, 1}, {"fc*", 5, 5}}, c.Training.LRMult); diff != "" {
			t.Errorf("trial %d: lr_mult (-want +got):\n%s", i, diff)
		}
	}
}

func TestRunCapCutsTheGrid(t *testing.T) {
	const parameters = "parameters:\n  training.batch_size: {min: 1, max: 1000}\n  training.epochs: {min: 1, max: 1000}\n"
	s := mustParse(t, minimal+parameters+"run_cap: 1002\n")
	if len(s.Trials) != 1002 {
		t.Fatalf("%d trials", len(s.Trials))
	}
	if c := s.Trials[1001].Config.Training; c.BatchSize != 2 || c.Epochs != 2 {
		t.Errorf("trial 1001: %+v", c)
	}
	if s := mustParse(t, minimal+"parameters: {training.epochs: {values: [1, 2]}}\nrun_cap: 99\n"); len(s.Trials) != 2 {
		t.Errorf("%d trials of 2", len(s.Trials))
	}
}

const randomSweep = minimal + `method: random
run_cap: %d
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.0001, max: 0.1}
  training.momentum: {distribution: uniform, min: 0.5, max: 0.99}
  training.batch_size: {distribution: int_uniform, min: 1, max: 64}
  training.weight_decay: {distribution: q_uniform, min: 0, max: 0.01, q: 0.0025}
  training.optimizer: {values: [sgd, nesterov]}
`

func TestRandomDrawsFromTheDistributions(t *testing.T) {
	const n = 2000
	s := mustParse(t, fmt.Sprintf(randomSweep, n))
	if len(s.Trials) != n {
		t.Fatalf("%d trials, want %d", len(s.Trials), n)
	}
	seen := map[string]bool{}
	var logRate, momentum float64
	counts := map[any]int{}
	for _, trial := range s.Trials {
		c := trial.Config.Training
		if c.LearningRate < 0.0001 || c.LearningRate > 0.1 || c.Momentum < 0.5 || c.Momentum > 0.99 || c.BatchSize < 1 || c.BatchSize > 64 {
			t.Fatalf("out of range: %+v", c)
		}
		if steps := c.WeightDecay / 0.0025; math.Abs(steps-math.Round(steps)) > 1e-9 || c.WeightDecay > 0.01 {
			t.Fatalf("weight decay %v is no multiple of q", c.WeightDecay)
		}
		logRate += math.Log10(c.LearningRate) / n
		momentum += c.Momentum / n
		counts[c.Optimizer]++
		counts[c.WeightDecay]++
		text, _ := json.Marshal(trial.Parameters)
		if seen[string(text)] {
			t.Fatalf("drawn twice: %s", text)
		}
		seen[string(text)] = true
	}
	// Means lie within five standard errors: 3/sqrt(12 n) and 0.49/sqrt(12 n).
	if e := 5 * 3 / math.Sqrt(12*n); math.Abs(logRate+2.5) > e {
		t.Errorf("mean log10 of the rate is %v, want -2.5 ± %v", logRate, e)
	}
	if e := 5 * 0.49 / math.Sqrt(12*n); math.Abs(momentum-0.745) > e {
		t.Errorf("mean momentum is %v, want 0.745 ± %v", momentum, e)
	}
	for value, share := range map[any]float64{"sgd": 0.5, 0.0: 0.2, 0.0025: 0.2, 0.01: 0.2} {
		if got, e := float64(counts[value])/n, 5*math.Sqrt(share*(1-share)/n); math.Abs(got-share) > e {
			t.Errorf("%v is drawn in a share of %v, want %v ± %v", value, got, share, e)
		}
	}
}

func TestRandomIsStable(t *testing.T) {
	few, many := mustParse(t, fmt.Sprintf(randomSweep, 5)), mustParse(t, fmt.Sprintf(randomSweep, 50))
	if !strings.HasPrefix(trials(many), trials(few)) {
		t.Error("a larger run_cap changes the first trials")
	}
	if other := mustParse(t, fmt.Sprintf(randomSweep, 5), "training.seed=43"); trials(other) == trials(few) {
		t.Error("another seed draws the same trials")
	}
	// The draws are part of what a plan promises: they must not change with the
	// program's or Go's version.
	const want = `{"training.batch_size":32,"training.learning_rate":0.014021,"training.momentum":0.922162,"training.optimizer":"nesterov","training.weight_decay":0.01}`
	if got, _, _ := strings.Cut(trials(few), "\n"); got != want {
		t.Errorf("first draw\n%s, want\n%s", got, want)
	}
}

func TestRandomExhaustsASmallSpace(t *testing.T) {
	const small = minimal + "method: random\nrun_cap: 100\nparameters:\n  training.epochs: {min: 1, max: 4}\n  training.momentum: {values: [0.5, 0.9]}\n"
	drawn := strings.Split(strings.TrimSpace(trials(mustParse(t, small))), "\n")
	all := strings.Split(strings.TrimSpace(trials(mustParse(t, strings.Replace(small, "random", "grid", 1)))), "\n")
	if slices.Equal(drawn, all) {
		t.Error("drawn in the order of the grid")
	}
	slices.Sort(drawn)
	slices.Sort(all)
	if diff := cmp.Diff(all, drawn); diff != "" {
		t.Errorf("drawn trials (-grid +random):\n%s", diff)
	}
}

// A word of the user's own sets several paths at once, and a trial is called by
// the names.
func TestNamedValues(t *testing.T) {
	s := mustParse(t, `
name: s
dataset: {path: data}
model: {base: m.onnx}
training: {learning_rate: 0.1, epochs: 2}
parameters:
  variant:
    values:
      deep: {training.epochs: 9, model: {base: deep.onnx}}
      plain: {}
  training.lr_mult: {values: {head: {fc: 10}, all: {"*": 1}}}
`)
	var got []string
	for _, trial := range s.Trials {
		c := trial.Config
		got = append(got, fmt.Sprintln(trial.Parameters, c.Model.Base, c.Training.Epochs, c.Training.LRMult[0].Glob))
	}
	want := []string{
		"map[training.lr_mult:head variant:deep] deep.onnx 9 fc\n", "map[training.lr_mult:all variant:deep] deep.onnx 9 *\n",
		"map[training.lr_mult:head variant:plain] m.onnx 2 fc\n", "map[training.lr_mult:all variant:plain] m.onnx 2 *\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
}

// Sobol points are different ones, the first stay when more are asked for, and each
// quarter of a range has its share.
func TestSobol(t *testing.T) {
	sweep := func(n int) *Sweep {
		return mustParse(t, fmt.Sprintf(`
name: s
dataset: {path: data}
model: {base: m.onnx}
training: {learning_rate: 0.1, epochs: 2}
method: sobol
run_cap: %d
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.0001, max: 1}
  training.momentum: {values: [0, 0.5, 0.9]}
  training.epochs: {min: 1, max: 100}
`, n))
	}
	short, long := trials(sweep(16)), trials(sweep(32))
	if !strings.HasPrefix(long, short) || short == "" {
		t.Errorf("16 trials\n%sare not the first of 32\n%s", short, long)
	}
	seen, decades := map[string]bool{}, map[int]int{}
	for _, trial := range sweep(32).Trials {
		seen[fmt.Sprint(trial.Parameters)] = true
		rate, _ := trial.Parameters["training.learning_rate"].(float64)
		decades[int(math.Floor(math.Log10(max(rate, 0.0001))))]++
	}
	if len(seen) != 32 {
		t.Errorf("%d different trials", len(seen))
	}
	for decade := -4; decade < 0; decade++ {
		if decades[decade] != 8 {
			t.Errorf("%d of 32 rates are between 1e%d and 1e%d, want 8", decades[decade], decade, decade+1)
		}
	}
	if few := mustParse(t, "name: s\ndataset: {path: d}\nmodel: {base: m.onnx}\ntraining: {learning_rate: 0.1, epochs: 2}\nmethod: sobol\nrun_cap: 9\nparameters: {training.momentum: {values: [0, 0.5]}}\n"); len(few.Trials) != 2 {
		t.Errorf("%d trials of 2 there are", len(few.Trials))
	}
}
