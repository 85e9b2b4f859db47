package ort

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"orchestrator/trainer/onnx"
)

// check compares the tensors with the graph, because the library answers some
// mistakes by reading or writing beyond a buffer.
func (s *Session) check(inputs, outputs []*onnx.Tensor) error {
	if len(inputs) != len(s.inputs) || len(outputs) != len(s.outputs) {
		return fmt.Errorf("it has %d inputs and %d outputs, not %d and %d", len(s.inputs), len(s.outputs), len(inputs), len(outputs))
	}
	written := make(map[unsafe.Pointer]string, len(outputs))
	for i, t := range outputs {
		if err := checkTensor(s.outputs[i], t); err != nil {
			return fmt.Errorf("output %q: %w", s.outputs[i].Name, err)
		}
		at := address(t)
		if other, taken := written[at]; taken && at != nil {
			return fmt.Errorf("outputs %q and %q share memory", other, s.outputs[i].Name)
		}
		written[at] = s.outputs[i].Name
	}
	for i, t := range inputs {
		if err := checkTensor(s.inputs[i], t); err != nil {
			return fmt.Errorf("input %q: %w", s.inputs[i].Name, err)
		}
		at := address(t)
		if other, taken := written[at]; taken && at != nil && !slices.Contains(s.inPlace[other], s.inputs[i].Name) {
			return fmt.Errorf("input %q shares memory with output %q", s.inputs[i].Name, other)
		}
	}
	return nil
}

func checkTensor(want onnx.Value, t *onnx.Tensor) error {
	if t == nil {
		return fmt.Errorf("no tensor given")
	}
	if t.Type != want.Type || !slices.Equal(t.Shape, want.Shape) {
		return fmt.Errorf("want %v%v, got %v%v", want.Type, want.Shape, t.Type, t.Shape)
	}
	if b, ok := t.Data.(*Buffer); ok {
		return b.check(t)
	}
	n, ok := elements(t)
	if !ok {
		return fmt.Errorf("a tensor of type %v cannot hold its data in a %T", t.Type, t.Data)
	}
	if n != t.Value().Size() {
		return fmt.Errorf("shape %v has %d elements, but the data has %d", t.Shape, t.Value().Size(), n)
	}
	return nil
}

// elements is the length of t's data; false where its Go type contradicts Type.
func elements(t *onnx.Tensor) (int, bool) {
	switch d := t.Data.(type) {
	case []float32:
		return len(d), t.Type == onnx.Float
	case []float64:
		return len(d), t.Type == onnx.Double
	case []int64:
		return len(d), t.Type == onnx.Int64
	case []int32:
		return len(d), t.Type == onnx.Int32
	case []uint8:
		return len(d), t.Type == onnx.Uint8
	case []int8:
		return len(d), t.Type == onnx.Int8
	case []bool:
		return len(d), t.Type == onnx.Bool
	}
	return 0, false
}

// address is where t's data begin; nil where it has none.
func address(t *onnx.Tensor) unsafe.Pointer {
	switch d := t.Data.(type) {
	case *Buffer:
		return d.at
	case []float32:
		return unsafe.Pointer(unsafe.SliceData(d))
	case []float64:
		return unsafe.Pointer(unsafe.SliceData(d))
	case []int64:
		return unsafe.Pointer(unsafe.SliceData(d))
	case []int32:
		return unsafe.Pointer(unsafe.SliceData(d))
	case []uint8:
		return unsafe.Pointer(unsafe.SliceData(d))
	case []int8:
		return unsafe.Pointer(unsafe.SliceData(d))
	case []bool:
		return unsafe.Pointer(unsafe.SliceData(d))
	}
	return nil
}

// hostValues lends Go memory to the library for one run.
type hostValues struct {
	values []onnxruntime.Value
	fetchs []func() // copies of outputs that the library could not write in place
	pinner runtime.Pinner
}

func bindAll(tensors []*onnx.Tensor) (*hostValues, error) {
	b := &hostValues{values: make([]onnxruntime.Value, 0, len(tensors))}
	for _, t := range tensors {
		if at := address(t); at != nil {
			b.pinner.Pin(at)
		}
		if err := b.bind(t); err != nil {
			return b, fmt.Errorf("%v%v: %w", t.Type, t.Shape, err)
		}
	}
	return b, nil
}

func (b *hostValues) bind(t *onnx.Tensor) error {
	switch d := t.Data.(type) {
	case []float32:
		return bindSlice(b, t.Shape, d)
	case []float64:
		return bindSlice(b, t.Shape, d)
	case []int64:
		return bindSlice(b, t.Shape, d)
	case []int32:
		return bindSlice(b, t.Shape, d)
	case []uint8:
		return bindSlice(b, t.Shape, d)
	case []int8:
		return bindSlice(b, t.Shape, d)
	}
	return bindSlice(b, t.Shape, t.Data.([]bool))
}

func bindSlice[T onnxruntime.TensorData](b *hostValues, shape []int, data []T) error {
	if len(shape) == 0 { // the bindings have scalars by value only
		v, err := onnxruntime.NewScalar(data[0])
		if err != nil {
			return err
		}
		b.values = append(b.values, v)
		b.fetchs = append(b.fetchs, func() { data[0] = v.GetData() })
		return nil
	}
	dims := make(onnxruntime.Shape, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	v, err := onnxruntime.NewTensor(dims, data)
	if err != nil {
		return err
	}
	b.values = append(b.values, v)
	return nil
}

func (b *hostValues) fetch() {
	for _, f := range b.fetchs {
		f()
	}
}

func (b *hostValues) release() {
	for _, v := range b.values {
		_ = v.Destroy() // only forgets; it has no way to fail
	}
	b.pinner.Unpin()
}
