package surgery_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/surgery"
)

func tinynet(t *testing.T) *onnx.Graph {
	t.Helper()
	g, err := builtin.Model("tinynet", 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// headOf builds x[batch,4] -> middle -> Softmax, where middle are nodes that
// read "x" and write "y", with the given weights of ones.
func headOf(outputs int, weights map[string][]int, middle ...*onnx.Node) *onnx.Graph {
	g := &onnx.Graph{
		Name:    "head",
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{onnx.Batch, 4}}},
		Outputs: []onnx.Value{{Name: "prob", Type: onnx.Float, Shape: []int{onnx.Batch, outputs}}},
		Nodes: append(middle, &onnx.Node{
			Op: "Softmax", Name: "prob", Inputs: []string{"y"}, Outputs: []string{"prob"}, Attrs: onnx.Attrs{"axis": int64(-1)},
		}),
	}
	for _, name := range []string{"w", "b"} {
		if shape, ok := weights[name]; ok {
			w := surgery.Constant(1).Weights(0, name, 1, shape...)
			g.Initializers = append(g.Initializers, w)
		}
	}
	return g
}

func gemm(transB int) *onnx.Node {
	return &onnx.Node{Op: "Gemm", Name: "fc", Inputs: []string{"x", "w", "b"}, Outputs: []string{"y"}, Attrs: onnx.Attrs{"transB": int64(transB)}}
}

// layers lists "name op" of each node.
func layers(g *onnx.Graph) string {
	var out []string
	for _, n := range g.Nodes {
		out = append(out, n.Name)
	}
	return strings.Join(out, " ")
}

func shapes(g *onnx.Graph) string {
	var out []string
	for _, t := range g.Initializers {
		if t.Param {
			out = append(out, fmt.Sprint(t.Name, t.Shape))
		}
	}
	return strings.Join(out, " ")
}

func mustApply(t *testing.T, g *onnx.Graph, steps ...surgery.Step) (*onnx.Graph, []string) {
	t.Helper()
	out, frozen, err := surgery.Apply(g, steps, 7)
	if err != nil {
		t.Fatal(err)
	}
	return out, frozen
}

// evaluate runs a template on two inputs of its declared size and checks that
// each row of the result is a distribution over the outputs.
func evaluate(t *testing.T, g *onnx.Graph, outputs int) {
	t.Helper()
	shape := slices.Clone(g.Inputs[0].Shape)
	shape[0] = 2
	x := onnxeval.New(shape...)
	for i := range x.Data {
		x.Data[i] = float64(i%17)/17 - 0.4
	}
	out, err := onnxeval.Run(g, map[string]*onnxeval.Array{g.Inputs[0].Name: x})
	if err != nil {
		t.Fatal(err)
	}
	y := out[g.Outputs[0].Name]
	if !slices.Equal(y.Shape, []int{2, outputs}) {
		t.Fatalf("the output has shape %v, want [2 %d]", y.Shape, outputs)
	}
	for row := range 2 {
		sum := 0.
		for _, p := range y.Data[row*outputs : (row+1)*outputs] {
			sum += p
		}
		if sum < 0.999999 || sum > 1.000001 {
			t.Errorf("row %d sums up to %v, want 1", row, sum)
		}
	}
}

func TestReplaceKeepsKindPlaceAndNames(t *testing.T) {
	for _, c := range []struct {
		name  string
		g     *onnx.Graph
		layer string
		want  string // parameters afterwards
	}{
		{"Gemm", headOf(3, map[string][]int{"w": {4, 3}, "b": {3}}, gemm(0)), "fc", "w[4 2] b[2]"},
		{"Gemm transB", headOf(3, map[string][]int{"w": {3, 4}, "b": {3}}, gemm(1)), "fc", "w[2 4] b[2]"},
		{"Gemm with one bias for all", headOf(3, map[string][]int{"w": {3, 4}, "b": {1}}, gemm(1)), "fc", "w[2 4] b[1]"},
		{"MatMul and Add", headOf(3, map[string][]int{"w": {4, 3}, "b": {3}},
			&onnx.Node{Op: "MatMul", Name: "fc", Inputs: []string{"x", "w"}, Outputs: []string{"m"}},
			&onnx.Node{Op: "Add", Name: "bias", Inputs: []string{"b", "m"}, Outputs: []string{"y"}},
		), "fc", "w[4 2] b[2]"},
		{"tinynet", tinynet(t), "fc", "conv1.weight[8 3 5 5] conv1.bias[8] conv2.weight[16 8 3 3] conv2.bias[16] fc.weight[2 16] fc.bias[2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := fmt.Sprint(shapes(c.g), c.g.Outputs)
			g, frozen := mustApply(t, c.g, surgery.Step{Replace: &surgery.Layer{Name: c.layer, Outputs: 2, Init: surgery.Init{Bias: 0.5}}})
			if got := shapes(g); got != c.want {
				t.Errorf("parameters %s, want %s", got, c.want)
			}
			if layers(g) != layers(c.g) || len(frozen) != 0 {
				t.Errorf("layers %q became %q, frozen %v", layers(c.g), layers(g), frozen)
			}
			if !slices.Equal(g.Outputs[0].Shape, []int{onnx.Batch, 2}) {
				t.Errorf("the output is declared as %v", g.Outputs[0].Shape)
			}
			if after := fmt.Sprint(shapes(c.g), c.g.Outputs); after != before {
				t.Errorf("the original changed from %s to %s", before, after)
			}
			evaluate(t, g, 2)
		})
	}
}

