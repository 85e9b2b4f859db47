package trainer

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The positions are those of Caffe's oversample in python/caffe/io.py: corners row
// by row, centre, and the same mirrored.
func TestCrops(t *testing.T) {
	five := []Crop{{0, 0, false}, {0, 29, false}, {29, 0, false}, {29, 29, false}, {14, 14, false}}
	ten := append(append([]Crop{}, five...), Crop{0, 0, true}, Crop{0, 29, true}, Crop{29, 0, true}, Crop{29, 29, true}, Crop{14, 14, true})
	for _, c := range []struct {
		height, width, crop, n int
		want                   []Crop
	}{
		{256, 256, 227, 1, five[4:]},
		{256, 256, 227, 0, five[4:]},
		{256, 256, 227, 5, five},
		{256, 256, 227, 10, ten},
		{256, 320, 224, 5, []Crop{{0, 0, false}, {0, 96, false}, {32, 0, false}, {32, 96, false}, {16, 48, false}}},
		{224, 224, 224, 5, make([]Crop, 5)},
		{40, 30, 0, 1, make([]Crop, 1)},
	} {
		if d := cmp.Diff(c.want, Crops(c.height, c.width, c.crop, c.n)); d != "" {
			t.Errorf("%d crops of %d in %d x %d (-want +got):\n%s", c.n, c.crop, c.height, c.width, d)
		}
	}
}

func TestMeanOfCrops(t *testing.T) {
	crops := []Prediction{
		{Sample: 3, Label: 1, Predicted: 1, Probabilities: []float32{0.375, 0.625}, Loss: -math.Log(0.625)},
		{Sample: 3, Label: 1, Predicted: 0, Probabilities: []float32{0.875, 0.125}, Loss: -math.Log(0.125)},
		{Sample: 4, Label: 0, Predicted: 0, Probabilities: []float32{1, 0}, Loss: 0},
		{Sample: 4, Label: 0, Predicted: 1, Probabilities: []float32{0, 1}, Loss: 900}, // e^-900 is no float64
		{Sample: 5, Label: -1, Probabilities: []float32{1, 0}},
		{Sample: 5, Label: -1, Probabilities: []float32{0.5, 0.5}},
	}
	want := []Prediction{
		{Sample: 3, Label: 1, Predicted: 0, Probabilities: []float32{0.625, 0.375}, Loss: -math.Log(0.375)},
		{Sample: 4, Label: 0, Predicted: 0, Probabilities: []float32{0.5, 0.5}, Loss: math.Ln2},
		{Sample: 5, Label: -1, Predicted: 0, Probabilities: []float32{0.75, 0.25}},
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
	if d := cmp.Diff(want, averaged(crops, 2), near); d != "" {
		t.Error(d)
	}
	if least := meanLikelihoodLoss([]Prediction{{Probabilities: []float32{0, 1}, Loss: 900}, {Probabilities: []float32{0, 1}, Loss: 901}}); math.Abs(least-(900-math.Log((1+math.Exp(-1))/2))) > 1e-9 {
		t.Errorf("loss of two crops that are far off: %v", least)
	}
}

// window serves one crop of each picture as its central one.
type window struct {
	*pictures
	at Crop
}

func (w window) Window(dst []uint8, sample, _, _ int, _ bool) error {
	return w.pictures.Window(dst, sample, w.at.Top, w.at.Left, w.at.Mirror)
}

// TestEvaluateOversampled compares with one evaluation for each crop.
func TestEvaluateOversampled(t *testing.T) {
	rt, d := newRuntime(t), newPictures(7, 2)
	e := Evaluation{Model: network(2, layers{}), Classes: 2, Data: d, Samples: []int{5, 0, 6}, Batch: 4, Oversample: 10}
	got, err := Evaluate(context.Background(), e, rt)
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	sums := make([][2]float64, 3)
	for _, crop := range Crops(8, 8, 6, 10) {
		one := e
		one.Oversample, one.Data = 0, window{d, crop}
		answers, err := Evaluate(context.Background(), one, rt)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range answers {
			sums[i][0] += float64(p.Probabilities[0]) / 10
			sums[i][1] += float64(p.Probabilities[1]) / 10
		}
	}
	for i, p := range got {
		if p.Sample != e.Samples[i] || math.Abs(float64(p.Probabilities[0])-sums[i][0]) > 1e-5 || math.Abs(p.Loss+math.Log(sums[i][d.Label(p.Sample)])) > 1e-5 {
			t.Errorf("%+v, the mean over the crops is %v", p, sums[i])
		}
	}
	e.Oversample = 3
	if _, err := Evaluate(context.Background(), e, rt); err == nil {
		t.Error("three crops are taken")
	}
	d.crop, e.Oversample = 0, 5
	if _, err := Evaluate(context.Background(), e, rt); err == nil {
		t.Error("crops are taken where there is no crop")
	}
}

// TestOversamplingNeedsNoTraining: from the last checkpoint of a job with one crop
// a job with ten only evaluates, and ends as if it had trained itself; and the
// other way round.
func TestOversamplingNeedsNoTraining(t *testing.T) {
	rt := newRuntime(t)
	plain := smallJob(layers{batchNorm: true})
	plain.CheckpointEveryEpochs = 1
	crops := plain
	crops.Oversample = 10
	ofPlain, ofCrops := &memory{}, &memory{}
	one, ten := mustRun(t, plain, rt, ofPlain), mustRun(t, crops, rt, ofCrops)
	if diff(one, ten) == "" || len(ten.Predictions) != len(plain.Test) {
		t.Fatalf("ten crops make no difference, or other predictions: %d", len(ten.Predictions))
	}
	if !cmp.Equal(one.History[0].Scores, ten.History[0].Scores) || !cmp.Equal(ten.Scores, Score(ten.Predictions, 2)) {
		t.Errorf("scores of the first epoch %v and %v; the last are %v, of the predictions %v",
			one.History[0].Scores, ten.History[0].Scores, ten.Scores, Score(ten.Predictions, 2))
	}
	for name, c := range map[string]struct {
		job  Job
		from *memory
		want *Result
	}{"ten": {crops, ofPlain, ten}, "one": {plain, ofCrops, one}} {
		steps := 0
		got, err := Run(context.Background(), c.job, rt, c.from, nil, func(Progress) { steps++ })
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(c.want, got); d != "" || steps != 0 {
			t.Errorf("%s: %d steps were done again:\n%s", name, steps, d)
		}
	}
}
