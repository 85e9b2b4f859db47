package autodiff

import "orchestrator/trainer/onnx"

type attrs = onnx.Attrs

func list(xs ...int) []int64 { return ints(xs...) }

// gradCases is the specification of the rules: each operator with the shapes,
// broadcasts, attributes and edges of its domain that matter.
var gradCases = concatCases(elementwiseCases, broadcastCases, matrixCases, reduceCases, moveCases, convCases, poolCases, normCases)

func concatCases(parts ...[]gradCase) (all []gradCase) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var elementwiseCases = []gradCase{
	{op: "Abs", variant: "both sides of zero", in: []operand{apart(3, 4)}},
	{op: "Cast", variant: "float to float", attrs: attrs{"to": int64(onnx.Float)}, in: []operand{x(3)}},
	{op: "Cast", variant: "by way of double", in: []operand{x(3)}, build: func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
		wide := b.Op("Cast", attrs{"to": int64(onnx.Double)}, in[0])
		return []onnx.Value{b.Op("Cast", attrs{"to": int64(onnx.Float)}, wide)}
	}},
	{op: "Ceil", variant: "flat", in: []operand{apart(5)}},
	{op: "Celu", variant: "default", in: []operand{apart(4, 5)}},
	{op: "Celu", variant: "alpha", attrs: attrs{"alpha": float32(0.5)}, in: []operand{apart(4, 5)}},
	{op: "Clip", variant: "both bounds", in: []operand{apart(4, 5), scalarFloat(-0.7), scalarFloat(0.9)}},
	{op: "Clip", variant: "lower bound only", in: []operand{apart(4, 5), scalarFloat(0)}},
	{op: "Clip", variant: "upper bound only", in: []operand{apart(4, 5), none, scalarFloat(0.3)}},
	{op: "Clip", variant: "no bound", in: []operand{apart(4, 5)}},
	{op: "Cos", variant: "", in: []operand{x(4, 5)}},
	{op: "Elu", variant: "default", in: []operand{apart(4, 5)}},
	{op: "Elu", variant: "alpha", attrs: attrs{"alpha": float32(0.3)}, in: []operand{apart(4, 5)}},
	{op: "Erf", variant: "", in: []operand{x(4, 5)}},
	{op: "Exp", variant: "", in: []operand{x(4, 5)}},
	{op: "Floor", variant: "flat", in: []operand{apart(5)}},
	{op: "com.microsoft.Gelu", variant: "", in: []operand{x(4, 5)}},
	{op: "HardSigmoid", variant: "both ends", in: []operand{between(-4, 4, 6, 6)}},
	{op: "HardSigmoid", variant: "alpha and beta", attrs: attrs{"alpha": float32(0.4), "beta": float32(0.1)}, in: []operand{x(6, 6)}},
	{op: "HardSwish", variant: "both ends", in: []operand{between(-5, 5, 6, 6)}},
	{op: "Identity", variant: "", in: []operand{x(2, 3)}},
	{op: "LeakyRelu", variant: "default", in: []operand{apart(4, 5)}},
	{op: "LeakyRelu", variant: "alpha", attrs: attrs{"alpha": float32(0.2)}, in: []operand{apart(4, 5)}},
	{op: "Log", variant: "positive", in: []operand{positive(4, 5)}},
	{op: "Mish", variant: "", in: []operand{between(-4, 4, 4, 5)}},
	{op: "Neg", variant: "", in: []operand{x(2, 3)}},
	{op: "Reciprocal", variant: "positive", in: []operand{positive(4)}},
	{op: "Reciprocal", variant: "negative", in: []operand{between(-2, -0.5, 4)}},
	{op: "Relu", variant: "both sides of zero", in: []operand{apart(4, 5)}},
	{op: "Round", variant: "flat", in: []operand{apart(5)}},
	{op: "Selu", variant: "default", in: []operand{apart(4, 5)}},
	{op: "Selu", variant: "alpha and gamma", attrs: attrs{"alpha": float32(1.5), "gamma": float32(0.5)}, in: []operand{apart(4, 5)}},
	{op: "Sigmoid", variant: "", in: []operand{x(4, 5)}},
	{op: "Sigmoid", variant: "far out", in: []operand{between(5, 9, 4)}},
	{op: "Sign", variant: "flat", in: []operand{apart(5)}},
	{op: "Sin", variant: "", in: []operand{x(4, 5)}},
	{op: "Softplus", variant: "", in: []operand{between(-5, 5, 4, 5)}},
	{op: "Softsign", variant: "", in: []operand{apart(4, 5)}},
	{op: "Sqrt", variant: "positive", in: []operand{positive(4, 5)}},
	{op: "Tanh", variant: "", in: []operand{x(4, 5)}},
	{op: "ThresholdedRelu", variant: "default", in: []operand{apart(4, 5)}},
	{op: "ThresholdedRelu", variant: "alpha", attrs: attrs{"alpha": float32(0.4)}, in: []operand{apart(4, 5)}},
}

