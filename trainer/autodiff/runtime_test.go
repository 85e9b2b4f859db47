package autodiff

import (
	"math"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// TestRuntimeAgrees runs each case's gradient graph through ONNX Runtime in
// float32 and compares with the evaluator's float64.
func TestRuntimeAgrees(t *testing.T) {
	r := orttest.New(t, 1)
	for how, l := range lowerings {
		for _, c := range gradCases {
			if c.noRuntime == "" {
				t.Run(c.name()+"/"+how, func(t *testing.T) { agree(t, r, c, l) })
			}
		}
	}
}

func agree(t *testing.T, r *ort.Runtime, c gradCase, l Lowering) {
	p, err := newProblem(c, l)
	if err != nil {
		t.Fatal(err)
	}
	want, err := onnxeval.Run(p.graph, p.at)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range runGraph(t, r, p) {
		name := p.graph.Outputs[i].Name
		if d := distance(got.F32(), want[name].Data); !(d < 2e-5) {
			t.Errorf("%s: the runtime's float32 differs from float64 by %.2g of its size", name, d)
		}
	}
}

func runGraph(t *testing.T, r *ort.Runtime, p *problem) []*onnx.Tensor {
	t.Helper()
	s, err := r.Open(p.graph)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var in, out []*onnx.Tensor
	for _, v := range p.graph.Inputs {
		in = append(in, p.at[v.Name].Tensor())
	}
	for _, v := range p.graph.Outputs {
		out = append(out, onnx.NewTensor(v.Type, v.Shape...))
	}
	if err := s.Run(in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// distance is the largest difference, relative to the largest element (or to
// one, for small tensors of small numbers that cancel).
func distance(got []float32, want []float64) float64 {
	var size, off float64
	for i, w := range want {
		size = max(size, math.Abs(w))
		off = max(off, math.Abs(float64(got[i])-w))
		if math.IsNaN(float64(got[i])) {
			return math.NaN()
		}
	}
	return off / max(size, 1)
}
