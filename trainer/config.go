package trainer

import (
	"slices"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

// Job is all that determines the numbers a job ends with, and nothing else.
type Job struct {
	Model *onnx.Graph // imported template (batch open), after surgery, ending in class scores or probabilities
	// Classes names the outputs; its length is the number of classes.
	Classes []string
	// ExtraOutputs allows the model more outputs than there are classes: see
	// compile.Options.
	ExtraOutputs bool
	Data         Data
	Train        []int // samples of Data to train on
	Test         []int // samples of Data to score

	Loss           string    // one of compile.Losses; softmax where empty
	LabelSmoothing float64   // of softmax: the share of a label that all classes get
	FocalGamma     float64   // of focal
	ClassWeights   []float64 // factor of a picture's loss, by its class; nil: 1
	Optimizer      string    // one of optim.Names; sgd where empty
	LearningRate   float64
	Momentum       float64
	WeightDecay    float64
	Hyper          optim.Hyper // what only some optimizers have
	ClipNorm       float64     // most that the norm of all gradients may be; 0: any
	ClipValue      float64     // most that an element of a gradient may be; 0: any
	// Average is the decay of a moving average of the weights, which is then what
	// is evaluated and exported; 0: none is kept.
	Average float64
	Policy  Policy
	Rates   map[string]Rates // by parameter name; absent: {1, 1}. A zero LR freezes the parameter.
	Epochs  int
	// StopAfter ends the job after so many epochs, with a checkpoint that a job
	// with a later end goes on from; 0: it runs to its end. Learning rates are
	// those of the whole job, and there is no model.
	StopAfter  int
	BatchSize  int // the last batch of an epoch may be shorter
	MicroBatch int // 0 or at least BatchSize: no accumulation
	EvalBatch  int // 0: MicroBatch, or BatchSize
	// Oversample is 5 or 10 to average the last evaluation over so many crops of
	// each picture (see Crops); 0 or 1: the central one.
	Oversample int
	// Precision is what the network is computed in: float32 (also where it is empty),
	// tf32, bfloat16 or float16. Weights, losses and updates are float32 in any case.
	Precision string
	// Target is the kind of device whose lowerings the graphs have, one of
	// compile.Targets; cpu where it is empty.
	Target string
	// Deterministic asks of a device that can be faster without it for the same bits on
	// every run; the CPU gives them in any case.
	Deterministic bool
	Seed          int64
	Mirror        bool // random left-right flips in training
	CenterCrop    bool // the crop is central in training too, not at random

	// Features are the answers of the network's frozen part to all samples of Data
	// (see Job.Frozen), computed beforehand; nil: every step computes them.
	Features Features

	// CheckpointEveryEpochs is how often a checkpoint is written; 0: at
	// interruption only.
	CheckpointEveryEpochs int
	// Metadata goes into Result.Model: "classes" and "preprocessing" as JSON.
	Metadata map[string]string
}

// TargetOf is the Target for a device, by package ort's word for it: its own, or
// that of graphics processors in general, whose graphs all kinds of devices run.
func TargetOf(device string) string {
	if slices.Contains(compile.Targets, device) {
		return device
	}
	return compile.WebGPU
}

// Rates multiply a parameter's learning rate and weight decay, as Caffe's
// lr_mult and decay_mult.
type Rates = compile.Rates

// Data serves pictures as they come out of the resize step: planar uint8.
// Package dataset implements it. Samples are addressed by their index in the
// data set; all methods may be called concurrently.
type Data interface {
	// Label is the class of a sample.
	Label(sample int) int
	// File is the sample's file name, for predictions and errors.
	File(sample int) string
	// Channels, Height and Width of the stored pictures, and the size of the
	// square crop that the network sees (0: no crop).
	Geometry() (channels, height, width, crop int)
	// Window copies one picture's crop at (top, left), mirrored if asked, into
	// dst: channels × crop × crop bytes (or the whole picture without crop).
	Window(dst []uint8, sample, top, left int, mirror bool) error
	// Normalisation is applied in the graph: (x - mean[c]) * scale[c].
	Normalisation() (mean, scale []float32)
}

// Features serves what a network's frozen part answers to each sample of a data
// set. Package features implements it; Read may be called concurrently.
type Features interface {
	// Read copies value number i of compile.Frozen's Values for a sample.
	Read(dst []float32, i, sample int) error
}

// Checkpoints keeps a job's checkpoints. Package worker implements it on the
// artifact store.
type Checkpoints interface {
	// Save stores a checkpoint durably. The tensors must not be kept: they are
	// overwritten once Save has returned.
	Save(Checkpoint) error
	// Latest returns the newest checkpoint that verifies, or nil.
	Latest() (*Checkpoint, error)
}

// Checkpoint is the whole state of a job between two steps. Random numbers
// need none: they are drawn by counters (package rng).
type Checkpoint struct {
	Epoch int // epochs completed, evaluation included
	Step  int // steps completed in the epoch after those
	// LossSum and LossCount are the running training loss of that epoch.
	LossSum   float64
	LossCount int
	LossScale LossScale // of a job in float16
	History   []EpochResult
	Seconds   float64        // spent on the job so far, all attempts
	Tensors   []*onnx.Tensor // trained parameters, running statistics, optimizer state and averages, by their slot names
}

// EpochResult is one line of the history.
type EpochResult struct {
	Epoch     int     `json:"epoch"` // from 1
	TrainLoss float64 `json:"train_loss"`
	Scores    Scores  `json:"scores"`
	Seconds   float64 `json:"seconds"`                 // in the attempt that finished the epoch
	Skipped   int     `json:"skipped_steps,omitempty"` // without an update; see LossScale
}

// Progress is reported after each step and each evaluation.
type Progress struct {
	Epoch, Epochs int // epoch in work, from 1
	Step, Steps   int // within the epoch
	TrainLoss     float64
	StepSeconds   float64      // of this step, waiting for data included
	DataSeconds   float64      // of which waiting for data
	LearningRate  float64      // of this step
	LossScale     float64      // of the step that follows; 0: there is none
	Skipped       bool         // the step had no update; see LossScale
	Evaluated     *EpochResult // set after an evaluation
}

// Result is what a finished job yields.
type Result struct {
	Scores      Scores
	History     []EpochResult
	Confusion   [][3]int // see Confusion
	Predictions []Prediction
	Model       *onnx.Graph // trained template, softmax output, with metadata
	Seconds     float64
}

// Prediction is the network's answer for one test picture.
type Prediction struct {
	Sample        int
	Label         int       // the true class; negative where it is unknown
	Predicted     int       // the most probable class; the first of several
	Probabilities []float32 // adding up to 1; what they are under each loss says compile.Link
	Loss          float64   // -ln p(Label), from the logits in double precision; 0 without a label
}