func scales(xs ...float32) operand { return fixed(onnx.Floats(xs, len(xs))) }

func resizing(mode, coordinates, nearest string) attrs {
	return attrs{"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": nearest}
}

func equation(s string) attrs { return attrs{"equation": s} }

var broadcastCases = []gradCase{
	{op: "Add", variant: "same shape", in: []operand{x(2, 3), x(2, 3)}},
	{op: "Add", variant: "row", in: []operand{x(2, 3), x(3)}},
	{op: "Add", variant: "column and scalar", in: []operand{x(2, 1), x()}},
	{op: "Add", variant: "each broadcasts the other", in: []operand{x(2, 1, 3), x(4, 1)}},
	{op: "Div", variant: "same shape", in: []operand{x(2, 3), positive(2, 3)}},
	{op: "Div", variant: "each broadcasts the other", in: []operand{x(2, 1, 3), positive(4, 1)}},
	{op: "Max", variant: "one input", in: []operand{apart(4)}},
	{op: "Max", variant: "three inputs, broadcast", in: []operand{shifted(0, 3, 4), shifted(0.03, 4), shifted(0.06, 3, 1)}},
	{op: "Mean", variant: "three inputs, broadcast", in: []operand{x(3, 4), x(4), x(3, 1)}},
	{op: "Min", variant: "three inputs, broadcast", in: []operand{shifted(0, 3, 4), shifted(0.03, 4), shifted(0.06, 3, 1)}},
	{op: "Mul", variant: "same shape", in: []operand{x(2, 3), x(2, 3)}},
	{op: "Mul", variant: "per channel", in: []operand{x(2, 3, 2, 2), x(1, 3, 1, 1)}},
	{op: "Mul", variant: "lower rank per channel", in: []operand{x(2, 3, 2, 2), x(3, 1, 1)}},
	{op: "Mul", variant: "a value by itself", in: []operand{x(2, 3)}, build: func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
		return []onnx.Value{b.Op("Mul", nil, in[0], in[0])}
	}},
	{op: "PRelu", variant: "one slope", in: []operand{apart(2, 3, 2, 2), x(1)}},
	{op: "PRelu", variant: "slope per channel", in: []operand{apart(2, 3, 2, 2), x(3, 1, 1)}},
	{op: "Pow", variant: "square", in: []operand{x(3, 4), scalarFloat(2)}},
	{op: "Pow", variant: "constant exponent", in: []operand{positive(3, 4), scalarFloat(-0.75)}},
	{op: "Pow", variant: "integer exponent", in: []operand{positive(3, 4), fixedInts(3)}},
	{op: "Pow", variant: "both vary, broadcast", in: []operand{positive(3, 4), x(4)}},
	{op: "Sub", variant: "same shape", in: []operand{x(2, 3), x(2, 3)}},
	{op: "Sub", variant: "broadcast", in: []operand{x(3), x(2, 1)}},
	{op: "Sum", variant: "one input", in: []operand{x(4)}},
	{op: "Sum", variant: "three inputs, broadcast", in: []operand{x(3, 4), x(4), x(3, 1)}},
	{op: "Where", variant: "broadcast", in: []operand{
		fixed(&onnx.Tensor{Type: onnx.Bool, Shape: []int{3, 1}, Data: []bool{true, false, true}}), x(3, 4), x(4)}},
}

