package trainer

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

func TestLossScaleGrowsAndShrinks(t *testing.T) {
	s := (&Job{Precision: "float16"}).firstLossScale()
	for step := range growAfter {
		if s.Factor != 65536 {
			t.Fatalf("the scale after %d steps is %g", step, s.Factor)
		}
		s.good()
	}
	if want := (LossScale{Factor: 131072}); s != want {
		t.Errorf("after %d good steps %+v, want %+v", growAfter, s, want)
	}
	s.good()
	if ok := s.bad(); !ok || s != (LossScale{Factor: 65536, Skipped: 1}) {
		t.Errorf("after a bad step %+v", s)
	}
	for range 16 {
		if !s.bad() {
			t.Fatalf("it does not shrink at %+v", s)
		}
	}
	if s.bad() || s.Factor != 1 || s.Skipped != 17 {
		t.Errorf("at the smallest scale %+v", s)
	}
	s = LossScale{Factor: mostScale, Good: growAfter - 1}
	if s.good(); s != (LossScale{Factor: mostScale}) {
		t.Errorf("at the largest scale %+v", s)
	}
	if (&Job{Precision: "bfloat16"}).firstLossScale() != (LossScale{}) {
		t.Error("bfloat16 has a loss scale")
	}
}

// heavy is a job whose gradients leave float16 with the scale that it begins with.
func heavy() Job {
	job := smallJob(layers{batchNorm: true})
	job.Precision, job.ClassWeights, job.LearningRate = "float16", []float64{64, 64}, 1e-3
	return job
}

