package compile

import (
	"maps"
	"slices"

	"orchestrator/trainer/onnx"
)

// class says what becomes of an operator in a training step of a type of two
// bytes, the low type.
type class int

const (
	// full: computed in float32. What the table does not name is full.
	full class = iota
	// low: products. They are what takes the time, and the units that make low types
	// fast add their terms up in float32 and round once.
	low
	// follow: low where an operand is low and none is float32, for then it adds one
	// rounding, as the one before it did, and spares the memory.
	follow
	// move: elements change their places, and nothing is rounded. So it is low too
	// where all that read it are.
	move
)

// precisionRule is a row of the table.
type precisionRule struct {
	class class
	// back, of a full operator: its result goes on in the low type if an operator that
	// follows would have computed it in that.
	back bool
	// half: of the low types there is float16 alone. In the operator's version of
	// opset 18 the standard, or ONNX Runtime's CUDA provider (its
	// docs/OperatorKernels.md), has no bfloat16, and a graph with such a node does not
	// open. A later opset is no way out: with opset 22 Conv has it, but MaxPool, Pad and
	// ConvTranspose do not, and not every kernel is there for the later versions.
	half bool
}

// precisionRules is the table.
var precisionRules = map[string]precisionRule{
	// Products.
	"Conv": {class: low, half: true}, "ConvTranspose": {class: low, half: true}, "Einsum": {class: low, half: true},
	"Gemm": {class: low}, "MatMul": {class: low}, "com.microsoft.FusedMatMul": {class: low},

	// Element by element, of few operands, with a result of their size.
	"Add": {class: follow}, "Sub": {class: follow}, "Mul": {class: follow}, "Div": {class: follow}, "Neg": {class: follow},
	"Sum": {class: follow}, "Max": {class: follow}, "Min": {class: follow}, "Where": {class: follow}, "Abs": {class: follow},
	"Sign": {class: follow}, "Floor": {class: follow, half: true}, "Clip": {class: follow, half: true},
	// Activations whose result is their operand times a number, or lies between -1 and 1.
	"Relu": {class: follow}, "Sigmoid": {class: follow}, "Tanh": {class: follow}, "LeakyRelu": {class: follow, half: true},
	"PRelu": {class: follow, half: true}, "ThresholdedRelu": {class: follow, half: true}, "HardSigmoid": {class: follow, half: true},
	"HardSwish": {class: follow, half: true},
	// Comparisons round nothing.
	"Equal": {class: follow, half: true}, "Greater": {class: follow, half: true}, "Less": {class: follow, half: true},
	"GreaterOrEqual": {class: follow, half: true}, "LessOrEqual": {class: follow, half: true},
	// Poolings choose an element, or average with a float32 sum inside the kernel.
	"MaxPool": {class: follow, half: true}, "AveragePool": {class: follow, half: true}, "GlobalAveragePool": {class: follow, half: true},
	"GlobalMaxPool": {class: follow, half: true}, "ReduceMax": {class: follow, half: true}, "ReduceMin": {class: follow, half: true},
	// A weighted mean of a few elements.
	"Resize": {class: follow, half: true},

	// Moving elements.
	"Concat": {class: move}, "DepthToSpace": {class: move, half: true}, "Expand": {class: move}, "Flatten": {class: move},
	"Gather": {class: move}, "Identity": {class: move}, "Pad": {class: move, half: true}, "Reshape": {class: move},
	"Slice": {class: move}, "SpaceToDepth": {class: move, half: true}, "Split": {class: move}, "Squeeze": {class: move},
	"Tile": {class: move}, "Transpose": {class: move}, "Trilu": {class: move}, "Unsqueeze": {class: move},

	// Statistics over many elements: a sum that is not kept in float32 stops growing
	// at 2048 times its terms, and squares are soon beyond float16's 65504.
	"BatchNormalization": {back: true}, "InstanceNormalization": {back: true}, "LayerNormalization": {back: true},
	"LRN": {back: true}, "LpNormalization": {back: true},
	"ReduceSum": {}, "ReduceMean": {}, "ReduceL1": {}, "ReduceL2": {}, "ReduceSumSquare": {}, "ReduceProd": {}, "CumSum": {},
	// Sums of an unknown number of elements: the gradients of MaxPool and Gather.
	"ScatterElements": {back: true}, "ScatterND": {back: true},
	// Exponentials and their like, which magnify the error of their operand, or leave
	// float16's range: e^12 does.
	"Exp": {}, "Log": {}, "Pow": {}, "Sqrt": {}, "Reciprocal": {}, "Sin": {}, "Cos": {},
	"Softmax": {}, "LogSoftmax": {}, "ReduceLogSum": {}, "ReduceLogSumExp": {},
	"Celu": {back: true}, "Elu": {back: true}, "Erf": {back: true}, "com.microsoft.Gelu": {back: true}, "Mish": {back: true},
	"Selu": {back: true}, "Softplus": {back: true}, "Softsign": {back: true},
}

// ruleFor is the row of an operator for a low type. Where that type is not to be
// had the operator is full, as if it were not in the table.
func ruleFor(op string, to onnx.DType) precisionRule {
	r := precisionRules[op]
	if r.half && to != onnx.Float16 {
		return precisionRule{}
	}
	return r
}

// precisions are the values of Options.Precision, and the type in which products
// are computed; 0: all is float32.
var precisions = map[string]onnx.DType{
	"": 0, "float32": 0,
	"tf32":     0, // the same graph: the device rounds the operands of products
	"bfloat16": onnx.BFloat16,
	"float16":  onnx.Float16,
}

// Precisions lists the values of Options.Precision in alphabetical order.
func Precisions() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(precisions)), func(p string) bool { return p == "" })
}
