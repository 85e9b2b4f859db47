package compile

import "orchestrator/trainer/onnx"

// Options of the compiled graphs.
type Options struct {
	Batch     int // pictures per run
	Channels  int // of the uint8 pictures fed
	Height    int
	Width     int
	Mean      []float32 // per channel; the graph computes (x - Mean) * Scale
	Scale     []float32
	Classes   int
	Loss      string // softmax
	Optimizer string // sgd | nesterov
	Momentum  float64
	Decay     float64
	Rates     map[string]Rates // by parameter name; absent: {1, 1}; LR 0 freezes
	// Logits names the value that the loss is taken from; empty: the input of a
	// final Softmax, or the output.
	Logits string
}

// Rates multiply a parameter's learning rate and weight decay.
type Rates struct{ LR, Decay float64 }

// Program is a compiled graph and the meaning of its inputs and outputs, in
// graph order.
//
// Inputs of a training step: "images" uint8 [N,C,H,W]; "labels" int64 [N];
// "weights" float [N], each sample's share of the loss (1/N; 0 pads a short
// batch); "learning_rate" float []; then one "mask:<node>" float per Dropout
// (0 or 1/(1-ratio)); then State. Outputs: "loss" float []; then the new State
// in the same order, each named as its input with a "'" after it.
//
// An evaluation graph takes "images" and the parameters and yields "logits" and
// "probabilities", both float [N,Classes].
type Program struct {
	Graph *onnx.Graph
	Masks []Mask
	State []Slot
}

// Mask is a Dropout whose randomness the host draws.
type Mask struct {
	Input string // graph input
	Ratio float64
	Shape []int
}

// Slot is one tensor that lives from step to step: a parameter (trained,
// frozen or running statistics) or optimizer state.
type Slot struct {
	Name  string // "param:conv1_w_0", "velocity:conv1_w_0", "acc:..."
	Param string // the model's initializer that it holds or belongs to
	Shape []int
	Zero  bool // starts at zero (optimizer state) instead of the initializer's value
}