// convHead ends like SqueezeNet: a 1x1 convolution scores every place, the mean
// over places is reshaped to a row per picture.
func convHead() *onnx.Graph {
	target := onnx.Ints(0, 3)
	target.Name = "target"
	w := surgery.Init{Xavier: true}.Weights(1, "conv10_w_0", 2, 3, 2, 1, 1)
	b := surgery.Init{}.Biases("conv10_b_0", 3)
	return &onnx.Graph{
		Name:         "squeeze",
		Inputs:       []onnx.Value{{Name: "data", Type: onnx.Float, Shape: []int{onnx.Batch, 2, 5, 5}}},
		Outputs:      []onnx.Value{{Name: "prob", Type: onnx.Float, Shape: []int{onnx.Batch, 3}}},
		Initializers: []*onnx.Tensor{w, b, target},
		Nodes: []*onnx.Node{
			{Op: "Conv", Name: "conv10", Inputs: []string{"data", "conv10_w_0", "conv10_b_0"}, Outputs: []string{"scores"}},
			{Op: "Relu", Name: "relu10", Inputs: []string{"scores"}, Outputs: []string{"relu10"}},
			{Op: "GlobalAveragePool", Name: "pool10", Inputs: []string{"relu10"}, Outputs: []string{"pool10"}},
			{Op: "Reshape", Name: "flat", Inputs: []string{"pool10", "target"}, Outputs: []string{"flat"}},
			{Op: "Softmax", Name: "prob", Inputs: []string{"flat"}, Outputs: []string{"prob"}, Attrs: onnx.Attrs{"axis": int64(1)}},
		},
	}
}

// TestReplaceConvolution: the Reshape behind the head that names its width is
// rewritten with it.
func TestReplaceConvolution(t *testing.T) {
	g, _ := mustApply(t, convHead(), surgery.Step{Replace: &surgery.Layer{Name: "conv10", Outputs: 2, Init: surgery.Init{Gaussian: 0.01}}})
	if want := "conv10_w_0[2 2 1 1] conv10_b_0[2]"; shapes(g) != want {
		t.Errorf("parameters %s, want %s", shapes(g), want)
	}
	evaluate(t, g, 2)
}

func TestCutAndAppend(t *testing.T) {
	fc9 := &surgery.NewLayer{Name: "fc9", Outputs: 2, Init: surgery.Init{Gaussian: 0.01}}
	for _, c := range []struct {
		name, layers, params string
		steps                []surgery.Step
	}{
		{
			"append alone goes before the Softmax", "conv1 relu1 pool1 conv2 relu2 pool flatten drop fc fc9 prob",
			"fc.weight[3 16] fc.bias[3] fc9.weight[2 3] fc9.bias[2]",
			[]surgery.Step{{Append: fc9}},
		},
		{
			"cut after features", "conv1 relu1 pool1 conv2 relu2 pool flatten drop fc9 prob",
			"fc9.weight[2 16] fc9.bias[2]",
			[]surgery.Step{{CutAfter: "drop"}, {Append: fc9}},
		},
		{
			"maps are flattened", "conv1 relu1 pool1 fc9_flatten fc9 prob",
			"fc9.weight[2 512] fc9.bias[2]",
			[]surgery.Step{{CutAfter: "pool1"}, {Append: fc9}},
		},
		{
			"two layers in a row", "conv1 relu1 pool1 conv2 relu2 pool flatten fc fc9 prob",
			"fc.weight[5 16] fc.bias[5] fc9.weight[2 5] fc9.bias[2]",
			[]surgery.Step{{CutAfter: "flatten"}, {Append: &surgery.NewLayer{Name: "fc", Outputs: 5}}, {Append: fc9}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, _ := mustApply(t, tinynet(t), c.steps...)
			if got := layers(g); got != c.layers {
				t.Errorf("layers %q, want %q", got, c.layers)
			}
			if got := shapes(g); !strings.HasSuffix(got, c.params) {
				t.Errorf("parameters %s, want %s at the end", got, c.params)
			}
			evaluate(t, g, 2)
		})
	}
}

