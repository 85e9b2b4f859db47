package plan

import (
	"fmt"
	"testing"
)

// BenchmarkPlan is what planning a sweep of 100,000 jobs takes, from the text of its
// file to the jobs: 10,000 trials on 10 folds of 1000 pictures.
func BenchmarkPlan(b *testing.B) {
	data := Data{Pack: Ref{Digest: "d"}, Classes: []string{"a", "b"}}
	for i := range 1000 {
		data.Labels = append(data.Labels, i%2)
	}
	for range b.N {
		s, err := Parse("wide.yaml", fmt.Appendf(nil, `name: wide
dataset: {path: data}
model: {base: "builtin:tinynet"}
training: {epochs: 8}
cross_validation: {folds: 10}
method: random
run_cap: %d
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.0001, max: 1}
  training.momentum: {min: 0, max: 0.99}
  training.batch_size: {values: [8, 16, 32]}
`, maxRunCap))
		if err != nil {
			b.Fatal(err)
		}
		folds, err := s.Folds(data.Labels, data.Classes, nil)
		if err != nil {
			b.Fatal(err)
		}
		p, err := Expand(s, data, folds, map[string]Ref{"builtin:tinynet": {Digest: "b"}})
		if err != nil || len(p.Jobs) != 100_000 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/plan")
}
