package surgery_test

import (
	"math"
	"slices"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort/orttest"
	"orchestrator/trainer/surgery"
)

// published reads one of the published networks, or skips.
func published(t *testing.T, name string) *onnx.Graph {
	t.Helper()
	g, err := onnximport.Load(testenv.Data(t, "models", name))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPublishedNetworks gives each of them a head for two classes in every way
// there is.
func TestPublishedNetworks(t *testing.T) {
	small := surgery.Init{Gaussian: 0.01}
	two := func(name string) *surgery.Layer { return &surgery.Layer{Name: name, Outputs: 2, Init: small} }
	fc := func(name string) *surgery.NewLayer { return &surgery.NewLayer{Name: name, Outputs: 2, Init: small} }
	for _, c := range []struct {
		file, way string
		steps     []surgery.Step
		weight    string // of the new head
		shape     []int
		output    []int
	}{
		{"squeezenet1.1-7.onnx", "replace", []surgery.Step{{Replace: two("conv10")}}, "conv10_w_0", []int{2, 512, 1, 1}, []int{onnx.Batch, 2, 1, 1}},
		{"light_squeezenet.onnx", "cut and append", []surgery.Step{{CutAfter: "fire9/expand3x3"}, {Append: fc("fc")}}, "fc.weight", []int{2, 256 * 13 * 13}, []int{onnx.Batch, 2}},
		{"squeezenet1.1-7.onnx", "append", []surgery.Step{{Append: fc("fc")}}, "fc.weight", []int{2, 1000}, []int{onnx.Batch, 2}},
		{"light_bvlc_alexnet.onnx", "replace", []surgery.Step{{Replace: two("fc8")}}, "fc8_w_0", []int{2, 4096}, []int{onnx.Batch, 2}},
		{"light_bvlc_alexnet.onnx", "cut and append", []surgery.Step{{CutAfter: "fc6"}, {Append: fc("head")}}, "head.weight", []int{2, 4096}, []int{onnx.Batch, 2}},
		{"light_resnet50.onnx", "replace", []surgery.Step{{Replace: two("gpu_0/pred")}}, "gpu_0/pred_w_0", []int{2, 2048}, []int{onnx.Batch, 2}},
	} {
		t.Run(c.file+" "+c.way, func(t *testing.T) {
			g, _, err := surgery.Apply(published(t, c.file), c.steps, 1)
			if err != nil {
				t.Fatal(err)
			}
			w := g.Initializer(c.weight)
			if w == nil || !slices.Equal(w.Shape, c.shape) || !w.Param {
				t.Errorf("the new head's weight is %+v, want shape %v", w, c.shape)
			}
			if got := g.Outputs[0].Shape; !slices.Equal(got, c.output) {
				t.Errorf("the output has shape %v, want %v", got, c.output)
			}
			if last := g.Nodes[len(g.Nodes)-1]; last.Op != "Softmax" {
				t.Errorf("the network ends in %s", last.Op)
			}
		})
	}
}

// TestSqueezeNetRuns: after the surgery that examples/hymenoptera.yaml does,
// the evaluator and ONNX Runtime agree on the real network.
func TestSqueezeNetRuns(t *testing.T) {
	g, frozen, err := surgery.Apply(published(t, "squeezenet1.1-7.onnx"), []surgery.Step{
		{Replace: &surgery.Layer{Name: "conv10", Outputs: 2, Init: surgery.Init{Gaussian: 0.01}}},
		{Freeze: "fire*"},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(frozen) != 8*6 {
		t.Errorf("%d parameters are frozen, want those of 8 modules of 3 convolutions", len(frozen))
	}
	const size = 64 // the network takes any size; the evaluator is slow
	x := onnx.NewTensor(onnx.Float, 1, 3, size, size)
	for i := range x.F32() {
		x.F32()[i] = float32(60 * math.Sin(float64(i)/7))
	}
	got, want := run(t, g, x), evaluator(t, g, x)
	for i, w := range want.Data {
		if d := math.Abs(float64(got.F32()[i]) - w); !(d < 1e-5) {
			t.Errorf("P(class %d) is %v in ONNX Runtime, %v in the evaluator", i, got.F32()[i], w)
		}
	}
}

func run(t *testing.T, g *onnx.Graph, x *onnx.Tensor) *onnx.Tensor {
	t.Helper()
	b := onnx.NewBuilder("static")
	in := g.Inputs[0].Name
	out := b.Replay(g, map[string]onnx.Value{in: b.Input(in, onnx.Float, x.Shape...)})[0]
	b.Output("result", out)
	static, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	session, err := orttest.New(t, 1).Open(static)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	y := onnx.NewTensor(onnx.Float, out.Shape...)
	if err := session.Run([]*onnx.Tensor{x}, []*onnx.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	return y
}

func evaluator(t *testing.T, g *onnx.Graph, x *onnx.Tensor) *onnxeval.Array {
	t.Helper()
	g = g.Clone()
	in := g.Inputs[0].Name
	g.Inputs[0].Shape = x.Shape
	out, err := onnxeval.Run(g, map[string]*onnxeval.Array{in: onnxeval.FromTensor(x)})
	if err != nil {
		t.Fatal(err)
	}
	return out[g.Outputs[0].Name]
}

// TestPublishedNetworksGiveMaps: at twice the size of their pictures.
func TestPublishedNetworksGiveMaps(t *testing.T) {
	for file, want := range map[string][]int{
		"squeezenet1.1-7.onnx":    {1, 1000, 27, 27}, // floor((447-3)/2)+1 = 223 behind conv1, halved three times rounding down
		"light_bvlc_alexnet.onnx": {1, 1000, 8, 8},
		"light_resnet50.onnx":     {1, 1000, 14, 14},
	} {
		g, _, err := surgery.Apply(published(t, file), []surgery.Step{{ToFullyConvolutional: true}}, 1)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		b := onnx.NewBuilder("large")
		out := b.Replay(g, map[string]onnx.Value{g.Inputs[0].Name: b.Input("x", onnx.Float, 1, 3, 448, 448)})
		if b.Err() != nil {
			t.Errorf("%s: %v", file, b.Err())
		} else if !slices.Equal(out[0].Shape, want) {
			t.Errorf("%s: the map has the shape %v, want %v", file, out[0].Shape, want)
		}
	}
}
