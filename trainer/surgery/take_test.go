package surgery_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/surgery"
)

// TestTakeWeights: a network with the matrices the other way round and another
// stride answers with the weights of the first.
func TestTakeWeights(t *testing.T) {
	from, to := unpadded(1), unpadded(0)
	for _, p := range to.Initializers {
		p.Data = make([]float32, onnx.NumElements(p.Shape))
	}
	got, layers, err := surgery.TakeWeights(to, from, "*")
	if err != nil || !slices.Equal(layers, []string{"conv", "fc1", "fc2"}) {
		t.Fatalf("took %v: %v", layers, err)
	}
	x := picture(2, 3, 10, 10)
	a, b := answer(t, from, x), answer(t, got, x)
	for i := range a.Data {
		if math.Abs(a.Data[i]-b.Data[i]) > 1e-12 {
			t.Errorf("answer %d is %v, with the weights taken %v", i, a.Data[i], b.Data[i])
		}
	}
	if to.Initializer("fc1.w").F32()[0] != 0 {
		t.Error("the original changed")
	}
	if got, layers, err = surgery.TakeWeights(to, from, "conv"); err != nil || len(layers) != 1 || got.Initializer("fc1.w").F32()[0] != 0 {
		t.Errorf("a glob took %v: %v", layers, err)
	}
}

func TestTakeWeightsErrors(t *testing.T) {
	for glob, want := range map[string]string{
		"fc1":  "take_weights fc1: its parameter",
		"d*":   "no layer of that name",
		"none": "no layer with parameters",
	} {
		to := unpadded(0)
		if glob == "fc1" {
			to.Initializer("fc1.w").Shape = []int{32, 12}
		}
		if glob == "d*" {
			to.Nodes[4].Name = "dense2"
		}
		if _, _, err := surgery.TakeWeights(to, unpadded(0), glob); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one about %q", glob, err, want)
		}
	}
}