var matrixCases = []gradCase{
	{op: "Einsum", variant: "product of matrices", attrs: equation("ij,jk->ik"), in: []operand{x(2, 3), x(3, 4)}},
	{op: "Einsum", variant: "attention", attrs: equation("bhqd,bhkd->bhqk"), in: []operand{x(2, 2, 3, 4), x(2, 2, 5, 4)}},
	{op: "Einsum", variant: "three operands, output left out", attrs: equation("ab, bc, cd"), in: []operand{x(2, 3), x(3, 2), x(2, 4)}},
	{op: "Einsum", variant: "a letter of one operand alone", attrs: equation("ijk,j->j"), in: []operand{x(2, 3, 4), x(3)}},
	{op: "Einsum", variant: "sum of everything", attrs: equation("ij->"), in: []operand{x(2, 3)}},
	{op: "Einsum", variant: "transposed", attrs: equation("ijk->kij"), in: []operand{x(2, 3, 4)}},
	{op: "Einsum", variant: "ellipsis", attrs: equation("...ij,...jk->...ik"), in: []operand{x(2, 2, 3), x(2, 3, 4)}},
	{op: "Einsum", variant: "ellipsis, output left out", attrs: equation("a...,b..."), in: []operand{x(2, 3), x(4, 3)}},
	{op: "Gemm", variant: "plain, no C", in: []operand{x(3, 4), x(4, 5)}},
	{op: "Gemm", variant: "A transposed", attrs: attrs{"transA": int64(1), "alpha": float32(0.5)}, in: []operand{x(4, 3), x(4, 5), x(3, 5)}},
	{op: "Gemm", variant: "B transposed, C a row", attrs: attrs{"transB": int64(1), "beta": float32(0.5)}, in: []operand{x(3, 4), x(5, 4), x(5)}},
	{op: "Gemm", variant: "both transposed, C a column", attrs: attrs{"transA": int64(1), "transB": int64(1), "alpha": float32(2), "beta": float32(3)}, in: []operand{x(4, 3), x(5, 4), x(3, 1)}},
	{op: "Gemm", variant: "C a scalar", in: []operand{x(3, 4), x(4, 5), x()}},
	{op: "MatMul", variant: "matrices", in: []operand{x(3, 4), x(4, 5)}},
	{op: "MatMul", variant: "vector by matrix", in: []operand{x(4), x(4, 5)}},
	{op: "MatMul", variant: "matrix by vector", in: []operand{x(3, 4), x(4)}},
	{op: "MatMul", variant: "vector by vector", in: []operand{x(4), x(4)}},
	{op: "MatMul", variant: "batch by matrix", in: []operand{x(2, 3, 4), x(4, 5)}},
	{op: "MatMul", variant: "matrix by batch", in: []operand{x(3, 4), x(2, 4, 5)}},
	{op: "MatMul", variant: "batch by vector", in: []operand{x(2, 3, 4), x(4)}},
	{op: "MatMul", variant: "vector by batch", in: []operand{x(4), x(2, 4, 5)}},
	{op: "MatMul", variant: "batches broadcast each other", in: []operand{x(2, 1, 3, 4), x(3, 4, 5)}},
}

