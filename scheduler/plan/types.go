package plan

import "math"

// Engine names the version of everything that turns a job's inputs into its
// numbers: compiler, lowerings, augmentation, update rules. It is part of a
// job's identity; raise it whenever the same job would end with other bits.
const Engine = "2"

// Sweep is a sweep file that was read and found valid.
type Sweep struct {
	Name            string          `yaml:"name"`
	Dataset         Dataset         `yaml:"dataset"`
	CrossValidation CrossValidation `yaml:"cross_validation"` // ignored when Dataset.Folds is set
	Method          string          `yaml:"method"`           // one of methods
	Metric          Metric          `yaml:"metric"`
	RunCap          int             `yaml:"run_cap"` // most trials; 0: no cap
	// MaxConcurrent is how many trials are under way at a time; 0: any number, or
	// DefaultConcurrent where what trials do depends on others.
	MaxConcurrent  int            `yaml:"max_concurrent_trials"`
	EarlyTerminate EarlyTerminate `yaml:"early_terminate"`
	// Constraints are conditions on a trial's settings, in Expr's language: trials
	// that break one are never proposed.
	Constraints []string    `yaml:"constraints"`
	Resources   Resources   `yaml:"resources"`
	Checkpoints Checkpoints `yaml:"checkpoints"`
	Budget      Budget      `yaml:"budget"`

	// Seed is training.seed as the file sets it, before parameters: it also draws
	// random proposals and the weights of builtin networks.
	Seed int64 `yaml:"-"`

	File      string       `yaml:"-"` // as it was named to Parse
	Source    string       `yaml:"-"` // as the user wrote it
	Overrides []Override   `yaml:"-"` // applied on top of Source
	Trials    []Assignment `yaml:"-"` // at least one; the sweep's trials in order, or the first of them
	// Corners are assignments that no trial need have: with each choice of each
	// parameter and the ends of each range, to be checked where trials come later.
	Corners []Assignment `yaml:"-"`
	// Conditional are the parameters that not every trial has.
	Conditional []Parameter `yaml:"-"`
	// Warnings say what is allowed and most likely meant otherwise.
	Warnings []string `yaml:"-"`
	// Constrained says what the constraints left out so far.
	Constrained Tally `yaml:"-"`

	// FoldBases are the models, one for each fold, of a model.base that stands for
	// several; see Sweep.Bases.
	FoldBases map[string][]Ref `yaml:"-"`

	positions map[string]position // of every key that the file sets
	growth    *growth             // of a method that learns from outcomes
}

// Assignment is one trial before the data set and the base model are known.
type Assignment struct {
	Parameters map[string]any // searched parameters by dotted path: numbers (int64, float64), text, booleans, lists, maps
	Config     Config
	Point      []float64 // what the search knows it by, of a method that learns
}

// Config is one trial's fully resolved settings: the sweep file with the
// trial's parameters written into it and every default filled in. Its canonical
// JSON is part of a job's identity.
type Config struct {
	Model         Model         `yaml:"model" json:"model"`
	Preprocessing Preprocessing `yaml:"preprocessing" json:"preprocessing"`
	Training      Training      `yaml:"training" json:"training"`
	Evaluation    Evaluation    `yaml:"evaluation" json:"evaluation"`
	Probe         Probe         `yaml:"probe" json:"probe,omitzero"`
}

// Dataset says where the pictures are.
type Dataset struct {
	// Path is a folder of class folders or a manifest (CSV, TXT, JSONL).
	Path string `yaml:"path" json:"path"`
	// Root is the folder that a manifest's file names are relative to; the
	// manifest's own folder where it is empty.
	Root string `yaml:"root,omitempty" json:"root,omitempty"`
	// Folds is a folder of explicit folds: test*/train.txt and test*/test.txt.
	Folds string `yaml:"folds,omitempty" json:"folds,omitempty"`
	// ClassLevel says which folders are the classes: 1 are those in Path, 2 those in
	// these; 0: found out.
	ClassLevel int `yaml:"class_level,omitempty" json:"class_level,omitempty"`
	// Include and Exclude are globs over file names relative to Path.
	Include []string `yaml:"include,omitempty" json:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty" json:"exclude,omitempty"`
	// OnBad is what an unreadable picture does: "error" (default) refuses the
	// data set, "skip" leaves the picture out and says so.
	OnBad string `yaml:"on_bad,omitempty" json:"on_bad,omitempty"`
}

