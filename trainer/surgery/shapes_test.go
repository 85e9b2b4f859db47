package surgery_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/surgery"
)

func reshape(name, from string, target ...int64) (*onnx.Node, *onnx.Tensor) {
	t := onnx.Ints(target...)
	t.Name = name + "_target"
	return &onnx.Node{Op: "Reshape", Name: name, Inputs: []string{from, t.Name}, Outputs: []string{name}}, t
}

func swapped(name, from string) *onnx.Node {
	return &onnx.Node{Op: "Transpose", Name: name, Inputs: []string{from}, Outputs: []string{name}, Attrs: onnx.Attrs{"perm": []int64{1, 0, 2}}}
}

// movedBatch is x[batch,4] with the batch as second dimension, then joined with
// windows, before its only layer.
func movedBatch() *onnx.Graph {
	tokens, tokensTo := reshape("tokens", "x", 0, 2, 2)
	windows, windowsTo := reshape("windows", "back", -1, 2)
	whole, wholeTo := reshape("whole", "windows", -1, 4)
	fc := gemm(1)
	fc.Inputs[0] = "whole"
	g := headOf(3, map[string][]int{"w": {3, 4}, "b": {3}}, tokens, swapped("heads", "tokens"), swapped("back", "heads"), windows, whole, fc)
	g.Initializers = append(g.Initializers, tokensTo, windowsTo, wholeTo)
	return g
}

// TestBatchElsewhere: only the shapes at a layer and behind it matter.
func TestBatchElsewhere(t *testing.T) {
	for name, steps := range map[string][]surgery.Step{
		"replace":        {{Replace: &surgery.Layer{Name: "fc", Outputs: 5}}},
		"cut and append": {{CutAfter: "whole"}, {Append: &surgery.NewLayer{Name: "new", Outputs: 5}}},
		"probe":          {{InsertProbe: &surgery.Probe{After: "whole", Name: "new", Outputs: 5}}},
	} {
		g, _ := mustApply(t, movedBatch(), steps...)
		if got := g.Outputs[0].Shape; !slices.Equal(got, []int{onnx.Batch, 5}) {
			t.Errorf("%s: the output has shape %v", name, got)
		}
		evaluate(t, g, 5)
	}
	_, _, err := surgery.Apply(movedBatch(), []surgery.Step{{CutAfter: "heads"}}, 1)
	var e *surgery.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "step 1") || !strings.Contains(e.Reason, "first dimension") || e.Try == "" {
		t.Errorf("a network that ends in a value with the batch elsewhere gives %v", err)
	}
}

// twoHeads adds the scores of two layers up.
func twoHeads() *onnx.Graph {
	one, two := gemm(1), gemm(1)
	one.Name, one.Outputs = "head", []string{"y1"}
	two.Name, two.Inputs, two.Outputs = "head_dist", []string{"x", "w2"}, []string{"y2"}
	g := headOf(3, map[string][]int{"w": {3, 4}, "b": {3}}, one, two,
		&onnx.Node{Op: "Add", Name: "sum", Inputs: []string{"y1", "y2"}, Outputs: []string{"y"}})
	g.Initializers = append(g.Initializers, surgery.Constant(1).Weights(0, "w2", 1, 3, 4))
	return g
}

// TestAddedHeads: whether shapes fit is judged after the last step.
func TestAddedHeads(t *testing.T) {
	head := surgery.Step{Replace: &surgery.Layer{Name: "head", Outputs: 5}}
	dist := surgery.Step{Replace: &surgery.Layer{Name: "head_dist", Outputs: 5}}
	freeze := surgery.Step{Freeze: "head"}
	g, _ := mustApply(t, twoHeads(), head, freeze, dist)
	evaluate(t, g, 5)
	_, _, err := surgery.Apply(twoHeads(), []surgery.Step{freeze, head, freeze}, 1)
	var e *surgery.Error
	if !errors.As(err, &e) || e.Step != 2 || e.Name != "head" || !strings.Contains(e.Try, "replace both") {
		t.Errorf("one of two heads alone gives %v", err)
	}
}
