package trainer

import "orchestrator/trainer/onnx"

// Job is all that determines the numbers a job ends with, and nothing else.
type Job struct {
	Model *onnx.Graph // imported template (batch open), after surgery, ending in class scores or probabilities
	// Classes names the outputs; its length is the number of classes.
	Classes []string
	Data    Data
	Train   []int // samples of Data to train on
	Test    []int // samples of Data to score

	Loss         string // softmax
	Optimizer    string // sgd | nesterov
	LearningRate float64
	Momentum     float64
	WeightDecay  float64
	Policy       Policy
	Rates        map[string]Rates // by parameter name; absent: {1, 1}. A zero LR freezes the parameter.
	Epochs       int
	BatchSize    int
	MicroBatch   int // 0 or BatchSize: no accumulation
	EvalBatch    int // 0: BatchSize
	Seed         int64
	Mirror       bool // random left-right flips in training

	CheckpointEveryEpochs int // 0: at interruption only
}

// Rates multiply a parameter's learning rate and weight decay, as Caffe's
// lr_mult and decay_mult.
type Rates struct{ LR, Decay float64 }

// Policy is a learning-rate policy; see plan.Policy for the words.
type Policy struct {
	Name        string
	EveryEpochs int
	Epochs      []int
	Gamma       float64
	Power       float64
	WarmUp      int
}

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
	Epoch int // epochs completed
	Step  int // steps completed in the epoch after those
	// LossSum and LossCount are the running training loss of that epoch.
	LossSum   float64
	LossCount int
	History   []EpochResult
	Seconds   float64        // spent on the job so far, all attempts
	Tensors   []*onnx.Tensor // parameters and optimizer state, named
}

// EpochResult is one line of the history.
type EpochResult struct {
	Epoch     int
	TrainLoss float64
	Scores    Scores
	Seconds   float64
}

// Scores are the metrics of one evaluation, by their names in sweep.yaml.
type Scores map[string]float64

// Progress is reported after each step and each evaluation.
type Progress struct {
	Epoch, Epochs int // epoch in work, from 1
	Step, Steps   int // within the epoch
	TrainLoss     float64
	StepSeconds   float64      // of this step, waiting for data included
	DataSeconds   float64      // of which waiting for data
	Evaluated     *EpochResult // set after an evaluation
}

// Result is what a finished job yields.
type Result struct {
	Scores      Scores
	History     []EpochResult
	Confusion   [][]int
	Predictions []Prediction
	Model       *onnx.Graph // trained template, softmax output, with metadata
	Seconds     float64
}

// Prediction is the network's answer for one test picture.
type Prediction struct {
	Sample        int
	Label         int
	Predicted     int
	Probabilities []float32
}
