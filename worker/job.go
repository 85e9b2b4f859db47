package worker

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/optim"
	"orchestrator/trainer/surgery"
)

// This file alone knows how the words of a sweep file become those of package
// trainer.

// trainerJob is the job of a spec, on an imported base model.
func trainerJob(s plan.Spec, base *onnx.Graph, data trainer.Data) (trainer.Job, error) {
	model, rates, err := operate(base, s.Config)
	if err != nil {
		return trainer.Job{}, err
	}
	metadata, err := metadata(s)
	if err != nil {
		return trainer.Job{}, err
	}
	t := s.Config.Training
	weights, err := classWeights(t.ClassWeights, s.Classes)
	if err != nil {
		return trainer.Job{}, err
	}
	if t.ClassWeights.Balanced {
		weights = trainer.BalancedWeights(data, s.Train, len(s.Classes))
	}
	return trainer.Job{
		Model: model, Classes: s.Classes, ExtraOutputs: s.Config.Model.ExtraOutputs, Data: data, Train: s.Train, Test: s.Test,
		Loss: t.Loss, LabelSmoothing: t.LabelSmoothing, FocalGamma: t.FocalGamma, ClassWeights: weights,
		Optimizer: t.Optimizer, Hyper: hyper(t),
		LearningRate: t.LearningRate, Momentum: t.Momentum, WeightDecay: t.WeightDecay,
		ClipNorm: t.ClipNorm, ClipValue: t.ClipValue, Average: t.EMADecay,
		Policy: trainer.Policy{
			Name: t.Policy.Policy, EveryEpochs: t.Policy.EveryEpochs, Epochs: t.Policy.Epochs,
			Gamma: t.Policy.Gamma, Power: t.Policy.Power, Midpoint: t.Policy.Midpoint,
			Patience: t.Policy.Patience, Threshold: t.Policy.Threshold, WarmUp: t.Policy.WarmUp,
		},
		Rates: rates, Epochs: t.Epochs, StopAfter: s.Until, BatchSize: t.BatchSize, MicroBatch: int(t.MicroBatchSize),
		EvalBatch: s.Config.Evaluation.BatchSize, Oversample: s.Config.Evaluation.Oversample, Seed: t.Seed, Mirror: s.Config.Preprocessing.Mirror, CenterCrop: s.Config.Preprocessing.CenterCrop,
		Precision: string(t.Precision), Target: target(t), Deterministic: t.Deterministic,
		CheckpointEveryEpochs: s.Checkpoints.EveryEpochs,
		Metadata:              metadata,
	}, nil
}

// target is what is known of a job's device before it runs: formats that only GPUs
// compute in tell.
func target(t plan.Training) string {
	if t.Precision.IsZero() {
		return compile.CPU
	}
	return compile.CUDA
}

// hyper are the numbers that only some optimizers have.
func hyper(t plan.Training) optim.Hyper {
	h := optim.Hyper{Epsilon: t.Epsilon, RMSDecay: t.RMSDecay, Trust: t.Trust, Decoupled: t.DecoupledDecay}
	if len(t.Betas) == 2 {
		h.Beta1, h.Beta2 = t.Betas[0], t.Betas[1]
	}
	return h
}

// classWeights are the factors that a sweep file names, in the order of the
// classes; nil where it names none.
func classWeights(w plan.ClassWeights, classes []string) ([]float64, error) {
	if len(w.Classes) == 0 {
		return nil, nil
	}
	weights := slices.Repeat([]float64{1}, len(classes))
	for _, named := range w.Classes {
		i := slices.Index(classes, named.Class)
		if i < 0 {
			return nil, &classError{class: named.Class, classes: classes}
		}
		weights[i] = named.Weight
	}
	return weights, nil
}

// metadata is what makes the exported model usable by itself.
func metadata(s plan.Spec) (map[string]string, error) {
	m := map[string]string{}
	for name, v := range map[string]any{"classes": s.Classes, "preprocessing": s.Config.Preprocessing} {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("describe the model's %s: %w", name, err)
		}
		m[name] = string(text)
	}
	return m, nil
}