// Model is the pretrained network and what is changed in it.
type Model struct {
	Base string `yaml:"base" json:"base"` // path, s3://bucket/key or builtin:NAME
	// Output names the output of the base that is kept; the first where it is empty.
	Output  string `yaml:"output,omitempty" json:"output,omitempty"`
	Surgery []Step `yaml:"surgery,omitempty" json:"surgery,omitempty"`
	// ExtraOutputs allows more outputs than there are classes: those beyond are
	// classes without pictures, in training; answers are over the classes.
	ExtraOutputs bool `yaml:"extra_outputs" json:"extra_outputs,omitempty"`
}

// Preprocessing is Caffe's: resize, crop, channel order, (x - mean) * scale / std.
type Preprocessing struct {
	Resize Size `yaml:"resize" json:"resize"`                 // [height, width]; one number: the shorter side, then a centre square
	Crop   int  `yaml:"crop,omitempty" json:"crop,omitempty"` // square, random in training and central in evaluation; 0: none
	// CenterCrop has training see the central crop, as evaluation does.
	CenterCrop bool      `yaml:"center_crop" json:"center_crop,omitempty"`
	Mirror     bool      `yaml:"mirror" json:"mirror"`                 // flip left-right half of the time in training
	Channels   string    `yaml:"channels" json:"channels"`             // rgb | bgr | grey
	Mean       []float64 `yaml:"mean,omitempty" json:"mean,omitempty"` // per channel, in the order of Channels, 0..255
	Std        []float64 `yaml:"std,omitempty" json:"std,omitempty"`   // per channel, 0..255
	Scale      float64   `yaml:"scale" json:"scale"`
}

// Training is the optimisation.
type Training struct {
	Loss           string        `yaml:"loss" json:"loss"`                                           // one of losses
	LabelSmoothing float64       `yaml:"label_smoothing,omitempty" json:"label_smoothing,omitempty"` // of softmax
	FocalGamma     float64       `yaml:"focal_gamma,omitempty" json:"focal_gamma,omitempty"`         // of focal
	ClassWeights   ClassWeights  `yaml:"class_weights,omitempty" json:"class_weights,omitzero"`
	Optimizer      string        `yaml:"optimizer" json:"optimizer"` // one of optimizers
	LearningRate   float64       `yaml:"learning_rate" json:"learning_rate"`
	Momentum       float64       `yaml:"momentum" json:"momentum"`
	Betas          []float64     `yaml:"betas,omitempty" json:"betas,omitempty"`         // of adam, adamw
	RMSDecay       float64       `yaml:"rms_decay,omitempty" json:"rms_decay,omitempty"` // of rmsprop
	Epsilon        float64       `yaml:"epsilon,omitempty" json:"epsilon,omitempty"`     // of adam, adamw, rmsprop
	Trust          float64       `yaml:"trust_coefficient,omitempty" json:"trust_coefficient,omitempty"`
	WeightDecay    float64       `yaml:"weight_decay" json:"weight_decay"`
	DecoupledDecay bool          `yaml:"decoupled_weight_decay,omitempty" json:"decoupled_weight_decay,omitempty"`
	ClipNorm       float64       `yaml:"clip_norm,omitempty" json:"clip_norm,omitempty"`   // 0: any norm
	ClipValue      float64       `yaml:"clip_value,omitempty" json:"clip_value,omitempty"` // 0: any value
	EMADecay       float64       `yaml:"ema_decay,omitempty" json:"ema_decay,omitempty"`   // 0: no average
	Policy         Policy        `yaml:"lr_policy" json:"lr_policy"`
	LRMult         Factors       `yaml:"lr_mult,omitempty" json:"lr_mult,omitempty"`       // written as a mapping; later entries win
	DecayMult      Factors       `yaml:"decay_mult,omitempty" json:"decay_mult,omitempty"` // likewise
	Epochs         int           `yaml:"epochs" json:"epochs"`
	BatchSize      int           `yaml:"batch_size" json:"batch_size"`
	MicroBatchSize MicroBatch    `yaml:"micro_batch_size,omitempty" json:"micro_batch_size,omitempty"`
	CacheFeatures  CacheFeatures `yaml:"cache_features" json:"cache_features,omitzero"`
	Precision      Precision     `yaml:"precision" json:"precision,omitzero"` // one of precisions
	Seed           int64         `yaml:"seed" json:"seed"`
	Deterministic  bool          `yaml:"deterministic" json:"deterministic"`
	Threads        int           `yaml:"threads" json:"threads"` // intra-op threads; part of the identity, as it can change the bits
}

// MicroBatch is a number of pictures; 0: as many as in a mini-batch. In the file it
// may be auto, which becomes a number before a plan is made of the sweep: see
// Sweep.SetMicroBatch.
type MicroBatch int

