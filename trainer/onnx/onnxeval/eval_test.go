package onnxeval

import (
	"math"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
)

// TestRun evaluates y = relu(x·w) + x with an open batch, and names all outputs.
func TestRun(t *testing.T) {
	w := onnx.Floats([]float32{1, -1}, 2)
	w.Name = "w"
	g := &onnx.Graph{
		Name:         "g",
		Inputs:       []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{onnx.Batch, 2}}},
		Outputs:      []onnx.Value{{Name: "y"}, {Name: "z"}},
		Initializers: []*onnx.Tensor{w},
		Nodes: []*onnx.Node{
			{Op: "Mul", Inputs: []string{"x", "w"}, Outputs: []string{"z"}},
			{Op: "Relu", Inputs: []string{"z"}, Outputs: []string{"r"}},
			{Op: "Add", Inputs: []string{"r", "x"}, Outputs: []string{"y"}},
		},
	}
	out, err := Run(g, map[string]*Array{"x": arr("1x2 = 2 3")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"z": "1x2 = 2 -3", "y": "1x2 = 4 3"} {
		if diff := compare(out[name], arr(want), 0); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRunErrors(t *testing.T) {
	in := []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{onnx.Batch, 2}}}
	relu := &onnx.Node{Op: "Relu", Name: "r", Inputs: []string{"x"}, Outputs: []string{"y"}}
	for _, c := range []struct {
		name   string
		nodes  []*onnx.Node
		inputs map[string]*Array
		want   string
	}{
		{"missing input", []*onnx.Node{relu}, nil, `input "x" is missing`},
		{"wrong width", []*onnx.Node{relu}, map[string]*Array{"x": arr("1x3 = 0")}, "shape [1 3], declared is [-1 2]"},
		{"wrong rank", []*onnx.Node{relu}, map[string]*Array{"x": arr("2 = 0")}, "shape [2], declared is [-1 2]"},
		{"value from nowhere", []*onnx.Node{{Op: "Relu", Name: "r", Inputs: []string{"q"}, Outputs: []string{"y"}}},
			map[string]*Array{"x": arr("1x2 = 0")}, `Relu "r": input "q" is not computed before it`},
		{"output from nowhere", nil, map[string]*Array{"x": arr("1x2 = 0")}, `nothing computes output "y"`},
		{"too many outputs", []*onnx.Node{{Op: "Relu", Name: "r", Inputs: []string{"x"}, Outputs: []string{"y", "m"}}},
			map[string]*Array{"x": arr("1x2 = 0")}, `Relu "r": has no output 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &onnx.Graph{Name: "g", Inputs: in, Outputs: []onnx.Value{{Name: "y"}}, Nodes: c.nodes}
			_, err := Run(g, c.inputs)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestNodeErrors: whatever does not fit is an error that names the node, never
// a panic: models come from anywhere.
func TestNodeErrors(t *testing.T) {
	for _, c := range []struct {
		op    string
		attrs attrs
		in    []string
		want  string
	}{
		{"NonMaxSuppression", nil, nil, "the evaluator has no operator"},
		{"Add", nil, []string{"2 = 1"}, "input 1 is missing"},
		{"Add", nil, []string{"2 = 1", "3 = 1"}, "do not broadcast"},
		{"Div", nil, []string{"int64 = 1", "int64 = 0"}, "division by zero"},
		{"Mod", nil, []string{"int64 = 1", "int64 = 0"}, "division by zero"},
		{"Conv", nil, []string{"1x3x2x2 = 1", "1x2x1x1 = 1"}, "3 channels"},
		{"Conv", nil, []string{"1x1x2x2 = 1", "1x1x3x3 = 1"}, "larger than the padded input"},
		{"Conv", attrs{"strides": []int{0, 1}}, []string{"1x1x2x2 = 1", "1x1x1x1 = 1"}, "must be positive"},
		{"Conv", attrs{"pads": []int{1}}, []string{"1x1x2x2 = 1", "1x1x1x1 = 1"}, "pads [1]"},
		{"Conv", nil, []string{"1x2x2x2 = 1", "3x2x1x1 = 1", "2 = 1"}, "the inputs do not fit the operator"},
		{"MaxPool", attrs{"kernel_shape": []int{2}, "storage_order": 1}, []string{"1x1x2 = 1"}, "storage_order"},
		{"MatMul", nil, []string{"2x2 = 1", "3x2 = 1"}, "do not multiply"},
		{"MatMul", nil, []string{"= 1", "3x2 = 1"}, "scalar"},
		{"Einsum", attrs{"equation": "ij->k"}, []string{"2x2 = 1"}, "is in no input"},
		{"Einsum", attrs{"equation": "ijk->i"}, []string{"2x2 = 1"}, "does not fit shape"},
		{"Dropout", nil, []string{"2 = 1", "= 0.5", "bool = 1"}, "random"},
		{"Softmax", attrs{"axis": 2}, []string{"2x2 = 1"}, "axis 2 is not within rank 2"},
		{"Reshape", nil, []string{"3 = 1", "int64 1 = 4"}, "do not fill"},
		{"Reshape", nil, []string{"4 = 1", "int64 2 = -1 -1"}, "two open"},
		{"Reshape", nil, []string{"4 = 1", "int64 2 = -1 3"}, "cannot be reshaped"},
		{"Slice", nil, []string{"4 = 1", "int64 1 = 0", "int64 1 = 4", "int64 1 = 0", "int64 1 = 0"}, "step 0"},
		{"Squeeze", nil, []string{"2 = 1", "int64 1 = 0"}, "cannot be squeezed"},
		{"Split", nil, []string{"3 = 1", "int64 2 = 1 1"}, "do not add up"},
		{"Gather", nil, []string{"3 = 1", "int64 1 = 3"}, "index 3 is not within 3"},
		{"ScatterElements", attrs{"reduction": "median"}, []string{"3 = 1", "int64 1 = 0", "1 = 0"}, `reduction "median"`},
		{"ConstantOfShape", nil, []string{"int64 2 = 9999999 9999999"}, "too large"},
		{"ConstantOfShape", nil, []string{"int64 1 = -3"}, "negative"},
		{"Tile", nil, []string{"2 = 1", "int64 1 = 9223372036854775807"}, ""},
		{"Range", nil, []string{"= 0", "= 1e30", "= 1"}, "elements"},
		{"Pad", attrs{"mode": "wrap"}, []string{"2 = 1", "int64 2 = 1 1"}, `mode "wrap"`},
		{"Resize", attrs{"mode": "cubic"}, []string{"2 = 1", "", "1 = 2"}, `mode "cubic"`},
	} {
		t.Run(c.op, func(t *testing.T) {
			var in []*Array
			for _, text := range c.in {
				in = append(in, arr(text))
			}
			_, err := Node(&onnx.Node{Op: c.op, Name: "layer", Attrs: c.attrs.onnx()}, in)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"layer"`) {
				t.Errorf("error %v, want one that names the node with %q", err, c.want)
			}
		})
	}
}

