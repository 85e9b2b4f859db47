package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// rawTensor collects the fields of a TensorProto; the data stand in raw or in
// one of the typed lists.
type rawTensor struct {
	name   string
	kind   DType
	shape  []int
	raw    []byte
	hasRaw bool
	floats []float32
	ints   []int64 // int32_data, int64_data and uint64_data
	double []float64
}

func decodeTensor(data []byte) (*Tensor, error) {
	r := rawTensor{shape: []int{}}
	if err := eachField(data, r.set); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", r.name, err)
	}
	n := 1
	for _, d := range r.shape {
		// More elements than bytes cannot be; the check keeps the product small.
		if d < 0 || d != 0 && n > (1<<40)/d {
			return nil, fmt.Errorf("tensor %q: the shape %v is not possible", r.name, r.shape)
		}
		n *= d
	}
	values, err := r.values(n)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", r.name, err)
	}
	t := &Tensor{Name: r.name, Type: r.kind, Shape: r.shape, Data: values}
	if r.kind == Float16 || r.kind == BFloat16 {
		t.Type = Float
	}
	return t, nil
}

func (r *rawTensor) set(num protowire.Number, v field) (err error) {
	switch num {
	case 1:
		var dims []int64
		dims, err = appendInts(nil, v)
		for _, d := range dims {
			r.shape = append(r.shape, int(d))
		}
	case 2:
		r.kind = DType(v.varint)
	case 4:
		r.floats, err = appendFloats(r.floats, v)
	case 5, 7, 11:
		r.ints, err = appendInts(r.ints, v)
	case 8:
		r.name = string(v.bytes)
	case 9:
		r.raw, r.hasRaw = v.bytes, true
	case 10:
		r.double, err = appendDoubles(r.double, v)
	case 13:
		err = errors.New("its data are in another file; save the model with its weights inside")
	}
	return err
}

func appendDoubles(out []float64, v field) ([]float64, error) {
	if v.wire == protowire.Fixed64Type {
		return append(out, math.Float64frombits(v.varint)), nil
	}
	if len(v.bytes)%8 != 0 {
		return nil, errors.New("packed doubles are cut off")
	}
	for b := v.bytes; len(b) > 0; b = b[8:] {
		out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return out, nil
}

// values converts to the Go slice of the tensor's type.
func (r *rawTensor) values(n int) (any, error) {
	size := map[DType]int{Float: 4, Double: 8, Int64: 8, Int32: 4, Uint8: 1, Int8: 1, Bool: 1, Float16: 2, BFloat16: 2}[r.kind]
	if size == 0 {
		return nil, fmt.Errorf("elements of %s are not supported", r.kind)
	}
	if r.hasRaw {
		if len(r.raw) != n*size {
			return nil, fmt.Errorf("%d bytes of data for the shape %v of %s", len(r.raw), r.shape, r.kind)
		}
		return fromRaw(r.kind, r.raw, n), nil
	}
	switch r.kind {
	case Float:
		return checked(r.floats, n, r.shape)
	case Double:
		return checked(r.double, n, r.shape)
	case Int64:
		return checked(r.ints, n, r.shape)
	}
	if _, err := checked(r.ints, n, r.shape); err != nil {
		return nil, err
	}
	return narrow(r.kind, r.ints), nil
}

func checked[T any](data []T, n int, shape []int) ([]T, error) {
	if len(data) != n {
		return nil, fmt.Errorf("%d elements of data for the shape %v", len(data), shape)
	}
	if data == nil {
		data = []T{}
	}
	return data, nil
}

func fromRaw(kind DType, raw []byte, n int) any {
	le := binary.LittleEndian
	switch kind {
	case Float:
		return gather(n, func(i int) float32 { return math.Float32frombits(le.Uint32(raw[4*i:])) })
	case Double:
		return gather(n, func(i int) float64 { return math.Float64frombits(le.Uint64(raw[8*i:])) })
	case Int64:
		return gather(n, func(i int) int64 { return int64(le.Uint64(raw[8*i:])) })
	case Int32:
		return gather(n, func(i int) int32 { return int32(le.Uint32(raw[4*i:])) })
	case Uint8:
		return gather(n, func(i int) uint8 { return raw[i] })
	case Int8:
		return gather(n, func(i int) int8 { return int8(raw[i]) })
	case Bool:
		return gather(n, func(i int) bool { return raw[i] != 0 })
	case Float16:
		return gather(n, func(i int) float32 { return halfToFloat(le.Uint16(raw[2*i:])) })
	default: // bfloat16: the upper half of a float
		return gather(n, func(i int) float32 { return math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16) })
	}
}

func gather[T any](n int, at func(int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = at(i)
	}
	return out
}

// narrow converts the list that int32_data holds for all small types.
func narrow(kind DType, ints []int64) any {
	n := len(ints)
	switch kind {
	case Int32:
		return gather(n, func(i int) int32 { return int32(ints[i]) })
	case Uint8:
		return gather(n, func(i int) uint8 { return uint8(ints[i]) })
	case Int8:
		return gather(n, func(i int) int8 { return int8(ints[i]) })
	case Bool:
		return gather(n, func(i int) bool { return ints[i] != 0 })
	case Float16:
		return gather(n, func(i int) float32 { return halfToFloat(uint16(ints[i])) })
	default:
		return gather(n, func(i int) float32 { return math.Float32frombits(uint32(uint16(ints[i])) << 16) })
	}
}

// halfToFloat widens an IEEE 754 binary16 number; every one has an exact float.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0:
		f := float32(frac) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(f))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