var reduceCases = []gradCase{
	{op: "ReduceL1", variant: "one axis", in: []operand{apart(3, 4), fixedInts(1)}},
	{op: "ReduceL2", variant: "one axis", in: []operand{positive(3, 4), fixedInts(0)}},
	{op: "ReduceL2", variant: "all, dropped", attrs: attrs{"keepdims": int64(0)}, in: []operand{positive(3, 4)}},
	{op: "ReduceLogSum", variant: "one axis", in: []operand{positive(3, 4), fixedInts(1)}},
	{op: "ReduceLogSumExp", variant: "one axis, dropped", attrs: attrs{"keepdims": int64(0)}, in: []operand{x(3, 4), fixedInts(0)}},
	{op: "ReduceMax", variant: "last axis", in: []operand{apart(3, 4), fixedInts(-1)}},
	{op: "ReduceMax", variant: "all, dropped", attrs: attrs{"keepdims": int64(0)}, in: []operand{apart(3, 4)}},
	{op: "ReduceMean", variant: "two axes, dropped", attrs: attrs{"keepdims": int64(0)}, in: []operand{x(2, 3, 4), fixedInts(0, 2)}},
	{op: "ReduceMean", variant: "all", in: []operand{x(2, 3)}},
	{op: "ReduceMin", variant: "middle axis, dropped", attrs: attrs{"keepdims": int64(0)}, in: []operand{apart(2, 3, 4), fixedInts(1)}},
	{op: "ReduceSum", variant: "negative axis", in: []operand{x(2, 3, 4), fixedInts(-2)}},
	{op: "ReduceSum", variant: "empty axes mean all", attrs: attrs{"keepdims": int64(0)}, in: []operand{x(2, 3), fixedInts()}},
	{op: "ReduceSum", variant: "empty axes mean none", attrs: attrs{"noop_with_empty_axes": int64(1)}, in: []operand{x(2, 3), fixedInts()}},
	{op: "ReduceSumSquare", variant: "one axis, dropped", attrs: attrs{"keepdims": int64(0)}, in: []operand{x(3, 4), fixedInts(1)}},
}