// operate applies the surgery and works out each parameter's rates.
func operate(base *onnx.Graph, c plan.Config) (*onnx.Graph, map[string]trainer.Rates, error) {
	model, frozen, err := surgery.Apply(base, SurgerySteps(c.Model.Surgery), c.Training.Seed)
	if err != nil {
		return nil, nil, fmt.Errorf("model.surgery: %w", err)
	}
	rates, err := ratesOf(model, c.Training, frozen)
	return model, rates, err
}

// ratesOf resolves lr_mult and decay_mult; of several globs that match a
// parameter the last one counts. What surgery froze has the learning rate 0.
func ratesOf(g *onnx.Graph, t plan.Training, frozen []string) (map[string]trainer.Rates, error) {
	biases := biasesOf(g)
	rates := map[string]trainer.Rates{}
	set := func(field string, factors plan.Factors, to func(r *trainer.Rates, x float64)) error {
		for _, f := range factors {
			names := surgery.Parameters(g, f.Glob)
			if len(names) == 0 {
				return &globError{field: field, glob: f.Glob}
			}
			for _, name := range names {
				r, there := rates[name]
				if !there {
					r = trainer.Rates{LR: 1, Decay: 1}
				}
				if slices.Contains(biases, name) {
					to(&r, f.Bias)
				} else {
					to(&r, f.Weight)
				}
				rates[name] = r
			}
		}
		return nil
	}
	if err := set("training.lr_mult", t.LRMult, func(r *trainer.Rates, x float64) { r.LR = x }); err != nil {
		return nil, err
	}
	if err := set("training.decay_mult", t.DecayMult, func(r *trainer.Rates, x float64) { r.Decay = x }); err != nil {
		return nil, err
	}
	for _, name := range frozen {
		rates[name] = trainer.Rates{}
	}
	return rates, nil
}

// biasesOf names the parameters that are added: the third input of a Conv, Gemm
// or BatchNormalization, and what an Add adds.
func biasesOf(g *onnx.Graph) []string {
	var names []string
	for _, n := range g.Nodes {
		for i, input := range n.Inputs {
			if i == 2 || n.Op == "Add" {
				if t := g.Initializer(input); t != nil && t.Param {
					names = append(names, input)
				}
			}
		}
	}
	return names
}

// globError says that a setting for some layers is for none.
type globError struct{ field, glob string }

func (e *globError) Error() string {
	return fmt.Sprintf("%s: no layer or parameter has a name like %q", e.field, e.glob)
}

// Hint tells where the names are seen.
func (e *globError) Hint() string {
	return "orchestrator model inspect prints the layers' names; those that surgery adds have the names that the sweep file gives them"
}

// ExitCode marks wrong input.
func (e *globError) ExitCode() int { return 2 }

// classError says that a setting is for a class that the data set does not have.
type classError struct {
	class   string
	classes []string
}

func (e *classError) Error() string {
	return fmt.Sprintf("training.class_weights: the data set has no class %q", e.class)
}

// Hint lists the classes, or the first of many.
func (e *classError) Hint() string {
	const most = 20
	if len(e.classes) > most {
		return fmt.Sprintf("its %d classes begin with %s", len(e.classes), strings.Join(e.classes[:most], ", "))
	}
	return "its classes: " + strings.Join(e.classes, ", ")
}

// ExitCode marks wrong input.
func (e *classError) ExitCode() int { return 2 }

