package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A grid leaves out what breaks a constraint, and the cap counts what is left.
func TestConstraintsOnAGrid(t *testing.T) {
	const sweep = minimal + `parameters:
  training.batch_size: {values: [16, 32, 64]}
  training.learning_rate: {values: [0.01, 0.02, 0.04]}
constraints: ["training.batch_size * training.learning_rate <= 0.64", "training.batch_size != 64 or training.epochs > 2"]
`
	s := mustParse(t, sweep)
	want := `{"training.batch_size":16,"training.learning_rate":0.01}
{"training.batch_size":16,"training.learning_rate":0.02}
{"training.batch_size":16,"training.learning_rate":0.04}
{"training.batch_size":32,"training.learning_rate":0.01}
{"training.batch_size":32,"training.learning_rate":0.02}
`
	if diff := cmp.Diff(want, trials(s)); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
	if s.Constrained != (Tally{Looked: 9, LeftOut: 4}) {
		t.Errorf("tally %+v", s.Constrained)
	}
	if s := mustParse(t, sweep+"run_cap: 4\n"); len(s.Trials) != 4 {
		t.Errorf("%d trials with run_cap 4", len(s.Trials))
	}
	if s := mustParse(t, minimal+"parameters: {training.batch_size: {min: 1, max: 5000}}\nconstraints: [training.batch_size % 50 == 0]\n"); len(s.Trials) != 100 {
		t.Errorf("%d trials of a grid that is larger than it may be without the constraint", len(s.Trials))
	}
}

// Constraints see a trial as it would be trained: with the defaults that depend on
// other settings, with what a choice sets, and with the words of the user's own.
func TestConstraintsSeeTheResolvedSettings(t *testing.T) {
	for constraint, want := range map[string]string{
		"training.momentum == 0": `{"recipe":"adaptive"}`,
		"training.epochs >= 9":   `{"recipe":"long"}`,
		`recipe != "adaptive" and recipe in ["adaptive", "plain"]`:         `{"recipe":"plain"}`,
		"len(training.betas) > 0 and training.betas[1] > 0.99":             `{"recipe":"adaptive"}`,
		`training.lr_policy.policy == "cosine"`:                            `{"recipe":"long"}`,
		`not (training.optimizer == "sgd") && preprocessing.resize[0] > 1`: `{"recipe":"adaptive"}`,
		`model.base matches "^deep" ? true : false`:                        `{"recipe":"long"}`,
		"max(training.epochs, 3) - 0.5 > 8 || training.epochs ** 2 < 0":    `{"recipe":"long"}`,
	} {
		s, err := parse(t, minimal+`parameters:
  recipe:
    values:
      plain: {}
      adaptive: {training.optimizer: adam}
      long: {training.epochs: 9, training.lr_policy: {policy: cosine}, model.base: deep.onnx}
constraints: ['`+constraint+"']\n")
		if err != nil {
			t.Errorf("%s: %v", constraint, err)
		} else if got := strings.TrimSpace(trials(s)); got != want {
			t.Errorf("%s leaves\n%s, want\n%s", constraint, got, want)
		}
	}
}

// A constraint can forbid what would be refused: the grid has no such trial.
func TestConstraintsComeBeforeTheRules(t *testing.T) {
	s := mustParse(t, minimal+`parameters:
  preprocessing.resize: {values: [64, 256]}
  preprocessing.crop: {values: [56, 224]}
constraints: ["preprocessing.crop <= preprocessing.resize[0]"]
`)
	if len(s.Trials) != 3 {
		t.Errorf("%d trials:\n%s", len(s.Trials), trials(s))
	}
}

