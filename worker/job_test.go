package worker

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/optim"
	"orchestrator/trainer/ort"
)

// tinynet is imported as a worker imports it.
func tinynet(t *testing.T, classes int) *onnx.Graph {
	t.Helper()
	g, err := builtin.Model("tinynet", classes, 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = onnximport.Read(data); err != nil {
		t.Fatal(err)
	}
	return g
}

// parameters lists the weights and the biases of the layers, in graph order.
func parameters(g *onnx.Graph) (weights, biases []string) {
	for _, n := range g.Nodes {
		for i, input := range n.Inputs {
			if t := g.Initializer(input); t != nil && t.Param {
				if i == 2 {
					biases = append(biases, input)
				} else {
					weights = append(weights, input)
				}
			}
		}
	}
	return weights, biases
}

func TestRatesOfLayers(t *testing.T) {
	g := tinynet(t, 2)
	weights, biases := parameters(g)
	if len(weights) < 2 || len(biases) != len(weights) {
		t.Fatalf("tinynet has the weights %q and the biases %q", weights, biases)
	}
	w, b := weights[0], biases[0]
	first := layerReading(g, w)
	for name, c := range map[string]struct {
		training plan.Training
		frozen   []string
		want     map[string]trainer.Rates
	}{
		"nothing said": {want: map[string]trainer.Rates{}},
		"a layer": {
			training: plan.Training{LRMult: plan.Factors{{Glob: first, Weight: 10, Bias: 20}}},
			want:     map[string]trainer.Rates{w: {LR: 10, Decay: 1}, b: {LR: 20, Decay: 1}},
		},
		"a parameter by its own name": {
			training: plan.Training{LRMult: plan.Factors{{Glob: b, Weight: 3, Bias: 2}}},
			want:     map[string]trainer.Rates{b: {LR: 2, Decay: 1}},
		},
		"the later glob wins": {
			training: plan.Training{LRMult: plan.Factors{{Glob: "*", Weight: 0, Bias: 0}, {Glob: first, Weight: 1, Bias: 2}}},
			want:     withAll(weights, biases, trainer.Rates{LR: 0, Decay: 1}, map[string]trainer.Rates{w: {LR: 1, Decay: 1}, b: {LR: 2, Decay: 1}}),
		},
		"decay beside the rate": {
			training: plan.Training{LRMult: plan.Factors{{Glob: first, Weight: 10, Bias: 20}}, DecayMult: plan.Factors{{Glob: first, Weight: 1, Bias: 0}}},
			want:     map[string]trainer.Rates{w: {LR: 10, Decay: 1}, b: {LR: 20, Decay: 0}},
		},
		"frozen": {
			training: plan.Training{LRMult: plan.Factors{{Glob: first, Weight: 10, Bias: 20}}}, frozen: []string{w, b},
			want: map[string]trainer.Rates{w: {}, b: {}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ratesOf(g, c.training, c.frozen)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("rates (-want +got):\n%s", diff)
			}
		})
	}
}

func layerReading(g *onnx.Graph, parameter string) string {
	for _, n := range g.Nodes {
		for _, input := range n.Inputs {
			if input == parameter {
				return n.Name
			}
		}
	}
	return ""
}

func withAll(weights, biases []string, r trainer.Rates, but map[string]trainer.Rates) map[string]trainer.Rates {
	all := map[string]trainer.Rates{}
	for _, name := range append(append([]string{}, weights...), biases...) {
		all[name] = r
	}
	for name, r := range but {
		all[name] = r
	}
	return all
}

func tinyConfig() plan.Config {
	return plan.Config{
		Preprocessing: plan.Preprocessing{Resize: plan.Size{36, 36}, Crop: 32, Channels: "rgb", Mean: []float64{128, 128, 128}, Scale: 0.01},
		Training: plan.Training{Loss: "softmax", Optimizer: "sgd", LearningRate: 0.01, Momentum: 0.9, Policy: plan.Policy{Policy: "fixed"},
			Epochs: 1, BatchSize: 8, Seed: 1, Threads: 1},
		Evaluation: plan.Evaluation{Metrics: []string{"accuracy", "loss"}},
	}
}