var moveCases = []gradCase{
	{op: "Concat", variant: "three parts", attrs: attrs{"axis": int64(1)}, in: []operand{x(2, 1, 2), x(2, 3, 2), x(2, 2, 2)}},
	{op: "Concat", variant: "negative axis", attrs: attrs{"axis": int64(-1)}, in: []operand{x(2, 3), x(2, 1)}},
	{op: "Concat", variant: "a value twice", in: []operand{x(2, 3)}, build: func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
		return []onnx.Value{b.Op("Concat", attrs{"axis": int64(0)}, in[0], in[0])}
	}},
	{op: "CumSum", variant: "first axis", in: []operand{x(3, 4), fixed(&onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{0}})}},
	{op: "CumSum", variant: "exclusive, backwards", attrs: attrs{"exclusive": int64(1), "reverse": int64(1)}, in: []operand{x(3, 4), fixed(&onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{1}})}},
	{op: "DepthToSpace", variant: "DCR", attrs: attrs{"blocksize": int64(2)}, in: []operand{x(2, 8, 2, 3)}},
	{op: "DepthToSpace", variant: "CRD", attrs: attrs{"blocksize": int64(2), "mode": "CRD"}, in: []operand{x(2, 8, 2, 3)}},
	{op: "Expand", variant: "new and longer dimensions", in: []operand{x(3, 1), fixedInts(2, 3, 4)}},
	{op: "Expand", variant: "to a smaller rank", in: []operand{x(2, 3, 1), fixedInts(1, 4)}},
	{op: "Flatten", variant: "default", in: []operand{x(2, 3, 2)}},
	{op: "Flatten", variant: "axis 0", attrs: attrs{"axis": int64(0)}, in: []operand{x(2, 3)}},
	{op: "Gather", variant: "rows, one twice", in: []operand{x(4, 3), fixedInts(2, 0, 2)}},
	{op: "Gather", variant: "negative index on the last axis", attrs: attrs{"axis": int64(-1)}, in: []operand{x(2, 4), fixedInts(-1, 1)}},
	{op: "Gather", variant: "matrix of indices", attrs: attrs{"axis": int64(1)}, in: []operand{
		x(2, 4, 3), fixed(&onnx.Tensor{Type: onnx.Int64, Shape: []int{2, 2}, Data: []int64{0, 3, 3, 1}})}},
	{op: "Gather", variant: "scalar index", in: []operand{x(4, 3), fixed(&onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{2}})}},
	{op: "GatherElements", variant: "some twice, one negative", attrs: attrs{"axis": int64(1)}, in: []operand{
		x(2, 3), fixed(&onnx.Tensor{Type: onnx.Int64, Shape: []int{2, 4}, Data: []int64{0, 0, 2, 1, -1, 1, 1, 0}})}},
	{op: "Resize", variant: "nearest, by whole scales", attrs: resizing("nearest", "asymmetric", "floor"), in: []operand{x(2, 2, 3, 4), none, scales(1, 1, 2, 3)}},
	{op: "Resize", variant: "nearest, smaller", attrs: resizing("nearest", "half_pixel", "round_prefer_floor"), in: []operand{x(1, 2, 5, 4), none, scales(1, 1, 0.6, 0.5)}},
	{op: "Resize", variant: "linear, half pixel, to sizes", attrs: resizing("linear", "half_pixel", "floor"), in: []operand{x(1, 2, 3, 4), none, none, fixedInts(1, 2, 5, 7)}},
	{op: "Resize", variant: "linear, corners aligned", attrs: resizing("linear", "align_corners", "floor"), in: []operand{x(1, 2, 3, 4), none, none, fixedInts(1, 2, 6, 3)}},
	{op: "Resize", variant: "one axis alone", attrs: resizing("linear", "pytorch_half_pixel", "floor"), in: []operand{x(1, 2, 3, 4), none, scales(1, 1, 1, 2.5)}},
	{op: "Pad", variant: "reflected", attrs: attrs{"mode": "reflect"}, in: []operand{x(2, 3, 4), fixedInts(0, 1, 2, 0, 2, 1)}},
	{op: "Pad", variant: "edges repeated", attrs: attrs{"mode": "edge"}, in: []operand{x(2, 3), fixedInts(1, 0, 0, 2)}},
	{op: "Pad", variant: "both ends", in: []operand{x(2, 3), fixedInts(1, 0, 0, 2)}},
	{op: "Pad", variant: "a value, and cropping", in: []operand{x(3, 4), fixedInts(-1, 2, 1, -1), scalarFloat(3)}},
	{op: "Pad", variant: "chosen axes", in: []operand{x(2, 3, 4), fixedInts(1, 2), none, fixedInts(-1)}},
	{op: "Reshape", variant: "inferred dimension", in: []operand{x(2, 6), fixedInts(0, -1, 3)}},
	{op: "Shape", variant: "carries no gradient", in: []operand{x(2, 3)}, build: func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
		return []onnx.Value{b.Op("Cast", attrs{"to": int64(onnx.Float)}, b.Op("Shape", nil, in[0]))}
	}},
	{op: "Slice", variant: "contiguous", in: []operand{x(4, 5), fixedInts(1, 2), fixedInts(3, 4)}},
	{op: "Slice", variant: "negative, clamped, one axis", in: []operand{x(4, 5), fixedInts(-3), fixedInts(1 << 40), fixedInts(-1)}},
	{op: "Slice", variant: "steps", in: []operand{x(4, 6), fixedInts(0, 1), fixedInts(4, 6), fixedInts(0, 1), fixedInts(2, 3)}},
	{op: "Slice", variant: "backwards", in: []operand{x(3, 4), fixedInts(-1), fixedInts(-100), fixedInts(1), fixedInts(-1)}},
	{op: "SpaceToDepth", variant: "", attrs: attrs{"blocksize": int64(2)}, in: []operand{x(2, 2, 4, 6)}},
	{op: "Split", variant: "equal parts", attrs: attrs{"axis": int64(1), "num_outputs": int64(2)}, outputs: 2, in: []operand{x(2, 4)}},
	{op: "Split", variant: "given lengths, one part unused", in: []operand{x(2, 6), fixedInts(1, 2, 3)}, build: func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
		parts := b.OpN("Split", attrs{"axis": int64(-1)}, 3, in...)
		return []onnx.Value{parts[0], parts[2]}
	}},
	{op: "Squeeze", variant: "given axes", in: []operand{x(2, 1, 3, 1), fixedInts(1, -1)}},
	{op: "Squeeze", variant: "all", in: []operand{x(2, 1, 3, 1)}},
	{op: "Tile", variant: "both axes", in: []operand{x(2, 3), fixedInts(3, 2)}},
	{op: "Transpose", variant: "default", in: []operand{x(2, 3, 4)}},
	{op: "Transpose", variant: "a rotation", attrs: attrs{"perm": list(1, 2, 0)}, in: []operand{x(2, 3, 4)}},
	{op: "Trilu", variant: "upper", in: []operand{x(3, 4)}},
	{op: "Trilu", variant: "lower, second diagonal", attrs: attrs{"upper": int64(0)}, in: []operand{x(3, 4), fixed(&onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{1}})}},
	{op: "Unsqueeze", variant: "two axes", in: []operand{x(2, 3), fixedInts(0, -1)}},
}

