package onnximport_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

// TestExports imports what exporters write today and compares what it computes on
// 1, 2, 3, ... with the value of its definition.
func TestExports(t *testing.T) {
	half := math.Sqrt(0.5)
	swish := func(x float64) float64 { return x / (1 + math.Exp(-x)) }
	scalar := func(name string, x int64) *onnx.Tensor {
		return named(name, &onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{x}})
	}
	allzero := onnx.Attrs{"allowzero": int64(1)}
	for _, c := range []struct {
		name  string
		file  file
		shape []int
		want  []float64
	}{
		{"an operator of version 25 as it always was", file{opset: 25, input: []int{-1, 1, 1, 1}, nodes: []*onnx.Node{node("Neg", "y", nil, "x")}},
			[]int{2, 1, 1, 1}, []float64{-1, -2}},
		{"Swish 24", file{opset: 24, input: []int{-1, 1, 1, 1}, nodes: []*onnx.Node{node("Swish", "y", onnx.Attrs{"alpha": float32(1)}, "x")}},
			[]int{2, 1, 1, 1}, []float64{swish(1), swish(2)}},
		{"RMSNormalization 23", file{opset: 23, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{floats("s", []int{2}, 1, 3)},
			nodes: []*onnx.Node{node("RMSNormalization", "y", onnx.Attrs{"epsilon": float32(0)}, "x", "s")}},
			[]int{1, 1, 1, 2}, []float64{1 / math.Sqrt(2.5), 6 / math.Sqrt(2.5)}},
		{"allowzero without a zero, batch fixed", file{opset: 18, input: []int{1, 2, 1, 1}, consts: []*onnx.Tensor{ints("to", 1, 2)},
			nodes: []*onnx.Node{node("Reshape", "y", allzero, "x", "to")}}, []int{2, 2}, []float64{1, 2, 3, 4}},
		{"allowzero without a zero, batch from Shape", file{opset: 18, input: []int{-1, 2, 1, 1}, consts: []*onnx.Tensor{ints("two", 2)},
			nodes: []*onnx.Node{
				node("Shape", "n", onnx.Attrs{"start": int64(0), "end": int64(1)}, "x"), node("Concat", "to", onnx.Attrs{"axis": int64(0)}, "n", "two"),
				node("Reshape", "y", allzero, "x", "to")}}, []int{2, 2}, []float64{1, 2, 3, 4}},
		{"dead branches and unread inputs", file{opset: 18, input: []int{-1, 1, 1, 1}, inputs: []onnx.Value{{Name: "z", Type: onnx.Int64, Shape: []int{1}}},
			nodes: []*onnx.Node{node("Quux", "dead", nil, "x"), node("Neg", "y", nil, "x")}}, []int{1, 1, 1, 1}, []float64{-1}},
		{"nodes in any order", file{opset: 18, input: []int{-1, 1, 1, 1},
			nodes: []*onnx.Node{node("Abs", "b", nil, "a"), node("Neg", "a", nil, "x"), node("Sqrt", "y", nil, "b")}}, []int{1, 1, 1, 1}, []float64{1}},
		{"half precision inside", file{opset: 18, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{floats("w", []int{1, 1, 1, 1}, 3)},
			nodes: []*onnx.Node{
				node("Cast", "h", onnx.Attrs{"to": int64(onnx.Float16)}, "x"), node("Conv", "c", nil, "h", "w"),
				node("Cast", "y", onnx.Attrs{"to": int64(onnx.Float)}, "c")}}, []int{1, 1, 1, 1}, []float64{3}},
		{"CastLike", file{opset: 18, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{ints("k", 2)},
			nodes: []*onnx.Node{node("CastLike", "f", nil, "k", "x"), node("Mul", "y", nil, "x", "f")}}, []int{1, 1, 1, 1}, []float64{2}},
		{"channels last", file{opset: 18, input: []int{-1, 2, 2, 3},
			nodes: []*onnx.Node{node("Transpose", "y", onnx.Attrs{"perm": []int64{0, 3, 1, 2}}, "x")}},
			[]int{1, 3, 2, 2}, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"a batch of one taken off the answer", file{opset: 18, input: []int{1, 2, 1, 1}, consts: []*onnx.Tensor{ints("to", 0, 2), ints("a", 0)},
			nodes: []*onnx.Node{node("Reshape", "r", nil, "x", "to"), node("Squeeze", "y", nil, "r", "a")}}, []int{2, 2}, []float64{1, 2, 3, 4}},
		{"GatherND of rows", file{opset: 18, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{floats("t", []int{3, 2}, 10, 20, 30, 40, 50, 60), named("i", &onnx.Tensor{Type: onnx.Int64, Shape: []int{1, 1}, Data: []int64{-1}})},
			nodes: []*onnx.Node{node("GatherND", "g", nil, "t", "i"), node("Add", "y", nil, "x", "g")}}, []int{1, 1, 1, 2}, []float64{51, 62}},
		{"GatherND of elements", file{opset: 18, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{floats("t", []int{3, 2}, 10, 20, 30, 40, 50, 60), named("i", &onnx.Tensor{Type: onnx.Int64, Shape: []int{2, 2}, Data: []int64{0, 1, 2, 0}})},
			nodes: []*onnx.Node{node("GatherND", "g", nil, "t", "i"), node("Add", "y", nil, "x", "g")}}, []int{1, 1, 1, 2}, []float64{21, 52}},
		{"as_strided, elements as they are", strided(0, 1), []int{2, 2}, []float64{1, 2, 3, 4}},
		{"as_strided, elements change places", strided(1, 0), []int{2, 2}, []float64{2, 1, 4, 3}},
		{"computed statistics", file{opset: 18, input: []int{-1, 2, 1, 1}, consts: []*onnx.Tensor{
			floats("w", []int{1, 2, 2}, 1, 3, 5, 9), ints("a", 0, 2), floats("g", []int{2}, 2, 1), floats("b", []int{2}, 0, 1), ints("to", 1, 2, 2, 1), ints("sum", 2)},
			nodes: []*onnx.Node{
				node("ReduceMean", "m", onnx.Attrs{"keepdims": int64(0)}, "w", "a"), node("ReduceMean", "v", onnx.Attrs{"keepdims": int64(0)}, "w", "a"),
				node("BatchNormalization", "n", onnx.Attrs{"epsilon": float32(0)}, "w", "g", "b", "m", "v"), node("Reshape", "n4", nil, "n", "to"),
				node("ReduceMax", "top", onnx.Attrs{"keepdims": int64(1)}, "n4", "sum"), node("Add", "y", nil, "x", "top")}},
			[]int{1, 2, 1, 1}, []float64{1 + 2*1/math.Sqrt(2), 2 + 2/math.Sqrt(7) + 1}},
		{"statistics of a weight, in training mode", file{opset: 18, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{
			floats("w", []int{1, 1, 2}, 1, 5), floats("g", []int{1}, 3), floats("b", []int{1}, 0), floats("m", []int{1}, 0), floats("v", []int{1}, 1)},
			nodes: []*onnx.Node{
				{Op: "BatchNormalization", Inputs: []string{"w", "g", "b", "m", "v"}, Outputs: []string{"n", "rm", "rv"}, Attrs: onnx.Attrs{"training_mode": int64(1), "epsilon": float32(0)}},
				node("Add", "y", nil, "x", "n")}},
			[]int{1, 1, 1, 2}, []float64{-2, 5}},
		{"Keras's normalisation of layers", keras(), []int{2, 1, 2}, []float64{-half, half, -half, half}},
		{"a position embedding per picture", file{opset: 18, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{ints("hw", 1, 1, 2), scalar("three", 3)},
			nodes: []*onnx.Node{
				node("Shape", "n", onnx.Attrs{"start": int64(0), "end": int64(1)}, "x"), node("Concat", "to", onnx.Attrs{"axis": int64(0)}, "n", "hw"),
				node("ConstantOfShape", "no", onnx.Attrs{"value": &onnx.Tensor{Type: onnx.Bool, Shape: []int{1}, Data: []bool{false}}}, "to"),
				node("Not", "yes", nil, "no"), node("Cast", "ones", onnx.Attrs{"to": int64(onnx.Float)}, "yes"),
				node("CumSum", "at", nil, "ones", "three"), node("Add", "y", nil, "x", "at")}},
			[]int{2, 1, 1, 2}, []float64{2, 4, 4, 6}},
		{"one for all pictures, repeated", file{opset: 18, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{floats("w", []int{1, 1, 1, 2}, 10, 20), ints("once", 1, 1, 1)},
			nodes: []*onnx.Node{
				node("Shape", "n", onnx.Attrs{"start": int64(0), "end": int64(1)}, "x"), node("Concat", "r", onnx.Attrs{"axis": int64(0)}, "n", "once"),
				node("Tile", "all", nil, "w", "r"), node("Add", "y", nil, "x", "all")}},
			[]int{2, 1, 1, 2}, []float64{11, 22, 13, 24}},
		{"If with a constant condition", ifFile(named("on", &onnx.Tensor{Type: onnx.Bool, Shape: []int{}, Data: []bool{true}})), []int{1, 1, 1, 1}, []float64{-1}},
		{"If by the shape", ifFile(nil, node("Shape", "s", onnx.Attrs{"start": int64(3)}, "x"), node("Equal", "on", nil, "s", "k")), []int{1, 1, 1, 1}, []float64{-1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.file.forward(t, c.shape[0])
			if !slices.Equal(got.Shape, c.shape) {
				t.Fatalf("shape %v, want %v", got.Shape, c.shape)
			}
			for i, want := range c.want {
				if d := math.Abs(got.Data[i] - want); !(d <= 1e-6*max(1, math.Abs(want))) {
					t.Errorf("element %d is %v, want %v", i, got.Data[i], want)
				}
			}
		})
	}
}