func TestCheckModel(t *testing.T) {
	base := tinynet(t, 2)
	classes := []string{"a", "b"}
	if err := CheckModel(base, tinyConfig(), classes); err != nil {
		t.Fatalf("a network that can be trained: %v", err)
	}
	weights, _ := parameters(base)
	last := layerReading(base, weights[len(weights)-1])
	replaced := tinyConfig()
	replaced.Model.Surgery = []plan.Step{{Replace: &plan.Layer{Name: last, Outputs: 3}}}
	if err := CheckModel(base, replaced, []string{"a", "b", "c"}); err != nil {
		t.Errorf("with another head: %v", err)
	}
	for _, precision := range []plan.Precision{"float32", "tf32", "bfloat16", "float16"} {
		c := tinyConfig()
		c.Training.Precision = precision
		if err := CheckModel(base, c, classes); err != nil {
			t.Errorf("in %s: %v", precision, err)
		}
	}
	for name, change := range map[string]func(c *plan.Config){
		"no such layer":     func(c *plan.Config) { c.Model.Surgery = []plan.Step{{CutAfter: "nowhere"}} },
		"crop too large":    func(c *plan.Config) { c.Preprocessing.Crop = 40 },
		"no such glob":      func(c *plan.Config) { c.Training.LRMult = plan.Factors{{Glob: "fc9*", Weight: 10, Bias: 10}} },
		"no such glob, two": func(c *plan.Config) { c.Training.DecayMult = plan.Factors{{Glob: "fc9*"}} },
		"no such class": func(c *plan.Config) {
			c.Training.ClassWeights.Classes = []plan.ClassWeight{{Class: "wasps", Weight: 2}}
		},
		"three outputs": func(c *plan.Config) { c.Model.Surgery = replaced.Model.Surgery },
	} {
		c := tinyConfig()
		change(&c)
		err := CheckModel(base, c, classes)
		var input interface{ ExitCode() int }
		var hinted interface{ Hint() string }
		if !errors.As(err, &input) || input.ExitCode() != 2 || !errors.As(err, &hinted) || hinted.Hint() == "" {
			t.Errorf("%s: %v is not an input error with a hint", name, err)
		}
	}
}