// TestCutAlone leaves the layer's own output, in its own width.
func TestCutAlone(t *testing.T) {
	g, _ := mustApply(t, tinynet(t), surgery.Step{CutAfter: "conv2"})
	want := []int{onnx.Batch, 16, 8, 8}
	if g.Outputs[0].Name != "conv2" || !slices.Equal(g.Outputs[0].Shape, want) || layers(g) != "conv1 relu1 pool1 conv2" {
		t.Errorf("layers %q end in %v, want conv2%v", layers(g), g.Outputs[0], want)
	}
}

func TestFreeze(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []surgery.Step
		want  []string
	}{
		{"one layer", []surgery.Step{{Freeze: "conv1"}}, []string{"conv1.weight", "conv1.bias"}},
		{"a glob", []surgery.Step{{Freeze: "conv*"}}, []string{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"}},
		{"a parameter", []surgery.Step{{Freeze: "fc.bias"}}, []string{"fc.bias"}},
		{"what is cut off is forgotten", []surgery.Step{{Freeze: "*"}, {CutAfter: "conv1"}}, []string{"conv1.weight", "conv1.bias"}},
		{"what is new is free", []surgery.Step{{Freeze: "[cf]*"}, {Replace: &surgery.Layer{Name: "fc", Outputs: 3}}},
			[]string{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"}},
		{"unless it is frozen afterwards", []surgery.Step{{Replace: &surgery.Layer{Name: "fc", Outputs: 3}}, {Freeze: "fc"}},
			[]string{"fc.weight", "fc.bias"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, frozen := mustApply(t, tinynet(t), c.steps...); !slices.Equal(frozen, c.want) {
				t.Errorf("frozen %v, want %v", frozen, c.want)
			}
		})
	}
}

// TestFreezeFindsTheBiasOfAMatMul: it belongs to the layer, whatever the Add is
// called.
func TestFreezeFindsTheBiasOfAMatMul(t *testing.T) {
	g := headOf(3, map[string][]int{"w": {4, 3}, "b": {3}},
		&onnx.Node{Op: "MatMul", Name: "fc", Inputs: []string{"x", "w"}, Outputs: []string{"m"}},
		&onnx.Node{Op: "Add", Name: "other", Inputs: []string{"m", "b"}, Outputs: []string{"y"}})
	if _, frozen := mustApply(t, g, surgery.Step{Freeze: "fc"}); !slices.Equal(frozen, []string{"w", "b"}) {
		t.Errorf("frozen %v, want [w b]", frozen)
	}
}

func TestSeeds(t *testing.T) {
	step := []surgery.Step{{Replace: &surgery.Layer{Name: "fc", Outputs: 2}}}
	weights := func(seed int64) []float32 {
		g, _, err := surgery.Apply(tinynet(t), step, seed)
		if err != nil {
			t.Fatal(err)
		}
		return g.Initializer("fc.weight").F32()
	}
	if !slices.Equal(weights(1), weights(1)) || slices.Equal(weights(1), weights(2)) {
		t.Error("the new weights are not a function of the seed")
	}
}

func TestErrors(t *testing.T) {
	shared := headOf(4, map[string][]int{"w": {4, 4}},
		&onnx.Node{Op: "MatMul", Name: "fc1", Inputs: []string{"x", "w"}, Outputs: []string{"m"}},
		&onnx.Node{Op: "MatMul", Name: "fc2", Inputs: []string{"m", "w"}, Outputs: []string{"y"}})
	replace := func(name string, outputs int) surgery.Step {
		return surgery.Step{Replace: &surgery.Layer{Name: name, Outputs: outputs}}
	}
	for _, c := range []struct {
		name       string
		g          *onnx.Graph
		step       surgery.Step
		text, hint string
	}{
		{"unknown layer", tinynet(t), replace("conv3", 2), "surgery step 1 (replace conv3): there is no layer of that name", "conv1, conv2"},
		{"unknown cut", tinynet(t), surgery.Step{CutAfter: "pooll"}, "(cut_after pooll): there is no layer", "pool"},
		{"a layer without weights", tinynet(t), replace("pool1", 2), "it is a MaxPool without weights", "conv1"},
		{"a layer in the middle", tinynet(t), replace("conv1", 4), `layer "conv2" behind it has weights for its 8 outputs`, "cut_after"},
		{"no outputs", tinynet(t), replace("fc", 0), "cannot have 0 outputs", "classes"},
		{"shared weights", shared, replace("fc2", 2), `parameter "w" is shared`, "its own"},
		{"a taken name", tinynet(t), surgery.Step{Append: &surgery.NewLayer{Name: "fc", Outputs: 2}}, "a layer of that name already", "another name"},
		{"no name", tinynet(t), surgery.Step{Append: &surgery.NewLayer{Outputs: 2}}, "has no name", "name:"},
		{"append without outputs", tinynet(t), surgery.Step{Append: &surgery.NewLayer{Name: "fc9"}}, "cannot have 0 outputs", "classes"},
		{"nothing to freeze", tinynet(t), surgery.Step{Freeze: "relu*"}, "(freeze relu*): no layer with parameters", "conv1"},
		{"an empty step", tinynet(t), surgery.Step{}, "nothing to do", "freeze"},
		{"an unknown kind", tinynet(t), surgery.Step{Append: &surgery.NewLayer{Name: "x", Kind: "lstm"}}, `no kind of layer "lstm"`, "linear, conv, relu, dropout"},
		{"a convolution without a kernel", tinynet(t), surgery.Step{Append: &surgery.NewLayer{Name: "x", Kind: surgery.Conv, Outputs: 2}}, "a kernel of 0", "kernel: 3"},
		{"a convolution of no maps", tinynet(t), surgery.Step{Append: &surgery.NewLayer{Name: "x", Kind: surgery.Conv, Outputs: 2, Kernel: 1}}, "needs maps", "cut_after"},
		{"all dropped", tinynet(t), surgery.Step{Append: &surgery.NewLayer{Name: "x", Kind: surgery.Dropout, Ratio: 1}}, "a ratio of 1 cannot be dropped", "0.5"},
		{"a linear layer in the middle", tinynet(t), surgery.Step{InsertAfter: &surgery.Insertion{After: "conv1", Layer: surgery.NewLayer{Name: "x", Outputs: 2}}},
			"(insert_after conv1): a linear layer changes the shape", "relu or dropout"},
		{"insert after nothing", tinynet(t), surgery.Step{InsertAfter: &surgery.Insertion{After: "conv9", Layer: surgery.NewLayer{Name: "x", Kind: surgery.Relu}}}, "no layer of that name", "conv1"},
		{"a probe on nothing", tinynet(t), surgery.Step{InsertProbe: &surgery.Probe{After: "conv9", Name: "x", Outputs: 2}}, "(insert_probe conv9): there is no layer", "conv1"},
		{"rename what is not there", tinynet(t), surgery.Step{Rename: &surgery.Rename{From: "fc9", To: "x"}}, "no layer of that name", "fc"},
		{"rename to a taken name", tinynet(t), surgery.Step{Rename: &surgery.Rename{From: "fc", To: "conv1"}}, `there is a layer "conv1" already`, "rename"},
		{"nothing to draw anew", tinynet(t), surgery.Step{Reinit: &surgery.Reinit{Layers: "pool*"}}, "(reinit pool*): no layer with parameters", "conv1"},
		{"no maps", headOf(3, map[string][]int{"w": {4, 3}, "b": {3}}, gemm(0)), surgery.Step{ToFullyConvolutional: true}, "makes no maps into scores", "cut_after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := surgery.Apply(c.g, []surgery.Step{c.step}, 1)
			var e *surgery.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.text) || !strings.Contains(e.Hint(), c.hint) || e.ExitCode() != 2 {
				t.Errorf("error %v, want %q with a hint that says %q", err, c.text, c.hint)
				if e != nil {
					t.Logf("hint: %s", e.Hint())
				}
			}
		})
	}
}
