package onnx

// shapeRules is the one table of the operators that graphs may hold.
var shapeRules = map[string]opShape{
	// Convolutions, pools and normalisations.
	"Conv": {2, convRule}, "ConvTranspose": {2, convTransposeRule},
	"MaxPool": {1, poolRule}, "AveragePool": {1, poolRule}, "LpPool": {1, poolRule},
	"GlobalAveragePool": {1, globalPoolRule}, "GlobalMaxPool": {1, globalPoolRule},
	"LRN": {1, same}, "BatchNormalization": {5, batchNormRule},
	"InstanceNormalization": {3, same}, "LayerNormalization": {2, layerNormRule},
	"LpNormalization": {1, axisRule(-1)},
	// Matrix products.
	"Gemm": {2, gemmRule}, "MatMul": {2, matMulRule}, "Einsum": {1, einsumRule},
	"com.microsoft.FusedMatMul": {2, fusedMatMulRule},
	// Elementwise.
	"Relu": {1, same}, "LeakyRelu": {1, same}, "PRelu": {2, preluRule}, "Elu": {1, same}, "Selu": {1, same}, "Celu": {1, same},
	"ThresholdedRelu": {1, same}, "Sigmoid": {1, same}, "HardSigmoid": {1, same}, "HardSwish": {1, same}, "Tanh": {1, same},
	"Softplus": {1, same}, "Softsign": {1, same}, "Mish": {1, same}, "Erf": {1, same}, "com.microsoft.Gelu": {1, same},
	"Exp": {1, same}, "Log": {1, same}, "Sqrt": {1, same}, "Reciprocal": {1, same}, "Abs": {1, same}, "Neg": {1, same},
	"Sign": {1, same}, "Floor": {1, same}, "Ceil": {1, same}, "Round": {1, same}, "Sin": {1, same}, "Cos": {1, same},
	"Clip": {1, same}, "Identity": {1, same}, "Not": {1, logic}, "Softmax": {1, axisRule(-1)}, "LogSoftmax": {1, axisRule(-1)},
	"Add": {2, broadcast}, "Sub": {2, broadcast}, "Mul": {2, broadcast}, "Div": {2, broadcast}, "Mod": {2, broadcast},
	"Pow": {2, powRule}, "Min": {1, broadcast}, "Max": {1, broadcast}, "Mean": {1, broadcast}, "Sum": {1, broadcast},
	"And": {2, logic}, "Or": {2, logic}, "Xor": {2, logic},
	"Equal": {2, compare}, "Greater": {2, compare}, "Less": {2, compare}, "GreaterOrEqual": {2, compare}, "LessOrEqual": {2, compare},
	"Where": {3, whereRule}, "Cast": {1, castRule}, "Dropout": {1, dropoutRule}, "CumSum": {2, same}, "Trilu": {1, same},
	// Reductions.
	"ReduceSum": {1, reduceRule}, "ReduceMean": {1, reduceRule}, "ReduceMax": {1, reduceRule}, "ReduceMin": {1, reduceRule},
	"ReduceProd": {1, reduceRule}, "ReduceL1": {1, reduceRule}, "ReduceL2": {1, reduceRule}, "ReduceSumSquare": {1, reduceRule},
	"ReduceLogSum": {1, reduceRule}, "ReduceLogSumExp": {1, reduceRule}, "ArgMax": {1, argRule}, "ArgMin": {1, argRule},
	// Data movement.
	"Concat": {1, concatRule}, "Split": {1, splitRule}, "Slice": {3, sliceRule}, "Pad": {2, padRule}, "Reshape": {2, reshapeRule},
	"Flatten": {1, flattenRule}, "Transpose": {1, transposeRule}, "Squeeze": {1, squeezeRule}, "Unsqueeze": {2, unsqueezeRule},
	"Expand": {2, expandRule}, "Tile": {2, tileRule}, "Gather": {2, gatherRule}, "GatherElements": {2, gatherElementsRule},
	"GatherND": {2, gatherNDRule}, "ScatterElements": {3, scatterElementsRule}, "ScatterND": {3, scatterNDRule}, "OneHot": {3, oneHotRule},
	"DepthToSpace": {1, depthToSpaceRule}, "SpaceToDepth": {1, spaceToDepthRule}, "Resize": {1, resizeRule},
	// Constants and shapes.
	"Shape": {1, shapeOfRule}, "Size": {1, sizeRule}, "Constant": {0, constantRule}, "ConstantOfShape": {1, constantOfShapeRule},
	"Range": {3, rangeRule},
}