var convCases = []gradCase{
	{op: "Conv", variant: "3x3", in: []operand{x(2, 3, 5, 6), x(4, 3, 3, 3), x(4)}},
	{op: "Conv", variant: "3x3 padded", attrs: attrs{"pads": list(1, 1, 1, 1)}, in: []operand{x(2, 2, 4, 5), x(3, 2, 3, 3), x(3)}},
	{op: "Conv", variant: "uneven pads and kernel", attrs: attrs{"pads": list(0, 2, 1, 0)}, in: []operand{x(2, 2, 4, 5), x(3, 2, 2, 3)}},
	{op: "Conv", variant: "strides that leave a rest", attrs: attrs{"strides": list(2, 3), "pads": list(1, 0, 1, 0)}, in: []operand{x(2, 2, 6, 9), x(3, 2, 3, 2), x(3)}},
	{op: "Conv", variant: "dilations", attrs: attrs{"dilations": list(2, 1)}, in: []operand{x(2, 2, 6, 5), x(2, 2, 2, 3)}},
	{op: "Conv", variant: "strides and dilations", attrs: attrs{"strides": list(2, 2), "dilations": list(2, 3), "pads": list(1, 1, 2, 2)}, in: []operand{x(2, 2, 7, 8), x(3, 2, 2, 2)}},
	{op: "Conv", variant: "groups", attrs: attrs{"group": int64(2), "pads": list(1, 1, 1, 1)}, in: []operand{x(2, 4, 4, 3), x(6, 2, 3, 3), x(6)}},
	{op: "Conv", variant: "groups and strides", attrs: attrs{"group": int64(2), "strides": list(2, 2)}, in: []operand{x(2, 4, 6, 5), x(4, 2, 3, 2)}},
	{op: "Conv", variant: "depthwise", attrs: attrs{"group": int64(3)}, in: []operand{x(2, 3, 4, 4), x(3, 1, 2, 2), x(3)}},
	{op: "Conv", variant: "1x1, large pictures", in: []operand{x(2, 2, 5, 5), x(3, 2, 1, 1), x(3)}},
	{op: "Conv", variant: "1x1, many channels", in: []operand{x(2, 6, 1, 2), x(5, 6, 1, 1), x(5)}},
	{op: "Conv", variant: "1x1, groups", attrs: attrs{"group": int64(2)}, in: []operand{x(2, 4, 5, 5), x(6, 2, 1, 1)}},
	{op: "Conv", variant: "1x1, groups, many channels", attrs: attrs{"group": int64(2)}, in: []operand{x(2, 8, 1, 1), x(6, 4, 1, 1)}},
	{op: "Conv", variant: "1x1, strides", attrs: attrs{"strides": list(2, 3)}, in: []operand{x(2, 3, 5, 6), x(4, 3, 1, 1)}},
	{op: "Conv", variant: "1x1, padded", attrs: attrs{"pads": list(1, 0, 1, 0)}, in: []operand{x(2, 3, 3, 3), x(2, 3, 1, 1)}},
	{op: "Conv", variant: "auto_pad upper", attrs: attrs{"auto_pad": "SAME_UPPER", "strides": list(2, 2)}, in: []operand{x(2, 2, 5, 6), x(3, 2, 3, 2)}},
	{op: "Conv", variant: "auto_pad lower", attrs: attrs{"auto_pad": "SAME_LOWER"}, in: []operand{x(2, 2, 5, 6), x(3, 2, 2, 4)}},
	{op: "Conv", variant: "auto_pad valid", attrs: attrs{"auto_pad": "VALID"}, in: []operand{x(1, 2, 4, 4), x(2, 2, 3, 3)}},
	{op: "Conv", variant: "one dimension", attrs: attrs{"pads": list(1, 2)}, in: []operand{x(2, 2, 7), x(3, 2, 3), x(3)}},
	{op: "Conv", variant: "three dimensions", attrs: attrs{"pads": list(1, 0, 0, 1, 0, 0)}, in: []operand{x(2, 2, 3, 3, 4), x(2, 2, 2, 2, 2)}},
	{op: "ConvTranspose", variant: "3x3", in: []operand{x(2, 3, 3, 4), x(3, 2, 3, 3), x(2)}},
	{op: "ConvTranspose", variant: "strides, pads, output padding", attrs: attrs{"strides": list(2, 2), "pads": list(1, 1, 1, 1), "output_padding": list(1, 0)}, in: []operand{x(2, 3, 3, 4), x(3, 2, 3, 3), x(2)}},
	{op: "ConvTranspose", variant: "groups and dilations", attrs: attrs{"group": int64(2), "dilations": list(2, 1)}, in: []operand{x(2, 4, 3, 4), x(4, 3, 2, 2)}},
	{op: "ConvTranspose", variant: "output shape", attrs: attrs{"strides": list(2, 2), "output_shape": list(6, 7)}, in: []operand{x(1, 2, 3, 3), x(2, 2, 3, 3)}},
	{op: "ConvTranspose", variant: "auto_pad upper", attrs: attrs{"strides": list(2, 2), "auto_pad": "SAME_UPPER"}, in: []operand{x(1, 2, 3, 3), x(2, 2, 3, 3)}},
}