// Every setting below training reaches the trainer: each changes its job.
func TestTrainerJobHasEverySetting(t *testing.T) {
	base := tinynet(t, 2)
	job := func(text string) trainer.Job {
		t.Helper()
		head := "name: s\ndataset: {path: d}\nmodel: {base: m}\nresources: {device: cuda}\ntraining: {learning_rate: 0.1, epochs: 9, "
		s, err := plan.Parse("sweep.yaml", []byte(head+text+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		spec := plan.Spec{Config: s.Trials[0].Config, Classes: []string{"a", "b"}, Train: []int{0, 1, 2}, Test: []int{3}}
		j, err := trainerJob(spec, base, labels{0, 0, 1, 0})
		if err != nil {
			t.Fatal(err)
		}
		j.Model, j.Metadata, j.Data = nil, nil, nil
		return j
	}
	for text, change := range map[string]func(*trainer.Job){
		"loss: focal, focal_gamma: 3":  func(j *trainer.Job) { j.Loss, j.FocalGamma = "focal", 3 },
		"label_smoothing: 0.2":         func(j *trainer.Job) { j.LabelSmoothing = 0.2 },
		"class_weights: {b: 3}":        func(j *trainer.Job) { j.ClassWeights = []float64{1, 3} },
		"class_weights: balanced":      func(j *trainer.Job) { j.ClassWeights = []float64{0.75, 1.5} },
		"optimizer: sgd_pytorch":       func(j *trainer.Job) { j.Optimizer = "sgd_pytorch" },
		"clip_norm: 2":                 func(j *trainer.Job) { j.ClipNorm = 2 },
		"clip_value: 2":                func(j *trainer.Job) { j.ClipValue = 2 },
		"ema_decay: 0.5":               func(j *trainer.Job) { j.Average = 0.5 },
		"precision: bfloat16":          func(j *trainer.Job) { j.Precision, j.Target = "bfloat16", "cuda" },
		"deterministic: false":         func(j *trainer.Job) { j.Deterministic = false },
		"decoupled_weight_decay: true": func(j *trainer.Job) { j.Hyper.Decoupled = true },
		"optimizer: lars":              func(j *trainer.Job) { j.Optimizer, j.Hyper.Trust = "lars", 0.001 },
		"optimizer: adam, betas: [0.1,0.2]": func(j *trainer.Job) {
			j.Optimizer, j.Momentum, j.Hyper = "adam", 0, optim.Hyper{Beta1: 0.1, Beta2: 0.2, Epsilon: 1e-8}
		},
		"optimizer: rmsprop, momentum: 0.3": func(j *trainer.Job) {
			j.Optimizer, j.Momentum, j.Hyper = "rmsprop", 0.3, optim.Hyper{RMSDecay: 0.99, Epsilon: 1e-8}
		},
		"lr_policy: {policy: plateau, patience: 2, threshold: 0.1}": func(j *trainer.Job) {
			j.Policy = trainer.Policy{Name: "plateau", Gamma: 0.1, Patience: 2, Threshold: 0.1}
		},
		"lr_policy: {policy: sigmoid, gamma: -1, midpoint: 4, warm_up: 1}": func(j *trainer.Job) {
			j.Policy = trainer.Policy{Name: "sigmoid", Gamma: -1, Midpoint: 4, WarmUp: 1}
		},
	} {
		want := job("")
		change(&want)
		if got := job(text); !cmp.Equal(want, got) {
			t.Errorf("%s (-want +got):\n%s", text, cmp.Diff(want, got))
		}
	}
}

// labels are a data set of which only the labels are known.
type labels []int

func (l labels) Label(sample int) int                          { return l[sample] }
func (l labels) File(int) string                               { return "" }
func (l labels) Geometry() (channels, height, width, crop int) { return 3, 1, 1, 0 }
func (l labels) Window([]uint8, int, int, int, bool) error     { return errors.New("no pictures") }
func (l labels) Normalisation() (mean, scale []float32)        { return nil, nil }

func TestProgressCountsInJobs(t *testing.T) {
	got := planProgress(trainer.Progress{Epoch: 3, Epochs: 5, Step: 4, Steps: 10, TrainLoss: 0.5})
	if want := (plan.Progress{Epoch: 2, Epochs: 5, Step: 24, Steps: 50, Loss: 0.5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got = planProgress(trainer.Progress{Epoch: 3, Epochs: 5, Step: 10, Steps: 10, TrainLoss: math.NaN(), Evaluated: &trainer.EpochResult{}})
	if want := (plan.Progress{Epoch: 3, Epochs: 5, Step: 30, Steps: 50}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhichFailuresArePermanent(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&trainer.DivergedError{}, true},
		{fmt.Errorf("wrapped: %w", &trainer.JobError{Reason: "no"}), true},
		{&globError{field: "training.lr_mult", glob: "x"}, true},
		{&classError{class: "x"}, true},
		{&ort.LibraryError{Reason: "missing on this machine"}, false},
		{fmt.Errorf("wrapped: %w", &ort.DeviceError{Device: "cuda", Reason: "missing on this machine"}), false},
		{&ort.PlacementError{Device: "cuda"}, false}, // of a host that is strict
		{artifacts.ErrUnavailable, false},
		{errors.New("out of memory"), false},
	} {
		if got := failure(c.err); got.Permanent != c.want || got.Reason != c.err.Error() {
			t.Errorf("%v is told as %+v", c.err, got)
		}
	}
}
