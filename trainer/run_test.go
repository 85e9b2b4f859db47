package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

func mustRun(t testing.TB, job Job, rt Runtime, ck Checkpoints) *Result {
	t.Helper()
	res, err := Run(context.Background(), job, rt, ck, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// diff compares all that a job's identity determines, bit by bit.
func diff(want, got *Result) string {
	times := cmpopts.IgnoreFields(EpochResult{}, "Seconds")
	return cmp.Diff(want, got, bitwise, times, cmpopts.IgnoreFields(Result{}, "Seconds"))
}

func TestRunLearns(t *testing.T) {
	for _, with := range []layers{{}, {batchNorm: true}, {dropout: true, softmax: true}} {
		t.Run(fmt.Sprintf("%+v", with), func(t *testing.T) {
			data := newPictures(240, 4)
			job := Job{
				Model: network(4, with), Classes: []string{"a", "b", "c", "d"}, Data: data,
				LearningRate: 0.05, Momentum: 0.9, Epochs: 6, BatchSize: 16, Seed: 1,
			}
			for i := range 240 {
				if i < 160 {
					job.Train = append(job.Train, i)
				} else {
					job.Test = append(job.Test, i)
				}
			}
			res := mustRun(t, job, newRuntime(t), &memory{})
			first, last := res.History[0], res.History[len(res.History)-1]
			if len(res.History) != 6 || last.TrainLoss >= first.TrainLoss || res.Scores["accuracy"] < 0.9 || res.Scores["auc"] < 0.97 {
				t.Errorf("history %+v", res.History)
			}
			if !cmp.Equal(res.Scores, last.Scores) || !cmp.Equal(res.Scores, Score(res.Predictions, 4)) {
				t.Errorf("scores %v, last of the history %v, of the predictions %v", res.Scores, last.Scores, Score(res.Predictions, 4))
			}
			if got := Confusion(res.Predictions); !cmp.Equal(got, res.Confusion) {
				t.Errorf("confusion %v, of the predictions %v", res.Confusion, got)
			}
		})
	}
}

func TestSameJobSameBits(t *testing.T) {
	rt := newRuntime(t)
	job := smallJob(layers{dropout: true, batchNorm: true})
	first := mustRun(t, job, rt, &memory{})
	if d := diff(first, mustRun(t, job, rt, &memory{})); d != "" {
		t.Errorf("two runs differ:\n%s", d)
	}
	job.Seed++
	if diff(first, mustRun(t, job, rt, &memory{})) == "" {
		t.Error("another seed makes no difference")
	}
}

// The promise that everything else rests on: wherever a job is interrupted, it
// ends with the bits of the unbroken run.
func TestInterruptedAnywhereEndsWithTheSameBits(t *testing.T) {
	testenv.Daily(t)
	variants := map[string]func(*Job){
		"whole batches": func(*Job) {},
		"micro-batches": func(j *Job) { j.MicroBatch = 3 },
		"nesterov":      func(j *Job) { j.Optimizer = "nesterov"; j.Policy = Policy{Name: "cosine", WarmUp: 1} },
		"adam": func(j *Job) {
			j.Optimizer, j.Hyper = "adam", optim.Hyper{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
			j.Average, j.ClipNorm, j.LearningRate = 0.9, 1, 0.001
			j.Policy = Policy{Name: "plateau", Gamma: 0.5, Threshold: 0.9}
		},
		"rmsprop in micro-batches": func(j *Job) {
			j.Optimizer, j.Hyper = "rmsprop", optim.Hyper{RMSDecay: 0.9, Epsilon: 1e-8}
			j.Average, j.MicroBatch, j.LearningRate = 0.9, 3, 0.001
			j.Loss, j.ClassWeights = "squared_hinge", []float64{1, 2}
		},
		// The first steps are skipped: see TestOverflowSkipsTheUpdate.
		"float16": func(j *Job) {
			j.Precision, j.ClassWeights, j.LearningRate = "float16", []float64{64, 64}, 1e-3
			j.Average, j.BatchSize = 0.9, 2
		},
		"float16 in micro-batches": func(j *Job) { j.Precision, j.MicroBatch = "float16", 3 },
		"frozen layer":             func(j *Job) { j.Rates = map[string]Rates{"conv_w": {}, "conv_b": {}} },
	}
	for name, change := range variants {
		t.Run(name, func(t *testing.T) {
			rt := newRuntime(t)
			job := smallJob(layers{dropout: true, batchNorm: true})
			change(&job)
			runs := 0
			whole, err := Run(context.Background(), job, counting{rt, func() { runs++ }}, &memory{}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for at := range runs {
				ck := &memory{}
				if err := interrupted(job, rt, ck, at); !errors.Is(err, ErrInterrupted) {
					t.Fatalf("interrupted after %d of %d runs: %v", at, runs, err)
				}
				if d := diff(whole, mustRun(t, job, rt, ck)); d != "" {
					t.Errorf("interrupted after %d of %d runs, at %v:\n%s", at, runs, ck.positions, d)
				}
			}
		})
	}
}

// interrupted runs the job until its sessions have run at times.
func interrupted(job Job, rt Runtime, ck Checkpoints, at int) error {
	stop := make(chan struct{})
	runs := 0
	after := func() {
		if runs++; runs == at {
			close(stop)
		}
	}
	if at == 0 {
		close(stop)
	}
	_, err := Run(context.Background(), job, counting{rt, after}, ck, stop, nil)
	return err
}

func TestInterruptedAfterEveryRunStillFinishes(t *testing.T) {
	rt := newRuntime(t)
	job := smallJob(layers{dropout: true, batchNorm: true})
	job.EvalBatch = 8 // one run: an evaluation that was interrupted starts again
	whole := mustRun(t, job, rt, &memory{})
	ck := &memory{}
	attempts := 0
	for {
		err := interrupted(job, rt, ck, 1)
		if err == nil {
			break
		}
		if attempts++; !errors.Is(err, ErrInterrupted) || attempts > 50 {
			t.Fatalf("attempt %d: %v", attempts, err)
		}
	}
	if d := diff(whole, mustRun(t, job, rt, ck)); d != "" {
		t.Error(d)
	}
	if attempts < 6 {
		t.Errorf("only %d attempts were interrupted", attempts)
	}
}

func TestFinishedJobRunsAgainFromItsLastCheckpoint(t *testing.T) {
	rt, ck := newRuntime(t), &memory{}
	job := smallJob(layers{})
	job.CheckpointEveryEpochs = 1
	whole := mustRun(t, job, rt, ck)
	if want := [][2]int{{1, 0}, {2, 0}}; !cmp.Equal(ck.positions, want) {
		t.Fatalf("checkpoints at %v, want %v", ck.positions, want)
	}
	steps := 0
	again, err := Run(context.Background(), job, rt, ck, nil, func(p Progress) { steps++ })
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(whole, again); d != "" || steps != 0 {
		t.Errorf("%d steps were done again:\n%s", steps, d)
	}
}

func TestJobInRungsIsTheJobInOneGo(t *testing.T) {
	rt := newRuntime(t)
	job := smallJob(layers{dropout: true})
	job.Epochs, job.Policy = 5, Policy{Name: "cosine"}
	whole := mustRun(t, job, rt, &memory{})
	for _, every := range []int{0, 2} {
		ck := &memory{}
		rung := job
		rung.CheckpointEveryEpochs = every
		for _, rung.StopAfter = range []int{1, 3, 3, 5} { // an attempt that died before its outcome was recorded repeats a rung
			got := mustRun(t, rung, rt, ck)
			if rung.StopAfter == job.Epochs {
				if d := diff(whole, got); d != "" {
					t.Errorf("checkpoints every %d epochs:\n%s", every, d)
				}
				break
			}
			times := cmpopts.IgnoreFields(EpochResult{}, "Seconds")
			if d := cmp.Diff(whole.History[:rung.StopAfter], got.History, bitwise, times); d != "" || got.Model != nil || got.Confusion != nil {
				t.Errorf("stopped after epoch %d, with a model: %v\n%s", rung.StopAfter, got.Model != nil, d)
			}
		}
	}
}

func TestCheckpointEveryEpochs(t *testing.T) {
	rt := newRuntime(t)
	for every, want := range map[int][][2]int{0: nil, 1: {{1, 0}, {2, 0}, {3, 0}}, 2: {{2, 0}}, 3: {{3, 0}}} {
		ck := &memory{}
		job := smallJob(layers{})
		job.Epochs, job.CheckpointEveryEpochs = 3, every
		mustRun(t, job, rt, ck)
		if !cmp.Equal(ck.positions, want) {
			t.Errorf("every %d epochs: checkpoints at %v, want %v", every, ck.positions, want)
		}
	}
}

func TestCheckpointHoldsWhatChanges(t *testing.T) {
	ck := &memory{}
	job := smallJob(layers{batchNorm: true})
	job.CheckpointEveryEpochs, job.MicroBatch = 2, 2
	job.Rates = map[string]Rates{"conv_w": {LR: 0}, "conv_b": {LR: 0}}
	mustRun(t, job, newRuntime(t), ck)
	c, err := ck.Latest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range c.Tensors {
		got = append(got, x.Name)
	}
	slices.Sort(got)
	want := []string{
		"param:bn_b", "param:bn_m", "param:bn_s", "param:bn_v", "param:fc_b", "param:fc_w",
		"velocity:bn_b", "velocity:bn_s", "velocity:fc_b", "velocity:fc_w",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// With an average, that is what is evaluated and exported, running statistics
// included; training goes on from the weights themselves.
func TestAverageIsEvaluatedAndExported(t *testing.T) {
	rt, ck := newRuntime(t), &memory{}
	job := smallJob(layers{batchNorm: true})
	plain := mustRun(t, job, rt, &memory{})
	job.Average, job.CheckpointEveryEpochs = 0.9, 2
	job.Rates = map[string]Rates{"conv_w": {LR: 1, Decay: 1}}
	res := mustRun(t, job, rt, ck)
	c, err := ck.Latest()
	if err != nil {
		t.Fatal(err)
	}
	saved := map[string][]float32{}
	for _, x := range c.Tensors {
		saved[x.Name] = x.F32()
	}
	for _, name := range []string{"conv_w", "bn_m", "bn_v", "fc_b"} {
		model := res.Model.Initializer(name).F32()
		if !slices.Equal(model, saved["average:"+name]) || slices.Equal(model, saved["param:"+name]) {
			t.Errorf("%s: the exported value is not the average", name)
		}
		if !slices.Equal(plain.Model.Initializer(name).F32(), saved["param:"+name]) {
			t.Errorf("%s: the average changes the training", name)
		}
	}
	if got := res.History[0].TrainLoss; got != plain.History[0].TrainLoss || cmp.Equal(res.Scores, plain.Scores) {
		t.Errorf("training loss %v, want %v; scores %v, those without an average %v", got, plain.History[0].TrainLoss, res.Scores, plain.Scores)
	}
}

// Class weights multiply the loss of each picture of the class.
func TestClassWeights(t *testing.T) {
	rt := newRuntime(t)
	job := smallJob(layers{})
	job.WeightDecay, job.Epochs = 0, 1
	want := mustRun(t, job, rt, &memory{})
	job.ClassWeights, job.LearningRate = []float64{4, 4}, job.LearningRate/4
	got := mustRun(t, job, rt, &memory{})
	near := cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 })
	if d := cmp.Diff(want.Model.Initializers, got.Model.Initializers, near); d != "" {
		t.Errorf("four times the weight at a quarter of the rate:\n%s", d)
	}
	job.ClassWeights = []float64{8, 0}
	if other := mustRun(t, job, rt, &memory{}); cmp.Equal(got.Model.Initializers, other.Model.Initializers, near) {
		t.Error("a class without weight makes no difference")
	}
}

func TestBalancedWeights(t *testing.T) {
	d := &pictures{labels: []int{0, 0, 0, 2, 1}}
	for _, c := range []struct {
		samples []int
		want    []float64
	}{
		{[]int{0, 1, 2, 3}, []float64{4. / 6, 1, 2}},
		{[]int{0, 3, 4}, []float64{1, 1, 1}},
	} {
		if got := BalancedWeights(d, c.samples, 3); !cmp.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.samples, got, c.want)
		}
	}
}

func TestCancelReturnsWithoutACheckpoint(t *testing.T) {
	rt := newRuntime(t)
	for _, micro := range []int{0, 2} {
		for at := range 4 {
			ctx, cancel := context.WithCancel(context.Background())
			ck, runs := &memory{}, 0
			job := smallJob(layers{})
			job.MicroBatch = micro
			after := func() {
				if runs++; runs == at+1 {
					cancel()
				}
			}
			_, err := Run(ctx, job, counting{rt, after}, ck, nil, nil)
			cancel()
			if !errors.Is(err, context.Canceled) || ck.stored != nil || runs > at+2 {
				t.Errorf("micro-batch %d, cancelled after run %d: error %v, checkpoint %v, %d runs", micro, at+1, err, ck.positions, runs)
			}
		}
	}
}

func TestDivergenceNamesTheStep(t *testing.T) {
	job := smallJob(layers{})
	job.LearningRate = 1e30
	_, err := Run(context.Background(), job, newRuntime(t), &memory{}, nil, nil)
	var diverged *DivergedError
	if !errors.As(err, &diverged) || diverged.Epoch != 1 || diverged.Step < 2 || !diverged.Permanent() {
		t.Fatalf("error %#v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("epoch 1, step %d", diverged.Step)) || !strings.Contains(diverged.Hint(), "learning_rate (it was 1e+30") {
		t.Errorf("%v\n%s", err, diverged.Hint())
	}
}

func TestDivergenceInTheLastStepIsSeenByTheEvaluation(t *testing.T) {
	job := smallJob(layers{})
	job.LearningRate, job.BatchSize = 1e38, 10 // one step an epoch
	_, err := Run(context.Background(), job, newRuntime(t), &memory{}, nil, nil)
	var diverged *DivergedError
	if !errors.As(err, &diverged) || diverged.Epoch != 1 || diverged.Step != 0 {
		t.Fatalf("error %#v", err)
	}
}

// The same update, less memory: equal but for the order of the sums. Dropout
// would show it if the draws depended on the micro-batch.
func TestMicroBatchesDoTheSameUpdate(t *testing.T) {
	rt := newRuntime(t)
	job := smallJob(layers{dropout: true})
	want := mustRun(t, job, rt, &memory{})
	for _, micro := range []int{1, 2, 3, 4, 7} {
		job.MicroBatch = micro
		got := mustRun(t, job, rt, &memory{})
		near := cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-5 })
		if d := cmp.Diff(want.Model.Initializers, got.Model.Initializers, near); d != "" {
			t.Errorf("micro-batches of %d:\n%s", micro, d)
		}
	}
}

func TestFrozenParametersStayAsTheyAre(t *testing.T) {
	job := smallJob(layers{})
	job.Rates = map[string]Rates{"conv_w": {LR: 0, Decay: 1}}
	res := mustRun(t, job, newRuntime(t), &memory{})
	if d := cmp.Diff(job.Model.Initializer("conv_w"), res.Model.Initializer("conv_w")); d != "" {
		t.Error(d)
	}
	if cmp.Equal(job.Model.Initializer("fc_w"), res.Model.Initializer("fc_w")) {
		t.Error("fc_w was not trained")
	}
}

func TestRunLeavesTheJobAsItWas(t *testing.T) {
	job, untouched := smallJob(layers{batchNorm: true}), smallJob(layers{batchNorm: true})
	mustRun(t, job, newRuntime(t), &memory{})
	if d := cmp.Diff(untouched.Model, job.Model); d != "" {
		t.Error(d)
	}
}

func TestProgress(t *testing.T) {
	job := smallJob(layers{})
	var steps, evaluations []string
	report := func(p Progress) {
		line := fmt.Sprintf("%d/%d %d/%d", p.Epoch, p.Epochs, p.Step, p.Steps)
		if p.TrainLoss <= 0 || p.LearningRate <= 0 || p.DataSeconds > p.StepSeconds {
			t.Errorf("%+v", p)
		}
		if p.Evaluated == nil {
			steps = append(steps, line)
			return
		}
		evaluations = append(evaluations, line)
		if p.Evaluated.Epoch != p.Epoch || p.Evaluated.TrainLoss != p.TrainLoss {
			t.Errorf("%+v reports %+v", p, *p.Evaluated)
		}
	}
	if _, err := Run(context.Background(), job, newRuntime(t), &memory{}, nil, report); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1/2 1/3", "1/2 2/3", "1/2 3/3", "2/2 1/3", "2/2 2/3", "2/2 3/3"}; !cmp.Equal(steps, want) {
		t.Errorf("steps %q", steps)
	}
	if want := []string{"1/2 3/3", "2/2 3/3"}; !cmp.Equal(evaluations, want) {
		t.Errorf("evaluations %q", evaluations)
	}
}

func TestBrokenPictureEndsTheJob(t *testing.T) {
	for _, broken := range []int{5, 12} { // of Train, of Test
		job := smallJob(layers{})
		job.Data.(*pictures).broken = broken
		_, err := Run(context.Background(), job, newRuntime(t), &memory{}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d.png: sample %d is broken", broken, broken)) {
			t.Errorf("error %v", err)
		}
	}
}

func TestCheckpointsThatFail(t *testing.T) {
	rt := newRuntime(t)
	full := errors.New("disk full")
	job := smallJob(layers{})
	if _, err := Run(context.Background(), job, rt, &memory{err: full}, nil, nil); !errors.Is(err, full) {
		t.Errorf("Latest: error %v", err)
	}
	if _, err := Run(context.Background(), job, rt, unsavable{full}, closed(), nil); !errors.Is(err, full) || errors.Is(err, ErrInterrupted) {
		t.Errorf("Save: error %v", err)
	}
}

type unsavable struct{ err error }

func (u unsavable) Save(Checkpoint) error        { return u.err }
func (u unsavable) Latest() (*Checkpoint, error) { return nil, nil }

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestCheckpointOfAnotherJobIsRefused(t *testing.T) {
	rt := newRuntime(t)
	saved := &memory{}
	if err := interrupted(smallJob(layers{}), rt, saved, 1); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	tests := map[string]func(*Job){
		"other layers":     func(j *Job) { j.Model = network(2, layers{batchNorm: true}) },
		"other shapes":     func(j *Job) { j.Model.Initializer("fc_w").Shape[1]++ },
		"fewer epochs":     func(j *Job) { j.Epochs = 0 },
		"bigger batch":     func(j *Job) { j.BatchSize = 10 },
		"frozen parameter": func(j *Job) { j.Rates = map[string]Rates{"fc_b": {}} },
	}
	delete(tests, "other shapes")
	delete(tests, "fewer epochs")
	for name, change := range tests {
		job := smallJob(layers{})
		change(&job)
		ck := &memory{stored: slices.Clone(saved.stored)}
		if name == "bigger batch" { // one step an epoch, but the checkpoint is after two
			if err := interrupted(smallJob(layers{}), rt, ck, 1); !errors.Is(err, ErrInterrupted) {
				t.Fatal(err)
			}
		}
		if _, err := Run(context.Background(), job, rt, ck, nil, nil); err == nil || !strings.Contains(err.Error(), "does not belong to this job") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestJobsThatCannotBeRun(t *testing.T) {
	tests := map[string]struct {
		change func(*Job)
		want   string
	}{
		"no model":         {func(j *Job) { j.Model = nil }, "one input"},
		"one class":        {func(j *Job) { j.Classes = j.Classes[:1] }, "at least two"},
		"nothing to train": {func(j *Job) { j.Train = nil }, "0 training"},
		"nothing to test":  {func(j *Job) { j.Test = nil }, "0 test"},
		"no epochs":        {func(j *Job) { j.Epochs = 0 }, "epochs 0"},
		"no batch":         {func(j *Job) { j.BatchSize = 0 }, "batch size 0"},
		"negative rate":    {func(j *Job) { j.LearningRate = -1 }, "learning rate is -1"},
		"NaN decay":        {func(j *Job) { j.WeightDecay = math.NaN() }, "weight decay is NaN"},
		"unknown policy":   {func(j *Job) { j.Policy.Name = "magic" }, `"magic"`},
		"step of 0 epochs": {func(j *Job) { j.Policy = Policy{Name: "step"} }, "every_epochs"},
		"negative warm-up": {func(j *Job) { j.Policy.WarmUp = -1 }, "warm-up of -1"},
		"all smoothed":     {func(j *Job) { j.LabelSmoothing = 1 }, "smoothing 1"},
		"NaN clipping":     {func(j *Job) { j.ClipNorm = math.NaN() }, "norm of the gradients is NaN"},
		"one weight":       {func(j *Job) { j.ClassWeights = []float64{1} }, "1 class weights for 2"},
		"growing plateau":  {func(j *Job) { j.Policy = Policy{Name: "plateau", Gamma: 2} }, "gamma 2"},
		"label too large":  {func(j *Job) { j.Data.(*pictures).labels[3] = 2 }, "sample 3 (3.png) has the label 2 of 2 classes"},
	}
	for name, test := range tests {
		job := smallJob(layers{})
		test.change(&job)
		_, err := Run(context.Background(), job, nil, &memory{}, nil, nil)
		var bad *JobError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) || !bad.Permanent() || bad.ExitCode() != 2 {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestOpenErrorsEndTheJob(t *testing.T) {
	job := smallJob(layers{})
	job.Classes = []string{"a", "b", "c"} // the network has two outputs
	var bad *CompileError
	if _, err := Run(context.Background(), job, newRuntime(t), &memory{}, nil, nil); !errors.As(err, &bad) || bad.What != "evaluation" || !bad.Permanent() {
		t.Errorf("error %v", err)
	}
	var hint interface{ Hint() string }
	if !errors.As(bad, &hint) {
		t.Errorf("%v has no hint", bad)
	}
	frozen := smallJob(layers{})
	frozen.Rates = map[string]Rates{"conv_w": {}, "conv_b": {}, "fc_w": {}, "fc_b": {}}
	if _, err := Run(context.Background(), frozen, newRuntime(t), &memory{}, nil, nil); !errors.As(err, &bad) || bad.What != "training" {
		t.Errorf("error %v", err)
	}
	refused := errors.New("refused")
	if _, err := Run(context.Background(), smallJob(layers{}), refusing{newRuntime(t), refused}, &memory{}, nil, nil); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}

type refusing struct {
	DeviceMemory
	err error
}

func (r refusing) Open(*onnx.Graph) (Session, error) { return nil, r.err }
