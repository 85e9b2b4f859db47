package onnx

import "fmt"

// DType is an element type, numbered as in TensorProto.DataType.
type DType int32

// The element types that graphs of this package use.
const (
	Float    DType = 1
	Uint8    DType = 2
	Int8     DType = 3
	Int32    DType = 6
	Int64    DType = 7
	Bool     DType = 9
	Float16  DType = 10
	Double   DType = 11
	BFloat16 DType = 16
)

// String is the type's name as ONNX writes it.
func (t DType) String() string {
	switch t {
	case Float:
		return "float"
	case Uint8:
		return "uint8"
	case Int8:
		return "int8"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Bool:
		return "bool"
	case Float16:
		return "float16"
	case Double:
		return "double"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("dtype(%d)", int32(t))
}

// Size is the number of bytes of an element.
func (t DType) Size() int64 {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Float16, BFloat16:
		return 2
	case Int64, Double:
		return 8
	}
	return 4
}

// Tensor is a dense row-major array on the host.
type Tensor struct {
	Name string // initializers only
	// Param marks a weight of the model: what training changes unless it is
	// frozen. Constants of the architecture and the running statistics of a
	// normalisation are not parameters.
	Param bool
	Type  DType
	Shape []int
	// Data is a []float32, []float64, []int64, []int32, []uint8, []int8 or
	// []bool of NumElements(Shape) elements, as Type says. Float16 and BFloat16
	// are types of values alone: a file's are widened to float32 (Type Float).
	Data any
}

// NewTensor allocates a zero tensor.
func NewTensor(t DType, shape ...int) *Tensor {
	n := NumElements(shape)
	out := &Tensor{Type: t, Shape: shape}
	switch t {
	case Float:
		out.Data = make([]float32, n)
	case Double:
		out.Data = make([]float64, n)
	case Int64:
		out.Data = make([]int64, n)
	case Int32:
		out.Data = make([]int32, n)
	case Uint8:
		out.Data = make([]uint8, n)
	case Int8:
		out.Data = make([]int8, n)
	case Bool:
		out.Data = make([]bool, n)
	default:
		panic("onnx: no tensors of type " + t.String())
	}
	return out
}

// Floats wraps data, which must have NumElements(shape) elements.
func Floats(data []float32, shape ...int) *Tensor {
	return &Tensor{Type: Float, Shape: shape, Data: data}
}

// Ints makes a one-dimensional int64 tensor, the form of shapes and axes.
func Ints(data ...int64) *Tensor {
	return &Tensor{Type: Int64, Shape: []int{len(data)}, Data: data}
}

// F32 returns the data of a Float tensor.
func (t *Tensor) F32() []float32 { return t.Data.([]float32) }

// I64 returns the data of an Int64 tensor.
func (t *Tensor) I64() []int64 { return t.Data.([]int64) }

// Value is the tensor seen as an edge.
func (t *Tensor) Value() Value { return Value{Name: t.Name, Type: t.Type, Shape: t.Shape} }