// AutoMicroBatch is auto: a number that no file means.
const AutoMicroBatch MicroBatch = math.MinInt32

// Bytes is a size of memory; in the file a number with a unit, as 8GiB.
type Bytes int64

// CacheFeatures says whether what a frozen part of the network answers to the
// pictures is computed once for all jobs: auto, where nothing varies what it
// sees, or off. What JSON does not name is auto.
type CacheFeatures string

// IsZero is of auto, so that the identity of a job has no trace of it.
func (c CacheFeatures) IsZero() bool { return c == "" || c == "auto" }

// Precision is the format of the numbers that the network is computed in; weights,
// losses and updates are float32 in any case. What JSON does not name is float32.
type Precision string

// IsZero is of float32, so that the identity of a job has no trace of it.
func (p Precision) IsZero() bool { return p == "" || p == "float32" }

// ClassWeights are factors of the loss of each class's pictures: in the file
// either the word balanced, or a mapping from classes to factors, 1 where a class
// is not named.
type ClassWeights struct {
	Balanced bool          `yaml:"-" json:"balanced,omitempty"`
	Classes  []ClassWeight `yaml:"-" json:"classes,omitempty"` // in alphabetical order
}

// ClassWeight is the factor of one class.
type ClassWeight struct {
	Class  string  `yaml:"-" json:"class"`
	Weight float64 `yaml:"-" json:"weight"`
}

// Size is one or two lengths in pixels; in the file one may stand without brackets.
type Size []int

// Factors is an ordered mapping from globs to factors.
type Factors []Factor

// Factor is one entry of lr_mult or decay_mult: a glob over layer names or
// parameter names, and the factors of the layer's weights and biases.
type Factor struct {
	Glob   string  `yaml:"-" json:"glob"`
	Weight float64 `yaml:"weight" json:"weight"`
	Bias   float64 `yaml:"bias" json:"bias"`
}

// Policy is a learning-rate policy, by epochs.
type Policy struct {
	Policy      string  `yaml:"policy" json:"policy"` // one of policies
	EveryEpochs int     `yaml:"every_epochs,omitempty" json:"every_epochs,omitempty"`
	Epochs      []int   `yaml:"epochs,omitempty" json:"epochs,omitempty"`
	Gamma       float64 `yaml:"gamma,omitempty" json:"gamma,omitempty"`
	Power       float64 `yaml:"power,omitempty" json:"power,omitempty"`
	Midpoint    float64 `yaml:"midpoint,omitempty" json:"midpoint,omitempty"`   // epochs
	Patience    int     `yaml:"patience,omitempty" json:"patience,omitempty"`   // epochs
	Threshold   float64 `yaml:"threshold,omitempty" json:"threshold,omitempty"` // part of the best loss
	WarmUp      int     `yaml:"warm_up,omitempty" json:"warm_up,omitempty"`     // epochs of linear warm-up
}

// Evaluation is how a fold's test pictures are scored.
type Evaluation struct {
	Metrics   []string `yaml:"metrics" json:"metrics"` // accuracy | loss | f1 | auc
	BatchSize int      `yaml:"batch_size,omitempty" json:"batch_size,omitempty"`
	// Oversample is how many crops of a picture the last evaluation averages: 1,
	// 5 or 10. A plan holds 0 for 1, as plans did that knew no more.
	Oversample int `yaml:"oversample,omitempty" json:"oversample,omitempty"`
}

// CrossValidation is how folds are made.
type CrossValidation struct {
	Folds      int   `yaml:"folds" json:"folds"`
	Stratified bool  `yaml:"stratified" json:"stratified"`
	Repeats    int   `yaml:"repeats" json:"repeats"`
	Seed       int64 `yaml:"seed" json:"seed"`
}

// Metric is what trials are ranked by.
type Metric struct {
	Name string `yaml:"name" json:"name"`
	Goal string `yaml:"goal" json:"goal"` // maximize | minimize
}

// Resources is where and how often a job may run.
type Resources struct {
	Device        string `yaml:"device" json:"device"` // any | cpu | cuda
	SlotsPerTrial int    `yaml:"slots_per_trial" json:"slots_per_trial"`
	Priority      int    `yaml:"priority" json:"priority"`
	MaxRestarts   int    `yaml:"max_restarts" json:"max_restarts"`
	// Label is one that a worker must have; "": any worker will do.
	Label string `yaml:"label,omitempty" json:"label,omitempty"`
	// Memory is what a job may be predicted to take; 0: any.
	Memory Bytes `yaml:"memory,omitempty" json:"memory,omitempty"`
}

