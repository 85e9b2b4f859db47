package compile

import (
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

// Options of the compiled graphs.
type Options struct {
	Batch    int // pictures per run
	Channels int // of the uint8 pictures fed
	Height   int
	Width    int
	Mean     []float32 // per channel; the graph computes (x - Mean) * Scale; nil: 0
	Scale    []float32 // nil: 1
	Classes  int       // 0: as many as the network has outputs
	// ExtraOutputs allows the network more outputs than Classes. The loss takes them
	// for classes without samples; Eval answers over the first Classes alone.
	ExtraOutputs bool
	Loss         string // one of Losses; softmax where empty
	Optimizer    string // one of optim.Names; sgd where empty
	Momentum     float64
	Decay        float64
	Hyper        optim.Hyper // what only some optimizers have
	ClipNorm     float64     // most that the norm of all gradients together may be; 0: any
	ClipValue    float64     // most that any element of a gradient may be, either sign; 0: any
	// LabelSmoothing is the share of a label that softmax spreads over all classes.
	LabelSmoothing float64
	FocalGamma     float64          // of the loss focal
	Average        float64          // decay of the moving average that Average compiles
	Rates          map[string]Rates // by parameter name; absent: {1, 1}; LR 0 freezes
	// Precision is what a training step computes in: one of Precisions, float32 where
	// empty. With bfloat16 and float16 products and what follows them are of that
	// type, by the table in precision_table.go; parameters, statistics, loss and update
	// are float32 always, and so is all that Eval computes. float16 is for Accumulate
	// and Apply alone, as its gradients need a loss_scale.
	Precision string
	// Logits names the value that the loss is taken from; empty: the input of a
	// final Softmax, or the output.
	Logits string
	// Target is what the graph is written for, one of Targets; cpu where empty.
	Target string
	// Deterministic avoids operators whose sums the target adds up in any order.
	Deterministic bool
	// Features feeds the network's inputs, whatever they are, as they are: each is
	// an input FeatureOutput(NAME), float [N, ...]. There are no pictures then. It
	// is for what Freeze leaves of a network.
	Features bool
	// FloatInput feeds "images" as float values that are used as they are:
	// Mean and Scale are not applied.
	FloatInput bool
}

// Rates multiply a parameter's learning rate and weight decay.
type Rates struct{ LR, Decay float64 }

// Program is a compiled graph and the meaning of its inputs and outputs, in
// graph order. Which inputs and outputs there are depends on the program:
//
//	            inputs                                          outputs
//	Train       images labels weights learning_rate Scalars mask:* State   loss, State'
//	Accumulate  images labels weights loss_scale mask:* State              loss, finite, State'
//	Clear       zero                                               State' (sums alone)
//	Apply       learning_rate Scalars State                                State'
//	Average     Scalars State                                              State'
//	Eval        images State                                               logits probabilities
//
// "images" is uint8 [N,C,H,W] (float with Options.FloatInput, and other inputs in
// its place with Options.Features); "labels" int64
// [N]; "weights" float [N], each sample's share of the loss (1/N, times the weight
// of its class; 0 pads a short batch); "learning_rate" float []; "mask:<node>" float, one per Dropout (0 or
// 1/(1-ratio)); "loss_scale" float [], with float16 alone, a power of two, the factor that the gradients have while
// they are of that type; "finite" bool [], with it, whether the sums of the gradients are
// finite; "loss" float []; "logits" and "probabilities" float [N,Classes].
//
// State is the list of inputs that live from step to step; State' is the new
// value of those with Slot.Updated, in the same order, each named as its input
// with a "'" after it. Slots of one name in several programs of a job are one
// tensor.
type Program struct {
	Graph   *onnx.Graph
	Scalars []Scalar
	Masks   []Mask
	State   []Slot
	// Gradients tells, for people who read the graph, which value is the gradient
	// of the loss by which: VALUE -> GRADIENT, of those that the graph computes.
	Gradients map[string]string
}

// Scalar is an input of shape [] that the host computes for each update.
type Scalar struct {
	Input string // graph input
	// At is its value in an update of the job, counted from 1 over all epochs.
	At func(update int) float64
}

// Mask is a Dropout whose randomness the host draws.
type Mask struct {
	Input string // graph input
	Ratio float64
	Shape []int // of what it multiplies, a row per picture
	// Bits tells that the input is uint8 [N, bytes]: the elements of each picture as
	// bits, the lowest of a byte first, 1 where the element is kept. Otherwise it is
	// float, of Shape, 0 or 1/(1-Ratio).
	Bits bool
}

// Value is the type and the shape of the input.
func (m Mask) Value() onnx.Value {
	if !m.Bits {
		return onnx.Value{Name: m.Input, Type: onnx.Float, Shape: m.Shape}
	}
	return onnx.Value{Name: m.Input, Type: onnx.Uint8, Shape: []int{m.Shape[0], (onnx.NumElements(m.Shape[1:]) + 7) / 8}}
}

// Keep is what the mask multiplies an element by that is kept, so that the mean
// stays what it was.
func (m Mask) Keep() float32 { return float32(1 / (1 - m.Ratio)) }

// Slot is one tensor that lives from step to step: a parameter (trained,
// frozen or running statistics) or optimizer state.
type Slot struct {
	Name  string // "param:conv1_w_0", "velocity:conv1_w_0", "acc:conv1_w_0", "average:conv1_w_0"
	Param string // the model's initializer that it holds or belongs to
	Shape []int
	Zero  bool // starts at zero (optimizer state, sums) instead of the initializer's value
	// Updated tells that the program has an output Name' with the new value, of the
	// slot's shape or a vector of its elements.
	// The other slots keep their values: frozen parameters, and in Accumulate
	// everything but the sums of gradients and running statistics.
	Updated bool
	// Rows, where it is not 0, tells that the program updates the slot in blocks of
	// so many rows: it has inputs BlockName(Name, i) and outputs of that name with
	// "'" behind. A parameter is an input as a whole too, of the same memory.
	Rows int
	// InPlace tells that the new value may be written where the old one is: of an
	// updated slot only. After a run that failed neither is there then.
	InPlace bool
	// Sum marks a sum of gradients ("acc:..."): the host sets it to zero before
	// the first micro-batch of each step.
	Sum bool
}
