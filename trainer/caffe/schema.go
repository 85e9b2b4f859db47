package caffe

// kind is how a field is written.
type kind byte

const (
	text    kind = 's' // length-delimited text
	integer kind = 'u' // varint: int32, int64, uint32, bool
	enum    kind = 'e' // varint with names
	float   kind = 'f' // 32 bits, alone or packed
	double  kind = 'd' // 64 bits, alone or packed
	nested  kind = 'm' // a message
)

// field is one of a message.
type field struct {
	name string
	kind kind
	of   string         // of nested: its schema
	enum map[int]string // of enum
}

// schemas are the messages that an import reads, by field number. Fields that are
// not here are skipped: they hold nothing that a network computes with.
var schemas = map[string]map[int]field{
	"net": {
		1: {name: "name", kind: text}, 2: {name: "layers", kind: nested, of: "v1"}, 3: {name: "input", kind: text}, 4: {name: "input_dim", kind: integer},
		8: {name: "input_shape", kind: nested, of: "shape"}, 100: {name: "layer", kind: nested, of: "layer"},
	},
	"shape": {1: {name: "dim", kind: integer}},
	"blob": {
		1: {name: "num", kind: integer}, 2: {name: "channels", kind: integer}, 3: {name: "height", kind: integer}, 4: {name: "width", kind: integer},
		5: {name: "data", kind: float}, 7: {name: "shape", kind: nested, of: "shape"}, 8: {name: "double_data", kind: double},
	},
	"rule": {1: {name: "phase", kind: enum, enum: phases}, 2: {name: "min_level", kind: integer}, 4: {name: "stage", kind: text}},
	"layer": {
		1: {name: "name", kind: text}, 2: {name: "type", kind: text}, 3: {name: "bottom", kind: text}, 4: {name: "top", kind: text},
		7: {name: "blobs", kind: nested, of: "blob"}, 8: {name: "include", kind: nested, of: "rule"}, 9: {name: "exclude", kind: nested, of: "rule"},
		100: {name: "transform_param", kind: nested, of: "transform"}, 104: {name: "concat_param", kind: nested, of: "concat"},
		106: {name: "convolution_param", kind: nested, of: "convolution"}, 108: {name: "dropout_param", kind: nested, of: "dropout"},
		110: {name: "eltwise_param", kind: nested, of: "eltwise"}, 111: {name: "exp_param", kind: nested, of: "base"},
		117: {name: "inner_product_param", kind: nested, of: "inner_product"}, 118: {name: "lrn_param", kind: nested, of: "lrn"},
		121: {name: "pooling_param", kind: nested, of: "pooling"}, 122: {name: "power_param", kind: nested, of: "power"},
		123: {name: "relu_param", kind: nested, of: "relu"}, 125: {name: "softmax_param", kind: nested, of: "softmax"},
		126: {name: "slice_param", kind: nested, of: "slice"}, 131: {name: "prelu_param", kind: nested, of: "prelu"},
		133: {name: "reshape_param", kind: nested, of: "reshape"}, 134: {name: "log_param", kind: nested, of: "base"},
		135: {name: "flatten_param", kind: nested, of: "flatten"}, 139: {name: "batch_norm_param", kind: nested, of: "batch_norm"},
		140: {name: "elu_param", kind: nested, of: "elu"}, 141: {name: "bias_param", kind: nested, of: "axis"},
		142: {name: "scale_param", kind: nested, of: "scale"}, 143: {name: "input_param", kind: nested, of: "input"},
		148: {name: "clip_param", kind: nested, of: "clip"},
	},
	"v1": {
		2: {name: "bottom", kind: text}, 3: {name: "top", kind: text}, 4: {name: "name", kind: text}, 5: {name: "type", kind: enum, enum: v1Types},
		6: {name: "blobs", kind: nested, of: "blob"}, 32: {name: "include", kind: nested, of: "rule"}, 33: {name: "exclude", kind: nested, of: "rule"},
		9: {name: "concat_param", kind: nested, of: "concat"}, 10: {name: "convolution_param", kind: nested, of: "convolution"},
		12: {name: "dropout_param", kind: nested, of: "dropout"}, 17: {name: "inner_product_param", kind: nested, of: "inner_product"},
		18: {name: "lrn_param", kind: nested, of: "lrn"}, 19: {name: "pooling_param", kind: nested, of: "pooling"},
		21: {name: "power_param", kind: nested, of: "power"}, 24: {name: "eltwise_param", kind: nested, of: "eltwise"},
		30: {name: "relu_param", kind: nested, of: "relu"}, 31: {name: "slice_param", kind: nested, of: "slice"},
		36: {name: "transform_param", kind: nested, of: "transform"}, 39: {name: "softmax_param", kind: nested, of: "softmax"},
		41: {name: "exp_param", kind: nested, of: "base"},
	},
	"transform": {3: {name: "crop_size", kind: integer}},
	"concat":    {1: {name: "concat_dim", kind: integer}, 2: {name: "axis", kind: integer}},
	"convolution": {
		1: {name: "num_output", kind: integer}, 2: {name: "bias_term", kind: integer}, 3: {name: "pad", kind: integer}, 4: {name: "kernel_size", kind: integer},
		5: {name: "group", kind: integer}, 6: {name: "stride", kind: integer}, 9: {name: "pad_h", kind: integer}, 10: {name: "pad_w", kind: integer},
		11: {name: "kernel_h", kind: integer}, 12: {name: "kernel_w", kind: integer}, 13: {name: "stride_h", kind: integer}, 14: {name: "stride_w", kind: integer},
		16: {name: "axis", kind: integer}, 18: {name: "dilation", kind: integer},
	},
	"dropout":       {1: {name: "dropout_ratio", kind: float}},
	"eltwise":       {1: {name: "operation", kind: enum, enum: map[int]string{0: "PROD", 1: "SUM", 2: "MAX"}}, 2: {name: "coeff", kind: float}},
	"base":          {1: {name: "base", kind: float}, 2: {name: "scale", kind: float}, 3: {name: "shift", kind: float}},
	"inner_product": {1: {name: "num_output", kind: integer}, 2: {name: "bias_term", kind: integer}, 5: {name: "axis", kind: integer}, 6: {name: "transpose", kind: integer}},
	"lrn": {
		1: {name: "local_size", kind: integer}, 2: {name: "alpha", kind: float}, 3: {name: "beta", kind: float},
		4: {name: "norm_region", kind: enum, enum: map[int]string{0: "ACROSS_CHANNELS", 1: "WITHIN_CHANNEL"}}, 5: {name: "k", kind: float},
	},
	"pooling": {
		1: {name: "pool", kind: enum, enum: map[int]string{0: "MAX", 1: "AVE", 2: "STOCHASTIC"}}, 2: {name: "kernel_size", kind: integer},
		3: {name: "stride", kind: integer}, 4: {name: "pad", kind: integer}, 5: {name: "kernel_h", kind: integer}, 6: {name: "kernel_w", kind: integer},
		7: {name: "stride_h", kind: integer}, 8: {name: "stride_w", kind: integer}, 9: {name: "pad_h", kind: integer}, 10: {name: "pad_w", kind: integer},
		12: {name: "global_pooling", kind: integer}, 13: {name: "round_mode", kind: enum, enum: map[int]string{0: "CEIL", 1: "FLOOR"}},
	},
	"power":      {1: {name: "power", kind: float}, 2: {name: "scale", kind: float}, 3: {name: "shift", kind: float}},
	"relu":       {1: {name: "negative_slope", kind: float}},
	"softmax":    {2: {name: "axis", kind: integer}},
	"slice":      {1: {name: "slice_dim", kind: integer}, 2: {name: "slice_point", kind: integer}, 3: {name: "axis", kind: integer}},
	"prelu":      {2: {name: "channel_shared", kind: integer}},
	"reshape":    {1: {name: "shape", kind: nested, of: "shape"}, 2: {name: "axis", kind: integer}, 3: {name: "num_axes", kind: integer}},
	"flatten":    {1: {name: "axis", kind: integer}, 2: {name: "end_axis", kind: integer}},
	"batch_norm": {1: {name: "use_global_stats", kind: integer}, 2: {name: "moving_average_fraction", kind: float}, 3: {name: "eps", kind: float}},
	"elu":        {1: {name: "alpha", kind: float}},
	"axis":       {1: {name: "axis", kind: integer}, 2: {name: "num_axes", kind: integer}},
	"scale":      {1: {name: "axis", kind: integer}, 2: {name: "num_axes", kind: integer}, 4: {name: "bias_term", kind: integer}},
	"input":      {1: {name: "shape", kind: nested, of: "shape"}},
	"clip":       {1: {name: "min", kind: float}, 2: {name: "max", kind: float}},
}

