package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// prepared are the features of all samples of a job's data, as its frozen part
// computes them one by one.
type prepared struct {
	values [][][]float32 // by value and sample
	reads  int
}

func (p *prepared) Read(dst []float32, i, sample int) error {
	p.reads++
	if len(dst) != len(p.values[i][sample]) {
		return fmt.Errorf("value %d has %d numbers, not %d", i, len(p.values[i][sample]), len(dst))
	}
	copy(dst, p.values[i][sample])
	return nil
}

// onFeatures is the job with the features of its frozen part.
func onFeatures(t *testing.T, job Job, samples int) (Job, *prepared) {
	t.Helper()
	f, err := job.Frozen()
	if err != nil || f == nil {
		t.Fatalf("the job has no frozen part: %v", err)
	}
	o := evalOptions(job.Data, 1, 0)
	p, err := compile.Features(job.Model, f.Values, o)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := openProgram(newRuntime(t), p)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.close()
	st, err := newState(newRuntime(t), job.Model, p)
	if err != nil {
		t.Fatal(err)
	}
	out := &prepared{values: make([][][]float32, len(f.Values))}
	b := mustBatch(t, 1, 1, pictureInput(job.Data), nil)
	for sample := range samples {
		if err := b.fill(batchSpec{samples: []int{sample}}, source{data: job.Data}); err != nil {
			t.Fatal(err)
		}
		for _, v := range opened.Graph.Outputs {
			b.views[0][v.Name] = onnx.NewTensor(v.Type, v.Shape...)
		}
		if err := opened.run(b.views[0], st); err != nil {
			t.Fatal(err)
		}
		for i, name := range f.Values {
			out.values[i] = append(out.values[i], slices.Clone(b.views[0][compile.FeatureOutput(name)].F32()))
		}
	}
	job.Features = out
	return job, out
}

// headJob trains the last layer alone, on pictures that nothing varies.
func headJob(with layers) Job {
	job := smallJob(with)
	job.Mirror, job.CenterCrop = false, true
	job.Rates = map[string]Rates{"conv_w": {}, "conv_b": {}, "bn_s": {}, "bn_b": {}}
	return job
}

// With features the same function is trained: what differs is rounding.
func TestTrainingOnFeaturesIsTrainingOnPictures(t *testing.T) {
	variants := map[string]Job{
		"plain":            headJob(layers{}),
		"frozen batchnorm": headJob(layers{batchNorm: true, softmax: true}),
		"dropout":          headJob(layers{dropout: true}),
		"micro-batches":    headJob(layers{dropout: true}),
		"average":          headJob(layers{}),
		"one epoch":        headJob(layers{}),
		"no crop":          headJob(layers{}),
	}
	set := func(name string, change func(*Job)) {
		job := variants[name]
		change(&job)
		variants[name] = job
	}
	set("micro-batches", func(j *Job) { j.MicroBatch = 2 })
	set("average", func(j *Job) { j.Average = 0.5 })
	set("one epoch", func(j *Job) { j.Epochs = 1 })
	set("no crop", func(j *Job) {
		d := newPictures(15, 2)
		d.size, d.crop, j.CenterCrop = 6, 0, false
		for i := range d.bytes {
			d.bytes[i] = d.bytes[i][:d.channels*d.size*d.size]
		}
		j.Data = d
	})
	for name, job := range variants {
		t.Run(name, func(t *testing.T) {
			rt := newRuntime(t)
			want := mustRun(t, job, rt, &memory{})
			fast, features := onFeatures(t, job, 15)
			got := mustRun(t, fast, rt, &memory{})
			closeResults(t, want, got)
			// Each epoch reads all training samples, each but the last all test samples,
			// the prefetcher perhaps more of a job that goes on; here it ends.
			if reads := job.Epochs*len(job.Train) + (job.Epochs-1)*len(job.Test); features.reads != reads*len(features.values) {
				t.Errorf("%d reads of features, want %d", features.reads, reads)
			}
		})
	}
}

