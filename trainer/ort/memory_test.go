package ort

import (
	"errors"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
)

// A value of 16 TiB is more than any system gives, and no reason to die.
func TestNotEnoughMemoryIsAnErrorOfItsOwn(t *testing.T) {
	b := onnx.NewBuilder("huge")
	x := b.Input("x", onnx.Float, 1, 1)
	huge := b.Op("Expand", nil, x, b.Ints(1<<21, 1<<21))
	b.Output("y", b.Op("ReduceMax", onnx.Attrs{"keepdims": int64(1)}, huge))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, 1, g)
	defer s.Close()
	err = s.Run([]*onnx.Tensor{onnx.NewTensor(onnx.Float, 1, 1)}, []*onnx.Tensor{onnx.NewTensor(onnx.Float, 1, 1)})
	var refused *MemoryError
	if !errors.As(err, &refused) || !refused.OutOfMemory() || !strings.Contains(err.Error(), `graph "huge": there is not enough memory`) {
		t.Errorf("got %v", err)
	}
}
