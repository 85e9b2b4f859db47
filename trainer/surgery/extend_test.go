package surgery_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/surgery"
)

func TestAddedLayers(t *testing.T) {
	relu := surgery.NewLayer{Name: "relu9", Kind: surgery.Relu}
	drop := surgery.NewLayer{Name: "drop9", Kind: surgery.Dropout, Ratio: 0.5}
	conv := surgery.NewLayer{Name: "conv9", Kind: surgery.Conv, Outputs: 4, Kernel: 3, Stride: 2, Pad: 1, Groups: 2}
	fc := surgery.NewLayer{Name: "fc9", Outputs: 2}
	for _, c := range []struct {
		name, layers, params string
		steps                []surgery.Step
	}{
		{
			"a hidden layer on the scores", "conv1 relu1 pool1 conv2 relu2 pool flatten drop fc relu9 drop9 fc9 prob", "fc9.weight[2 3] fc9.bias[2]",
			[]surgery.Step{{Append: &relu}, {Append: &drop}, {Append: &fc}},
		},
		{
			"a convolution on maps", "conv1 relu1 pool1 conv9 relu9 fc9_flatten fc9 prob", "conv9.weight[4 4 3 3] conv9.bias[4] fc9.weight[2 64] fc9.bias[2]",
			[]surgery.Step{{CutAfter: "pool1"}, {Append: &conv}, {Append: &relu}, {Append: &fc}},
		},
		{
			"dropout in the middle", "conv1 relu1 pool1 drop9 conv2 relu2 pool flatten drop fc prob", "fc.weight[3 16] fc.bias[3]",
			[]surgery.Step{{InsertAfter: &surgery.Insertion{After: "pool1", Layer: drop}}},
		},
		{
			"a probe", "conv1 relu1 pool1 probe_flatten probe prob", "probe.weight[2 512] probe.bias[2]",
			[]surgery.Step{{InsertProbe: &surgery.Probe{After: "pool1", Name: "probe", Outputs: 2}}},
		},
		{
			"a new name", "conv1 relu1 pool1 conv2 relu2 pool flatten drop head prob", "fc.weight[2 16] fc.bias[2]",
			[]surgery.Step{{Rename: &surgery.Rename{From: "fc", To: "head"}}, {Replace: &surgery.Layer{Name: "head", Outputs: 2}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, frozen := mustApply(t, tinynet(t), c.steps...)
			if got := layers(g); got != c.layers {
				t.Errorf("layers %q, want %q", got, c.layers)
			}
			if got := shapes(g); !strings.HasSuffix(got, c.params) {
				t.Errorf("parameters %s, want %s at the end", got, c.params)
			}
			if want := []string{"conv1.weight", "conv1.bias"}; (c.name == "a probe") != slices.Equal(frozen, want) {
				t.Errorf("frozen %v", frozen)
			}
			evaluate(t, g, g.Outputs[0].Shape[1])
		})
	}
}

// TestReinit: what it names is drawn anew, by Caffe's rules for each kind of
// parameter; the rest stays.
func TestReinit(t *testing.T) {
	base, err := builtin.Model("smallnet", 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{"bn1.scale", "bn1.mean", "bn1.variance", "bn2.mean"} {
		base.Initializer(x).F32()[0] = 7
	}
	g, _ := mustApply(t, base, surgery.Step{Reinit: &surgery.Reinit{Layers: "*1", Init: surgery.Init{Uniform: []float64{0.5, 0.6}, Bias: 0.1}}})
	for _, w := range g.Initializer("conv1.weight").F32() {
		if w < 0.5 || w > 0.6 {
			t.Fatalf("conv1 has the weight %v", w)
		}
	}
	for name, want := range map[string]float32{"bn1.scale": 1, "bn1.bias": 0.1, "bn1.mean": 0, "bn1.variance": 1, "bn2.mean": 7} {
		if got := g.Initializer(name).F32()[0]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if !slices.Equal(g.Initializer("conv2.weight").F32(), base.Initializer("conv2.weight").F32()) {
		t.Error("conv2 changed, too")
	}
}

// TestVariants: the parameters of the study's seven networks, as counted by hand
// from CaffeNet's table.
func TestVariants(t *testing.T) {
	base, err := builtin.Model("caffenet", 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	two := func(name string) *surgery.Layer { return &surgery.Layer{Name: name, Outputs: 2} }
	for _, c := range []struct {
		name  string
		steps []surgery.Step
		want  int
	}{
		{"fc8-2", []surgery.Step{{Replace: two("fc8")}}, 56_876_418},
		{"fc7-4096", []surgery.Step{{CutAfter: "drop7"}}, 56_868_224},
		{"fc6-4096", []surgery.Step{{CutAfter: "drop6"}}, 40_086_912},
		{"fc7-2", []surgery.Step{{CutAfter: "fc7"}, {Replace: two("fc7")}}, 40_095_106},
		{"fc6-2", []surgery.Step{{CutAfter: "fc6"}, {Replace: two("fc6")}}, 2_352_514},
		{"fc8-1000", nil, 60_965_224},
		{"fc9-2", []surgery.Step{{Append: &surgery.NewLayer{Name: "fc9", Outputs: 2}}}, 60_967_226},
	} {
		g, _ := mustApply(t, base, c.steps...)
		got := 0
		for _, p := range g.Initializers {
			if p.Param {
				got += onnx.NumElements(p.Shape)
			}
		}
		if got != c.want {
			t.Errorf("%s has %d parameters, want %d", c.name, got, c.want)
		}
	}
}

// answer evaluates a network on a picture of a size.
func answer(t *testing.T, g *onnx.Graph, picture *onnxeval.Array) *onnxeval.Array {
	t.Helper()
	open := g.Clone()
	open.Inputs[0].Shape = append([]int{onnx.Batch}, picture.Shape[1:]...)
	out, err := onnxeval.Run(open, map[string]*onnxeval.Array{g.Inputs[0].Name: picture})
	if err != nil {
		t.Fatal(err)
	}
	return out[g.Outputs[0].Name]
}

func picture(shape ...int) *onnxeval.Array {
	x := onnxeval.New(shape...)
	for i := range x.Data {
		x.Data[i] = math.Sin(float64(i*i%97)) / 2
	}
	return x
}

// unpadded is x[3,10,10] -> conv -> relu -> pool -> flatten -> fc1 -> relu -> fc2 ->
// Softmax without any padding, so that each place of the map is what the network
// says of that part of the picture.
func unpadded(transB int) *onnx.Graph {
	fill := surgery.Init{Xavier: true, Bias: 0.1}
	twice := func(x int64) []int64 { return []int64{x, x} }
	matrix := func(name string, outputs, inputs int) *onnx.Tensor {
		if transB == 1 {
			return fill.Weights(1, name, inputs, outputs, inputs)
		}
		return fill.Weights(1, name, inputs, inputs, outputs)
	}
	return &onnx.Graph{
		Name:    "unpadded",
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{onnx.Batch, 3, 10, 10}}},
		Outputs: []onnx.Value{{Name: "prob", Type: onnx.Float, Shape: []int{onnx.Batch, 2}}},
		Initializers: []*onnx.Tensor{
			fill.Weights(1, "conv.w", 27, 4, 3, 3, 3), fill.Biases("conv.b", 4),
			matrix("fc1.w", 6, 4*4*4), fill.Biases("fc1.b", 1), matrix("fc2.w", 2, 6), fill.Biases("fc2.b", 2),
		},
		Nodes: []*onnx.Node{
			{Op: "Conv", Name: "conv", Inputs: []string{"x", "conv.w", "conv.b"}, Outputs: []string{"conv"}},
			{Op: "Relu", Name: "relu", Inputs: []string{"conv"}, Outputs: []string{"relu"}},
			{Op: "MaxPool", Name: "pool", Inputs: []string{"relu"}, Outputs: []string{"pool"}, Attrs: onnx.Attrs{"kernel_shape": twice(2), "strides": twice(2)}},
			{Op: "Flatten", Name: "flat", Inputs: []string{"pool"}, Outputs: []string{"flat"}, Attrs: onnx.Attrs{"axis": int64(1)}},
			{Op: "Gemm", Name: "fc1", Inputs: []string{"flat", "fc1.w", "fc1.b"}, Outputs: []string{"fc1"}, Attrs: onnx.Attrs{"transB": int64(transB)}},
			{Op: "Relu", Name: "relu1", Inputs: []string{"fc1"}, Outputs: []string{"relu1"}},
			{Op: "Gemm", Name: "fc2", Inputs: []string{"relu1", "fc2.w", "fc2.b"}, Outputs: []string{"fc2"}, Attrs: onnx.Attrs{"transB": int64(transB)}},
			{Op: "Softmax", Name: "prob", Inputs: []string{"fc2"}, Outputs: []string{"prob"}, Attrs: onnx.Attrs{"axis": int64(-1)}},
		},
	}
}

func TestFullyConvolutional(t *testing.T) {
	for transB := range 2 {
		g := unpadded(transB)
		c, _ := mustApply(t, g, surgery.Step{ToFullyConvolutional: true})
		if want := "conv.w[4 3 3 3] conv.b[4] fc1.w[6 4 4 4] fc1.b[6] fc2.w[2 6 1 1] fc2.b[2]"; shapes(c) != want {
			t.Errorf("parameters %s, want %s", shapes(c), want)
		}
		large := picture(1, 3, 16, 14)
		scores := answer(t, c, large)
		if !slices.Equal(scores.Shape, []int{1, 2, 4, 3}) {
			t.Fatalf("the map has the shape %v", scores.Shape)
		}
		for row := range 4 {
			for column := range 3 {
				part := onnxeval.New(1, 3, 10, 10) // the map's step is the pool's stride
				for i := range part.Data {
					plane, y, x := i/100, i/10%10+2*row, i%10+2*column
					part.Data[i] = large.Data[plane*16*14+y*14+x]
				}
				want := answer(t, g, part)
				for class := range 2 {
					got := scores.Data[(class*4+row)*3+column]
					if math.Abs(got-want.Data[class]) > 1e-9 {
						t.Errorf("class %d at %d,%d: the map says %v, the network %v", class, row, column, got, want.Data[class])
					}
				}
			}
		}
		if fmt.Sprint(g.Initializer("fc1.w").Shape) == fmt.Sprint(c.Initializer("fc1.w").Shape) {
			t.Error("the original changed")
		}
	}
}

// TestAverageBecomesAMap: where the network averages all places before it
// classifies, the mean of the map of scores is its answer.
func TestAverageBecomesAMap(t *testing.T) {
	base, err := builtin.Model("smallnet", 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	scores, _ := mustApply(t, base, surgery.Step{CutAfter: "fc"})
	c, _ := mustApply(t, scores, surgery.Step{ToFullyConvolutional: true})
	x := picture(1, 3, 48, 40)
	want, maps := answer(t, scores, x), answer(t, c, x)
	places := maps.Shape[2] * maps.Shape[3]
	for class := range 3 {
		mean := 0.
		for _, v := range maps.Data[class*places : (class+1)*places] {
			mean += v / float64(places)
		}
		if places < 2 || math.Abs(mean-want.Data[class]) > 1e-9 {
			t.Errorf("class %d: the mean of %d places is %v, the network says %v", class, places, mean, want.Data[class])
		}
	}
}
