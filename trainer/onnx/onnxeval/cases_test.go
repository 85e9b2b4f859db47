package onnxeval

import (
	"fmt"
	"testing"

	"orchestrator/trainer/onnx"
)

// cases defines each operator by values computed by hand, or taken from its
// page of the ONNX specification.
var cases = []opCase{
	// Conv: a 2x2 kernel of ones sums each window.
	{"Conv", nil, []string{"1x1x3x3 = 1 2 3 4 5 6 7 8 9", "1x1x2x2 = 1"}, []string{"1x1x2x2 = 12 16 24 28"}},
	{"Conv", nil, []string{"1x1x3x3 = 1 2 3 4 5 6 7 8 9", "2x1x1x1 = 1 -1", "2 = 10 0"},
		[]string{"1x2x3x3 = 11 12 13 14 15 16 17 18 19 -1 -2 -3 -4 -5 -6 -7 -8 -9"}},
	{"Conv", attrs{"strides": []int{2, 2}, "pads": []int{1, 1, 0, 0}}, []string{"1x1x3x3 = 1 2 3 4 5 6 7 8 9", "1x1x2x2 = 1"},
		[]string{"1x1x2x2 = 1 5 11 28"}},
	{"Conv", attrs{"dilations": []int{2}}, []string{"1x1x5 = 1 2 3 4 5", "1x1x2 = 1 10"}, []string{"1x1x3 = 31 42 53"}},
	{"Conv", attrs{"group": 2}, []string{"1x2x1x1 = 3 5", "2x1x1x1 = 2 7"}, []string{"1x2x1x1 = 6 35"}},
	{"Conv", attrs{"auto_pad": "SAME_UPPER"}, []string{"1x1x3 = 1 2 3", "1x1x2 = 1 1"}, []string{"1x1x3 = 3 5 3"}},
	{"Conv", attrs{"auto_pad": "SAME_LOWER"}, []string{"1x1x3 = 1 2 3", "1x1x2 = 1 1"}, []string{"1x1x3 = 1 3 5"}},
	{"Conv", attrs{"auto_pad": "VALID"}, []string{"1x1x3 = 1 2 3", "1x1x2 = 1 1"}, []string{"1x1x2 = 3 5"}},

	// ConvTranspose spreads each element over a window.
	{"ConvTranspose", nil, []string{"1x1x2 = 1 10", "1x1x3 = 1 2 3"}, []string{"1x1x4 = 1 12 23 30"}},
	{"ConvTranspose", attrs{"strides": []int{2}, "output_padding": []int{1}}, []string{"1x1x2 = 1 10", "1x1x2 = 1 2", "1 = 100"},
		[]string{"1x1x5 = 101 102 110 120 100"}},
	{"ConvTranspose", attrs{"pads": []int{1, 1}, "dilations": []int{2}}, []string{"1x1x3 = 1 10 100", "1x1x2 = 1 2"}, []string{"1x1x3 = 10 102 20"}},
	{"ConvTranspose", attrs{"group": 2}, []string{"1x2x1 = 3 5", "2x1x1 = 2 7"}, []string{"1x2x1 = 6 35"}},
	{"ConvTranspose", attrs{"strides": []int{2}, "output_shape": []int{3}, "auto_pad": "SAME_UPPER"}, []string{"1x1x2 = 1 10", "1x1x2 = 1 2"},
		[]string{"1x1x3 = 1 2 10"}},
	{"ConvTranspose", attrs{"strides": []int{2}, "auto_pad": "SAME_LOWER"}, []string{"1x1x2 = 1 10", "1x1x3 = 1 2 3"}, []string{"1x1x4 = 2 13 20 30"}},

	// MaxPool: the indices count through the whole input, and the first of
	// equal elements wins.
	{"MaxPool", attrs{"kernel_shape": []int{2, 2}, "strides": []int{2, 2}}, []string{"1x2x2x2 = 1 2 3 4 8 7 6 5"},
		[]string{"1x2x1x1 = 4 8", "int64 1x2x1x1 = 3 4"}},
	{"MaxPool", attrs{"kernel_shape": []int{2}}, []string{"1x1x3 = 5 5 1"}, []string{"1x1x2 = 5 5", "int64 1x1x2 = 0 1"}},
	{"MaxPool", attrs{"kernel_shape": []int{2}, "strides": []int{2}}, []string{"1x1x3 = 1 2 3"}, []string{"1x1x1 = 2"}},
	{"MaxPool", attrs{"kernel_shape": []int{2}, "strides": []int{2}, "ceil_mode": 1}, []string{"1x1x3 = 1 2 3"}, []string{"1x1x2 = 2 3"}},
	// Rounding up adds no window that begins in the padding at the end.
	{"MaxPool", attrs{"kernel_shape": []int{1}, "strides": []int{3}, "ceil_mode": 1, "pads": []int{0, 0}}, []string{"1x1x3 = 1 2 3"}, []string{"1x1x1 = 1"}},
	{"MaxPool", attrs{"kernel_shape": []int{3}, "pads": []int{1, 1}}, []string{"1x1x3 = -1 -2 -3"}, []string{"1x1x3 = -1 -1 -2"}},
	{"MaxPool", attrs{"kernel_shape": []int{2}, "dilations": []int{2}}, []string{"1x1x4 = 9 1 2 3"}, []string{"1x1x2 = 9 3"}},

	{"AveragePool", attrs{"kernel_shape": []int{2, 2}}, []string{"1x1x3x3 = 1 2 3 4 5 6 7 8 9"}, []string{"1x1x2x2 = 3 4 6 7"}},
	{"AveragePool", attrs{"kernel_shape": []int{2}, "pads": []int{1, 0}}, []string{"1x1x2 = 2 4"}, []string{"1x1x2 = 2 3"}},
	{"AveragePool", attrs{"kernel_shape": []int{2}, "pads": []int{1, 0}, "count_include_pad": 1}, []string{"1x1x2 = 2 4"}, []string{"1x1x2 = 1 3"}},
	// A window beyond the padding, made by rounding up, counts what lies inside.
	{"AveragePool", attrs{"kernel_shape": []int{2}, "strides": []int{2}, "ceil_mode": 1, "count_include_pad": 1}, []string{"1x1x3 = 1 3 7"},
		[]string{"1x1x2 = 2 7"}},
	{"LpPool", attrs{"kernel_shape": []int{2}}, []string{"1x1x3 = 3 -4 0"}, []string{"1x1x2 = 5 4"}},
	{"GlobalAveragePool", nil, []string{"1x2x1x2 = 1 3 5 9"}, []string{"1x2x1x1 = 2 7"}},
	{"GlobalMaxPool", nil, []string{"1x2x1x2 = 1 3 9 5"}, []string{"1x2x1x1 = 3 9"}},

	// BatchNormalization of (x-2)/sqrt(4)·3+1; in training mode of the batch's
	// own mean 2 and population variance 1, while the running statistics move.
	{"BatchNormalization", attrs{"epsilon": 0.}, []string{"2x1x1 = 4 2", "1 = 3", "1 = 1", "1 = 2", "1 = 4"}, []string{"2x1x1 = 4 1"}},
	{"BatchNormalization", attrs{"epsilon": 0., "training_mode": 1, "momentum": 0.75}, []string{"2x1x1 = 1 3", "1 = 2", "1 = 5", "1 = 10", "1 = 9"},
		[]string{"2x1x1 = 3 7", "1 = 8", "1 = 7"}},
	{"InstanceNormalization", attrs{"epsilon": 0.}, []string{"1x2x2 = 1 3 0 20", "2 = 1 2", "2 = 0 5"}, []string{"1x2x2 = -1 1 3 7"}},
	{"LayerNormalization", attrs{"epsilon": 0.}, []string{"2x2 = 1 3 0 20", "2 = 1 2", "2 = 0 5"},
		[]string{"2x2 = -1 7 -1 7", "2x1 = 2 10", "2x1 = 1 0.1"}},
	{"LayerNormalization", attrs{"epsilon": 0., "axis": 1}, []string{"1x1x2x1 = 1 3", "2x1 = 1"}, []string{"1x1x2x1 = -1 1"}},
	// LRN of 4 / (1 + 2/2·(4²+2²))^0.5 and so on; an even size looks one further ahead.
	{"LRN", attrs{"size": 2, "alpha": 2., "beta": 0.5, "bias": 1.}, []string{"1x2x1x1 = 4 2"}, []string{"1x2x1x1 = 0.8728715609 0.8944271910"}},
	{"LRN", attrs{"size": 3, "alpha": 3., "beta": 1., "bias": 1.}, []string{"1x3x1 = 1 2 3"}, []string{"1x3x1 = 0.1666666667 0.1333333333 0.2142857143"}},
	{"LpNormalization", nil, []string{"2 = 3 -4"}, []string{"2 = 0.6 -0.8"}},
	{"LpNormalization", attrs{"p": 1}, []string{"2x2 = 1 -3 0 0"}, []string{"2x2 = 0.25 -0.75 0 0"}},

	// Products.
	{"MatMul", nil, []string{"2x2 = 1 2 3 4", "2x2 = 5 6 7 8"}, []string{"2x2 = 19 22 43 50"}},
	{"MatMul", nil, []string{"2 = 1 2", "2x3 = 1 2 3 4 5 6"}, []string{"3 = 9 12 15"}},
	{"MatMul", nil, []string{"2x2 = 1 2 3 4", "2 = 1 10"}, []string{"2 = 21 43"}},
	{"MatMul", nil, []string{"2 = 1 2", "2 = 3 4"}, []string{"= 11"}},
	{"MatMul", nil, []string{"2x1x1x2 = 1 2 3 4", "2x2x1 = 1 1 10 10"}, []string{"2x2x1x1 = 3 30 7 70"}},
	{"Gemm", nil, []string{"1x2 = 1 2", "2x1 = 3 4"}, []string{"1x1 = 11"}},
	{"Gemm", attrs{"transA": 1, "transB": 1, "alpha": 2., "beta": 10.}, []string{"2x1 = 1 2", "2x2 = 3 4 5 6", "2 = 1 2"}, []string{"1x2 = 32 54"}},
	{"Einsum", attrs{"equation": "ij,jk->ik"}, []string{"2x2 = 1 2 3 4", "2x2 = 5 6 7 8"}, []string{"2x2 = 19 22 43 50"}},
	{"Einsum", attrs{"equation": "ii"}, []string{"2x2 = 1 2 3 4"}, []string{"= 5"}},
	{"Einsum", attrs{"equation": "...ij -> ...ji"}, []string{"1x2x2 = 1 2 3 4"}, []string{"1x2x2 = 1 3 2 4"}},
	{"Einsum", attrs{"equation": "ba"}, []string{"2x2 = 1 2 3 4"}, []string{"2x2 = 1 3 2 4"}},
	{"Einsum", attrs{"equation": "...i,...i->..."}, []string{"2x2 = 1 2 3 4", "2 = 1 10"}, []string{"2 = 21 43"}},
	{"com.microsoft.FusedMatMul", attrs{"transA": 1, "alpha": 2.}, []string{"2x1 = 1 2", "2x1 = 3 4"}, []string{"1x1 = 22"}},
	{"com.microsoft.FusedMatMul", attrs{"transB": 1}, []string{"1x2 = 1 2", "1x2 = 3 4"}, []string{"1x1 = 11"}},
	{"com.microsoft.FusedMatMul", attrs{"transBatchA": 1}, []string{"1x2x2 = 1 2 3 4", "2x2x1 = 1 1 10 10"}, []string{"2x1x1 = 3 70"}},
	{"com.microsoft.FusedMatMul", attrs{"transBatchB": 1, "transB": 1}, []string{"2x1x2 = 1 2 3 4", "1x2x2 = 1 1 10 10"}, []string{"2x1x1 = 3 70"}},

	// Activations.
	{"Relu", nil, []string{"3 = -1 0 2"}, []string{"3 = 0 0 2"}},
	{"LeakyRelu", nil, []string{"2 = -1 2"}, []string{"2 = -0.01 2"}},
	{"LeakyRelu", attrs{"alpha": 0.5}, []string{"2 = -1 2"}, []string{"2 = -0.5 2"}},
	{"PRelu", nil, []string{"2x1 = -1 -2", "2x1 = 0.5 0.25"}, []string{"2x1 = -0.5 -0.5"}},
	{"ThresholdedRelu", nil, []string{"3 = 0.5 1 1.5"}, []string{"3 = 0 0 1.5"}},
	{"Elu", attrs{"alpha": 2.}, []string{"2 = -1 3"}, []string{"2 = -1.2642411177 3"}},
	{"Celu", attrs{"alpha": 2.}, []string{"2 = -2 3"}, []string{"2 = -1.2642411177 3"}},
	{"Selu", nil, []string{"2 = -1 1"}, []string{"2 = -1.1113307 1.0507010"}},
	{"Sigmoid", nil, []string{"2 = 0 2"}, []string{"2 = 0.5 0.8807970780"}},
	{"HardSigmoid", nil, []string{"3 = -9 1 9"}, []string{"3 = 0 0.7 1"}},
	{"HardSwish", nil, []string{"3 = -4 3 1"}, []string{"3 = 0 3 0.6666666667"}},
	{"Tanh", nil, []string{"1 = 1"}, []string{"1 = 0.7615941560"}},
	{"Softplus", nil, []string{"3 = 0 1 1000"}, []string{"3 = 0.6931471806 1.3132616875 1000"}},
	{"Softsign", nil, []string{"2 = -1 3"}, []string{"2 = -0.5 0.75"}},
	{"Mish", nil, []string{"1 = 1"}, []string{"1 = 0.8650983883"}},
	{"Gelu", nil, []string{"2 = -1 1"}, []string{"2 = -0.1586552539 0.8413447461"}},
	{"Gelu", attrs{"approximate": "tanh"}, []string{"1 = 1"}, []string{"1 = 0.8411919906"}},
	{"com.microsoft.Gelu", nil, []string{"1 = 1"}, []string{"1 = 0.8413447461"}},
	{"Softmax", nil, []string{"2x2 = 0 0 1000 1000"}, []string{"2x2 = 0.5 0.5 0.5 0.5"}},
	{"Softmax", attrs{"axis": 0}, []string{"2x1 = 0 1.0986122887"}, []string{"2x1 = 0.25 0.75"}},
	{"LogSoftmax", nil, []string{"2 = 0 1.0986122887"}, []string{"2 = -1.3862943611 -0.2876820724"}},
	{"Dropout", nil, []string{"2 = 1 -2"}, []string{"2 = 1 -2", "bool 2 = 1 1"}},
	{"Dropout", nil, []string{"2 = 1 -2", "= 0", "bool = 1"}, []string{"2 = 1 -2"}},

	// Functions of each element.
	{"Identity", nil, []string{"2 = 1 2"}, []string{"2 = 1 2"}},
	{"Abs", nil, []string{"2 = -1 2"}, []string{"2 = 1 2"}},
	{"Neg", nil, []string{"2 = -1 2"}, []string{"2 = 1 -2"}},
	{"Sign", nil, []string{"3 = -5 0 2"}, []string{"3 = -1 0 1"}},
	{"Reciprocal", nil, []string{"2 = 4 -2"}, []string{"2 = 0.25 -0.5"}},
	{"Sqrt", nil, []string{"1 = 9"}, []string{"1 = 3"}},
	{"Exp", nil, []string{"2 = 0 1"}, []string{"2 = 1 2.7182818285"}},
	{"Log", nil, []string{"2 = 1 10"}, []string{"2 = 0 2.3025850930"}},
	{"Erf", nil, []string{"1 = 1"}, []string{"1 = 0.8427007929"}},
	{"Sin", nil, []string{"1 = 1"}, []string{"1 = 0.8414709848"}},
	{"Cos", nil, []string{"1 = 1"}, []string{"1 = 0.5403023059"}},
	{"Floor", nil, []string{"2 = -1.5 1.5"}, []string{"2 = -2 1"}},
	{"Ceil", nil, []string{"2 = -1.5 1.5"}, []string{"2 = -1 2"}},
	{"Round", nil, []string{"4 = 0.5 1.5 2.5 -0.6"}, []string{"4 = 0 2 2 -1"}},
	{"Clip", nil, []string{"3 = -1 0.5 9", "= 0", "= 1"}, []string{"3 = 0 0.5 1"}},
	{"Clip", nil, []string{"2 = -1 9", "", "= 1"}, []string{"2 = -1 1"}},
	{"Cast", attrs{"to": int(onnx.Int64)}, []string{"3 = -1.7 1.7 3"}, []string{"int64 3 = -1 1 3"}},
	{"Cast", attrs{"to": int(onnx.Float16)}, []string{"3 = 2049 1e-9 70000"}, []string{"float16 3 = 2048 0 +Inf"}},
	{"Cast", attrs{"to": int(onnx.BFloat16)}, []string{"2 = 257 1.003"}, []string{"bfloat16 2 = 256 1"}},
	{"Add", nil, []string{"float16 2 = 2048 1", "float16 2 = 1 0.25"}, []string{"float16 2 = 2048 1.25"}},
	{"Greater", nil, []string{"bfloat16 2 = 1 2", "bfloat16 2 = 2 1"}, []string{"bool 2 = 0 1"}},
	{"Cast", attrs{"to": int(onnx.Bool)}, []string{"3 = 0 0.5 -3"}, []string{"bool 3 = 0 1 1"}},
	{"CastLike", nil, []string{"1 = 1.7", "int64 1 = 0"}, []string{"int64 1 = 1"}},
	{"IsNaN", nil, []string{"2 = NaN 1"}, []string{"bool 2 = 1 0"}},
	{"Not", nil, []string{"bool 2 = 0 1"}, []string{"bool 2 = 1 0"}},

	// Arithmetic broadcasts from the last axis.
	{"Add", nil, []string{"2x2 = 1 2 3 4", "2 = 10 20"}, []string{"2x2 = 11 22 13 24"}},
	{"Add", nil, []string{"2x1 = 1 2", "1x2 = 10 20"}, []string{"2x2 = 11 21 12 22"}},
	{"Sub", nil, []string{"= 1", "2 = 10 20"}, []string{"2 = -9 -19"}},
	{"Mul", nil, []string{"2 = 1 2", "2 = 10 20"}, []string{"2 = 10 40"}},
	{"Div", nil, []string{"2 = 7 -7", "= 2"}, []string{"2 = 3.5 -3.5"}},
	{"Div", nil, []string{"int64 2 = 7 -7", "int64 = 2"}, []string{"int64 2 = 3 -3"}},
	{"Mod", nil, []string{"int64 4 = 7 -7 7 -7", "int64 4 = 3 3 -3 -3"}, []string{"int64 4 = 1 2 -2 -1"}},
	{"Mod", attrs{"fmod": 1}, []string{"2 = -7.5 7.5", "2 = 3 -3"}, []string{"2 = -1.5 1.5"}},
	{"Pow", nil, []string{"2 = 2 9", "2 = 3 0.5"}, []string{"2 = 8 3"}},
	{"Pow", nil, []string{"int64 1 = 2", "1 = -1"}, []string{"int64 1 = 0"}},
	{"Min", nil, []string{"2 = 1 5", "= 3", "2 = 2 2"}, []string{"2 = 1 2"}},
	{"Max", nil, []string{"2 = 1 5", "= 3"}, []string{"2 = 3 5"}},
	{"Sum", nil, []string{"2 = 1 5", "= 3", "2 = 2 2"}, []string{"2 = 6 10"}},
	{"Mean", nil, []string{"2 = 1 5", "= 3"}, []string{"2 = 2 4"}},
	{"Equal", nil, []string{"2 = 1 2", "2 = 1 3"}, []string{"bool 2 = 1 0"}},
	{"Less", nil, []string{"3 = 1 2 3", "= 2"}, []string{"bool 3 = 1 0 0"}},
	{"LessOrEqual", nil, []string{"3 = 1 2 3", "= 2"}, []string{"bool 3 = 1 1 0"}},
	{"Greater", nil, []string{"3 = 1 2 3", "= 2"}, []string{"bool 3 = 0 0 1"}},
	{"GreaterOrEqual", nil, []string{"3 = 1 2 3", "= 2"}, []string{"bool 3 = 0 1 1"}},
	{"And", nil, []string{"bool 3 = 0 1 1", "bool 3 = 0 0 1"}, []string{"bool 3 = 0 0 1"}},
	{"Or", nil, []string{"bool 3 = 0 1 1", "bool 3 = 0 0 1"}, []string{"bool 3 = 0 1 1"}},
	{"Xor", nil, []string{"bool 3 = 0 1 1", "bool 3 = 0 0 1"}, []string{"bool 3 = 0 1 0"}},
	{"Where", nil, []string{"bool 2x1 = 1 0", "2 = 1 2", "= 9"}, []string{"2x2 = 1 2 9 9"}},

	// Reductions.
	{"ReduceSum", nil, []string{"2x2 = 1 2 3 4"}, []string{"1x1 = 10"}},
	{"ReduceSum", attrs{"keepdims": 0}, []string{"2x2 = 1 2 3 4", "int64 1 = -1"}, []string{"2 = 3 7"}},
	{"ReduceSum", attrs{"noop_with_empty_axes": 1}, []string{"2 = 1 2", "int64 0 ="}, []string{"2 = 1 2"}},
	{"ReduceMean", nil, []string{"2x2 = 1 2 3 4", "int64 1 = 0"}, []string{"1x2 = 2 3"}},
	{"ReduceMax", nil, []string{"2x2 = 1 2 3 4", "int64 1 = 0"}, []string{"1x2 = 3 4"}},
	{"ReduceMin", nil, []string{"2x2 = 1 2 3 4", "int64 1 = 0"}, []string{"1x2 = 1 2"}},
	{"ReduceProd", nil, []string{"2x2 = 1 2 3 4", "int64 1 = 1"}, []string{"2x1 = 2 12"}},
	{"ReduceL1", nil, []string{"2 = 3 -4"}, []string{"1 = 7"}},
	{"ReduceL2", nil, []string{"2 = 3 -4"}, []string{"1 = 5"}},
	{"ReduceSumSquare", nil, []string{"2 = 3 -4"}, []string{"1 = 25"}},
	{"ReduceLogSum", nil, []string{"2 = 4 6"}, []string{"1 = 2.3025850930"}},
	{"ReduceLogSumExp", nil, []string{"2 = 1000 1000"}, []string{"1 = 1000.6931471806"}},
	{"ArgMax", attrs{"axis": 1}, []string{"2x3 = 1 5 5 9 0 9"}, []string{"int64 2x1 = 1 0"}},
	{"ArgMax", attrs{"axis": 1, "keepdims": 0, "select_last_index": 1}, []string{"2x3 = 1 5 5 9 0 9"}, []string{"int64 2 = 2 2"}},
	{"ArgMin", nil, []string{"2x2 = 1 5 0 7"}, []string{"int64 1x2 = 1 0"}},
	{"CumSum", nil, []string{"2x2 = 1 2 3 4", "int64 = 1"}, []string{"2x2 = 1 3 3 7"}},
	{"CumSum", attrs{"exclusive": 1, "reverse": 1}, []string{"3 = 1 2 3", "int64 = 0"}, []string{"3 = 5 3 0"}},
	{"TopK", nil, []string{"2x3 = 1 5 3 9 9 0", "int64 1 = 2"}, []string{"2x2 = 5 3 9 9", "int64 2x2 = 1 2 0 1"}},
	{"TopK", attrs{"largest": 0, "axis": 0}, []string{"2x2 = 1 5 3 0", "int64 1 = 1"}, []string{"1x2 = 1 0", "int64 1x2 = 0 1"}},

	// Shapes.
	{"Shape", nil, []string{"2x3 = 0"}, []string{"int64 2 = 2 3"}},
	{"Shape", attrs{"start": -2, "end": 2}, []string{"2x3x4 = 0"}, []string{"int64 1 = 3"}},
	{"Size", nil, []string{"2x3 = 0"}, []string{"int64 = 6"}},
	{"Reshape", nil, []string{"2x3 = 1 2 3 4 5 6", "int64 3 = 0 -1 1"}, []string{"2x3x1 = 1 2 3 4 5 6"}},
	{"Reshape", attrs{"allowzero": 1}, []string{"0x3 =", "int64 2 = 3 0"}, []string{"3x0 ="}},
	{"Flatten", nil, []string{"2x2x1 = 1 2 3 4"}, []string{"2x2 = 1 2 3 4"}},
	{"Flatten", attrs{"axis": 0}, []string{"2x2 = 1 2 3 4"}, []string{"1x4 = 1 2 3 4"}},
	{"Flatten", attrs{"axis": -1}, []string{"1x2x2 = 1 2 3 4"}, []string{"2x2 = 1 2 3 4"}},
	{"Transpose", nil, []string{"2x3 = 1 2 3 4 5 6"}, []string{"3x2 = 1 4 2 5 3 6"}},
	{"Transpose", attrs{"perm": []int{1, 2, 0}}, []string{"2x1x3 = 1 2 3 4 5 6"}, []string{"1x3x2 = 1 4 2 5 3 6"}},
	{"Squeeze", nil, []string{"1x2x1 = 1 2"}, []string{"2 = 1 2"}},
	{"Squeeze", nil, []string{"1x2x1 = 1 2", "int64 1 = -1"}, []string{"1x2 = 1 2"}},
	{"Unsqueeze", nil, []string{"2 = 1 2", "int64 2 = 0 -1"}, []string{"1x2x1 = 1 2"}},
	{"Expand", nil, []string{"2x1 = 1 2", "int64 3 = 2 1 2"}, []string{"2x2x2 = 1 1 2 2 1 1 2 2"}},
	{"Expand", nil, []string{"2x2 = 1 2 3 4", "int64 1 = 1"}, []string{"2x2 = 1 2 3 4"}},
	{"Tile", nil, []string{"1x2 = 1 2", "int64 2 = 2 2"}, []string{"2x4 = 1 2 1 2 1 2 1 2"}},
	{"Concat", attrs{"axis": -1}, []string{"2x1 = 1 2", "2x2 = 3 4 5 6"}, []string{"2x3 = 1 3 4 2 5 6"}},
	{"Split", attrs{"axis": 0}, []string{"3 = 1 2 3", "int64 2 = 1 2"}, []string{"1 = 1", "2 = 2 3"}},
	{"Split", attrs{"axis": 1, "num_outputs": 2}, []string{"1x3 = 1 2 3"}, []string{"1x2 = 1 2", "1x1 = 3"}},
	{"Slice", nil, []string{"4 = 1 2 3 4", "int64 1 = 1", "int64 1 = 3"}, []string{"2 = 2 3"}},
	{"Slice", nil, []string{"2x3 = 1 2 3 4 5 6", "int64 1 = -2", "int64 1 = 9223372036854775807", "int64 1 = 1"}, []string{"2x2 = 2 3 5 6"}},
	{"Slice", nil, []string{"4 = 1 2 3 4", "int64 1 = -1", "int64 1 = -9223372036854775808", "int64 1 = 0", "int64 1 = -2"}, []string{"2 = 4 2"}},
	{"Slice", nil, []string{"4 = 1 2 3 4", "int64 1 = 3", "int64 1 = 2"}, []string{"0 ="}},
	{"Pad", nil, []string{"1x2 = 1 2", "int64 4 = 0 1 1 0", "= 9"}, []string{"2x3 = 9 1 2 9 9 9"}},
	{"Pad", attrs{"mode": "edge"}, []string{"2 = 1 2", "int64 2 = 2 1"}, []string{"5 = 1 1 1 2 2"}},
	{"Pad", attrs{"mode": "reflect"}, []string{"3 = 1 2 3", "int64 2 = 2 1"}, []string{"6 = 3 2 1 2 3 2"}},
	{"Pad", nil, []string{"1x3 = 1 2 3", "int64 2 = -1 1", "", "int64 1 = 1"}, []string{"1x3 = 2 3 0"}},
	{"DepthToSpace", attrs{"blocksize": 2}, []string{"1x4x1x1 = 1 2 3 4"}, []string{"1x1x2x2 = 1 2 3 4"}},
	{"DepthToSpace", attrs{"blocksize": 2}, []string{"1x8x1x1 = 1 2 3 4 5 6 7 8"}, []string{"1x2x2x2 = 1 3 5 7 2 4 6 8"}},
	{"DepthToSpace", attrs{"blocksize": 2, "mode": "CRD"}, []string{"1x8x1x1 = 1 2 3 4 5 6 7 8"}, []string{"1x2x2x2 = 1 2 3 4 5 6 7 8"}},
	{"SpaceToDepth", attrs{"blocksize": 2}, []string{"1x2x2x2 = 1 3 5 7 2 4 6 8"}, []string{"1x8x1x1 = 1 2 3 4 5 6 7 8"}},
	{"Trilu", nil, []string{"2x3 = 1 2 3 4 5 6", "int64 = 1"}, []string{"2x3 = 0 2 3 0 0 6"}},
	{"Trilu", attrs{"upper": 0}, []string{"2x3 = 1 2 3 4 5 6"}, []string{"2x3 = 1 0 0 4 5 0"}},
	{"Resize", attrs{"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, []string{"2 = 1 2", "", "1 = 2"}, []string{"4 = 1 1 2 2"}},
	{"Resize", nil, []string{"4 = 1 2 3 4", "", "", "int64 1 = 2"}, []string{"2 = 1 3"}},
	{"Resize", attrs{"nearest_mode": "round_prefer_ceil"}, []string{"4 = 1 2 3 4", "", "", "int64 1 = 2"}, []string{"2 = 2 4"}},
	{"Resize", attrs{"nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}, []string{"2 = 1 2", "", "1 = 2"}, []string{"4 = 1 2 2 2"}},
	{"Resize", attrs{"mode": "linear"}, []string{"2 = 0 4", "", "1 = 2"}, []string{"4 = 0 1 3 4"}},
	{"Resize", attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"}, []string{"2 = 0 6", "", "", "int64 1 = 4"}, []string{"4 = 0 2 4 6"}},
	{"Resize", attrs{"mode": "linear", "axes": []int{1}, "coordinate_transformation_mode": "pytorch_half_pixel"}, []string{"1x2 = 5 6", "", "", "int64 1 = 1"},
		[]string{"1x1 = 5"}},

	// Indices may be negative: they count from the end.
	{"Gather", nil, []string{"3x2 = 1 2 3 4 5 6", "int64 2 = -1 0"}, []string{"2x2 = 5 6 1 2"}},
	{"Gather", attrs{"axis": 1}, []string{"2x3 = 1 2 3 4 5 6", "int64 1x2 = 0 2"}, []string{"2x1x2 = 1 3 4 6"}},
	{"Gather", nil, []string{"int64 3 = 5 6 7", "int64 = 1"}, []string{"int64 = 6"}},
	{"GatherElements", attrs{"axis": 1}, []string{"2x2 = 1 2 3 4", "int64 2x2 = 0 0 -1 0"}, []string{"2x2 = 1 1 4 3"}},
	{"GatherND", nil, []string{"2x2 = 1 2 3 4", "int64 2x2 = 0 0 1 1"}, []string{"2 = 1 4"}},
	{"GatherND", nil, []string{"2x2 = 1 2 3 4", "int64 1x1 = 1"}, []string{"1x2 = 3 4"}},
	{"GatherND", attrs{"batch_dims": 1}, []string{"2x2 = 1 2 3 4", "int64 2x1 = 1 0"}, []string{"2 = 2 3"}},
	{"ScatterElements", nil, []string{"3 = 1 2 3", "int64 2 = 2 -3", "2 = 9 8"}, []string{"3 = 8 2 9"}},
	{"ScatterElements", attrs{"axis": 1}, []string{"2x2 = 0", "int64 2x1 = 1 0", "2x1 = 5 6"}, []string{"2x2 = 0 5 6 0"}},
	{"ScatterElements", attrs{"reduction": "add"}, []string{"2 = 1 2", "int64 3 = 0 0 1", "3 = 10 20 30"}, []string{"2 = 31 32"}},
	{"ScatterElements", attrs{"reduction": "mul"}, []string{"2 = 3 2", "int64 2 = 0 0", "2 = 10 2"}, []string{"2 = 60 2"}},
	{"ScatterElements", attrs{"reduction": "max"}, []string{"2 = 3 2", "int64 2 = 0 1", "2 = 1 5"}, []string{"2 = 3 5"}},
	{"ScatterElements", attrs{"reduction": "min"}, []string{"2 = 3 2", "int64 2 = 0 1", "2 = 1 5"}, []string{"2 = 1 2"}},
	{"ScatterND", nil, []string{"3 = 1 2 3", "int64 2x1 = 2 0", "2 = 9 8"}, []string{"3 = 8 2 9"}},
	{"ScatterND", attrs{"reduction": "add"}, []string{"2x2 = 1 2 3 4", "int64 2x1 = 1 1", "2x2 = 10 20 30 40"}, []string{"2x2 = 1 2 43 64"}},
	{"OneHot", nil, []string{"int64 3 = 1 -1 9", "int64 = 2", "2 = 5 7"}, []string{"3x2 = 5 7 5 7 5 5"}},
	{"OneHot", attrs{"axis": 0}, []string{"int64 2 = 1 0", "int64 = 2", "2 = 0 1"}, []string{"2x2 = 0 1 1 0"}},

	// Constants.
	{"Constant", attrs{"value": onnx.Ints(1, 2)}, nil, []string{"int64 2 = 1 2"}},
	{"Constant", attrs{"value_int": 3}, nil, []string{"int64 = 3"}},
	{"Constant", attrs{"value_ints": []int{3, 4}}, nil, []string{"int64 2 = 3 4"}},
	{"Constant", attrs{"value_float": 0.5}, nil, []string{"= 0.5"}},
	{"Constant", attrs{"value_floats": []float32{0.5, 1}}, nil, []string{"2 = 0.5 1"}},
	{"ConstantOfShape", nil, []string{"int64 2 = 1 2"}, []string{"1x2 = 0 0"}},
	{"ConstantOfShape", attrs{"value": onnx.Ints(7)}, []string{"int64 1 = 2"}, []string{"int64 2 = 7 7"}},
	{"Range", nil, []string{"int64 = 3", "int64 = 9", "int64 = 3"}, []string{"int64 2 = 3 6"}},
	{"Range", nil, []string{"= 1", "= 0", "= -0.4"}, []string{"3 = 1 0.6 0.2"}},
}

func TestOperators(t *testing.T) {
	covered := map[string]bool{}
	for i, c := range cases {
		covered[c.op] = true
		t.Run(fmt.Sprintf("%s/%d", c.op, i), c.run)
	}
	for op := range table {
		if !covered[op] {
			t.Errorf("no case shows what %s computes", op)
		}
	}
}