func closeResults(t *testing.T, want, got *Result) {
	t.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-5*(1+math.Abs(b)) }
	for i, e := range want.History {
		if !near(got.History[i].TrainLoss, e.TrainLoss) || !near(got.History[i].Scores["loss"], e.Scores["loss"]) {
			t.Errorf("epoch %d: %+v instead of %+v", i+1, got.History[i], e)
		}
	}
	for i, p := range want.Predictions {
		for c, x := range p.Probabilities {
			if !near(float64(got.Predictions[i].Probabilities[c]), float64(x)) || got.Predictions[i].Sample != p.Sample {
				t.Errorf("prediction %d: %+v instead of %+v", i, got.Predictions[i], p)
			}
		}
	}
	for _, w := range want.Model.Initializers {
		g := got.Model.Initializer(w.Name)
		if g == nil {
			t.Fatalf("the exported model has no %s", w.Name)
		}
		for i, x := range floatsOf(w) {
			if !near(float64(floatsOf(g)[i]), float64(x)) {
				t.Fatalf("%s[%d]: %v instead of %v", w.Name, i, floatsOf(g)[i], x)
			}
		}
	}
}

func floatsOf(t *onnx.Tensor) []float32 {
	x, _ := t.Data.([]float32)
	return x
}

// What is recorded is the answer of the whole network to the pictures, which is
// what the exported model gives anyone.
func TestLastEvaluationIsOfTheWholeNetwork(t *testing.T) {
	job, features := onFeatures(t, headJob(layers{dropout: true}), 15)
	rt := newRuntime(t)
	res := mustRun(t, job, rt, &memory{})
	again, err := Evaluate(context.Background(), Evaluation{Model: res.Model, Classes: 2, Data: job.Data, Samples: job.Test, Batch: job.EvalBatch}, rt)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again {
		if !slices.Equal(again[i].Probabilities, res.Predictions[i].Probabilities) {
			t.Errorf("sample %d: the exported model says %v, the job %v", again[i].Sample, again[i].Probabilities, res.Predictions[i].Probabilities)
		}
	}
	// Features that lie about the test pictures spoil the first epoch's score alone.
	for i := range features.values {
		for _, sample := range job.Test {
			clear(features.values[i][sample])
		}
	}
	lied := mustRun(t, job, rt, &memory{})
	if lied.History[0].Scores["loss"] == res.History[0].Scores["loss"] {
		t.Error("the first epoch's evaluation did not read the features")
	}
	if d := diff(&Result{Scores: res.Scores, Predictions: res.Predictions, Model: res.Model}, &Result{Scores: lied.Scores, Predictions: lied.Predictions, Model: lied.Model}); d != "" {
		t.Errorf("the recorded result comes from the features:\n%s", d)
	}
}

func TestInterruptedOnFeaturesEndsWithTheSameBits(t *testing.T) {
	job, _ := onFeatures(t, headJob(layers{dropout: true}), 15)
	job.MicroBatch = 2
	rt := newRuntime(t)
	runs := 0
	want := mustRun(t, job, counting{rt, func() { runs++ }}, &memory{})
	for at := 1; at < runs; at++ {
		ck, stop, n := &memory{}, make(chan struct{}), 0
		_, err := Run(context.Background(), job, counting{rt, func() {
			if n++; n == at {
				close(stop)
			}
		}}, ck, stop, nil)
		if err != nil && !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		if d := diff(want, mustRun(t, job, rt, ck)); d != "" {
			t.Fatalf("interrupted after run %d of %d:\n%s", at, runs, d)
		}
	}
}

func TestJobsWithoutAFrozenPart(t *testing.T) {
	for name, change := range map[string]func(*Job){
		"mirror":      func(j *Job) { j.Mirror = true },
		"random crop": func(j *Job) { j.CenterCrop = false },
		"all trained": func(j *Job) { j.Rates = nil },
	} {
		job := headJob(layers{batchNorm: true})
		change(&job)
		f, err := job.Frozen()
		if f != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
		job.Features = &prepared{}
		var refused *JobError
		if _, err := Run(context.Background(), job, newRuntime(t), &memory{}, nil, nil); !errors.As(err, &refused) {
			t.Errorf("%s: with features: %v", name, err)
		}
	}
}