// Checkpoints is when checkpoints are written and which are kept of each job, once
// it is over: see Retained.
type Checkpoints struct {
	EveryEpochs     int `yaml:"every_epochs" json:"every_epochs"` // 0: only when a job is interrupted
	SaveTrialBest   int `yaml:"save_trial_best" json:"save_trial_best"`
	SaveTrialLatest int `yaml:"save_trial_latest" json:"save_trial_latest"`
}

// Ref points at a content-addressed object in the artifact store.
type Ref struct {
	Name   string `json:"name"`   // as the user wrote it
	Digest string `json:"digest"` // hex SHA-256 of the object
	Key    string `json:"key"`
	Size   int64  `json:"size"`
}

// Trial is one assignment of the searched parameters.
type Trial struct {
	Number     int            `json:"trial"`
	Parameters map[string]any `json:"parameters"`
	Config     Config         `json:"config"`
	Base       Ref            `json:"base"`
	FoldBases  []Ref          `json:"fold_bases,omitempty"` // where each fold has a model of its own; Base is the first then
	Point      []float64      `json:"point,omitempty"`      // what a method that learns from outcomes knows it by
}

// BaseOf is the model that the trial starts from in a fold.
func (t *Trial) BaseOf(fold int) Ref {
	if len(t.FoldBases) > 0 {
		return t.FoldBases[fold]
	}
	return t.Base
}

// Fold is one train/test split; the numbers index the data set's samples.
type Fold struct {
	Number int    `json:"fold"`
	Name   string `json:"name"` // "0", or "repeat.fold", or the explicit fold's folder
	Train  []int  `json:"train"`
	Test   []int  `json:"test"`
}

// Job is one trial on one fold, or the part of it up to a rung.
type Job struct {
	ID    string `json:"job"`
	Trial int    `json:"trial"`
	Fold  int    `json:"fold"`
	Until int    `json:"until,omitempty"` // epochs; 0: to the end
	Rank  int    `json:"-"`               // in the queue, within the sweep: smaller first
}

// Data is what the plan knows of the data set.
type Data struct {
	Pack    Ref      `json:"pack"`
	Classes []string `json:"classes"`
	Labels  []int    `json:"labels"` // one per sample, an index into Classes
	// Notes say what was taken for what, and left out, when the data set was read.
	// They are no part of a plan's content: files beside the pictures change them.
	Notes []string `json:"notes,omitempty"`
}

// Plan is a whole sweep, ready to be submitted: immutable once stored. Trials that
// a search adds later are objects of their own; Grown puts the two together.
type Plan struct {
	ID          string      `json:"sweep"` // name-xxxxxx, from the content: submitting twice gives the same
	Name        string      `json:"name"`
	Source      string      `json:"source"`              // the sweep file as the user wrote it
	Overrides   []string    `json:"overrides,omitempty"` // key=value, applied on top of Source
	Engine      string      `json:"engine"`
	Metric      Metric      `json:"metric"`
	Data        Data        `json:"data"`
	Trials      []Trial     `json:"trials"`
	Folds       []Fold      `json:"folds"`
	Jobs        []Job       `json:"jobs"` // trial-major, each to its end
	Resources   Resources   `json:"resources"`
	Checkpoints Checkpoints `json:"checkpoints"`
	Budget      Budget      `json:"budget,omitzero"`
	Search      *Search     `json:"search,omitempty"` // where not all jobs are for all to do at once

	parts []string // foldParts, of a plan that has grown
}

// The priorities that a sweep may have, as everybody is told.
const (
	FirstPriority = 1
	LastPriority  = 99
	PriorityWords = "from 1 (first) to 99 (last)"
)

// Settings are what can be changed of a sweep while it runs; zero: as in its plan.
type Settings struct {
	Priority      int    `json:"priority,omitempty"`
	MaxConcurrent int    `json:"max_concurrent_trials,omitempty"`
	Budget        Budget `json:"budget,omitzero"`
}

// Budget bounds what a sweep may spend; 0: any.
type Budget struct {
	Time       Seconds `yaml:"time" json:"time,omitempty"`               // since the submission
	DeviceTime Seconds `yaml:"device_time" json:"device_time,omitempty"` // that all its jobs took, in sum
}

// Seconds are a time; in the file with units, as 90m, 12h30m or 2d.
type Seconds int64