// Every method proposes trials that satisfy the constraints, as many as there should
// be, the same ones each time.
func TestEveryMethodKeepsConstraints(t *testing.T) {
	for _, method := range methods[1:] {
		text := minimal + fmt.Sprintf(`method: %s
run_cap: 30
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.0001, max: 1}
  training.batch_size: {values: [8, 16, 32, 64, 128]}
  training.optimizer: {values: [sgd, adam]}
  training.momentum: {distribution: uniform, min: 0.5, max: 0.99, when: {training.optimizer: sgd}}
constraints:
  - training.batch_size * training.learning_rate <= 0.1
  - training.optimizer == "adam" or training.momentum < 0.9
`, method)
		all := grown(t, text)
		if len(all) != 30 {
			t.Errorf("%s: %d trials", method, len(all))
		}
		if diff := cmp.Diff(all, grown(t, text)); diff != "" {
			t.Errorf("%s: the second time (-first +second):\n%s", method, diff)
		}
		s := mustParse(t, text)
		for _, a := range s.Trials {
			c := a.Config.Training
			if float64(c.BatchSize)*c.LearningRate > 0.1 || c.Optimizer == "sgd" && c.Momentum >= 0.9 {
				t.Errorf("%s: %v", method, a.Parameters)
			}
		}
	}
}

// Where hardly anything satisfies the constraints, methods that learn find it by
// chance; of a finite space they find all that does, and then say so.
func TestConstraintsThatHardlyEverHold(t *testing.T) {
	for _, method := range []string{"tpe", "cma-es"} {
		narrow := grown(t, minimal+fmt.Sprintf(`method: %s
run_cap: 4
parameters: {training.learning_rate: {distribution: uniform, min: 0, max: 1}, training.momentum: {distribution: uniform, min: 0, max: 0.99}}
constraints: ["training.learning_rate < 0.05 and training.momentum > 0.9"]
`, method))
		if len(narrow) != 4 {
			t.Errorf("%s: %d of 4 trials in a two-hundredth of the space", method, len(narrow))
		}
		few := grown(t, minimal+fmt.Sprintf(`method: %s
run_cap: 20
parameters: {training.batch_size: {min: 1, max: 50}, training.epochs: {min: 1, max: 20}}
constraints: ["training.batch_size + training.epochs > 67"]
`, method))
		if len(few) != 6 { // 50 with 18, 19, 20; 49 with 19, 20; 48 with 20
			t.Errorf("%s: %d trials, want the 6 there are:\n%s", method, len(few), strings.Join(few, "\n"))
		}
	}
}

// FuzzConstraint: any text is a constraint that gives an answer or an error, or none
// and says why.
func FuzzConstraint(f *testing.F) {
	for _, text := range []string{"training.batch_size * training.learning_rate <= 1", `training.optimizer in ["sgd", "adam"]`, "len(training.betas) > 0 and training.betas[1] > 0.9",
		"1 / 0 > 2 % 0", `"a" matches "("`, "not -1 ?? true ? [1] == [] : training?.epochs > 0", "all(1..9, {# > 1})", "let x = 1; x > 0", "(((((1)))))==1 || max(abs(-1), round(2.5)) ** 3 > ceil(1)"} {
		f.Add(text)
	}
	doc := defaults()
	settings, known := doc.Config.environment(nil, nil), newNames(nil)
	f.Fuzz(func(t *testing.T, text string) {
		c, problem, _ := newConstraint(text, known)
		if (c == nil) == (problem == "") {
			t.Fatalf("%q: a constraint %v and the problem %q", text, c, problem)
		}
		if strings.Contains(problem, "\n") {
			t.Errorf("%q: several lines: %q", text, problem)
		}
		if c != nil {
			ok, err := c.holds(settings)
			if again, _ := c.holds(settings); again != ok || ok && err != nil {
				t.Errorf("%q is %v and %v (%v)", text, ok, again, err)
			}
		}
	})
}

// Every setting of a trial that is a number, a word, a truth value or a list of these
// can be read in a constraint, under the name that the file has for it.
func TestConstraintsKnowTheSettings(t *testing.T) {
	known := newNames(nil).paths
	for _, want := range []string{"training.micro_batch_size", "training.lr_policy.warm_up", "preprocessing.mean", "model.base", "evaluation.metrics", "training.cache_features", "training.precision", "probe.layers"} {
		if !slices.Contains(known, want) {
			t.Errorf("%s is not known; known are %s", want, list(known))
		}
	}
	for _, path := range known {
		if !slices.Contains(schema, path) {
			t.Errorf("%s is no key of the file", path)
		}
	}
}
