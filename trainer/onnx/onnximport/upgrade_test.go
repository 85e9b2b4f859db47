package onnximport_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/onnx/onnximport"
)

// file is a model as an exporter of some version writes it: Encode writes the
// graph, and the operator-set version is put in place of its own.
type file struct {
	opset  int
	input  []int // -1 is an open dimension
	nodes  []*onnx.Node
	consts []*onnx.Tensor
	inputs []onnx.Value // listed besides x
}

// encode writes the file; the last output of the last node is the model's.
func (f file) encode(t testing.TB) []byte {
	t.Helper()
	last := f.nodes[len(f.nodes)-1]
	g := &onnx.Graph{
		Name:         "test",
		Inputs:       append([]onnx.Value{{Name: "x", Type: onnx.Float, Shape: f.input}}, f.inputs...),
		Outputs:      []onnx.Value{{Name: last.Outputs[0], Type: onnx.Float}},
		Nodes:        f.nodes,
		Initializers: f.consts,
	}
	data, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return withOpset(data, f.opset)
}

// withOpset replaces the version of the standard domain.
func withOpset(model []byte, version int) []byte {
	var out []byte
	for len(model) > 0 {
		num, wire, n := protowire.ConsumeTag(model)
		size := n + protowire.ConsumeFieldValue(num, wire, model[n:])
		if num != 8 {
			out = append(out, model[:size]...)
		}
		model = model[size:]
	}
	opset := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), uint64(version))
	return protowire.AppendBytes(protowire.AppendTag(out, 8, protowire.BytesType), opset)
}

// node is short for a node whose single output has its name.
func node(op, out string, attrs onnx.Attrs, in ...string) *onnx.Node {
	return &onnx.Node{Op: op, Inputs: in, Outputs: []string{out}, Attrs: attrs}
}

func named(name string, t *onnx.Tensor) *onnx.Tensor { t.Name = name; return t }

func ints(name string, xs ...int64) *onnx.Tensor { return named(name, onnx.Ints(xs...)) }

func floats(name string, shape []int, xs ...float32) *onnx.Tensor {
	return named(name, onnx.Floats(xs, shape...))
}

// ramp is a picture batch of 1, 2, 3, ...
func ramp(shape ...int) *onnxeval.Array {
	a := &onnxeval.Array{Type: onnx.Float, Shape: shape, Data: make([]float64, onnx.NumElements(shape))}
	for i := range a.Data {
		a.Data[i] = float64(i + 1)
	}
	return a
}