// CheckModel does with a network all that training will, but for the training:
// it fails where surgery, a glob over layers, a class's name, or the compiler
// would.
func CheckModel(base *onnx.Graph, c plan.Config, classes []string) error {
	if c.IsProbe() {
		return checkProbe(base, c)
	}
	model, rates, err := operate(base, c)
	if err != nil {
		return err
	}
	if _, err := classWeights(c.Training.ClassWeights, classes); err != nil {
		return err
	}
	none, err := dataset.Load(nil, nil, geometry(c.Preprocessing))
	if err != nil {
		return fmt.Errorf("preprocessing: %w", err)
	}
	o := compile.Options{
		Batch: 1, Classes: len(classes), ExtraOutputs: c.Model.ExtraOutputs,
		Loss: c.Training.Loss, LabelSmoothing: c.Training.LabelSmoothing, FocalGamma: c.Training.FocalGamma,
		Optimizer: c.Training.Optimizer, Hyper: hyper(c.Training),
		Momentum: c.Training.Momentum, Decay: c.Training.WeightDecay, Rates: rates,
		ClipNorm: c.Training.ClipNorm, ClipValue: c.Training.ClipValue,
		Precision: string(c.Training.Precision), Target: target(c.Training), Deterministic: c.Training.Deterministic,
	}
	o.Channels, o.Height, o.Width = pictureSize(none)
	o.Mean, o.Scale = none.Normalisation()
	step := []func(*onnx.Graph, compile.Options) (*compile.Program, error){compile.Train}
	if o.Precision == "float16" { // whose updates wait for what the gradients are
		step = []func(*onnx.Graph, compile.Options) (*compile.Program, error){compile.Accumulate, compile.Apply}
	}
	for _, program := range append(step, compile.Eval) {
		if _, err := program(model, o); err != nil {
			return err
		}
	}
	return nil
}

// pictureSize is the size of the pictures that a network is fed with.
func pictureSize(data trainer.Data) (channels, height, width int) {
	channels, height, width, crop := data.Geometry()
	if crop > 0 {
		height, width = crop, crop
	}
	return channels, height, width
}

// ImportOptions say how the base of a trial is to be understood: for pictures of the
// size that its preprocessing makes. A network that surgery makes fully convolutional
// is operated on at its own size.
func ImportOptions(c plan.Config) (onnximport.Options, error) {
	none, err := dataset.Load(nil, nil, geometry(c.Preprocessing))
	if err != nil {
		return onnximport.Options{}, fmt.Errorf("preprocessing: %w", err)
	}
	o := onnximport.Options{Output: c.Model.Output}
	o.Channels, o.Height, o.Width = pictureSize(none)
	o.OwnSize = slices.ContainsFunc(c.Model.Surgery, func(s plan.Step) bool { return s.ToFullyConvolutional })
	return o, nil
}

// geometry is how pictures become arrays.
func geometry(p plan.Preprocessing) dataset.Geometry {
	return dataset.Geometry{Resize: p.Resize, Crop: p.Crop, Channels: p.Channels, Mean: p.Mean, Std: p.Std, Scale: p.Scale}
}

// planEpoch is a line of history in the words of the outcome, with the scores
// that the sweep asked for.
func planEpoch(e trainer.EpochResult, metrics []string) plan.Epoch {
	return plan.Epoch{Epoch: e.Epoch, TrainLoss: e.TrainLoss, Metrics: scores(e.Scores, metrics), Seconds: e.Seconds}
}

func scores(all trainer.Scores, metrics []string) plan.Metrics {
	m := plan.Metrics{}
	for _, name := range metrics {
		if x, ok := all[name]; ok {
			m[name] = x
		}
	}
	return m
}

// planProgress counts in whole jobs what the trainer counts in epochs.
func planProgress(p trainer.Progress) plan.Progress {
	out := plan.Progress{
		Epoch: p.Epoch - 1, Epochs: p.Epochs,
		Step: (p.Epoch-1)*p.Steps + p.Step, Steps: p.Epochs * p.Steps,
	}
	if p.Evaluated != nil {
		out.Epoch = p.Epoch
	}
	if !math.IsNaN(p.TrainLoss) && !math.IsInf(p.TrainLoss, 0) { // JSON has no such numbers
		out.Loss = p.TrainLoss
	}
	return out
}
