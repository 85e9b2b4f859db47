package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/scheduler/search"
)

const conditional = minimal + `parameters:
  training.momentum: {values: [0.5, 0.9], when: {training.optimizer: [sgd, nesterov]}}
  training.optimizer: {values: [sgd, nesterov, adam]}
  training.epsilon: {values: [1e-8, 1e-4], when: {training.optimizer: adam}}
  training.clip_norm: {value: 5, when: {training.optimizer: adam, training.epsilon: 1e-4}}
`

// A grid lists each trial once: what depends on the optimizer is there with those
// optimizers alone, and the rest of the settings is as in the file.
func TestGridOfConditionalParameters(t *testing.T) {
	s := mustParse(t, conditional)
	want := `{"training.momentum":0.5,"training.optimizer":"sgd"}
{"training.momentum":0.9,"training.optimizer":"sgd"}
{"training.momentum":0.5,"training.optimizer":"nesterov"}
{"training.momentum":0.9,"training.optimizer":"nesterov"}
{"training.epsilon":1e-8,"training.optimizer":"adam"}
{"training.clip_norm":5,"training.epsilon":0.0001,"training.optimizer":"adam"}
`
	if diff := cmp.Diff(want, trials(s)); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
	if c := s.Trials[4].Config.Training; c.Momentum != 0 || c.ClipNorm != 0 || c.Epsilon != 1e-8 {
		t.Errorf("adam trains with %+v", c)
	}
	if s := mustParse(t, conditional+"run_cap: 4\n"); len(s.Trials) != 4 {
		t.Errorf("%d trials with run_cap 4", len(s.Trials))
	}
}

const nestedChoices = minimal + `parameters:
  recipe:
    values:
      momentum:
        training.optimizer: nesterov
        parameters:
          training: {momentum: {values: [0.5, 0.9]}}
          training.learning_rate: {values: [0.1, 0.2]}
      adaptive:
        parameters:
          training.optimizer: {values: [adam, adamw]}
          training.learning_rate: {values: [0.001]}
          rest:
            values:
              short: {training.epochs: 3}
              long: {parameters: {training.epochs: {values: [30, 60]}}}
            when: {training.optimizer: adamw}
`

// Choices have parameters of their own, the same setting among them, to any depth.
func TestNestedChoices(t *testing.T) {
	s := mustParse(t, nestedChoices)
	want := `{"recipe":"momentum","training.learning_rate":0.1,"training.momentum":0.5}
{"recipe":"momentum","training.learning_rate":0.2,"training.momentum":0.5}
{"recipe":"momentum","training.learning_rate":0.1,"training.momentum":0.9}
{"recipe":"momentum","training.learning_rate":0.2,"training.momentum":0.9}
{"recipe":"adaptive","training.learning_rate":0.001,"training.optimizer":"adam"}
{"recipe":"adaptive","rest":"short","training.learning_rate":0.001,"training.optimizer":"adamw"}
{"recipe":"adaptive","rest":"long","training.epochs":30,"training.learning_rate":0.001,"training.optimizer":"adamw"}
{"recipe":"adaptive","rest":"long","training.epochs":60,"training.learning_rate":0.001,"training.optimizer":"adamw"}
`
	if diff := cmp.Diff(want, trials(s)); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
	if c := s.Trials[0].Config.Training; c.Optimizer != "nesterov" || c.Momentum != 0.5 || c.Epochs != 2 {
		t.Errorf("the first trial trains with %+v", c)
	}
	if c := s.Trials[7].Config.Training; c.Optimizer != "adamw" || c.Epochs != 60 {
		t.Errorf("the last trial trains with %+v", c)
	}
}

// grown lists as many trials as the search proposes, none of which has an outcome.
func grown(t *testing.T, text string) []string {
	t.Helper()
	s := mustParse(t, text)
	all := strings.Split(strings.TrimSpace(trials(s)), "\n")
	taken := map[string]bool{}
	var known search.Known
	for n, a := range s.Trials {
		taken[ParametersKey(a.Parameters)] = true
		known.Outcomes = append(known.Outcomes, search.Outcome{Trial: n, Point: a.Point, Value: float64(n % 7)})
	}
	for n := len(all); s.growth != nil && n < s.RunCap; n++ {
		a, err := s.Proposal(n, &known, func(key string) bool { return taken[key] })
		if errors.Is(err, search.ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ParametersKey(a.Parameters))
		taken[ParametersKey(a.Parameters)] = true
		known.Outcomes = append(known.Outcomes, search.Outcome{Trial: n, Point: a.Point, Value: float64(n % 7)})
	}
	return all
}

// Every method tries each combination of what exists once, and nothing else.
func TestEveryMethodOnConditionalParameters(t *testing.T) {
	for _, text := range []string{conditional, nestedChoices} {
		want := grown(t, text)
		slices.Sort(want)
		for _, method := range methods[1:] {
			got := grown(t, text+"method: "+method+"\nrun_cap: 50\n")
			if again := grown(t, text+"method: "+method+"\nrun_cap: 50\n"); !slices.Equal(got, again) {
				t.Errorf("%s proposes\n%s\nand then\n%s", method, got, again)
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-grid +method):\n%s", method, diff)
			}
		}
	}
}

// With ranges, a parameter is there exactly where its condition holds, and the choice
// that it depends on comes as often as without it.
func TestConditionalRanges(t *testing.T) {
	const n = 60
	for _, method := range methods[1:] {
		all := grown(t, minimal+fmt.Sprintf(`method: %s
run_cap: %d
parameters:
  training.optimizer: {values: [sgd, adam]}
  training.momentum: {distribution: uniform, min: 0.5, max: 0.99, when: {training.optimizer: sgd}}
  training.learning_rate: {distribution: log_uniform_values, min: 0.001, max: 0.1}
`, method, n))
		sgd := 0
		for _, one := range all {
			if is := strings.Contains(one, `"sgd"`); is != strings.Contains(one, "momentum") {
				t.Errorf("%s: %s", method, one)
			} else if is {
				sgd++
			}
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != n || sgd < n/6 || sgd > n-n/6 {
			t.Errorf("%s: %d different trials of %d, %d with sgd", method, len(slices.Compact(all)), n, sgd)
		}
	}
}

// The corners, which are checked before anything is queued, have each parameter.
func TestCornersOfConditionalParameters(t *testing.T) {
	s := mustParse(t, nestedChoices+"method: tpe\nrun_cap: 3\n")
	seen := map[string]bool{}
	for _, corner := range s.Corners {
		for name, value := range corner.Parameters {
			seen[fmt.Sprint(name, "=", value)] = true
		}
	}
	for _, want := range []string{"recipe=momentum", "recipe=adaptive", "training.momentum=0.9", "training.learning_rate=0.2",
		"training.learning_rate=0.001", "training.optimizer=adamw", "rest=long", "training.epochs=60"} {
		if !seen[want] {
			t.Errorf("no corner has %s", want)
		}
	}
}

// An override of what is searched in some trials alone has an effect in the others.
func TestOverrideBesideAConditionalParameter(t *testing.T) {
	s := mustParse(t, minimal+"parameters:\n  training.epochs: {values: [5, 6], when: {training.optimizer: nesterov}}\n  training.optimizer: {values: [sgd, nesterov]}\n", "training.epochs=7")
	var got []int
	for _, trial := range s.Trials {
		got = append(got, trial.Config.Training.Epochs)
	}
	if !slices.Equal(got, []int{7, 5, 6}) {
		t.Errorf("epochs %v", got)
	}
}