// strided gathers two channels from a row of those of all pictures.
func strided(first, second int64) file {
	return file{opset: 18, input: []int{-1, 2, 1, 1},
		consts: []*onnx.Tensor{
			ints("row", -1), named("zero", &onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{0}}), named("one", &onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{1}}),
			ints("two", 2), ints("a", 1), ints("c", first, second), ints("none")},
		nodes: []*onnx.Node{
			node("Reshape", "all", nil, "x", "row"), node("Shape", "n1", onnx.Attrs{"start": int64(0), "end": int64(1)}, "x"), node("Squeeze", "n", nil, "n1"),
			node("Range", "r", nil, "zero", "n", "one"), node("Mul", "off", nil, "r", "two"), node("Unsqueeze", "off2", nil, "off", "a"),
			node("Add", "i", nil, "off2", "c"), node("Gather", "y", nil, "all", "i")}}
}

// keras normalises each row, [N·rows, 2], as channels of one picture.
func keras() file {
	return file{opset: 18, input: []int{-1, 1, 1, 2},
		consts: []*onnx.Tensor{ints("rows", 0, 1, 2), ints("one", 1), ints("two", 2), ints("zero", 0), floats("onef", []int{1}, 1), floats("zerof", []int{1}, 0), ints("axes", 0, 2, 3)},
		nodes: []*onnx.Node{
			node("Reshape", "t", nil, "x", "rows"), node("Shape", "s", nil, "t"), node("Slice", "nr", nil, "s", "zero", "two"),
			node("ReduceProd", "count", onnx.Attrs{"keepdims": int64(1)}, "nr"), node("Concat", "to", onnx.Attrs{"axis": int64(0)}, "one", "count", "two", "one"),
			node("Reshape", "b", nil, "t", "to"), node("Expand", "scale", nil, "onef", "count"), node("Expand", "bias", nil, "zerof", "count"),
			node("ReduceMean", "m", onnx.Attrs{"keepdims": int64(0)}, "b", "axes"),
			node("Abs", "v", nil, "half"), // the variance of 1, 2 is a quarter; a half here
			node("BatchNormalization", "n", onnx.Attrs{"epsilon": float32(0)}, "b", "scale", "bias", "m", "v"), node("Reshape", "y", nil, "n", "s"),
			node("Sub", "d", nil, "m", "m"), node("Add", "half", nil, "d", "halff"), node("Constant", "halff", onnx.Attrs{"value": onnx.Floats([]float32{0.5}, 1)}),
			node("Identity", "y2", nil, "y")}}
}