var poolCases = []gradCase{
	{op: "AveragePool", variant: "2x2", attrs: attrs{"kernel_shape": list(2, 2), "strides": list(2, 2)}, in: []operand{x(2, 3, 4, 6)}},
	{op: "AveragePool", variant: "overlapping, with a rest", attrs: attrs{"kernel_shape": list(3, 2), "strides": list(2, 2)}, in: []operand{x(2, 2, 6, 5)}},
	{op: "AveragePool", variant: "padding not counted", attrs: attrs{"kernel_shape": list(3, 3), "strides": list(2, 2), "pads": list(1, 1, 1, 1)}, in: []operand{x(2, 2, 5, 6)}},
	{op: "AveragePool", variant: "padding counted", attrs: attrs{"kernel_shape": list(3, 3), "strides": list(1, 1), "pads": list(1, 0, 1, 2), "count_include_pad": int64(1)}, in: []operand{x(2, 2, 4, 4)}},
	{op: "AveragePool", variant: "ceil_mode", attrs: attrs{"kernel_shape": list(3, 3), "strides": list(2, 2), "ceil_mode": int64(1)}, in: []operand{x(2, 2, 6, 6)}},
	{op: "AveragePool", variant: "auto_pad", attrs: attrs{"kernel_shape": list(2, 3), "strides": list(2, 2), "auto_pad": "SAME_UPPER"}, in: []operand{x(2, 2, 5, 6)}},
	{op: "AveragePool", variant: "one dimension", attrs: attrs{"kernel_shape": list(3), "strides": list(2)}, in: []operand{x(2, 2, 7)}},
	{op: "GlobalAveragePool", variant: "", in: []operand{x(2, 3, 4, 5)}},
	{op: "GlobalMaxPool", variant: "", in: []operand{apart(2, 3, 4, 5)}},
	{op: "MaxPool", variant: "2x2", attrs: attrs{"kernel_shape": list(2, 2), "strides": list(2, 2)}, in: []operand{apart(2, 3, 4, 6)}},
	{op: "MaxPool", variant: "overlapping", attrs: attrs{"kernel_shape": list(3, 3), "strides": list(2, 2)}, in: []operand{apart(2, 2, 7, 7)}},
	{op: "MaxPool", variant: "padded", attrs: attrs{"kernel_shape": list(3, 3), "strides": list(2, 2), "pads": list(1, 1, 1, 1)}, in: []operand{apart(2, 2, 5, 6)}},
	{op: "MaxPool", variant: "ceil_mode", attrs: attrs{"kernel_shape": list(3, 3), "strides": list(2, 2), "ceil_mode": int64(1)}, in: []operand{apart(2, 2, 6, 6)}},
	{op: "MaxPool", variant: "dilations", attrs: attrs{"kernel_shape": list(2, 2), "dilations": list(2, 3)}, in: []operand{apart(2, 2, 5, 6)}},
	{op: "MaxPool", variant: "auto_pad", attrs: attrs{"kernel_shape": list(2, 3), "strides": list(2, 2), "auto_pad": "SAME_LOWER"}, in: []operand{apart(2, 2, 5, 6)}},
	{op: "MaxPool", variant: "indices already there", in: []operand{apart(2, 2, 5, 5)}, build: func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
		return b.OpN("MaxPool", attrs{"kernel_shape": list(3, 3), "strides": list(2, 2)}, 2, in...)[:1]
	}},
	{op: "MaxPool", variant: "one dimension", attrs: attrs{"kernel_shape": list(3), "strides": list(2)}, in: []operand{apart(2, 2, 7)}},
}

