package plan

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The space of a stored plan is that of its file and its overrides, and values are
// at their place in it.
func TestSpaceOfAPlan(t *testing.T) {
	p := &Plan{Overrides: []string{"parameters.training.momentum.max=0.8"}, Source: `
name: s
dataset: {path: d}
model: {base: "builtin:tinynet"}
method: random
run_cap: 3
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.001, max: 0.1}
  training: {momentum: {distribution: uniform, min: 0, max: 0.4}}
  training.epochs: {distribution: int_uniform, min: 1, max: 4}
  training.batch_size: {distribution: q_uniform, min: 8, max: 32, q: 8}
  training.weight_decay: {distribution: inv_log_uniform_values, min: 0.001, max: 0.1}
  training.label_smoothing: {distribution: normal, mu: 0.2, sigma: 0.1}
  training.optimizer: {values: [sgd, adam], probabilities: [0.25, 0.75]}
`}
	space, err := p.Space()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]float64{ // value, share
		"training.learning_rate": {0.01, 0.5}, "training.momentum": {0.2, 0.25}, "training.epochs": {2, 0.375},
		"training.batch_size": {32, 0.875}, "training.weight_decay": {0.001, 0}, "training.label_smoothing": {0.3, 0.8413447},
	}
	for i := range space {
		q := &space[i]
		share, ok := q.ShareBelow(want[q.Path][0])
		if _, ranged := want[q.Path]; ok != ranged || math.Abs(share-want[q.Path][1]) > 1e-6 {
			t.Errorf("%s: %v of the values are below %v, want %v", q.Path, share, want[q.Path][0], want[q.Path][1])
		}
		if !ok {
			if diff := cmp.Diff([]any{"sgd", "adam"}, q.Choices()); diff != "" || q.Shares[1] != 0.75 {
				t.Errorf("choices (-want +got):\n%s", diff)
			}
		}
	}
	if _, err := (&Plan{Source: "name: ["}).Space(); err == nil {
		t.Error("no YAML, and a space")
	}
}