// ifFile negates x where a condition holds, in a branch that reads it from outside.
func ifFile(on *onnx.Tensor, before ...*onnx.Node) file {
	branch := func(op string) *onnx.Graph {
		return &onnx.Graph{Name: op, Nodes: []*onnx.Node{node("Identity", "inner", nil, "outer"), node(op, "x", nil, "inner")}, Outputs: []onnx.Value{{Name: "x"}}}
	}
	f := file{opset: 18, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{ints("k", 1)}}
	if on != nil {
		f.consts = append(f.consts, on)
	}
	f.nodes = append(before, node("Identity", "outer", nil, "x"),
		node("If", "y", onnx.Attrs{"then_branch": branch("Neg"), "else_branch": branch("Quux")}, "on"))
	return f
}

// TestFunctions: operators that a file defines itself, with attributes, are put
// where they are called.
func TestFunctions(t *testing.T) {
	str := func(b []byte, num protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
	}
	msg := func(b []byte, num protowire.Number, m []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), m)
	}
	leaky := str(str(str(nil, 1, "a"), 2, "b"), 4, "LeakyRelu")
	leaky = msg(leaky, 5, str(str(nil, 1, "alpha"), 21, "slope"))
	neg := str(str(str(nil, 1, "b"), 2, "out"), 4, "Neg")
	function := str(str(str(str(str(nil, 1, "Odd"), 10, "mine"), 4, "a"), 5, "out"), 6, "slope")
	function = msg(msg(function, 7, leaky), 7, neg)
	call := func(in, out string, slope float32) *onnx.Node {
		return &onnx.Node{Domain: "mine", Op: "Odd", Inputs: []string{in}, Outputs: []string{out}, Attrs: onnx.Attrs{"slope": slope}}
	}
	f := file{opset: 18, input: []int{-1, 1, 1, 1}, nodes: []*onnx.Node{call("x", "b", 9), call("b", "y", 0.25)}}
	g, err := onnximport.Read(msg(f.encode(t), 25, function))
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range g.Nodes {
		if n.Op != "Identity" {
			ops = append(ops, n.Op)
		}
	}
	if !slices.Equal(ops, []string{"LeakyRelu", "Neg", "LeakyRelu", "Neg"}) {
		t.Errorf("the network is %v", ops)
	}
	if _, err := onnximport.Read(msg(file{opset: 18, input: []int{-1, 1, 1, 1}, nodes: []*onnx.Node{call("x", "y", 1)}}.encode(t), 25,
		msg(function, 7, str(str(str(str(nil, 1, "out"), 2, "more"), 4, "Odd"), 7, "mine")))); err == nil {
		t.Error("a function that calls itself was imported")
	}
}

