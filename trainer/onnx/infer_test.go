package onnx

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// shapeCase is one application of an operator: what goes in, what comes out.
// Inputs are shapes of floats unless they are tensors, which are constants.
type shapeCase struct {
	op    string
	attrs Attrs
	in    []any   // []int, Value or *Tensor; nil is absent
	want  [][]int // nil: an error
	types []DType // of the outputs; Float where it is left out
	says  string  // what the error speaks of
}

func s(dims ...int) []int { return append([]int{}, dims...) }

func typed(t DType, dims ...int) Value { return Value{Type: t, Shape: s(dims...)} }

func i64(xs ...int64) *Tensor { return Ints(xs...) }

// run infers the case.
func (c shapeCase) run() ([]Value, error) {
	n := &Node{Name: "n", Op: c.op, Attrs: c.attrs}
	if domain, op, ok := strings.Cut(c.op, "soft."); ok {
		n.Domain, n.Op = domain+"soft", op
	}
	var in []Value
	known := map[string]*Tensor{}
	for i, x := range c.in {
		name := fmt.Sprintf("in%d", i)
		switch x := x.(type) {
		case nil:
			in = append(in, Value{})
		case []int:
			in = append(in, Value{Name: name, Type: Float, Shape: x})
		case Value:
			x.Name = name
			in = append(in, x)
		case *Tensor:
			in = append(in, Value{Name: name, Type: x.Type, Shape: x.Shape})
			known[name] = x
		}
	}
	for i := range max(len(c.want), 1) {
		n.Outputs = append(n.Outputs, fmt.Sprintf("out%d", i))
	}
	return InferNode(n, in, func(v Value) *Tensor { return known[v.Name] })
}