var phases = map[int]string{0: "TRAIN", 1: "TEST"}

// v1Types are the layers' types of the first version, as the present one calls
// them where both have them.
var v1Types = map[int]string{
	1: "Accuracy", 2: "BNLL", 3: "Concat", 4: "Convolution", 5: "Data", 6: "Dropout", 7: "EuclideanLoss", 8: "Flatten", 9: "HDF5Data", 10: "HDF5Output",
	11: "Im2col", 12: "ImageData", 13: "InfogainLoss", 14: "InnerProduct", 15: "LRN", 16: "MultinomialLogisticLoss", 17: "Pooling", 18: "ReLU",
	19: "Sigmoid", 20: "Softmax", 21: "SoftmaxWithLoss", 22: "Split", 23: "TanH", 24: "WindowData", 25: "Eltwise", 26: "Power",
	27: "SigmoidCrossEntropyLoss", 28: "HingeLoss", 29: "MemoryData", 30: "ArgMax", 31: "Threshold", 32: "DummyData", 33: "Slice", 34: "MVN",
	35: "AbsVal", 36: "Silence", 37: "ContrastiveLoss", 38: "Exp", 39: "Deconvolution",
}

// v1Names are the same as prototxt files write them.
var v1Names = map[string]int{
	"ACCURACY": 1, "BNLL": 2, "CONCAT": 3, "CONVOLUTION": 4, "DATA": 5, "DROPOUT": 6, "EUCLIDEAN_LOSS": 7, "FLATTEN": 8, "HDF5_DATA": 9, "HDF5_OUTPUT": 10,
	"IM2COL": 11, "IMAGE_DATA": 12, "INFOGAIN_LOSS": 13, "INNER_PRODUCT": 14, "LRN": 15, "MULTINOMIAL_LOGISTIC_LOSS": 16, "POOLING": 17, "RELU": 18,
	"SIGMOID": 19, "SOFTMAX": 20, "SOFTMAX_LOSS": 21, "SPLIT": 22, "TANH": 23, "WINDOW_DATA": 24, "ELTWISE": 25, "POWER": 26,
	"SIGMOID_CROSS_ENTROPY_LOSS": 27, "HINGE_LOSS": 28, "MEMORY_DATA": 29, "ARGMAX": 30, "THRESHOLD": 31, "DUMMY_DATA": 32, "SLICE": 33, "MVN": 34,
	"ABSVAL": 35, "SILENCE": 36, "CONTRASTIVE_LOSS": 37, "EXP": 38, "DECONVOLUTION": 39,
}