var normCases = []gradCase{
	{op: "BatchNormalization", variant: "inference", in: []operand{x(3, 2, 2, 3), x(2), x(2), x(2), positive(2)}},
	{op: "BatchNormalization", variant: "inference, epsilon, rank 2", attrs: attrs{"epsilon": float32(0.1)}, in: []operand{x(3, 2), x(2), x(2), x(2), positive(2)}},
	{op: "BatchNormalization", variant: "training", in: []operand{x(3, 2, 2, 3), x(2), x(2), fixed(onnx.Floats([]float32{0, 0}, 2)), fixed(onnx.Floats([]float32{1, 1}, 2))}, build: trainingBatchNorm(0.9)},
	{op: "BatchNormalization", variant: "training, statistics of the batch at hand", in: []operand{x(3, 2, 2, 3), x(2), x(2), fixed(onnx.Floats([]float32{0, 0}, 2)), fixed(onnx.Floats([]float32{1, 1}, 2))}, build: trainingBatchNorm(0)},
	{op: "BatchNormalization", variant: "training, rank 2", in: []operand{x(4, 3), x(3), x(3), fixed(onnx.Floats([]float32{0, 0, 0}, 3)), fixed(onnx.Floats([]float32{1, 1, 1}, 3))}, build: trainingBatchNorm(0)},
	{op: "Dropout", variant: "outside training", in: []operand{x(2, 3)}},
	{op: "InstanceNormalization", variant: "", in: []operand{x(2, 3, 2, 3), x(3), x(3)}},
	{op: "LayerNormalization", variant: "last axis", in: []operand{x(3, 4), x(4), x(4)}},
	{op: "LayerNormalization", variant: "two axes, epsilon, no bias", attrs: attrs{"axis": int64(1), "epsilon": float32(0.1)}, in: []operand{x(2, 3, 4), x(3, 4)}},
	{op: "LRN", variant: "odd window", attrs: attrs{"size": int64(3), "alpha": float32(0.5), "beta": float32(0.75)}, in: []operand{x(2, 6, 2, 3)}},
	{op: "LRN", variant: "even window, bias", attrs: attrs{"size": int64(4), "alpha": float32(0.9), "beta": float32(0.5), "bias": float32(2)}, in: []operand{x(2, 7, 2, 2)}, noRuntime: "its LRN takes odd windows only"},
	{op: "LRN", variant: "window wider than the channels", attrs: attrs{"size": int64(5), "alpha": float32(0.9)}, in: []operand{x(2, 3, 2, 2)}},
	{op: "LogSoftmax", variant: "default", in: []operand{x(3, 4)}},
	{op: "LogSoftmax", variant: "middle axis", attrs: attrs{"axis": int64(1)}, in: []operand{x(2, 3, 2)}},
	{op: "Softmax", variant: "default", in: []operand{x(3, 4)}},
	{op: "Softmax", variant: "first axis", attrs: attrs{"axis": int64(0)}, in: []operand{x(3, 4)}},
}

func trainingBatchNorm(momentum float32) func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
	return func(b *onnx.Builder, in []onnx.Value) []onnx.Value {
		return b.OpN("BatchNormalization", attrs{"training_mode": int64(1), "momentum": momentum}, 3, in...)[:1]
	}
}