var shapeCases = []shapeCase{
	// (7 + 1 + 1 - 3)/2 + 1 = 4
	{op: "Conv", attrs: Attrs{"strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}}, in: []any{s(2, 3, 7, 7), s(8, 3, 3, 3), s(8)}, want: [][]int{{2, 8, 4, 4}}},
	{op: "Conv", attrs: Attrs{"group": int64(2), "dilations": []int64{2, 1}}, in: []any{s(1, 4, 7, 5), s(6, 2, 3, 3)}, want: [][]int{{1, 6, 3, 3}}},
	{op: "Conv", attrs: Attrs{"auto_pad": "SAME_UPPER", "strides": []int64{2, 2}}, in: []any{s(1, 1, 7, 8), s(1, 1, 3, 3)}, want: [][]int{{1, 1, 4, 4}}},
	{op: "Conv", attrs: Attrs{"auto_pad": "VALID", "pads": []int64{9, 9, 9, 9}}, in: []any{s(1, 1, 7, 8), s(1, 1, 3, 3)}, want: [][]int{{1, 1, 5, 6}}},
	{op: "Conv", in: []any{s(1, 1, 9), s(2, 1, 3)}, want: [][]int{{1, 2, 7}}},
	{op: "Conv", in: []any{s(1, 3, 7, 7), s(8, 4, 3, 3)}, says: "groups"},
	{op: "Conv", in: []any{s(1, 3, 2, 2), s(8, 3, 3, 3)}, says: "larger"},
	{op: "Conv", attrs: Attrs{"strides": []int64{1}}, in: []any{s(1, 3, 7, 7), s(8, 3, 3, 3)}, says: "strides"},
	{op: "Conv", attrs: Attrs{"kernel_shape": []int64{5, 5}}, in: []any{s(1, 3, 7, 7), s(8, 3, 3, 3)}, says: "kernel_shape"},
	{op: "Conv", in: []any{s(1, 3, 7, 7), s(8, 3, 3, 3), s(7)}, says: "bias"},
	// 2*(3-1) + 3 - 1 - 1 + 1 = 6
	{op: "ConvTranspose", attrs: Attrs{"strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}, "output_padding": []int64{1, 1}}, in: []any{s(1, 4, 3, 3), s(4, 2, 3, 3)}, want: [][]int{{1, 2, 6, 6}}},
	{op: "ConvTranspose", attrs: Attrs{"group": int64(2)}, in: []any{s(1, 4, 3, 3), s(4, 2, 2, 2)}, want: [][]int{{1, 4, 4, 4}}},
	{op: "ConvTranspose", attrs: Attrs{"strides": []int64{2, 2}, "auto_pad": "SAME_UPPER"}, in: []any{s(1, 1, 3, 3), s(1, 1, 3, 3)}, want: [][]int{{1, 1, 6, 6}}},
	{op: "ConvTranspose", attrs: Attrs{"strides": []int64{2, 2}, "output_shape": []int64{7, 7}}, in: []any{s(1, 1, 3, 3), s(1, 1, 3, 3)}, want: [][]int{{1, 1, 7, 7}}},
	{op: "ConvTranspose", attrs: Attrs{"strides": []int64{2}}, in: []any{s(1, 1, 3, 3), s(1, 1, 3, 3)}, says: "strides"},
	{op: "MaxPool", attrs: Attrs{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}}, in: []any{s(1, 2, 8, 8)}, want: [][]int{{1, 2, 3, 3}, {1, 2, 3, 3}}, types: []DType{Float, Int64}},
	{op: "MaxPool", attrs: Attrs{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "ceil_mode": int64(1)}, in: []any{s(1, 2, 8, 8)}, want: [][]int{{1, 2, 4, 4}}},
	// the fourth window would begin in the padding behind the input
	{op: "MaxPool", attrs: Attrs{"kernel_shape": []int64{1, 1}, "strides": []int64{2, 2}, "ceil_mode": int64(1), "pads": []int64{0, 0, 1, 1}}, in: []any{s(1, 1, 5, 5)}, want: [][]int{{1, 1, 3, 3}}},
	{op: "MaxPool", in: []any{s(1, 2, 8, 8)}, says: "kernel"},
	{op: "AveragePool", attrs: Attrs{"kernel_shape": []int64{2, 2}, "pads": []int64{1, 1, 1, 1}, "count_include_pad": int64(1)}, in: []any{s(1, 2, 8, 8)}, want: [][]int{{1, 2, 9, 9}}},
	{op: "LpPool", attrs: Attrs{"kernel_shape": []int64{2, 2}}, in: []any{s(1, 2, 8, 8)}, want: [][]int{{1, 2, 7, 7}}},
	{op: "GlobalAveragePool", in: []any{s(2, 3, 5, 6)}, want: [][]int{{2, 3, 1, 1}}},
	{op: "GlobalMaxPool", in: []any{s(2, 3, 5)}, want: [][]int{{2, 3, 1}}},
	{op: "LRN", attrs: Attrs{"size": int64(5)}, in: []any{s(2, 3, 5, 6)}, want: [][]int{{2, 3, 5, 6}}},
	{op: "BatchNormalization", in: []any{s(2, 3, 5, 5), s(3), s(3), s(3), s(3)}, want: [][]int{{2, 3, 5, 5}}},
	{op: "BatchNormalization", attrs: Attrs{"training_mode": int64(1)}, in: []any{s(2, 3, 5, 5), s(3), s(3), s(3), s(3)}, want: [][]int{{2, 3, 5, 5}, {3}, {3}}},
	{op: "BatchNormalization", in: []any{s(2, 3, 5, 5), s(3), s(4), s(3), s(3)}, says: "channels"},
	{op: "InstanceNormalization", in: []any{s(2, 3, 5), s(3), s(3)}, want: [][]int{{2, 3, 5}}},
	{op: "LayerNormalization", attrs: Attrs{"axis": int64(-1)}, in: []any{s(2, 3, 5), s(5), s(5)}, want: [][]int{{2, 3, 5}, {2, 3, 1}, {2, 3, 1}}},
	{op: "LpNormalization", attrs: Attrs{"axis": int64(1)}, in: []any{s(2, 3)}, want: [][]int{{2, 3}}},
	{op: "Dropout", in: []any{s(2, 3)}, want: [][]int{{2, 3}, {2, 3}}, types: []DType{Float, Bool}},

	{op: "Gemm", attrs: Attrs{"transA": int64(1), "transB": int64(1)}, in: []any{s(3, 2), s(4, 3), s(4)}, want: [][]int{{2, 4}}},
	{op: "Gemm", in: []any{s(2, 3), s(4, 3)}, says: "inner"},
	{op: "Gemm", in: []any{s(2, 3), s(3, 4), s(3)}, says: "broadcast"},
	{op: "MatMul", in: []any{s(5, 1, 2, 3), s(4, 3, 6)}, want: [][]int{{5, 4, 2, 6}}},
	{op: "MatMul", in: []any{s(3), s(4, 3, 6)}, want: [][]int{{4, 6}}},
	{op: "MatMul", in: []any{s(2, 3), s(3)}, want: [][]int{{2}}},
	{op: "MatMul", in: []any{s(3), s(3)}, want: [][]int{{}}},
	{op: "MatMul", in: []any{s(2, 3), s(2, 3)}, says: "inner"},
	{op: "Einsum", attrs: Attrs{"equation": "bhid, bhjd -> bhij"}, in: []any{s(2, 4, 5, 8), s(2, 4, 6, 8)}, want: [][]int{{2, 4, 5, 6}}},
	{op: "Einsum", attrs: Attrs{"equation": "ij,jk"}, in: []any{s(2, 3), s(3, 4)}, want: [][]int{{2, 4}}},
	{op: "Einsum", attrs: Attrs{"equation": "ij,jk"}, in: []any{s(2, 3), s(5, 4)}, says: "sizes"},
	{op: "com.microsoft.FusedMatMul", attrs: Attrs{"transA": int64(1)}, in: []any{s(5, 3, 2), s(5, 3, 4)}, want: [][]int{{5, 2, 4}}},
	{op: "com.microsoft.FusedMatMul", attrs: Attrs{"transB": int64(1)}, in: []any{s(2, 3), s(4, 3)}, want: [][]int{{2, 4}}},
	{op: "com.microsoft.Gelu", in: []any{s(2, 3)}, want: [][]int{{2, 3}}},

	{op: "PRelu", in: []any{s(2, 3, 4, 4), s(3, 1, 1)}, want: [][]int{{2, 3, 4, 4}}},
	{op: "PRelu", in: []any{s(3), s(2, 3)}, says: "slope"},
	{op: "Pow", in: []any{s(2, 3), typed(Int64)}, want: [][]int{{2, 3}}},
	{op: "Where", in: []any{typed(Bool, 2, 1), s(3), s(1, 1)}, want: [][]int{{2, 3}}},
	{op: "Where", in: []any{s(2, 1), s(3), s(3)}, says: "bool"},
	{op: "Where", in: []any{typed(Bool, 2, 1), s(3), typed(Int64, 3)}, says: "type"},
	{op: "Cast", attrs: Attrs{"to": int64(Int64)}, in: []any{s(2)}, want: [][]int{{2}}, types: []DType{Int64}},
	{op: "Cast", attrs: Attrs{"to": int64(8)}, in: []any{s(2)}, says: "cast"},
	{op: "Add", in: []any{s(2, 3), typed(Int64, 3)}, says: "type"},
	{op: "Add", in: []any{s(2, 3), s(2)}, says: "broadcast"},
	{op: "Softmax", attrs: Attrs{"axis": int64(2)}, in: []any{s(2, 3)}, says: "axis"},
	{op: "Not", in: []any{typed(Bool, 2)}, want: [][]int{{2}}, types: []DType{Bool}},
	{op: "Not", in: []any{s(2)}, says: "bool"},
	{op: "And", in: []any{s(2), s(2)}, says: "bool"},
	{op: "Clip", in: []any{s(2, 3), s(), s()}, want: [][]int{{2, 3}}},
	{op: "CumSum", in: []any{s(2, 3), &Tensor{Type: Int64, Shape: []int{}, Data: []int64{1}}}, want: [][]int{{2, 3}}},
	{op: "Trilu", in: []any{s(2, 3)}, want: [][]int{{2, 3}}},

	{op: "ArgMax", attrs: Attrs{"axis": int64(1), "keepdims": int64(0)}, in: []any{s(2, 3, 4)}, want: [][]int{{2, 4}}, types: []DType{Int64}},
	{op: "ArgMin", attrs: Attrs{"axis": int64(-1)}, in: []any{s(2, 3)}, want: [][]int{{2, 1}}, types: []DType{Int64}},

	{op: "Concat", attrs: Attrs{"axis": int64(1)}, in: []any{s(2, 3), s(2, 5)}, want: [][]int{{2, 8}}},
	{op: "Concat", attrs: Attrs{"axis": int64(0)}, in: []any{s(2, 3), s(2, 5)}, says: "axis"},
	{op: "Split", attrs: Attrs{"axis": int64(1)}, in: []any{s(2, 5), i64(2, 3)}, want: [][]int{{2, 2}, {2, 3}}},
	{op: "Split", attrs: Attrs{"axis": int64(1), "num_outputs": int64(3)}, in: []any{s(2, 7)}, want: [][]int{{2, 3}, {2, 3}, {2, 1}}},
	{op: "Split", attrs: Attrs{"axis": int64(1)}, in: []any{s(2, 5), i64(2, 2)}, says: "add up"},
	{op: "Slice", in: []any{s(4, 10), i64(1, -3), i64(9, 1<<62), i64(0, 1)}, want: [][]int{{3, 3}}},
	{op: "Slice", in: []any{s(10), i64(-1), i64(-1 << 63), i64(0), i64(-3)}, want: [][]int{{4}}}, // 9 6 3 0
	{op: "Slice", in: []any{s(10), i64(5), i64(2)}, want: [][]int{{0}}},
	{op: "Slice", in: []any{s(10), i64(0), i64(2), i64(0), i64(0)}, says: "step"},
	{op: "Slice", in: []any{s(10), typed(Int64, 1), i64(2)}, says: "constant"},
	{op: "Pad", in: []any{s(2, 3), i64(0, 1, 2, -1)}, want: [][]int{{4, 3}}},
	{op: "Pad", in: []any{s(2, 3), i64(1, 1), nil, i64(-1)}, want: [][]int{{2, 5}}},
	{op: "Pad", in: []any{s(2, 3), i64(1, 1)}, says: "pads"},
	{op: "Reshape", in: []any{s(2, 3, 4), i64(0, -1)}, want: [][]int{{2, 12}}},
	{op: "Reshape", in: []any{s(2, 3, 4), i64(4, 5)}, says: "reshape"},
	{op: "Reshape", in: []any{s(2, 3, 4), i64(-1, 5)}, says: "reshape"},
	{op: "Flatten", attrs: Attrs{"axis": int64(2)}, in: []any{s(2, 3, 4, 5)}, want: [][]int{{6, 20}}},
	{op: "Flatten", attrs: Attrs{"axis": int64(0)}, in: []any{s(2, 3)}, want: [][]int{{1, 6}}},
	{op: "Transpose", in: []any{s(2, 3, 4)}, want: [][]int{{4, 3, 2}}},
	{op: "Transpose", attrs: Attrs{"perm": []int64{1, 0, 2}}, in: []any{s(2, 3, 4)}, want: [][]int{{3, 2, 4}}},
	{op: "Transpose", attrs: Attrs{"perm": []int64{0, 0, 2}}, in: []any{s(2, 3, 4)}, says: "perm"},
	{op: "Squeeze", in: []any{s(1, 3, 1)}, want: [][]int{{3}}},
	{op: "Squeeze", in: []any{s(1, 3, 1), i64(-1)}, want: [][]int{{1, 3}}},
	{op: "Squeeze", in: []any{s(1, 3, 1), i64(1)}, says: "not 1"},
	{op: "Unsqueeze", in: []any{s(2, 3), i64(0, -1)}, want: [][]int{{1, 2, 3, 1}}},
	{op: "Expand", in: []any{s(3, 1), i64(2, 1, 6)}, want: [][]int{{2, 3, 6}}},
	{op: "Tile", in: []any{s(2, 3), i64(2, 1)}, want: [][]int{{4, 3}}},
	{op: "Gather", attrs: Attrs{"axis": int64(1)}, in: []any{s(2, 5, 3), typed(Int64, 4, 4)}, want: [][]int{{2, 4, 4, 3}}},
	{op: "Gather", in: []any{s(2, 5), typed(Int64)}, want: [][]int{{5}}},
	{op: "Gather", in: []any{s(2, 5), s(3)}, says: "indices"},
	{op: "GatherElements", in: []any{s(2, 5), typed(Int64, 1, 5)}, want: [][]int{{1, 5}}},
	{op: "GatherElements", in: []any{s(2, 5), typed(Int64, 5)}, says: "rank"},
	{op: "GatherND", in: []any{s(2, 3, 4), typed(Int64, 7, 2)}, want: [][]int{{7, 4}}},
	{op: "GatherND", attrs: Attrs{"batch_dims": int64(1)}, in: []any{s(2, 3, 4), typed(Int64, 2, 1)}, want: [][]int{{2, 4}}},
	{op: "GatherND", attrs: Attrs{"batch_dims": int64(-5)}, in: []any{s(2, 3, 4), typed(Int64, 2, 1)}, says: "indices"},
	{op: "ScatterElements", in: []any{s(3, 3), typed(Int64, 2, 3), s(2, 3)}, want: [][]int{{3, 3}}},
	{op: "ScatterElements", in: []any{s(3, 3), typed(Int64, 2, 3), s(2, 2)}, says: "updates"},
	{op: "ScatterND", in: []any{s(3, 4), typed(Int64, 2, 1), s(2, 4)}, want: [][]int{{3, 4}}},
	{op: "ScatterND", in: []any{s(3, 4), typed(Int64, 2, 1), s(2, 3)}, says: "updates"},
	{op: "OneHot", attrs: Attrs{"axis": int64(-1)}, in: []any{typed(Int64, 5), &Tensor{Type: Int64, Shape: []int{}, Data: []int64{10}}, s(2)}, want: [][]int{{5, 10}}},
	{op: "DepthToSpace", attrs: Attrs{"blocksize": int64(2)}, in: []any{s(1, 8, 3, 5)}, want: [][]int{{1, 2, 6, 10}}},
	{op: "DepthToSpace", attrs: Attrs{"blocksize": int64(3)}, in: []any{s(1, 8, 3, 5)}, says: "block"},
	{op: "SpaceToDepth", attrs: Attrs{"blocksize": int64(2)}, in: []any{s(1, 2, 6, 10)}, want: [][]int{{1, 8, 3, 5}}},
	{op: "Resize", in: []any{s(1, 2, 5, 5), nil, Floats([]float32{1, 1, 2, 0.5}, 4)}, want: [][]int{{1, 2, 10, 2}}},
	{op: "Resize", in: []any{s(1, 2, 5, 5), nil, nil, i64(1, 2, 8, 9)}, want: [][]int{{1, 2, 8, 9}}},
	{op: "Resize", in: []any{s(1, 2, 5, 5)}, says: "scales"},

	{op: "Shape", in: []any{s(2, 3, 4)}, want: [][]int{{3}}, types: []DType{Int64}},
	{op: "Shape", attrs: Attrs{"start": int64(1), "end": int64(-1)}, in: []any{s(2, 3, 4)}, want: [][]int{{1}}, types: []DType{Int64}},
	{op: "Size", in: []any{s(2, 3, 4)}, want: [][]int{{}}, types: []DType{Int64}},
	{op: "Constant", attrs: Attrs{"value": Ints(1, 2, 3)}, want: [][]int{{3}}, types: []DType{Int64}},
	{op: "ConstantOfShape", in: []any{i64(2, 3)}, want: [][]int{{2, 3}}},
	{op: "ConstantOfShape", attrs: Attrs{"value": Ints(7)}, in: []any{i64(2, 3)}, want: [][]int{{2, 3}}, types: []DType{Int64}},
	{op: "ConstantOfShape", in: []any{i64(2, -3)}, says: "negative"},
	{op: "Range", in: []any{scalarInt(2), scalarInt(10), scalarInt(3)}, want: [][]int{{3}}, types: []DType{Int64}},
	{op: "Range", in: []any{scalarInt(10), scalarInt(2), scalarInt(-3)}, want: [][]int{{3}}, types: []DType{Int64}},
	{op: "Range", in: []any{scalarInt(3), scalarInt(3), scalarInt(1)}, want: [][]int{{0}}, types: []DType{Int64}},
	{op: "Range", in: []any{scalarInt(5), scalarInt(2), scalarInt(3)}, want: [][]int{{0}}, types: []DType{Int64}},
	{op: "Range", in: []any{scalarFloat(0), scalarFloat(1), scalarFloat(0.25)}, want: [][]int{{4}}},
	{op: "Range", in: []any{scalarInt(3), scalarInt(3), scalarInt(0)}, says: "delta"},
	{op: "Quux", in: []any{s(2)}, says: "not supported"},
}

func scalarInt(x int64) *Tensor {
	return &Tensor{Type: Int64, Shape: []int{}, Data: []int64{x}}
}

func scalarFloat(x float32) *Tensor {
	return &Tensor{Type: Float, Shape: []int{}, Data: []float32{x}}
}

func init() {
	for _, op := range strings.Fields(`Relu LeakyRelu Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Tanh
		Softplus Softsign Mish Erf Exp Log Sqrt Reciprocal Abs Neg Sign Floor Ceil Round Sin Cos Identity Softmax LogSoftmax`) {
		shapeCases = append(shapeCases, shapeCase{op: op, in: []any{s(2, 3)}, want: [][]int{{2, 3}}})
	}
	for _, op := range strings.Fields("Add Sub Mul Div Mod Min Max Mean Sum") {
		shapeCases = append(shapeCases, shapeCase{op: op, in: []any{s(2, 1, 4), s(3, 1)}, want: [][]int{{2, 3, 4}}})
	}
	for _, op := range strings.Fields("And Or Xor") {
		shapeCases = append(shapeCases, shapeCase{op: op, in: []any{typed(Bool, 2, 1), typed(Bool, 3)}, want: [][]int{{2, 3}}, types: []DType{Bool}})
	}
	for _, op := range strings.Fields("Equal Greater Less GreaterOrEqual LessOrEqual") {
		shapeCases = append(shapeCases, shapeCase{op: op, in: []any{s(2, 1), s(3)}, want: [][]int{{2, 3}}, types: []DType{Bool}})
	}
	for _, op := range strings.Fields("Sum Mean Max Min Prod L1 L2 SumSquare LogSum LogSumExp") {
		shapeCases = append(shapeCases,
			shapeCase{op: "Reduce" + op, in: []any{s(2, 3, 4), i64(-1, 0)}, want: [][]int{{1, 3, 1}}},
			shapeCase{op: "Reduce" + op, attrs: Attrs{"keepdims": int64(0)}, in: []any{s(2, 3, 4)}, want: [][]int{{}}},
			shapeCase{op: "Reduce" + op, attrs: Attrs{"noop_with_empty_axes": int64(1)}, in: []any{s(2, 3, 4)}, want: [][]int{{2, 3, 4}}})
	}
}

func TestInferNode(t *testing.T) {
	for _, c := range shapeCases {
		name := fmt.Sprintf("%s %v %v", c.op, c.attrs, c.in)
		got, err := c.run()
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: error %v; it must speak of %q", name, err, c.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range c.want {
			kind := Float
			if i < len(c.types) {
				kind = c.types[i]
			}
			if i >= len(got) || got[i].Type != kind || !slices.Equal(got[i].Shape, want) || got[i].Shape == nil {
				t.Errorf("%s: outputs %v, want %s %v in place %d", name, got, kind, want, i)
			}
		}
	}
}

// TestEveryOperatorHasACase: a rule without an example is a rule nobody checked.
func TestEveryOperatorHasACase(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range shapeCases {
		covered[c.op] = covered[c.op] || c.want != nil
	}
	for op := range shapeRules {
		if !covered[op] {
			t.Errorf("%s has no case", op)
		}
	}
}

// TestRulesRefuseNonsense: no rule may panic, whatever a file says.
func TestRulesRefuseNonsense(t *testing.T) {
	inputs := []any{nil, s(), s(0), s(3), s(2, 3), s(1, 2, 3, 4), typed(Int64, 2), typed(Bool), i64(), i64(-1, 0), i64(-7, 99, 1<<62), scalarInt(-3)}
	attrs := []Attrs{nil, {}}
	for _, key := range []string{"strides", "dilations", "pads", "kernel_shape", "output_padding", "output_shape", "perm", "axes"} {
		attrs = append(attrs, Attrs{key: []int64{}}, Attrs{key: []int64{-1}}, Attrs{key: []int64{0, 1 << 62, -1 << 63}})
	}
	for _, key := range []string{"axis", "batch_dims", "group", "blocksize", "num_outputs", "start", "to", "value"} {
		attrs = append(attrs, Attrs{key: int64(-9)}, Attrs{key: int64(0)}, Attrs{key: int64(99)}, Attrs{key: "text"})
	}
	for op := range shapeRules {
		for _, a := range attrs {
			for _, x := range inputs {
				for _, y := range inputs {
					c := shapeCase{op: op, attrs: a, in: []any{x, y, y, x, y}}
					func() {
						defer func() {
							if r := recover(); r != nil {
								t.Fatalf("%s %v of %v and %v: %v", op, a, x, y, r)
							}
						}()
						_, _ = c.run()
					}()
				}
			}
		}
	}
}
