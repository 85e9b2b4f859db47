package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

// openNet leaves the size of its pictures open and answers features before scores;
// its convolution has a name that exporters give to folded weights.
func openNet() *onnx.Graph {
	weight := func(name string, shape ...int) *onnx.Tensor {
		t := onnx.NewTensor(onnx.Float, shape...)
		t.Name = name
		for i := range t.F32() {
			t.F32()[i] = float32(i%7)/7 - 0.4
		}
		return t
	}
	return &onnx.Graph{
		Name:   "open",
		Inputs: []onnx.Value{{Name: "data", Type: onnx.Float, Shape: []int{onnx.Batch, onnx.Batch, onnx.Batch, onnx.Batch}}},
		Outputs: []onnx.Value{
			{Name: "features", Type: onnx.Float, Shape: []int{onnx.Batch, 4}}, {Name: "scores", Type: onnx.Float, Shape: []int{onnx.Batch, 3}},
		},
		Nodes: []*onnx.Node{
			{Name: "conv", Op: "Conv", Inputs: []string{"data", "onnx::Conv_12"}, Outputs: []string{"conv"}},
			{Name: "pool", Op: "GlobalAveragePool", Inputs: []string{"conv"}, Outputs: []string{"pool"}},
			{Name: "flat", Op: "Flatten", Inputs: []string{"pool"}, Outputs: []string{"features"}},
			{Name: "fc", Op: "MatMul", Inputs: []string{"features", "fc_w"}, Outputs: []string{"scores"}},
		},
		Initializers: []*onnx.Tensor{weight("onnx::Conv_12", 4, 3, 3, 3), weight("fc_w", 4, 3)},
	}
}

// TestOpenNetwork: a network of no size and several outputs is checked, changed
// and trained for the size and the output that are asked for.
func TestOpenNetwork(t *testing.T) {
	testenv.Daily(t)
	w := newWorkspace(t)
	file := w.writeModel("open.onnx", openNet())
	_, errOut, code := w.try("model", "check", file)
	if code != exitUsage || !strings.Contains(errOut, "--input 224x224") || !strings.Contains(errOut, "size of its pictures open") {
		t.Errorf("without a size: exit code %d\n%s", code, errOut)
	}
	out := w.run("model", "check", file, "--input", "20x24", "--model-output", "scores")
	for _, want := range []string{"left out: features", "BatchNormalization was folded", "optimize=False", "a training step:"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if out := w.run("model", "edit", file, "--input", "20x24", "--model-output", "scores", "--file", "fixed.onnx"); !strings.Contains(out, "input N×3×20×24, output N×3") {
		t.Errorf("edited:\n%s", out)
	}
	w.run("dataset", "example", "pictures", "--pictures", "30", "--size", "32")
	w.run("run", w.write("open.yaml", `
name: open
dataset: {path: pictures}
model: {base: open.onnx, output: scores}
preprocessing: {resize: 32, crop: 28}
training: {learning_rate: 0.01, epochs: 1, batch_size: 8, threads: 1}
cross_validation: {folds: 2}
`))
	_, errOut, code = w.try("plan", "open.yaml", "--set", "model.output=features")
	if code != exitUsage || !strings.Contains(errOut, "4 outputs") || !strings.Contains(errOut, "model.output: scores") {
		t.Errorf("the output of features: exit code %d\n%s", code, errOut)
	}
	w.run("model", "export", "latest", "--file", "trained.onnx")
	g, err := onnximport.Load(filepath.Join(w.dir, "trained.onnx"))
	if err != nil || !slices.Equal(g.Inputs[0].Shape, []int{onnx.Batch, 3, 28, 28}) {
		t.Errorf("the trained network declares %v: %v", g.Inputs, err)
	}
}

// TestModelCheckRefuses: what a sweep would refuse, check refuses.
func TestModelCheckRefuses(t *testing.T) {
	w := newWorkspace(t)
	g := openNet()
	g.Inputs[0].Shape = []int{onnx.Batch, 3, 8, 8}
	g.Outputs, g.Nodes = []onnx.Value{{Name: "conv", Type: onnx.Float, Shape: []int{onnx.Batch, 4, 6, 6}}}, g.Nodes[:1]
	_, errOut, code := w.try("model", "check", w.writeModel("maps.onnx", g))
	if code != exitFailed || !strings.Contains(errOut, "cannot be trained as it is") || !strings.Contains(errOut, "Try:") {
		t.Errorf("a network that ends in maps: exit code %d\n%s", code, errOut)
	}
}
