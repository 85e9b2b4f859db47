package ort_test

import (
	"slices"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/ort/orttest"
)

// A device with a memory of its own: a state that stays there from run to run, a
// mini-batch that is sent, a loss that is fetched.
func TestStateStaysInAGraphicsProcessor(t *testing.T) {
	r := orttest.Graphics(t)
	b := onnx.NewBuilder("step")
	state, x := b.Input("state", onnx.Float, 2, 3), b.Input("x", onnx.Float, 2, 3)
	b.Output("state'", b.Op("Add", nil, state, x))
	b.Output("loss", b.Op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, b.Op("Mul", nil, state, x)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Open(g)
	if err != nil {
		t.Fatal(err)
	}
	if left := r.Placement(); len(left) > 0 || !r.OwnMemory() || r.InPlace() {
		t.Fatalf("left to the CPU: %v; own memory: %v; in place: %v", left, r.OwnMemory(), r.InPlace())
	}
	start := &onnx.Tensor{Type: onnx.Float, Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}}
	ones := &onnx.Tensor{Type: onnx.Float, Shape: []int{2, 3}, Data: []float32{1, 1, 1, 1, 1, 1}}
	now, err := r.Alloc(start.Value())
	if err != nil {
		t.Fatal(err)
	}
	next, err := r.Alloc(start.Value())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Copy(now, start); err != nil {
		t.Fatal(err)
	}
	loss := onnx.NewTensor(onnx.Float)
	for _, want := range []float32{21, 27, 33} {
		if err := s.Run([]*onnx.Tensor{now, ones}, []*onnx.Tensor{next, loss}); err != nil {
			t.Fatal(err)
		}
		now, next = next, now
		if loss.F32()[0] != want {
			t.Errorf("the loss is %v, want %v", loss.F32()[0], want)
		}
	}
	end := onnx.NewTensor(onnx.Float, 2, 3)
	if err := r.Copy(end, now); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(end.F32(), []float32{4, 5, 6, 7, 8, 9}) {
		t.Errorf("the state is %v", end.F32())
	}
	if sent := r.Traffic(); sent.ToDevice != 24+3*24 || sent.ToHost != 3*4+24 {
		t.Errorf("traffic %+v", sent)
	}
}
