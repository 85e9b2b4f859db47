package onnxeval

import (
	"fmt"
	"math"
	"slices"

	"orchestrator/trainer/onnx"
)

// Array is a dense row-major array. Whatever its element type, the elements are
// held as float64: integers are exact up to 2^53, booleans are 0 and 1.
type Array struct {
	Shape []int
	Data  []float64
	// Type matters where an operator treats integers differently (Div, Mod,
	// Cast) and when the array becomes a tensor. The zero value means float.
	Type onnx.DType
}

// maxElements bounds a single array, so that a broken model is an error instead
// of the end of the process: 2 GiB.
const maxElements = 1 << 28

// New makes an array of zeros.
func New(shape ...int) *Array {
	n := 1
	for _, d := range shape {
		check(d >= 0, "a dimension of %v is negative", shape)
		check(d == 0 || n <= maxElements/d, "an array of shape %v is too large to evaluate", shape)
		n *= d
	}
	return &Array{Shape: slices.Clone(shape), Data: make([]float64, n)}
}

// FromTensor widens a tensor. The type is kept, the name is not.
func FromTensor(t *onnx.Tensor) *Array {
	a := &Array{Shape: slices.Clone(t.Shape), Data: make([]float64, onnx.NumElements(t.Shape)), Type: t.Type}
	switch data := t.Data.(type) {
	case []float32:
		widen(a.Data, data)
	case []float64:
		copy(a.Data, data)
	case []int64:
		widen(a.Data, data)
	case []int32:
		widen(a.Data, data)
	case []uint8:
		widen(a.Data, data)
	case []int8:
		widen(a.Data, data)
	case []bool:
		for i, b := range data {
			a.Data[i] = truth(b)
		}
	default:
		panic(fmt.Sprintf("onnxeval: tensor %q holds a %T", t.Name, t.Data))
	}
	return a
}

// Tensor narrows the array to its Type (float where it is not set, and where the
// type is of two bytes, of which there are no tensors). Integers
// are truncated towards zero and kept within the type's range.
func (a *Array) Tensor() *onnx.Tensor {
	t := a.Type
	if t == 0 || t.Half() {
		t = onnx.Float
	}
	out := onnx.NewTensor(t, slices.Clone(a.Shape)...)
	for i, x := range a.Data {
		switch data := out.Data.(type) {
		case []float32:
			data[i] = float32(x)
		case []float64:
			data[i] = x
		case []int64:
			data[i] = int64(toInt(x))
		case []int32:
			data[i] = int32(min(max(x, math.MinInt32), math.MaxInt32))
		case []uint8:
			data[i] = uint8(min(max(x, 0), math.MaxUint8))
		case []int8:
			data[i] = int8(min(max(x, math.MinInt8), math.MaxInt8))
		case []bool:
			data[i] = x != 0
		}
	}
	return out
}

func widen[T float32 | int64 | int32 | uint8 | int8](dst []float64, src []T) {
	for i, x := range src {
		dst[i] = float64(x)
	}
}

// scalar makes an array of rank 0.
func scalar(x float64) *Array { return &Array{Shape: []int{}, Data: []float64{x}} }

// vector makes an int64 array of rank 1, the form of shapes and axes.
func vector(xs ...int) *Array {
	a := New(len(xs))
	widen(a.Data, toInt64s(xs))
	a.Type = onnx.Int64
	return a
}

func toInt64s(xs []int) []int64 {
	out := make([]int64, len(xs))
	for i, x := range xs {
		out[i] = int64(x)
	}
	return out
}

// of sets the element type.
func (a *Array) of(t onnx.DType) *Array {
	a.Type = t
	return a
}

// isInt reports whether the elements are integers.
func (a *Array) isInt() bool {
	switch a.Type {
	case onnx.Int64, onnx.Int32, onnx.Uint8, onnx.Int8:
		return true
	}
	return false
}

// ints reads an array of shapes, axes or indices.
func (a *Array) ints() []int {
	out := make([]int, len(a.Data))
	for i, x := range a.Data {
		out[i] = toInt(x)
	}
	return out
}

// item reads the only element of an array.
func (a *Array) item() float64 {
	check(len(a.Data) == 1, "one element expected, not shape %v", a.Shape)
	return a.Data[0]
}

// toInt truncates and saturates: "to the end" is written as the largest int64,
// which as float64 lies just outside the type.
func toInt(x float64) int {
	switch {
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	}
	return int(x)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// evalError is what check panics with.
type evalError struct{ text string }

func (e evalError) Error() string { return e.text }

// check ends the evaluation of the node unless ok.
func check(ok bool, format string, args ...any) {
	if !ok {
		panic(evalError{fmt.Sprintf(format, args...)})
	}
}
