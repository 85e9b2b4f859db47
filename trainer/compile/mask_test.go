package compile

import (
	"math/rand/v2"
	"testing"

	"orchestrator/trainer/onnx"
)

// A mask of bits is the mask of floats, whatever is dropped.
func TestMasksOfBits(t *testing.T) {
	l := newLayers(3, 5)
	l.add("drop", "Dropout", nil)
	l.add("flat", "Flatten", onnx.Attrs{"axis": int64(1)})
	model := l.add("fc", "Gemm", onnx.Attrs{"transB": int64(1)}, l.weight("fc_w", 3, 75), l.weight("fc_b", 3)).graph(onnx.Batch, 3)
	o := Options{Batch: 4, Channels: 3, Height: 5, Width: 5, Classes: 3, FloatInput: true}
	floats := must(Train(model, o))(t)
	o.Target = CUDA
	bits := must(Train(model, o))(t)
	if m := bits.Masks[0]; !m.Bits || m.Value().Shape[1] != 10 {
		t.Fatalf("75 elements are fed as %v", m.Value())
	}
	in, packed := start(t, model, floats), start(t, model, bits)
	r := rand.New(rand.NewPCG(seed, 3))
	for i := range in["mask:drop"].Data {
		keep := r.IntN(2)
		in["mask:drop"].Data[i] = float64(keep) * 2
		if at := i/75*10 + i%75/8; keep == 0 {
			packed["mask:drop"].Data[at] -= float64(int(1) << (i % 75 % 8))
		}
	}
	want := run(t, floats, in)
	for name, got := range run(t, bits, packed) {
		if d := largestDifference(got.Data, want[name].Data); d > 1e-6 {
			t.Errorf("seed %d: %s is off by %.2g of its size", seed, name, d)
		}
	}
}
