package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// A user of plain ONNX Runtime feeds normalised pictures and reads
// probabilities.
func TestTrainedModelGivesThePredictionsByItself(t *testing.T) {
	type variant struct {
		loss  string
		with  layers
		extra int // outputs beyond the two classes
	}
	variants := []variant{{with: layers{batchNorm: true, dropout: true}}}
	for _, loss := range compile.Losses() {
		variants = append(variants, variant{loss: loss}, variant{loss: loss, with: layers{softmax: true}}, variant{loss: loss, with: layers{softmax: true}, extra: 5})
	}
	variants = append(variants, variant{extra: 3})
	for _, v := range variants {
		t.Run(fmt.Sprintf("%+v", v), func(t *testing.T) {
			rt := newRuntime(t)
			job := smallJob(v.with)
			job.Loss = v.loss
			job.Model, job.ExtraOutputs = network(2+v.extra, v.with), v.extra > 0
			res := mustRun(t, job, rt, &memory{})
			if want := map[string]string{"classes": `["a","b"]`}; !cmp.Equal(res.Model.Metadata, want) {
				t.Errorf("metadata %v", res.Model.Metadata)
			}
			got := runPlainly(t, rt, res.Model, job.Data.(*pictures), job.Test)
			again, err := Evaluate(context.Background(), Evaluation{Model: res.Model, Classes: 2, Data: job.Data, Samples: job.Test, Batch: job.EvalBatch}, rt)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(res.Predictions, again, bitwise); d != "" {
				t.Errorf("the exported model predicts otherwise:\n%s", d)
			}
			for i, p := range res.Predictions {
				for c, want := range p.Probabilities {
					if x := got[i*2+c]; math.Abs(float64(x-want)) > 1e-5 {
						t.Errorf("sample %d, class %d: %v, but the prediction says %v", p.Sample, c, x, want)
					}
				}
			}
		})
	}
}

// runPlainly runs a model as its metadata would tell anybody to.
func runPlainly(t *testing.T, rt Runtime, model *onnx.Graph, d *pictures, samples []int) []float32 {
	t.Helper()
	g := model.Clone()
	shape := append([]int{len(samples)}, pictureShape(d)...)
	g.Inputs[0].Shape = shape
	if got := g.Outputs[0].Shape; len(got) != 2 || got[1] != d.classes {
		t.Fatalf("the model's output is %v", got)
	}
	g.Outputs[0].Shape = []int{len(samples), d.classes}
	s, err := rt.Open(g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	in, out := onnx.NewTensor(onnx.Float, shape...), onnx.NewTensor(onnx.Float, len(samples), d.classes)
	mean, scale := d.Normalisation()
	plane := d.crop * d.crop
	crop := make([]uint8, d.channels*plane)
	for i, sample := range samples {
		margin := (d.size - d.crop) / 2
		if err := d.Window(crop, sample, margin, margin, false); err != nil {
			t.Fatal(err)
		}
		for k, b := range crop {
			in.F32()[i*len(crop)+k] = (float32(b) - mean[k/plane]) * scale[k/plane]
		}
	}
	if err := s.Run([]*onnx.Tensor{in}, []*onnx.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	return out.F32()
}

func TestEvaluateTrainedModel(t *testing.T) {
	rt := newRuntime(t)
	job := smallJob(layers{batchNorm: true})
	res := mustRun(t, job, rt, &memory{})
	for _, rows := range []int{0, 1, 2, 5, 100} {
		got, err := Evaluate(context.Background(), Evaluation{Model: res.Model, Classes: 2, Data: job.Data, Samples: job.Test, Batch: rows}, rt)
		if err != nil {
			t.Fatal(err)
		}
		near := cmp.Options{
			cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-5 }),
			cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-5 }),
		}
		if rows == job.EvalBatch { // the very same computation
			near = bitwise
		}
		if d := cmp.Diff(res.Predictions, got, near); d != "" {
			t.Errorf("in batches of %d:\n%s", rows, d)
		}
	}
}

func TestEvaluateWithoutLabels(t *testing.T) {
	d := newPictures(3, 2)
	d.labels[1] = -1
	got, err := Evaluate(context.Background(), Evaluation{Model: network(2, layers{}), Classes: 2, Data: d, Samples: []int{1, 0}, Batch: 2}, newRuntime(t))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if got[0].Sample != 1 || got[0].Label != -1 || got[0].Loss != 0 || got[1].Loss == 0 {
		t.Errorf("%+v", got)
	}
}

