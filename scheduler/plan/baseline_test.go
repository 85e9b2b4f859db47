package plan

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The data sets are those of the DeepSent study, by the numbers of negative and
// positive pictures and of positive ones in each test fold; the baselines are
// computed from its fold lists.
func TestMajorityBaseline(t *testing.T) {
	for _, c := range []struct {
		negative, positive int
		tested             []int
		want               string
	}{
		{301, 579, []int{115, 113, 124, 121, 106}, "0.658 ± 0.040"},
		{427, 688, []int{136, 133, 152, 129, 138}, "0.617 ± 0.039"},
		{498, 767, []int{159, 150, 153, 155, 150}, "0.606 ± 0.015"},
	} {
		p := &Plan{Data: Data{Classes: []string{"0", "1"}}}
		for i := range c.negative + c.positive {
			label := 0
			if i >= c.negative {
				label = 1
			}
			p.Data.Labels = append(p.Data.Labels, label)
		}
		size, negative, positive := len(p.Data.Labels)/5, 0, c.negative
		for k, n := range c.tested {
			fold := Fold{Number: k}
			test := map[int]bool{}
			for range n {
				test[positive] = true
				positive++
			}
			for range size - n {
				test[negative] = true
				negative++
			}
			for i := range p.Data.Labels {
				if test[i] {
					fold.Test = append(fold.Test, i)
				} else {
					fold.Train = append(fold.Train, i)
				}
			}
			p.Folds = append(p.Folds, fold)
		}
		b := Summarize(p, nil).Baseline
		if got := fmt.Sprintf("%.3f ± %.3f", b.Accuracy.Mean, b.Accuracy.Std); got != c.want || len(b.Folds) != 5 {
			t.Errorf("%d and %d pictures: %s with %d folds, want %s", c.negative, c.positive, got, len(b.Folds), c.want)
		}
	}
}

// The training samples choose the class, the first of equally frequent ones; what
// is right of the test samples does not.
func TestMajorityIsOfTheTrainingSamples(t *testing.T) {
	p := &Plan{
		Data: Data{Classes: []string{"a", "b", "c"}, Labels: []int{0, 0, 1, 1, 1, 2}},
		Folds: []Fold{
			{Train: []int{0, 1, 2}, Test: []int{3, 4, 5}},
			{Train: []int{0, 2}, Test: []int{1, 3}},
			{Train: []int{2, 3, 5}, Test: []int{0, 4}},
		},
	}
	if diff := cmp.Diff([]float64{0, 0.5, 0.5}, majority(p).Folds); diff != "" {
		t.Error(diff)
	}
	if b := majority(&Plan{Folds: []Fold{{}}}); b != nil {
		t.Errorf("folds that are not known have the baseline %+v", b)
	}
}
