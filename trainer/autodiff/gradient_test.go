package autodiff

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

// sum is the loss of these tests.
func sum(b *onnx.Builder, v onnx.Value) onnx.Value {
	return b.Op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, v)
}

func evaluate(t *testing.T, b *onnx.Builder, in map[string]*onnxeval.Array, outs ...onnx.Value) [][]float64 {
	t.Helper()
	names := []string{"a", "b", "c", "d"}
	for i, v := range outs {
		b.Output("out:"+names[i], v)
	}
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	res, err := onnxeval.Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	var data [][]float64
	for i := range outs {
		data = append(data, res["out:"+names[i]].Data)
	}
	return data
}

func array(data ...float64) *onnxeval.Array {
	return &onnxeval.Array{Shape: []int{len(data)}, Data: data}
}

// d(sum(x·x + x))/dx = 2x + 1: three uses of x add up.
func TestUsesAddUp(t *testing.T) {
	b := onnx.NewBuilder("uses")
	x := b.Input("x", onnx.Float, 3)
	y := b.Op("Add", nil, b.Op("Mul", nil, x, x), x)
	g, err := Gradient(b, sum(b, y), []onnx.Value{x})
	if err != nil {
		t.Fatal(err)
	}
	got := evaluate(t, b, map[string]*onnxeval.Array{"x": array(1, -2, 3)}, g[0])[0]
	if want := []float64{3, -3, 7}; !slices.Equal(got, want) {
		t.Errorf("gradient %v, want %v", got, want)
	}
}

// A value that the loss does not depend on has a gradient of zeros.
func TestNoPathIsZero(t *testing.T) {
	b := onnx.NewBuilder("no path")
	x, y := b.Input("x", onnx.Float, 2), b.Input("y", onnx.Float, 2)
	g, err := Gradient(b, sum(b, x), []onnx.Value{x, y})
	if err != nil {
		t.Fatal(err)
	}
	got := evaluate(t, b, map[string]*onnxeval.Array{"x": array(1, 2), "y": array(3, 4)}, g...)
	if !slices.Equal(got[0], []float64{1, 1}) || !slices.Equal(got[1], []float64{0, 0}) {
		t.Errorf("gradients %v, want ones and zeros", got)
	}
}

// Nothing is written for, or asked of, what lies below the trained values: here
// an operator without a rule.
func TestFrozenPrefixIsLeftAlone(t *testing.T) {
	b := onnx.NewBuilder("frozen")
	x, w := b.Input("x", onnx.Float, 2, 2), b.Input("w", onnx.Float, 2, 2)
	below := b.Op("Einsum", onnx.Attrs{"equation": "ij->ij"}, x)
	loss := sum(b, b.Op("MatMul", nil, below, w))
	before := len(b.Nodes())
	if _, err := Gradient(b, loss, []onnx.Value{w}); err != nil {
		t.Fatal(err)
	}
	for _, n := range b.Nodes()[before:] {
		if strings.Contains(n.Name, below.Name) {
			t.Errorf("node %q was written for the frozen part", n.Name)
		}
	}
}

func TestOperatorWithoutRule(t *testing.T) {
	b := onnx.NewBuilder("no rule")
	x := b.Input("x", onnx.Float, 2, 2)
	end := b.Scope("layer7")
	y := b.Op("LpNormalization", nil, x)
	end()
	_, err := Gradient(b, sum(b, b.Op("Relu", nil, y)), []onnx.Value{x})
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) {
		t.Fatalf("got %v, want an UnsupportedError", err)
	}
	if unsupported.Node != y.Name || unsupported.Op != "LpNormalization" {
		t.Errorf("the error names %q (%s), want %q (LpNormalization)", unsupported.Node, unsupported.Op, y.Name)
	}
	if !strings.Contains(unsupported.Hint(), "layer7") {
		t.Errorf("the hint %q does not name the layer", unsupported.Hint())
	}
}

// A rule that exists for the operator, but not for how it is used, says so and
// names the node.
func TestUnsupportedUse(t *testing.T) {
	b := onnx.NewBuilder("diagonal")
	x := b.Input("x", onnx.Float, 3, 3)
	y := b.Op("Einsum", onnx.Attrs{"equation": "ii->i"}, x)
	_, err := Gradient(b, sum(b, y), []onnx.Value{x})
	if err == nil || !strings.Contains(err.Error(), y.Name) || !strings.Contains(err.Error(), "diagonal") {
		t.Errorf("got %v, want an error that names %q and the diagonal", err, y.Name)
	}
}

func TestLossMustBeOneElement(t *testing.T) {
	b := onnx.NewBuilder("vector")
	x := b.Input("x", onnx.Float, 3)
	if _, err := Gradient(b, b.Op("Relu", nil, x), []onnx.Value{x}); err == nil {
		t.Error("a loss of three elements was differentiated")
	}
}
