package onnxeval

import (
	"math"

	"orchestrator/trainer/onnx"
)

// constant is the value of whichever attribute is set.
func constant(n *onnx.Node, _ []*Array) []*Array {
	switch {
	case n.Attrs["value"] != nil:
		t, ok := n.Attrs["value"].(*onnx.Tensor)
		check(ok, "attribute value is no tensor")
		return one(FromTensor(t))
	case n.Attrs["value_int"] != nil:
		return one(scalar(float64(n.Int("value_int", 0))).of(onnx.Int64))
	case n.Attrs["value_ints"] != nil:
		return one(vector(n.Ints("value_ints")...))
	case n.Attrs["value_float"] != nil:
		return one(scalar(n.Float("value_float", 0)).of(onnx.Float))
	case n.Attrs["value_floats"] != nil:
		data, _ := n.Attrs["value_floats"].([]float32)
		return one(FromTensor(onnx.Floats(data, len(data))))
	}
	check(false, "a Constant without a value of a known kind")
	return nil
}

// constantOfShape fills a shape with one value, 0 by default.
func constantOfShape(n *onnx.Node, in []*Array) []*Array {
	value := scalar(0).of(onnx.Float)
	if t, ok := n.Attrs["value"].(*onnx.Tensor); ok {
		value = FromTensor(t)
	}
	fill := value.item()
	y := New(in[0].ints()...)
	return one(apply(y, func(float64) float64 { return fill }).of(value.Type))
}

// rangeOp counts from start to limit, exclusive, by delta.
func rangeOp(_ *onnx.Node, in []*Array) []*Array {
	start, limit, delta := in[0].item(), in[1].item(), in[2].item()
	check(delta != 0, "Range with delta 0")
	count := max(0, math.Ceil((limit-start)/delta))
	check(count <= maxElements, "Range of %g elements", count)
	y := New(int(count)).of(in[0].Type)
	for i := range y.Data {
		y.Data[i] = start + float64(i)*delta
	}
	return one(y)
}