func TestEvaluateEndsEarly(t *testing.T) {
	rt := newRuntime(t)
	d := newPictures(9, 2)
	e := Evaluation{Model: network(2, layers{}), Classes: 2, Data: d, Samples: []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, Batch: 1}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Evaluate(ctx, e, rt); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	d.broken = 4
	if _, err := Evaluate(context.Background(), e, rt); err == nil {
		t.Error("a broken picture gives no error")
	}
	e.Samples = nil
	if got, err := Evaluate(context.Background(), e, rt); got != nil || err != nil {
		t.Errorf("no samples: %v, %v", got, err)
	}
}

func TestEndInProbabilities(t *testing.T) {
	node := func(op, in, out string) *onnx.Node {
		return &onnx.Node{Name: out, Op: op, Inputs: []string{in}, Outputs: []string{out}}
	}
	tests := map[string]struct {
		nodes []*onnx.Node
		shape []int
		want  []string // operators behind x
		name  string
	}{
		"scores, one against the rest":        {[]*onnx.Node{node("Gemm", "x", "y")}, []int{-1, 3}, []string{"Gemm", "Neg", "Softplus", "Neg", "Softmax"}, "probabilities"},
		"probabilities, one against the rest": {[]*onnx.Node{node("Softmax", "x", "y")}, []int{-1, 3}, []string{"Neg", "Softplus", "Neg", "Softmax"}, "y"},
		"sigmoids, one against the rest":      {[]*onnx.Node{node("Sigmoid", "x", "y")}, []int{-1, 3}, []string{"Identity", "Neg", "Softplus", "Neg", "Softmax"}, "probabilities"},
		"logarithms, one against the rest":    {[]*onnx.Node{node("LogSoftmax", "x", "y")}, []int{-1, 3}, []string{"Identity", "Neg", "Softplus", "Neg", "Softmax"}, "probabilities"},
		"sigmoids":                            {[]*onnx.Node{node("Sigmoid", "x", "y")}, []int{-1, 3}, []string{"Sigmoid", "Softmax"}, "probabilities"},

		"scores":                  {[]*onnx.Node{node("Gemm", "x", "y")}, []int{-1, 3}, []string{"Gemm", "Softmax"}, "probabilities"},
		"probabilities":           {[]*onnx.Node{node("Softmax", "x", "y")}, []int{-1, 3}, []string{"Softmax"}, "y"},
		"reshaped probabilities":  {[]*onnx.Node{node("Softmax", "x", "s"), node("Reshape", "s", "y")}, []int{-1, 3}, []string{"Softmax", "Reshape"}, "y"},
		"maps of one point":       {[]*onnx.Node{node("GlobalAveragePool", "x", "y")}, []int{-1, 3, 1, 1}, []string{"GlobalAveragePool", "Flatten", "Softmax"}, "probabilities"},
		"maps of probabilities":   {[]*onnx.Node{node("Softmax", "x", "y")}, []int{-1, 3, 1, 1}, []string{"Softmax", "Flatten"}, "scores"},
		"logarithms":              {[]*onnx.Node{node("LogSoftmax", "x", "y")}, []int{-1, 3}, []string{"LogSoftmax", "Softmax"}, "probabilities"},
		"a taken name":            {[]*onnx.Node{node("Relu", "x", "probabilities"), node("Gemm", "probabilities", "y")}, []int{-1, 3}, []string{"Relu", "Gemm", "Softmax"}, "probabilities_"},
		"an input passed through": {nil, []int{-1, 3}, []string{"Softmax"}, "probabilities"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			out := "y"
			if test.nodes == nil {
				out = "x"
			}
			g := &onnx.Graph{
				Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float, Shape: test.shape}},
				Outputs: []onnx.Value{{Name: out, Type: onnx.Float, Shape: test.shape}},
				Nodes:   test.nodes,
			}
			var link []string
			if strings.HasSuffix(what, "one against the rest") {
				link = compile.Link("binary_cross_entropy")
			}
			endInProbabilities(g, link)
			var ops []string
			for _, n := range g.Nodes {
				ops = append(ops, n.Op)
			}
			if !slices.Equal(ops, test.want) || g.Outputs[0].Name != test.name || !slices.Equal(g.Outputs[0].Shape, []int{-1, 3}) {
				t.Errorf("%q ending in %+v", ops, g.Outputs[0])
			}
		})
	}
}