// forward imports the file and runs it on a ramp of the given batch size.
func (f file) forward(t *testing.T, batch int) *onnxeval.Array {
	t.Helper()
	g, err := onnximport.Read(f.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	b := onnx.NewBuilder("fixed")
	shape := append([]int{batch}, g.Inputs[0].Shape[1:]...)
	x := b.Input("x", onnx.Float, shape...)
	b.Output("answer", b.Replay(g, map[string]onnx.Value{"x": x})[0])
	fixed, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	out, err := onnxeval.Run(fixed, map[string]*onnxeval.Array{"x": ramp(shape...)})
	if err != nil {
		t.Fatal(err)
	}
	return out["answer"]
}

// TestUpgrade imports one operator in each of its older or newer forms and
// compares what it computes on 1, 2, 3, ... with the value of its definition.
func TestUpgrade(t *testing.T) {
	sm := func(xs ...float64) []float64 { return softmax(xs) }
	for _, c := range []struct {
		name  string
		file  file
		batch int
		shape []int
		want  []float64
	}{
		{"ReduceMean 11 has its axes as attribute", file{opset: 11, input: []int{-1, 1, 2, 2},
			nodes: []*onnx.Node{node("ReduceMean", "y", onnx.Attrs{"axes": []int64{2, 3}, "keepdims": int64(0)}, "x")}},
			2, []int{2, 1}, []float64{2.5, 6.5}},
		{"ReduceMean 18 has them as input", file{opset: 18, input: []int{-1, 1, 2, 2}, consts: []*onnx.Tensor{ints("a", 2, 3)},
			nodes: []*onnx.Node{node("ReduceMean", "y", onnx.Attrs{"keepdims": int64(0)}, "x", "a")}},
			2, []int{2, 1}, []float64{2.5, 6.5}},
		{"ReduceSum 12", file{opset: 12, input: []int{-1, 1, 2, 2},
			nodes: []*onnx.Node{node("ReduceSum", "y", onnx.Attrs{"axes": []int64{-1}}, "x")}},
			1, []int{1, 1, 2, 1}, []float64{3, 7}},
		{"Squeeze 11", file{opset: 11, input: []int{-1, 2, 1, 1},
			nodes: []*onnx.Node{node("Squeeze", "y", onnx.Attrs{"axes": []int64{2, 3}}, "x")}},
			2, []int{2, 2}, []float64{1, 2, 3, 4}},
		{"Squeeze 13", file{opset: 13, input: []int{-1, 2, 1, 1}, consts: []*onnx.Tensor{ints("a", 2, 3)},
			nodes: []*onnx.Node{node("Squeeze", "y", nil, "x", "a")}},
			2, []int{2, 2}, []float64{1, 2, 3, 4}},
		{"Unsqueeze 11", file{opset: 11, input: []int{-1, 2, 1, 1},
			nodes: []*onnx.Node{node("Unsqueeze", "y", onnx.Attrs{"axes": []int64{1, -1}}, "x")}},
			1, []int{1, 1, 2, 1, 1, 1}, []float64{1, 2}},
		{"Split 11 by attribute", file{opset: 11, input: []int{-1, 3, 1, 1},
			nodes: []*onnx.Node{
				{Op: "Split", Inputs: []string{"x"}, Outputs: []string{"p", "q"}, Attrs: onnx.Attrs{"axis": int64(1), "split": []int64{1, 2}}},
				node("Neg", "y", nil, "q")}},
			2, []int{2, 2, 1, 1}, []float64{-2, -3, -5, -6}},
		{"Split 13 in equal parts", file{opset: 13, input: []int{-1, 4, 1, 1},
			nodes: []*onnx.Node{
				{Op: "Split", Inputs: []string{"x"}, Outputs: []string{"p", "q"}, Attrs: onnx.Attrs{"axis": int64(1)}},
				node("Sub", "y", nil, "q", "p")}},
			1, []int{1, 2, 1, 1}, []float64{2, 2}},
		{"Split 18 with a smaller last part", file{opset: 18, input: []int{-1, 3, 1, 1},
			nodes: []*onnx.Node{
				{Op: "Split", Inputs: []string{"x"}, Outputs: []string{"p", "q"}, Attrs: onnx.Attrs{"axis": int64(1), "num_outputs": int64(2)}},
				node("Neg", "y", nil, "q")}},
			1, []int{1, 1, 1, 1}, []float64{-3}},
		{"Slice 9", file{opset: 9, input: []int{-1, 1, 1, 4},
			nodes: []*onnx.Node{node("Slice", "y", onnx.Attrs{"starts": []int64{1}, "ends": []int64{math.MaxInt64}, "axes": []int64{3}}, "x")}},
			1, []int{1, 1, 1, 3}, []float64{2, 3, 4}},
		{"Slice 13 backwards", file{opset: 13, input: []int{-1, 1, 1, 4},
			consts: []*onnx.Tensor{ints("s", -1), ints("e", math.MinInt64), ints("a", 3), ints("p", -2)},
			nodes:  []*onnx.Node{node("Slice", "y", nil, "x", "s", "e", "a", "p")}},
			1, []int{1, 1, 1, 2}, []float64{4, 2}},
		{"Pad 9", file{opset: 9, input: []int{-1, 1, 1, 2},
			nodes: []*onnx.Node{node("Pad", "y", onnx.Attrs{"pads": []int64{0, 0, 0, 1, 0, 0, 0, 2}, "value": float32(-1)}, "x")}},
			1, []int{1, 1, 1, 5}, []float64{-1, 1, 2, -1, -1}},
		{"Clip 6", file{opset: 7, input: []int{-1, 1, 1, 4},
			nodes: []*onnx.Node{node("Clip", "y", onnx.Attrs{"min": float32(2), "max": float32(3)}, "x")}},
			1, []int{1, 1, 1, 4}, []float64{2, 2, 3, 3}},
		{"Clip 6 with one bound", file{opset: 7, input: []int{-1, 1, 1, 4},
			nodes: []*onnx.Node{node("Clip", "y", onnx.Attrs{"max": float32(3)}, "x")}},
			1, []int{1, 1, 1, 4}, []float64{1, 2, 3, 3}},
		{"Dropout 7 with an unread mask", file{opset: 7, input: []int{-1, 1, 1, 2},
			nodes: []*onnx.Node{
				{Op: "Dropout", Inputs: []string{"x"}, Outputs: []string{"d", "mask"}, Attrs: onnx.Attrs{"ratio": float32(0.25)}},
				node("Neg", "y", nil, "d")}},
			1, []int{1, 1, 1, 2}, []float64{-1, -2}},
		{"Softmax 11 over everything after the batch", file{opset: 11, input: []int{-1, 2, 1, 2},
			nodes: []*onnx.Node{node("Softmax", "y", nil, "x")}},
			2, []int{2, 2, 1, 2}, append(sm(1, 2, 3, 4), sm(5, 6, 7, 8)...)},
		{"Softmax 11 from axis 2 on", file{opset: 11, input: []int{-1, 2, 2, 2},
			nodes: []*onnx.Node{node("Softmax", "y", onnx.Attrs{"axis": int64(2)}, "x")}},
			1, []int{1, 2, 2, 2}, append(sm(1, 2, 3, 4), sm(5, 6, 7, 8)...)},
		{"Softmax 11 where one dimension is left", file{opset: 11, input: []int{-1, 2, 1, 1},
			nodes: []*onnx.Node{node("Softmax", "y", nil, "x")}},
			2, []int{2, 2, 1, 1}, append(sm(1, 2), sm(3, 4)...)},
		{"Softmax 13 along the last axis", file{opset: 13, input: []int{-1, 2, 1, 2},
			nodes: []*onnx.Node{node("Softmax", "y", nil, "x")}},
			1, []int{1, 2, 1, 2}, append(sm(1, 2), sm(3, 4)...)},
		{"BatchNormalization 7 with spatial and five outputs", file{opset: 7, input: []int{-1, 1, 1, 2},
			consts: []*onnx.Tensor{floats("s", []int{1}, 2), floats("b", []int{1}, 1), floats("m", []int{1}, 1), floats("v", []int{1}, 4)},
			nodes: []*onnx.Node{
				{Op: "BatchNormalization", Inputs: []string{"x", "s", "b", "m", "v"}, Outputs: []string{"n", "a1", "a2", "a3", "a4"},
					Attrs: onnx.Attrs{"spatial": int64(1), "epsilon": float32(0)}},
				node("Identity", "y", nil, "n")}},
			1, []int{1, 1, 1, 2}, []float64{1, 2}},
		{"Upsample 7", file{opset: 7, input: []int{-1, 1, 1, 2},
			nodes: []*onnx.Node{node("Upsample", "y", onnx.Attrs{"scales": []float32{1, 1, 1, 2}}, "x")}},
			1, []int{1, 1, 1, 4}, []float64{1, 1, 2, 2}},
		{"Upsample 9", file{opset: 9, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{floats("k", []int{4}, 1, 1, 1, 2)},
			nodes: []*onnx.Node{node("Upsample", "y", nil, "x", "k")}},
			1, []int{1, 1, 1, 4}, []float64{1, 1, 2, 2}},
		{"Resize 10", file{opset: 10, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{floats("k", []int{4}, 1, 1, 1, 2)},
			nodes: []*onnx.Node{node("Resize", "y", onnx.Attrs{"mode": "nearest"}, "x", "k")}},
			1, []int{1, 1, 1, 4}, []float64{1, 1, 2, 2}},
		{"Resize 13 to sizes that hold the batch", file{opset: 13, input: []int{1, 1, 1, 2}, consts: []*onnx.Tensor{ints("z", 1, 1, 2, 4)},
			nodes: []*onnx.Node{node("Resize", "y", onnx.Attrs{"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, "x", "", "", "z")}},
			2, []int{2, 1, 2, 4}, []float64{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}},
		{"Resize 18 of some axes", file{opset: 18, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{ints("z", 4)},
			nodes: []*onnx.Node{node("Resize", "y", onnx.Attrs{"axes": []int64{-1}, "mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, "x", "", "", "z")}},
			1, []int{1, 1, 1, 4}, []float64{1, 1, 2, 2}},
		{"Scatter 9", file{opset: 9, input: []int{-1, 1, 1, 2},
			consts: []*onnx.Tensor{named("i", &onnx.Tensor{Type: onnx.Int64, Shape: []int{1, 1}, Data: []int64{1}}), floats("u", []int{1, 1}, 9), floats("base", []int{1, 2}, 0, 0)},
			nodes: []*onnx.Node{
				node("Scatter", "s", onnx.Attrs{"axis": int64(1)}, "base", "i", "u"),
				node("Add", "y", nil, "x", "s")}},
			1, []int{1, 1, 1, 2}, []float64{1, 11}},
		{"Gelu 20", file{opset: 20, input: []int{-1, 1, 1, 2},
			nodes: []*onnx.Node{node("Gelu", "y", nil, "x")}},
			1, []int{1, 1, 1, 2}, []float64{gelu(1), gelu(2)}},
		{"Gelu 20 by tanh", file{opset: 20, input: []int{-1, 1, 1, 2},
			nodes: []*onnx.Node{node("Gelu", "y", onnx.Attrs{"approximate": "tanh"}, "x")}},
			1, []int{1, 1, 1, 2}, []float64{tanhGelu(1), tanhGelu(2)}},
		{"GroupNormalization 18 scales groups", file{opset: 18, input: []int{-1, 4, 1, 1},
			consts: []*onnx.Tensor{floats("s", []int{2}, 1, 10), floats("b", []int{2}, 0, 5)},
			nodes:  []*onnx.Node{node("GroupNormalization", "y", onnx.Attrs{"num_groups": int64(2), "epsilon": float32(0)}, "x", "s", "b")}},
			1, []int{1, 4, 1, 1}, []float64{-1, 1, -5, 15}},
		{"GroupNormalization 21 scales channels", file{opset: 21, input: []int{-1, 4, 1, 1},
			consts: []*onnx.Tensor{floats("s", []int{4}, 1, 2, 3, 4), floats("b", []int{4}, 0, 0, 0, 1)},
			nodes:  []*onnx.Node{node("GroupNormalization", "y", onnx.Attrs{"num_groups": int64(2), "epsilon": float32(0)}, "x", "s", "b")}},
			1, []int{1, 4, 1, 1}, []float64{-1, 2, -3, 5}},
		{"AveragePool 19 with dilations of one", file{opset: 19, input: []int{-1, 1, 2, 2},
			nodes: []*onnx.Node{node("AveragePool", "y", onnx.Attrs{"kernel_shape": []int64{2, 2}, "dilations": []int64{1, 1}}, "x")}},
			1, []int{1, 1, 1, 1}, []float64{2.5}},
		{"Cast 19 saturates", file{opset: 19, input: []int{-1, 1, 1, 2},
			nodes: []*onnx.Node{node("Cast", "y", onnx.Attrs{"to": int64(onnx.Float), "saturate": int64(1)}, "x")}},
			1, []int{1, 1, 1, 2}, []float64{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.file.forward(t, c.batch)
			if !slices.Equal(got.Shape, c.shape) {
				t.Fatalf("shape %v, want %v", got.Shape, c.shape)
			}
			for i, want := range c.want {
				if math.Abs(got.Data[i]-want) > 1e-6*(1+math.Abs(want)) {
					t.Fatalf("got %v, want %v", got.Data, c.want)
				}
			}
		})
	}
}

func softmax(xs []float64) []float64 {
	sum := 0.0
	for _, x := range xs {
		sum += math.Exp(x)
	}
	out := make([]float64, len(xs))
	for i, x := range xs {
		out[i] = math.Exp(x) / sum
	}
	return out
}

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func tanhGelu(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// TestOpenBatch runs networks whose files fix the batch, or compute with it, on
// more pictures than the file was written for.
func TestOpenBatch(t *testing.T) {
	token := floats("token", []int{1, 1, 2}, 100, 200)
	for _, c := range []struct {
		name  string
		file  file
		batch int
		shape []int
		want  []float64
	}{
		{"Reshape to a literal batch", file{opset: 11, input: []int{1, 2, 1, 1}, consts: []*onnx.Tensor{ints("to", 1, 2)},
			nodes: []*onnx.Node{node("Reshape", "y", nil, "x", "to")}},
			3, []int{3, 2}, []float64{1, 2, 3, 4, 5, 6}},
		{"Reshape to a literal batch and the rest", file{opset: 11, input: []int{1, 2, 1, 1}, consts: []*onnx.Tensor{ints("to", 1, -1)},
			nodes: []*onnx.Node{node("Reshape", "y", nil, "x", "to")}},
			3, []int{3, 2}, []float64{1, 2, 3, 4, 5, 6}},
		{"Reshape with a batch of two", file{opset: 11, input: []int{2, 2, 1, 1}, consts: []*onnx.Tensor{ints("to", 2, 2)},
			nodes: []*onnx.Node{node("Reshape", "y", nil, "x", "to")}},
			3, []int{3, 2}, []float64{1, 2, 3, 4, 5, 6}},
		{"Reshape of windows into the batch and back", file{opset: 11, input: []int{1, 4, 1, 1}, consts: []*onnx.Tensor{ints("win", 2, 2), ints("back", 1, 4)},
			nodes: []*onnx.Node{
				node("Reshape", "w", nil, "x", "win"), node("Softmax", "s", onnx.Attrs{"axis": int64(1)}, "w"),
				node("Reshape", "y", nil, "s", "back")}},
			2, []int{2, 4}, slices.Concat(softmax([]float64{1, 2}), softmax([]float64{3, 4}), softmax([]float64{5, 6}), softmax([]float64{7, 8}))},
		{"Flatten as PyTorch once wrote it", file{opset: 9, input: []int{-1, 2, 1, 1}, consts: []*onnx.Tensor{},
			nodes: []*onnx.Node{
				node("Shape", "shape", nil, "x"),
				node("Constant", "zero", onnx.Attrs{"value": &onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{0}}}),
				node("Gather", "n", onnx.Attrs{"axis": int64(0)}, "shape", "zero"),
				node("Unsqueeze", "n1", onnx.Attrs{"axes": []int64{0}}, "n"),
				node("Constant", "rest", onnx.Attrs{"value": onnx.Ints(-1)}),
				node("Concat", "to", onnx.Attrs{"axis": int64(0)}, "n1", "rest"),
				node("Reshape", "y", nil, "x", "to")}},
			3, []int{3, 2}, []float64{1, 2, 3, 4, 5, 6}},
		{"a class token expanded by the batch's size", file{opset: 13, input: []int{-1, 1, 1, 2}, consts: []*onnx.Tensor{token, ints("i", 0), ints("tail", 1, 2), ints("ax", 1)},
			nodes: []*onnx.Node{
				node("Squeeze", "seq", nil, "x", "ax"),
				node("Shape", "shape", nil, "x"), node("Gather", "n", nil, "shape", "i"),
				node("Concat", "to", onnx.Attrs{"axis": int64(0)}, "n", "tail"),
				node("Expand", "tokens", nil, "token", "to"),
				node("Concat", "y", onnx.Attrs{"axis": int64(1)}, "tokens", "seq")}},
			2, []int{2, 2, 2}, []float64{100, 200, 1, 2, 100, 200, 3, 4}},
		{"a class token in a file for one picture", file{opset: 13, input: []int{1, 1, 1, 2}, consts: []*onnx.Tensor{token, ints("ax", 1)},
			nodes: []*onnx.Node{
				node("Squeeze", "seq", nil, "x", "ax"),
				node("Concat", "y", onnx.Attrs{"axis": int64(1)}, "token", "seq")}},
			2, []int{2, 2, 2}, []float64{100, 200, 1, 2, 100, 200, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.file.forward(t, c.batch)
			if !slices.Equal(got.Shape, c.shape) {
				t.Fatalf("shape %v, want %v", got.Shape, c.shape)
			}
			for i, want := range c.want {
				if math.Abs(got.Data[i]-want) > 1e-6 {
					t.Fatalf("got %v, want %v", got.Data, c.want)
				}
			}
		})
	}
}

// TestClassTokenStaysAParameter: expanding it over the batch must not turn it
// into a constant that training leaves alone.
func TestClassTokenStaysAParameter(t *testing.T) {
	f := file{opset: 13, input: []int{1, 1, 1, 2}, consts: []*onnx.Tensor{floats("token", []int{1, 1, 2}, 1, 2), ints("ax", 1)},
		nodes: []*onnx.Node{
			node("Squeeze", "seq", nil, "x", "ax"),
			node("Concat", "y", onnx.Attrs{"axis": int64(1)}, "token", "seq")}}
	g, err := onnximport.Read(f.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	if token := g.Initializer("token"); token == nil || !token.Param {
		t.Errorf("the token is %+v; it must stay a parameter", token)
	}
}

// TestParameters says which tensors training may change.
func TestParameters(t *testing.T) {
	f := file{opset: 9, input: []int{-1, 1, 1, 2},
		inputs: []onnx.Value{{Name: "s", Type: onnx.Float, Shape: []int{1}}}, // as files before IR version 4 list weights
		consts: []*onnx.Tensor{
			floats("s", []int{1}, 1), floats("b", []int{1}, 0), floats("m", []int{1}, 0), floats("v", []int{1}, 1),
			floats("w", []int{2, 2}, 1, 2, 3, 4), floats("alpha", []int{}, 2), ints("shape", 1, 1, 1, 2), ints("flat", 0, -1)},
		nodes: []*onnx.Node{
			node("BatchNormalization", "n", nil, "x", "s", "b", "m", "v"),
			node("Mul", "scaled", nil, "n", "alpha"),
			node("Constant", "c", onnx.Attrs{"value": onnx.Floats([]float32{1, 1}, 2)}),
			node("Add", "shifted", nil, "scaled", "c"),
			node("ConstantOfShape", "bias", onnx.Attrs{"value": onnx.Floats([]float32{3}, 1)}, "shape"),
			node("Add", "biased", nil, "shifted", "bias"),
			node("Reshape", "rows", nil, "biased", "flat"),
			node("Transpose", "wt", onnx.Attrs{"perm": []int64{1, 0}}, "w"),
			node("MatMul", "y", nil, "rows", "wt")}}
	g, err := onnximport.Read(f.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Inputs) != 1 || !slices.Equal(g.Inputs[0].Shape, []int{onnx.Batch, 1, 1, 2}) || !slices.Equal(g.Outputs[0].Shape, []int{onnx.Batch, 2}) {
		t.Errorf("inputs %v, outputs %v", g.Inputs, g.Outputs)
	}
	var params []string
	for _, p := range g.Initializers {
		if p.Param {
			params = append(params, p.Name)
		}
	}
	slices.Sort(params)
	if want := []string{"b", "bias", "s", "wt"}; !slices.Equal(params, want) {
		t.Errorf("parameters %v, want %v", params, want)
	}
	if wt := g.Initializer("wt"); !slices.Equal(wt.F32(), []float32{1, 3, 2, 4}) {
		t.Errorf("the transposed weight is %v", wt.F32())
	}
}

// A mask that a file builds from zeros, as Swin Transformers do for their windows,
// is a constant, though weights that are left out of a file are zeros too.
func TestMasksAreNoParameters(t *testing.T) {
	f := file{opset: 13, input: []int{-1, 1, 1, 4},
		consts: []*onnx.Tensor{ints("shape", 4), ints("row", 1, 1, 1, 4), named("at", &onnx.Tensor{Type: onnx.Int64, Shape: []int{2, 1}, Data: []int64{1, 2}}), ints("two", 2)},
		nodes: []*onnx.Node{
			node("ConstantOfShape", "zeros", nil, "shape"),
			node("ConstantOfShape", "one", onnx.Attrs{"value": onnx.Floats([]float32{1}, 1)}, "unit"),
			node("Expand", "ones", nil, "one", "two"),
			node("ScatterND", "mask", nil, "zeros", "at", "ones"),
			node("Reshape", "wide", nil, "mask", "row"),
			node("Add", "y", nil, "x", "wide")}}
	f.consts = append(f.consts, ints("unit", 1))
	g, err := onnximport.Read(f.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) != 1 || len(g.Initializers) != 1 {
		t.Fatalf("%d nodes and %d constants are left, want the sum and its mask", len(g.Nodes), len(g.Initializers))
	}
	if mask := g.Initializers[0]; mask.Param || !slices.Equal(mask.F32(), []float32{0, 1, 1, 0}) {
		t.Errorf("the mask is %+v", mask)
	}
}

// TestLayerNames: exporters' parameter names give layers the names people know.
func TestLayerNames(t *testing.T) {
	for _, c := range []struct{ weight, bias, node, want string }{
		{"conv10_w_0", "conv10_b_0", "", "conv10"},
		{"fire2/squeeze1x1_w_0", "fire2/squeeze1x1_b_0", "", "fire2/squeeze1x1"},
		{"features.0.weight", "features.0.bias", "/features/features.0/Conv", "features.0"},
		{"onnx::Conv_193", "onnx::Conv_194", "/layer1/Conv", "layer1/Conv"},
		{"weights", "offsets", "", "y"},
	} {
		f := file{opset: 13, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{floats(c.weight, []int{1, 1, 1, 1}, 1), floats(c.bias, []int{1}, 1)},
			nodes: []*onnx.Node{{Op: "Conv", Name: c.node, Inputs: []string{"x", c.weight, c.bias}, Outputs: []string{"y"}}}}
		g, err := onnximport.Read(f.encode(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Nodes[0].Name; got != c.want {
			t.Errorf("parameters %s, %s and node name %q: the layer is %q, want %q", c.weight, c.bias, c.node, got, c.want)
		}
	}
}

// TestErrors: every failure says what, and has a hint and the exit code of bad
// input.
func TestErrors(t *testing.T) {
	relu := []*onnx.Node{node("Relu", "y", nil, "x")}
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"not protobuf", []byte("this is a text file, no model"), []string{"ONNX"}},
		{"cut off", file{opset: 13, input: []int{-1, 1, 2, 2}, nodes: relu}.encode(t)[:20], []string{"ONNX"}},
		{"too old", file{opset: 6, input: []int{-1, 1, 2, 2}, nodes: relu}.encode(t), []string{"6"}},
		{"too new", file{opset: 99, input: []int{-1, 1, 2, 2}, nodes: relu}.encode(t), []string{"99"}},
		{"not pictures", file{opset: 13, input: []int{-1, 10}, nodes: relu}.encode(t), []string{"x", "[-1 10]"}},
		{"open height", file{opset: 13, input: []int{-1, 3, -1, -1}, nodes: relu}.encode(t), []string{"x", "open"}},
		{"two inputs", file{opset: 13, input: []int{-1, 1, 2, 2}, nodes: []*onnx.Node{node("Add", "y", nil, "x", "z")}, inputs: []onnx.Value{{Name: "z", Type: onnx.Float, Shape: []int{1}}}}.encode(t), []string{"2 inputs"}},
		{"unknown operator", file{opset: 13, input: []int{-1, 1, 2, 2}, nodes: []*onnx.Node{{Op: "Quux", Name: "odd", Inputs: []string{"x"}, Outputs: []string{"y"}}}}.encode(t), []string{"odd", "Quux"}},
		{"a node without inputs", file{opset: 9, input: []int{-1, 1, 2, 2}, nodes: []*onnx.Node{{Op: "Softmax", Name: "bare", Outputs: []string{"y"}}}}.encode(t), []string{"bare", "0 inputs"}},
		{"too few inputs of a rewritten operator", file{opset: 21, input: []int{-1, 4, 2, 2}, nodes: []*onnx.Node{node("GroupNormalization", "y", onnx.Attrs{"num_groups": int64(2)}, "x")}}.encode(t), []string{"y", "1 inputs"}},
		{"one constant beyond all memory", file{opset: 13, input: []int{-1, 1, 2, 2}, consts: []*onnx.Tensor{ints("s", 1<<20, 1<<20)},
			nodes: []*onnx.Node{node("ConstantOfShape", "c", nil, "s"), node("Add", "y", nil, "x", "c")}}.encode(t), []string{"c", "too large"}},
		{"many constants beyond all memory", manyConstants().encode(t), []string{"c2", "together"}},
		{"undefined input", file{opset: 13, input: []int{-1, 1, 2, 2}, nodes: []*onnx.Node{node("Relu", "y", nil, "nowhere")}}.encode(t), []string{"nowhere"}},
		{"shapes that do not fit", file{opset: 13, input: []int{-1, 3, 2, 2}, consts: []*onnx.Tensor{floats("w", []int{1, 1, 1, 1}, 1)},
			nodes: []*onnx.Node{{Op: "Conv", Name: "bad", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}}}.encode(t), []string{"Conv", "bad"}},
		{"a batch that cannot be opened", file{opset: 13, input: []int{2, 1, 1, 1}, consts: []*onnx.Tensor{ints("to", 1, 2)},
			nodes: []*onnx.Node{{Op: "Reshape", Name: "join", Inputs: []string{"x", "to"}, Outputs: []string{"y"}}}}.encode(t), []string{"join", "batch"}},
		{"the batch's size used as data", file{opset: 13, input: []int{-1, 1, 1, 1}, consts: []*onnx.Tensor{ints("i", 0)},
			nodes: []*onnx.Node{
				node("Shape", "s", nil, "x"), node("Gather", "n", nil, "s", "i"), node("Cast", "f", onnx.Attrs{"to": int64(onnx.Float)}, "n"),
				{Op: "Div", Name: "share", Inputs: []string{"x", "f"}, Outputs: []string{"y"}}}}.encode(t), []string{"share", "batch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := onnximport.Read(c.data)
			if err == nil {
				t.Fatal("it was imported")
			}
			for _, word := range c.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not speak of %q", err, word)
				}
			}
			var hint interface{ Hint() string }
			if !errors.As(err, &hint) || hint.Hint() == "" {
				t.Errorf("%q has no hint", err)
			}
			var code interface{ ExitCode() int }
			if !errors.As(err, &code) || code.ExitCode() != 2 {
				t.Errorf("%q is not marked as bad input", err)
			}
		})
	}
}

// manyConstants asks for three times 2^27 bytes in a few hundred.
func manyConstants() file {
	f := file{opset: 13, input: []int{-1, 1, 2, 2}, consts: []*onnx.Tensor{ints("s", 1<<27)}}
	zero := &onnx.Tensor{Type: onnx.Uint8, Shape: []int{1}, Data: []uint8{0}}
	for _, name := range []string{"c0", "c1", "c2"} {
		f.nodes = append(f.nodes, node("ConstantOfShape", name, onnx.Attrs{"value": zero}, "s"))
	}
	f.nodes = append(f.nodes, node("Concat", "all", onnx.Attrs{"axis": int64(0)}, "c0", "c1", "c2"), node("Add", "y", nil, "x", "all"))
	return f
}

// FuzzRead: any bytes give a network that checks, or an error.
func FuzzRead(f *testing.F) {
	w := floats("w", []int{1, 1, 2, 2}, 1, 2, 3, 4)
	for _, nodes := range [][]*onnx.Node{
		{node("Conv", "y", onnx.Attrs{"pads": []int64{1, 1, 1, 1}}, "x", "w")},
		{node("ConvTranspose", "y", onnx.Attrs{"strides": []int64{2, 2}}, "x", "w")},
		{node("MaxPool", "y", onnx.Attrs{"kernel_shape": []int64{2, 2}, "ceil_mode": int64(1)}, "x")},
		{node("Shape", "s", nil, "x"), node("Reshape", "y", nil, "x", "s")},
		{node("Transpose", "t", nil, "w"), node("Cast", "c", onnx.Attrs{"to": int64(10)}, "t"), node("Add", "y", nil, "x", "t")},
		{node("Flatten", "r", nil, "x"), node("Softmax", "y", nil, "r")},
	} {
		for _, opset := range []int{9, 13, 20} {
			f.Add(file{opset: opset, input: []int{-1, 1, 4, 4}, nodes: nodes, consts: []*onnx.Tensor{w}}.encode(f))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := onnximport.Read(data)
		if err != nil {
			return
		}
		if err := onnx.Check(g); err != nil {
			t.Fatalf("imported, but not valid: %v", err)
		}
	})
}