// Spec is all that a worker needs to run a job. Everything in it but Sweep,
// Resources, Checkpoints and Metric is covered by the job's ID.
type Spec struct {
	Job         string      `json:"job"`
	Engine      string      `json:"engine"`
	Sweep       string      `json:"sweep"` // that enqueued it first
	Trial       int         `json:"trial"`
	Fold        int         `json:"fold"`
	Until       int         `json:"until,omitempty"` // epochs; 0: to the end
	Config      Config      `json:"config"`
	Base        Ref         `json:"base"`
	Pack        Ref         `json:"pack"`
	Classes     []string    `json:"classes"`
	Train       []int       `json:"train"`
	Test        []int       `json:"test"`
	Resources   Resources   `json:"resources"`
	Checkpoints Checkpoints `json:"checkpoints"`
	Metric      Metric      `json:"metric,omitzero"` // what the best checkpoints are the best by
	// SameTraining are the jobs that train alike, but evaluate otherwise or stop
	// earlier: a checkpoint of theirs is as good as one of this job.
	SameTraining []string `json:"same_training,omitempty"`
	// Rungs are those of SameTraining that stop earlier; once this job has an
	// outcome, only the best of their checkpoints are kept.
	Rungs []string `json:"rungs,omitempty"`
}

// Metrics are scores by the names that sweep.yaml uses. In JSON a score that is
// not finite, as after a diverged training, is null, and null is read as NaN.
type Metrics map[string]float64

// Epoch is one line of a job's history, in JSON one flat object:
// {"epoch": 1, "train_loss": 0.69, "accuracy": 0.61, "loss": 0.66, "seconds": 9.1}.
type Epoch struct {
	Epoch     int // from 1
	TrainLoss float64
	Metrics   Metrics // of the test pictures; flattened into the object
	Seconds   float64
}

// Outcome is the result of a job, recorded exactly once.
type Outcome struct {
	Job      string  `json:"job"`
	Sweep    string  `json:"sweep"` // that trained it; others reuse it
	Metrics  Metrics `json:"metrics"`
	History  []Epoch `json:"history"`
	Epochs   int     `json:"epochs"`
	Attempts int     `json:"attempts"`
	Seconds  float64 `json:"seconds"` // of all attempts that led here
	// Confusion[i][j] counts test pictures of class i predicted as class j. Of more
	// than MostDense classes it is null, and ConfusionCells has [i, j, count] of every
	// pair that occurs.
	Confusion      [][]int           `json:"confusion"`
	ConfusionCells [][3]int          `json:"confusion_cells,omitempty"`
	Probe          *ProbeOutcome     `json:"probe,omitempty"` // of a linear classifier
	Classes        []string          `json:"classes"`
	Objects        map[string]Ref    `json:"objects"` // "model", "predictions"
	Host           string            `json:"host"`
	Device         string            `json:"device"`
	Versions       map[string]string `json:"versions"` // engine, orchestrator, onnxruntime, go; of a GPU: gpu, driver, cuda, cudnn
	Finished       string            `json:"finished"` // RFC 3339, UTC
}

// Failure is why a job was given up; removed by retry.
type Failure struct {
	Job      string `json:"job"`
	Reason   string `json:"reason"`
	Hint     string `json:"hint,omitempty"`
	Attempts int    `json:"attempts"`
	Finished string `json:"finished"`
}

// Attempt is one execution of a job: its record of who ran it and how it ended.
type Attempt struct {
	Job     string `json:"job"`
	Number  int    `json:"attempt"` // from 1
	Host    string `json:"host"`
	Device  string `json:"device"`
	Started string `json:"started"`
	Ended   string `json:"ended,omitempty"`
	End     string `json:"end,omitempty"` // completed | interrupted | failed | canceled | paused | lost; empty while it runs or when its worker died
	Detail  string `json:"detail,omitempty"`
	GivenUp bool   `json:"given_up,omitempty"` // the job got its Failure; restarts are counted from here on
}

// QueueMark says that the jobs of a store go through a queue. It is replaced every few
// seconds by whoever works on them, and forgotten when it is not.
type QueueMark struct {
	Queue string `json:"queue"` // its ID
	Name  string `json:"name"`  // redis://host:port/0, or run
	Host  string `json:"host"`
	PID   int    `json:"pid"`
	Sweep string `json:"sweep,omitempty"` // of a run, which works on no other
	Since string `json:"since"`
	Waits bool   `json:"waits,omitempty"` // a run, for another to end
}

// State is the state of a sweep, trial or job.
type State string

// The states, as every table and JSON document writes them.
const (
	Pending   State = "pending"
	Running   State = "running"
	Completed State = "completed"
	Failed    State = "failed"
	Canceled  State = "canceled"
	Paused    State = "paused"
	Pruned    State = "pruned"
)
