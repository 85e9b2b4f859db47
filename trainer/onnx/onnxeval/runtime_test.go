package onnxeval

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// withoutRuntime are operators that no graph of the program holds: the importer
// meets them in models and folds them away.
var withoutRuntime = []string{"CastLike", "Gelu", "IsNaN", "TopK"}

// TestAgreesWithONNXRuntime draws nodes of every operator, runs them through
// ONNX Runtime in float32 and compares: the definition here is the one that the
// library executes.
func TestAgreesWithONNXRuntime(t *testing.T) {
	rt := orttest.New(t, 1)
	for _, op := range slices.Sorted(maps.Keys(table)) {
		if slices.Contains(withoutRuntime, op) {
			continue
		}
		draw, ok := generators[op]
		if !ok {
			t.Errorf("nothing draws nodes of %s", op)
			continue
		}
		t.Run(op, func(t *testing.T) {
			for seed := range uint64(12) {
				s := newSample(seed, op)
				for i, out := range draw(s, op) {
					s.Output(fmt.Sprintf("out%d", i), out)
				}
				s.mustAgree(t, rt, seed)
			}
		})
	}
}

// TestNetworksAgreeWithONNXRuntime stacks random layers on a picture.
func TestNetworksAgreeWithONNXRuntime(t *testing.T) {
	rt := orttest.New(t, 1)
	for seed := range uint64(30) {
		s := newSample(seed, "network")
		x := s.x(2, 4, 9, 9)
		for range 6 {
			x = s.layer(x)
		}
		s.Output("out", x)
		s.mustAgree(t, rt, seed)
	}
}

// layer puts one random layer on x, a batch of pictures of at least 1x1.
func (s *sample) layer(x onnx.Value) onnx.Value {
	channels := x.Shape[1]
	switch s.IntN(9) {
	case 0:
		return s.Op("Conv", onnx.Attrs{"pads": []int64{1, 1, 1, 1}}, x, s.in(-0.5, 0.5, 4, channels, 3, 3), s.x(4))
	case 1:
		return s.Op("MaxPool", onnx.Attrs{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}, "ceil_mode": s.flag()}, x)
	case 2:
		return s.Op("AveragePool", onnx.Attrs{"kernel_shape": []int64{3, 3}, "pads": []int64{1, 1, 1, 1}, "count_include_pad": s.flag()}, x)
	case 3:
		return s.Op("LRN", onnx.Attrs{"size": int64(3), "alpha": float32(0.1)}, x)
	case 4:
		return s.OpN("BatchNormalization", nil, 1, x, s.x(channels), s.x(channels), s.x(channels), s.in(0.5, 2, channels))[0]
	case 5:
		return s.Op("Concat", onnx.Attrs{"axis": int64(1)}, x, s.Op("Tanh", nil, x))
	case 6:
		return s.Op("Add", nil, x, s.Op("Sigmoid", nil, s.Op("ReduceMean", nil, x, s.Ints(2, 3))))
	case 7:
		return s.Op("Transpose", onnx.Attrs{"perm": []int64{0, 1, 3, 2}}, x)
	}
	return s.Op(pick(s, "Relu", "Elu", "Softplus", "Mish", "HardSwish"), nil, x)
}

// mustAgree runs the graph in both and compares all outputs.
func (s *sample) mustAgree(t *testing.T, rt *ort.Runtime, seed uint64) {
	t.Helper()
	if len(s.inputs) == 0 {
		s.x(1) // the library wants an input, even one that nobody reads
	}
	g, err := s.Graph()
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	inputs := map[string]*Array{}
	for i, in := range g.Inputs {
		inputs[in.Name] = FromTensor(s.inputs[i])
	}
	want, err := Run(g, inputs)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	session, err := rt.Open(g)
	if err != nil {
		t.Fatalf("seed %d: %s: %v", seed, describe(g), err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	outputs := make([]*onnx.Tensor, len(g.Outputs))
	for i, o := range g.Outputs {
		outputs[i] = onnx.NewTensor(o.Type, o.Shape...)
	}
	if err := session.Run(s.inputs, outputs); err != nil {
		t.Fatalf("seed %d: %s: %v", seed, describe(g), err)
	}
	for i, o := range g.Outputs {
		if diff := compare(want[o.Name], FromTensor(outputs[i]), 1e-4); diff != "" {
			t.Errorf("seed %d: output %q of %s: here against ONNX Runtime: %s", seed, o.Name, describe(g), diff)
		}
	}
}

func describe(g *onnx.Graph) string {
	text := ""
	for _, n := range g.Nodes {
		text += fmt.Sprintf("%s%v ", n.Op, n.Attrs)
	}
	for _, in := range g.Inputs {
		text += fmt.Sprint(in.Shape)
	}
	return text
}
