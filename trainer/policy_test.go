package trainer

import (
	"math"
	"testing"
)

func TestPolicyFactors(t *testing.T) {
	tests := map[string]struct {
		policy Policy
		want   []float64 // at the first step of each epoch, 10 steps an epoch
	}{
		"no policy":  {Policy{}, []float64{1, 1, 1, 1}},
		"fixed":      {Policy{Name: "fixed", Gamma: 0.5}, []float64{1, 1, 1, 1}},
		"step":       {Policy{Name: "step", EveryEpochs: 2, Gamma: 0.1}, []float64{1, 1, 0.1, 0.1, 0.01}},
		"multistep":  {Policy{Name: "multistep", Epochs: []int{1, 3}, Gamma: 0.5}, []float64{1, 0.5, 0.5, 0.25}},
		"exp":        {Policy{Name: "exp", Gamma: 0.9}, []float64{1, 0.9, 0.81, 0.729}},
		"inv":        {Policy{Name: "inv", Gamma: 0.5, Power: 2}, []float64{1, 1 / 2.25, 0.25, 0.16}},
		"sigmoid":    {Policy{Name: "sigmoid", Gamma: -2, Midpoint: 1.5}, []float64{1 / (1 + math.Exp(-3)), 1 / (1 + math.Exp(-1)), 1 / (1 + math.E), 1 / (1 + math.Exp(3))}},
		"poly":       {Policy{Name: "poly", Power: 2}, []float64{1, 0.5625, 0.25, 0.0625}},
		"cosine":     {Policy{Name: "cosine"}, []float64{1, (1 + math.Sqrt2/2) / 2, 0.5, (1 - math.Sqrt2/2) / 2}},
		"warm-up":    {Policy{WarmUp: 2}, []float64{1. / 20, 11. / 20, 1, 1}},
		"both":       {Policy{Name: "step", EveryEpochs: 1, Gamma: 0.1, WarmUp: 2}, []float64{1. / 20, 0.1 * 11. / 20, 0.01, 0.001}},
		"before one": {Policy{Name: "multistep", Epochs: []int{9}, Gamma: 0.5}, []float64{1, 1, 1, 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for epoch, want := range test.want {
				if got := test.policy.Factor(epoch, 0, len(test.want), 10, nil); math.Abs(got-want) > 1e-12 {
					t.Errorf("epoch %d: factor %v, want %v", epoch, got, want)
				}
			}
		})
	}
}

// The counts are those of PyTorch's ReduceLROnPlateau with threshold 0.1.
func TestPlateau(t *testing.T) {
	p := Policy{Name: "plateau", Gamma: 0.5, Patience: 1, Threshold: 0.1}
	losses := []float64{10, 9.5, 9.2, 8, 8, 7.3, 7.25, 7.22, 5}
	want := []float64{1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125}
	var history []EpochResult
	for _, loss := range losses {
		history = append(history, EpochResult{TrainLoss: loss, Scores: Scores{"loss": 1}})
	}
	for epoch, want := range want {
		if got := p.Factor(epoch, 0, len(losses), 3, history); got != want {
			t.Errorf("after %v: factor %v, want %v", losses[:epoch], got, want)
		}
	}
}

func TestWarmUpRisesWithEachStepAndEndsAtTheFullRate(t *testing.T) {
	p, last := Policy{WarmUp: 2}, 0.0
	for epoch := range 2 {
		for step := range 5 {
			f := p.Factor(epoch, step, 4, 5, nil)
			if f <= last {
				t.Errorf("epoch %d, step %d: factor %v after %v", epoch, step, f, last)
			}
			last = f
		}
	}
	if last != 1 {
		t.Errorf("the warm-up ends at %v", last)
	}
}