func TestOverflowSkipsTheUpdate(t *testing.T) {
	job := heavy()
	job.Epochs, job.Average = 3, 0.9
	skipped, scale := 0, float64(firstScale)
	var reported []Progress
	res, err := Run(context.Background(), job, newRuntime(t), &memory{}, nil, func(p Progress) {
		if p.Evaluated == nil {
			reported = append(reported, p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range reported {
		if p.Skipped {
			skipped, scale = skipped+1, scale/2
		}
		if p.LossScale != scale || math.IsNaN(p.TrainLoss) {
			t.Errorf("step %d reports %+v, want the scale %g", i, p, scale)
		}
	}
	if !reported[0].Skipped || skipped == len(reported) {
		t.Errorf("%d of %d steps are skipped, the first %v", skipped, len(reported), reported[0].Skipped)
	}
	counted := 0
	for _, e := range res.History {
		counted += e.Skipped
	}
	if counted != skipped {
		t.Errorf("the history has %d skipped steps, %d were reported", counted, skipped)
	}
}

// A skipped step leaves all weights and optimizer state as they are, bit for bit.
// Running statistics are of the pictures seen, and move.
func TestSkippedStepLeavesTheWeights(t *testing.T) {
	job, ck := heavy(), &memory{}
	if err := interrupted(job, newRuntime(t), ck, 1); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	c, err := ck.Latest()
	if err != nil {
		t.Fatal(err)
	}
	if want := (LossScale{Factor: firstScale / 2, Skipped: 1}); c.Step != 1 || c.LossScale != want {
		t.Fatalf("the checkpoint is of step %d with the scale %+v, want step 1 with %+v", c.Step, c.LossScale, want)
	}
	for _, got := range c.Tensors {
		param := strings.TrimPrefix(got.Name, "param:")
		start := job.Model.Initializer(param)
		if start == nil { // optimizer state
			start = onnx.NewTensor(onnx.Float, got.Shape...)
		}
		same := cmp.Equal(start.F32(), got.F32(), bitwise)
		if statistic := param == "bn_m" || param == "bn_v"; same == statistic {
			t.Errorf("%s changed: %v", got.Name, !same)
		}
	}
}

// An average does not come nearer to weights that have not moved.
func TestSkippedStepLeavesTheAverage(t *testing.T) {
	job, rt, ck := smallJob(layers{batchNorm: true}), newRuntime(t), &memory{}
	job.Precision, job.Average = "float16", 0.9
	if err := interrupted(job, rt, ck, 3); !errors.Is(err, ErrInterrupted) { // accumulate, apply, average
		t.Fatal(err)
	}
	latest := func() *Checkpoint {
		c, err := ck.Latest()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := latest()
	before.LossScale.Factor = mostScale
	if err := ck.Save(*before); err != nil {
		t.Fatal(err)
	}
	if err := interrupted(job, rt, ck, 1); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	after := latest()
	if before.Step != 1 || after.Step != 2 || after.LossScale.Skipped != 1 {
		t.Fatalf("steps %d and %d, scale %+v: not what is to be tested", before.Step, after.Step, after.LossScale)
	}
	averages := 0
	for i, was := range before.Tensors {
		if !strings.HasPrefix(was.Name, "average:") {
			continue
		}
		averages++
		if !cmp.Equal(was, after.Tensors[i], bitwise) {
			t.Errorf("%s moved", was.Name)
		}
	}
	if averages == 0 {
		t.Error("there are no averages")
	}
}

// exact is a runtime that computes with all digits, and rounds what is of two bytes
// to them. ONNX Runtime's CPU provider leaves such a rounding out between two
// operators that it computes in float32.
func exact(t *testing.T) Runtime {
	return opener{newRuntime(t), func(g *onnx.Graph) (Session, error) { return exactSession{g}, nil }}
}

type exactSession struct{ g *onnx.Graph }

func (s exactSession) Run(inputs, outputs []*onnx.Tensor) error {
	in := map[string]*onnxeval.Array{}
	for i, v := range s.g.Inputs {
		in[v.Name] = onnxeval.FromTensor(inputs[i])
	}
	out, err := onnxeval.Run(s.g, in)
	if err != nil {
		return err
	}
	for i, v := range s.g.Outputs {
		switch got := out[v.Name].Tensor().Data.(type) {
		case []float32:
			copy(outputs[i].F32(), got)
		case []bool:
			copy(outputs[i].Data.([]bool), got)
		}
	}
	return nil
}

func (exactSession) Close() error { return nil }

func TestDivergedInFloat16(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*Job)
		gradients bool
		hint      string
	}{
		"the loss is lost with the weights": {func(j *Job) { j.LearningRate = 1e30 }, false, "learning_rate"},
		"the network itself leaves float16": {func(j *Job) {
			j.BatchSize, j.Epochs = 4, 1
			for i := range j.Model.Initializer("conv_w").F32() {
				j.Model.Initializer("conv_w").F32()[i] *= 1e6
			}
		}, false, "tf32"},
		"no scale is small enough": {func(j *Job) { j.ClassWeights = []float64{1e20, 1e20} }, true, "tf32"},
	} {
		t.Run(name, func(t *testing.T) {
			job := heavy()
			job.BatchSize, job.Epochs = 1, 4
			c.change(&job)
			_, err := Run(context.Background(), job, exact(t), &memory{}, nil, nil)
			var diverged *DivergedError
			if !errors.As(err, &diverged) || diverged.Gradients != c.gradients {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(diverged.Hint(), c.hint) {
				t.Errorf("the hint %q does not speak of %s", diverged.Hint(), c.hint)
			}
			if c.gradients && (diverged.Epoch-1)*10+diverged.Step != 17 {
				t.Errorf("given up in %v, want the 17th step: 65536 can be halved 16 times", err)
			}
		})
	}
}

func TestCheckpointOfAnotherPrecision(t *testing.T) {
	rt, ck := newRuntime(t), &memory{}
	job := smallJob(layers{})
	if err := interrupted(job, rt, ck, 1); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	job.Precision = "float16"
	if _, err := Run(context.Background(), job, rt, ck, nil, nil); err == nil || !strings.Contains(err.Error(), "loss scale") {
		t.Errorf("a checkpoint of float32 was taken for one of float16: %v", err)
	}
}

// Training in types of two bytes goes as in float32, but for roundings. Each
// gradient has a relative error of at most R·u times a condition number, R the number
// of operators that round and u the type's roundoff (see package compile's tests),
// and so has each step: the losses are those of weights that are off by as much of
// the way that they have gone. R is at most 30 here; a quarter of R·u is allowed, as
// there in the median, of what training changes: 0.4 % in float16, 3 % in bfloat16.
func TestTwoBytesFollowFloat32(t *testing.T) {
	testenv.Daily(t)
	for name, with := range map[string]layers{"plain": {}, "normalised": {batchNorm: true}, "dropout": {dropout: true, softmax: true}} {
		t.Run(name, func(t *testing.T) {
			job := Job{
				Model: network(4, with), Classes: []string{"a", "b", "c", "d"}, Data: newPictures(100, 4),
				LearningRate: 0.05, Momentum: 0.9, Epochs: 3, BatchSize: 16, Seed: 1,
			}
			for i := range 80 {
				job.Train = append(job.Train, i)
			}
			for i := 80; i < 100; i++ {
				job.Test = append(job.Test, i)
			}
			full := mustRun(t, job, exact(t), &memory{})
			for precision, roundoff := range map[string]float64{"float16": onnx.Float16.Roundoff(), "bfloat16": onnx.BFloat16.Roundoff()} {
				job.Precision = precision
				follows(t, precision, full, mustRun(t, job, exact(t), &memory{}), 30*roundoff/4)
				if precision == "float16" {
					follows(t, precision+" by ONNX Runtime", full, mustRun(t, job, newRuntime(t), &memory{}), 30*roundoff/4)
				}
			}
		})
	}
}

// follows compares the losses of all epochs, and what is exported.
func follows(t *testing.T, name string, full, half *Result, allowed float64) {
	t.Helper()
	losses := func(r *Result) (all []float64) {
		for _, e := range r.History {
			all = append(all, e.TrainLoss, e.Scores["loss"])
		}
		return all
	}
	a, b := losses(full), losses(half)
	if slices.Equal(a, b) {
		t.Errorf("%s makes no difference", name)
	}
	change := slices.Max(a) - slices.Min(a)
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= allowed*change) {
			t.Errorf("%s: loss %d of %v is %v: off by %.2g of what they change, allowed %.2g", name, i, a, b[i], math.Abs(a[i]-b[i])/change, allowed)
		}
	}
	for _, p := range half.Model.Initializers {
		if p.Type.Half() {
			t.Errorf("%s is exported as %s", p.Name, p.Type)
		}
	}
	t.Logf("%s: %.5f, float32 %.5f", name, b, a)
}
