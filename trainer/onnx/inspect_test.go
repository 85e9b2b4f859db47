package onnx

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write what the tests see as what they expect")

// smallNet is a template with one of each layer that classifiers are made of.
func smallNet() *Graph {
	w := func(name string, shape ...int) *Tensor {
		t := NewTensor(Float, shape...)
		t.Name, t.Param = name, true
		return t
	}
	return &Graph{
		Name:    "small",
		Inputs:  []Value{{Name: "data", Type: Float, Shape: []int{Batch, 3, 8, 8}}},
		Outputs: []Value{{Name: "prob", Type: Float, Shape: []int{Batch, 10}}},
		Initializers: []*Tensor{
			w("conv1_w", 4, 3, 3, 3), w("conv1_b", 4), w("fc_w", 10, 64), w("fc_b", 10),
			{Name: "ratio", Type: Float, Shape: []int{}, Data: []float32{0.5}},
		},
		Nodes: []*Node{
			{Op: "Conv", Name: "conv1", Inputs: []string{"data", "conv1_w", "conv1_b"}, Outputs: []string{"c"}, Attrs: Attrs{"pads": []int64{1, 1, 1, 1}}},
			{Op: "Relu", Name: "relu1", Inputs: []string{"c"}, Outputs: []string{"r"}},
			{Op: "MaxPool", Name: "pool1", Inputs: []string{"r"}, Outputs: []string{"p"}, Attrs: Attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}},
			{Op: "Flatten", Name: "flat", Inputs: []string{"p"}, Outputs: []string{"f"}},
			{Op: "Dropout", Name: "drop", Inputs: []string{"f", "ratio"}, Outputs: []string{"d"}},
			{Op: "Gemm", Name: "fc", Inputs: []string{"d", "fc_w", "fc_b"}, Outputs: []string{"s"}, Attrs: Attrs{"transB": int64(1)}},
			{Op: "Softmax", Name: "soft", Inputs: []string{"s"}, Outputs: []string{"prob"}},
		},
	}
}

// TestInspect counts by hand. Conv: 4*8*8 outputs of 27 multiply-adds and a
// bias, (2*27 + 1) * 256 = 14080; its 4*27 + 4 = 112 parameters. Gemm:
// (2*64 + 1) * 10 = 1290, with 650 parameters. A pool looks at 4 elements for
// each of its 64 outputs.
func TestInspect(t *testing.T) {
	got, err := Inspect(smallNet())
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		Parameters: 762,
		Inputs:     []ReportValue{{"data", "float", []int{Batch, 3, 8, 8}}},
		Outputs:    []ReportValue{{"prob", "float", []int{Batch, 10}}},
		Layers: []Layer{
			{"conv1", "Conv", []int{1, 4, 8, 8}, 112, 14080},
			{"relu1", "Relu", []int{1, 4, 8, 8}, 0, 256},
			{"pool1", "MaxPool", []int{1, 4, 4, 4}, 0, 256},
			{"flat", "Flatten", []int{1, 64}, 0, 0},
			{"drop", "Dropout", []int{1, 64}, 0, 0},
			{"fc", "Gemm", []int{1, 10}, 650, 1290},
			{"soft", "Softmax", []int{1, 10}, 0, 10},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestInspectJSON: scripts depend on these names.
func TestInspectJSON(t *testing.T) {
	r, err := Inspect(smallNet())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"parameters", "inputs", "outputs", "layers"} {
		if _, ok := doc[key]; !ok {
			t.Errorf("no %q in %s", key, data)
		}
	}
	layer := doc["layers"].([]any)[0].(map[string]any)
	for _, key := range []string{"name", "op", "output", "parameters", "flops"} {
		if _, ok := layer[key]; !ok {
			t.Errorf("no %q in the layer %v", key, layer)
		}
	}
}

// TestInspectTransposed: a transposed convolution uses every weight once for
// each input element: 2 * (2*3*3) * (4*2*2) + 4*4*4 biases.
func TestInspectTransposed(t *testing.T) {
	w, b := NewTensor(Float, 2, 4, 2, 2), NewTensor(Float, 4)
	w.Name, w.Param, b.Name, b.Param = "w", true, "b", true
	r, err := Inspect(&Graph{
		Inputs:       []Value{{Name: "x", Type: Float, Shape: []int{Batch, 2, 3, 3}}},
		Outputs:      []Value{{Name: "y", Type: Float, Shape: []int{Batch, 4, 4, 4}}},
		Initializers: []*Tensor{w, b},
		Nodes:        []*Node{{Op: "ConvTranspose", Name: "up", Inputs: []string{"x", "w", "b"}, Outputs: []string{"y"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Layers[0].FLOPs, int64(2*18*16+64); got != want {
		t.Errorf("%d FLOPs, want %d", got, want)
	}
}

// TestDump compares the text of a graph with testdata/small.txt, of the template
// and of the same network at a batch size of 2.
func TestDump(t *testing.T) {
	b := NewBuilder("fixed")
	net := smallNet()
	b.Output("out", b.Replay(net, map[string]Value{"data": b.Input("data", Float, 2, 3, 8, 8)})[0])
	fixed, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	got := dump(t, net) + "\n" + dump(t, fixed)
	path := filepath.Join("testdata", "small.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the text is\n%s\nwant (run with -update to accept)\n%s", got, want)
	}
}

// TestInspectSharedWeights: weights that two layers read count once, at the first.
func TestInspectSharedWeights(t *testing.T) {
	w := NewTensor(Float, 5, 5)
	w.Name, w.Param = "w", true
	r, err := Inspect(&Graph{
		Inputs:       []Value{{Name: "x", Type: Float, Shape: []int{Batch, 5}}},
		Outputs:      []Value{{Name: "z", Type: Float, Shape: []int{Batch, 5}}},
		Initializers: []*Tensor{w},
		Nodes: []*Node{
			{Op: "MatMul", Name: "first", Inputs: []string{"x", "w"}, Outputs: []string{"y"}},
			{Op: "MatMul", Name: "second", Inputs: []string{"y", "w"}, Outputs: []string{"z"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Parameters != 25 || r.Layers[0].Parameters != 25 || r.Layers[1].Parameters != 0 {
		t.Errorf("%d parameters, %d and %d of the layers, want 25, 25 and 0", r.Parameters, r.Layers[0].Parameters, r.Layers[1].Parameters)
	}
}
