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

// What CUDA's libraries say of it, which no machine of ours can be brought to.
func TestNotEnoughMemoryOfADevice(t *testing.T) {
	for _, text := range []string{
		"CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; file=cuda_allocator.cc ; line=62 ; expr=cudaMalloc((void**)&p, size);",
		"bfc_arena.cc:355 Available memory of 1024 is smaller than requested bytes of 4096",
		"CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
	} {
		var refused *MemoryError
		if !errors.As(classed(errors.New(text)), &refused) {
			t.Errorf("%q is not told as a lack of memory", text)
		}
	}
	if err := errors.New("CUDA failure 700: an illegal memory access was encountered"); !errors.Is(classed(err), err) || errors.As(classed(err), new(*MemoryError)) {
		t.Errorf("%v is told as a lack of memory", err)
	}
}