// TestWeightsInConstants: a file that keeps its weights in Constant nodes has
// parameters like others; numbers and settings are none.
func TestWeightsInConstants(t *testing.T) {
	constant := func(name string, shape []int, xs ...float32) *onnx.Node {
		return node("Constant", name, onnx.Attrs{"value": onnx.Floats(xs, shape...)})
	}
	f := file{opset: 13, input: []int{-1, 1, 1, 2}, nodes: []*onnx.Node{
		constant("w", []int{2, 1, 1, 1}, 1, 2), constant("b", []int{2}, 1, 2), constant("scale", []int{2}, 1, 1), constant("shift", []int{2}, 0, 0),
		constant("mean", []int{2}, 0, 0), constant("variance", []int{2}, 1, 1), constant("eps", []int{1}, 1),
		node("Conv", "c", nil, "x", "w", "b"), node("BatchNormalization", "n", nil, "c", "scale", "shift", "mean", "variance"), node("Add", "y", nil, "n", "eps")}}
	if got, want := parameterNames(t, f), []string{"b", "scale", "shift", "w"}; !slices.Equal(got, want) {
		t.Errorf("parameters %v, want %v", got, want)
	}
}

func parameterNames(t *testing.T, f file) []string {
	t.Helper()
	g, err := onnximport.Read(f.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range g.Initializers {
		if p.Param {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestSharedStatistics: a tensor that is a parameter and a running statistic is
// trained, and the statistic a copy of it.
func TestSharedStatistics(t *testing.T) {
	f := file{opset: 13, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{floats("s", []int{1}, 2), floats("zero", []int{1}, 0), floats("one", []int{1}, 1)},
		nodes: []*onnx.Node{node("BatchNormalization", "y", nil, "x", "s", "zero", "zero", "one")}}
	if got, want := parameterNames(t, f), []string{"s", "zero"}; !slices.Equal(got, want) {
		t.Errorf("parameters %v, want %v", got, want)
	}
}

// TestOpenSizes: what a file leaves open is what is asked for; what it says is
// no obstacle.
func TestOpenSizes(t *testing.T) {
	for name, c := range map[string]struct {
		input   []int
		options onnximport.Options
		want    []int
	}{
		"open":                             {[]int{-1, 3, -1, -1}, onnximport.Options{Height: 8, Width: 6}, []int{-1, 3, 8, 6}},
		"channels from the convolution":    {[]int{-1, -1, -1, -1}, onnximport.Options{Channels: 1, Height: 8, Width: 6}, []int{-1, 3, 8, 6}},
		"another size than the file's":     {[]int{1, 3, 4, 4}, onnximport.Options{Height: 8, Width: 6}, []int{-1, 3, 8, 6}},
		"the file's where it is not asked": {[]int{1, 3, 4, 4}, onnximport.Options{}, []int{-1, 3, 4, 4}},
	} {
		f := file{opset: 18, input: c.input, consts: []*onnx.Tensor{floats("w", []int{1, 3, 1, 1}, 1, 1, 1)},
			nodes: []*onnx.Node{
				node("Conv", "c", nil, "x", "w"), node("Shape", "s", nil, "c"), node("Neg", "d", nil, "c"), node("Reshape", "y", nil, "d", "s")}}
		g, err := onnximport.ReadWith(f.encode(t), c.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := g.Inputs[0].Shape; !slices.Equal(got, c.want) {
			t.Errorf("%s: the input is %v, want %v", name, got, c.want)
		}
	}
	fixed := file{opset: 18, input: []int{-1, 3, 2, 2}, consts: []*onnx.Tensor{floats("w", []int{12, 1}, make([]float32, 12)...), ints("to", 0, 12)},
		nodes: []*onnx.Node{node("Reshape", "r", nil, "x", "to"), node("MatMul", "y", nil, "r", "w")}}
	g, err := onnximport.ReadWith(fixed.encode(t), onnximport.Options{Height: 8, Width: 8})
	if err != nil || g.Inputs[0].Shape[2] != 2 {
		t.Errorf("a network that takes its own size alone gives %v", err)
	}
}

// TestOutputs: one output is kept, and the others are named.
func TestOutputs(t *testing.T) {
	g := &onnx.Graph{Name: "two", Inputs: []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{onnx.Batch, 1, 1, 1}}},
		Outputs: []onnx.Value{{Name: "features", Type: onnx.Float}, {Name: "scores", Type: onnx.Float}},
		Nodes:   []*onnx.Node{node("Neg", "features", nil, "x"), node("Abs", "scores", nil, "features")}}
	data, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	for choose, left := range map[string]string{"": "scores", "scores": "features"} {
		g, err := onnximport.ReadWith(data, onnximport.Options{Output: choose})
		if err != nil || !slices.Equal(g.LeftOut, []string{left}) || g.Outputs[0].Name == left {
			t.Errorf("output %q: %v, left out %v", choose, err, g.LeftOut)
		}
	}
	var e *onnximport.Error
	if _, err := onnximport.ReadWith(data, onnximport.Options{Output: "head"}); !errors.As(err, &e) || !strings.Contains(e.Hint(), "features, scores") {
		t.Errorf("an output that is not there gives %v", err)
	}
}

// TestHints: what comes of how a network was exported is said.
func TestHints(t *testing.T) {
	double := named("w", &onnx.Tensor{Type: onnx.Double, Shape: []int{1, 1, 1, 1}, Data: []float64{1}})
	for want, f := range map[string]file{
		"model.eval()": {opset: 18, input: []int{-1, 1, 1, 1}, nodes: []*onnx.Node{node("RandomUniformLike", "r", nil, "x"), node("Mul", "y", nil, "x", "r")}},
		"quantised":    {opset: 18, input: []int{-1, 1, 1, 1}, nodes: []*onnx.Node{node("DequantizeLinear", "r", nil, "x"), node("Mul", "y", nil, "x", "r")}},
		"float32": {opset: 18, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{double}, nodes: []*onnx.Node{
			node("Cast", "d", onnx.Attrs{"to": int64(onnx.Double)}, "x"), node("Conv", "y", nil, "d", "w")}},
	} {
		var e *onnximport.Error
		if _, err := onnximport.Read(f.encode(t)); !errors.As(err, &e) || !strings.Contains(e.Hint(), want) {
			t.Errorf("%v has no hint of %q", err, want)
		}
	}
}

// external moves the data of the only initializer of a file to another one.
func external(t *testing.T, entries ...string) (model []byte, data []byte) {
	t.Helper()
	f := file{opset: 18, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{floats("w", []int{2, 1, 1, 1}, 3, 5)}, nodes: []*onnx.Node{node("Conv", "y", nil, "x", "w")}}
	whole := f.encode(t)
	raw := []byte{0, 0, 0x40, 0x40, 0, 0, 0xa0, 0x40} // 3, 5
	at := strings.Index(string(whole), string(raw))
	if at < 0 {
		t.Fatal("the weights are not in the file")
	}
	// The bytes become fields of the same length, so that the lengths around stay
	// right: raw_data (2 + 8 bytes) is the last field of its tensor.
	var fields []byte
	for i := 0; i < len(entries); i += 2 {
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), entries[i])
		entry = protowire.AppendString(protowire.AppendTag(entry, 2, protowire.BytesType), entries[i+1])
		fields = protowire.AppendBytes(protowire.AppendTag(fields, 13, protowire.BytesType), entry)
	}
	fields = protowire.AppendVarint(protowire.AppendTag(fields, 14, protowire.VarintType), 1)
	return grown(t, whole, at-2, 10, fields), raw
}

// grown replaces bytes inside the tensor of a model, whose graph and tensor are
// written with their new lengths.
func grown(t *testing.T, model []byte, at, length int, with []byte) []byte {
	t.Helper()
	var out []byte
	for rest, done := model, 0; len(rest) > 0; {
		num, wire, n := protowire.ConsumeTag(rest)
		m := protowire.ConsumeFieldValue(num, wire, rest[n:])
		end := done + n + m
		if wire == protowire.BytesType && (num == 7 || num == 5) && done <= at && at < end {
			inner, k := protowire.ConsumeBytes(rest[n:])
			start := done + n + k - len(inner)
			inner = grown(t, inner, at-start, length, with)
			out = protowire.AppendBytes(protowire.AppendTag(out, num, wire), inner)
		} else if done == at {
			out = append(out, with...)
		} else {
			out = append(out, rest[:n+m]...)
		}
		rest, done = rest[n+m:], end
	}
	return out
}

// TestExternalData: weights beside the file are found, and nothing else is read.
func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "in")
	if err := os.MkdirAll(filepath.Join(inside, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	model, data := external(t, "location", "w.bin")
	for path, content := range map[string][]byte{"in/w.bin": data, "in/sub/w.bin": append([]byte("1234"), append(data, 9)...), "out.bin": data} {
		if err := os.WriteFile(filepath.Join(dir, path), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../out.bin", filepath.Join(inside, "link.bin")); err != nil {
		t.Fatal(err)
	}
	load := func(model []byte) (*onnx.Graph, error) {
		path := filepath.Join(inside, "m.onnx")
		if err := os.WriteFile(path, model, 0o644); err != nil {
			t.Fatal(err)
		}
		return onnximport.Load(path)
	}
	part, _ := external(t, "location", "sub/w.bin", "offset", "4", "length", "8")
	for name, model := range map[string][]byte{"a whole file": model, "a part": part} {
		g, err := load(model)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if w := g.Initializer("w"); w == nil || !w.Param || !slices.Equal(w.F32(), []float32{3, 5}) {
			t.Errorf("%s: the weights are %+v", name, w)
		}
	}
	for name, entries := range map[string][]string{
		"a missing file": {"location", "none.bin"}, "above the folder": {"location", "../out.bin"}, "a link out of it": {"location", "link.bin"},
		"an absolute path": {"location", filepath.Join(dir, "out.bin")}, "no path": {},
		"behind the end": {"location", "w.bin", "offset", "9"}, "too long": {"location", "w.bin", "length", "9"}, "no number": {"location", "w.bin", "offset", "x"},
	} {
		model, _ := external(t, entries...)
		_, err := load(model)
		var e *onnx.ExternalError
		if !errors.As(err, &e) || e.Tensor != "w" || !strings.Contains(e.Hint(), "beside the network") {
			t.Errorf("%s gives %v", name, err)
		}
	}
	if _, err := onnximport.Read(model); err == nil {
		t.Error("a file without a folder was read whole")
	}
}

// TestParameterNames: no name is one that a program gives to something else.
func TestParameterNames(t *testing.T) {
	f := file{opset: 18, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{floats("w", []int{1, 1, 1, 1}, 3), floats("w'", []int{1}, 1), floats("w_", []int{1}, 1), floats("w#0", []int{1}, 1)},
		nodes: []*onnx.Node{node("Conv", "c", nil, "x", "w", "w'"), node("Mul", "d", nil, "c", "w_"), node("Add", "y", nil, "d", "w#0")}}
	if got, want := parameterNames(t, f), []string{"w", "w_", "w_0", "w__"}; !slices.Equal(got, want) {
		t.Errorf("parameters %v, want %v", got, want)
	}
}