// TestTensors: every element type survives the way into an Array and back.
func TestTensors(t *testing.T) {
	for _, want := range []*onnx.Tensor{
		onnx.Floats([]float32{0.5, -3}, 2),
		{Type: onnx.Double, Shape: []int{1}, Data: []float64{math.Pi}},
		{Type: onnx.Int64, Shape: []int{2}, Data: []int64{math.MaxInt64, math.MinInt64}},
		{Type: onnx.Int32, Shape: []int{2}, Data: []int32{math.MaxInt32, math.MinInt32}},
		{Type: onnx.Uint8, Shape: []int{2}, Data: []uint8{0, 255}},
		{Type: onnx.Int8, Shape: []int{2}, Data: []int8{-128, 127}},
		{Type: onnx.Bool, Shape: []int{2}, Data: []bool{true, false}},
	} {
		a := FromTensor(want)
		if got := FromTensor(a.Tensor()); compare(got, a, 0) != "" || got.Type != want.Type {
			t.Errorf("%v: came back as %v %v", want.Data, got.Type, got.Data)
		}
	}
	wide := (&Array{Shape: []int{2}, Data: []float64{300, -1}, Type: onnx.Uint8}).Tensor()
	if got := wide.Data.([]uint8); got[0] != 255 || got[1] != 0 {
		t.Errorf("out of range became %v, want the ends of the type", got)
	}
}
