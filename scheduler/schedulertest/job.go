package schedulertest

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
)

// began is when the first job of every sweep began.
var began = time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC)

// filler writes what the workers of a sweep would have.
type filler struct {
	store artifacts.Store
	shape Shape
	plan  *plan.Plan
	files []string
}

// job writes what there is of the i-th job by now.
func (f *filler) job(ctx context.Context, i int, job plan.Job) error {
	h := fnv.New64()
	fmt.Fprint(h, f.shape.Seed, job.Trial, job.Fold)
	w := &written{filler: f, job: job, i: i, r: rand.New(rand.NewPCG(h.Sum64(), 1)), start: began.Add(time.Duration(i) * time.Minute)}
	switch done, failed := f.shape.Done, f.shape.Failed; {
	case i < done:
		return w.completed(ctx)
	case i < done+failed:
		return w.failed(ctx)
	case i < done+failed+f.shape.Running:
		return w.attempt(ctx, 1, "", "")
	}
	return nil
}

// written is a job whose objects are being written.
type written struct {
	*filler
	job   plan.Job
	i     int
	r     *rand.Rand
	start time.Time
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }

func (w *written) host() string { return fmt.Sprintf("host-%d", w.i%3) }

// attempt writes one; it has no end where end is empty.
func (w *written) attempt(ctx context.Context, number int, end, detail string) error {
	if w.shape.Bare {
		return nil
	}
	a := plan.Attempt{Job: w.job.ID, Number: number, Host: w.host(), Device: "cpu", Started: stamp(w.start.Add(time.Duration(number) * time.Second))}
	if end != "" {
		a.Ended, a.End, a.Detail = stamp(w.start.Add(time.Duration(number)*time.Second+50*time.Second)), end, detail
		a.GivenUp = end == string(plan.Failed)
	}
	return artifacts.PutJSON(ctx, w.store, plan.AttemptKey(w.job.ID, number), a)
}

func (w *written) failed(ctx context.Context) error {
	const why = "the loss is not a number in epoch 3"
	if err := w.attempt(ctx, 1, string(plan.Failed), why); err != nil {
		return err
	}
	return artifacts.PutJSON(ctx, w.store, plan.FailureKey(w.job.ID), plan.Failure{
		Job: w.job.ID, Reason: why, Hint: "lower training.learning_rate", Attempts: 1, Finished: stamp(w.start.Add(time.Minute)),
	})
}

func (w *written) completed(ctx context.Context) error {
	attempts := 1
	if w.r.IntN(8) == 0 {
		attempts = 2
		if err := w.attempt(ctx, 1, "lost", "the worker was killed"); err != nil {
			return err
		}
	}
	if err := w.attempt(ctx, attempts, string(plan.Completed), ""); err != nil {
		return err
	}
	answers := w.answers()
	scores := plan.Metrics(trainer.Score(answers, len(w.plan.Data.Classes)))
	o := plan.Outcome{
		Job: w.job.ID, Sweep: w.plan.ID, Metrics: scores, History: w.history(scores), Epochs: w.shape.Epochs, Attempts: attempts,
		Classes: w.plan.Data.Classes, Objects: map[string]plan.Ref{},
		Host: w.host(), Device: "cpu", Finished: stamp(w.start.Add(time.Minute)),
		Versions: map[string]string{"engine": plan.Engine, "orchestrator": "test", "onnxruntime": "1.0.0", "go": "go1.0"},
	}
	o.SetConfusion(trainer.Confusion(answers))
	for _, line := range o.History {
		o.Seconds += line.Seconds
	}
	if !w.shape.Bare {
		if err := w.predictions(ctx, answers, &o); err != nil {
			return err
		}
	}
	return artifacts.CreateJSON(ctx, w.store, plan.OutcomeKey(w.job.ID), o)
}

func (w *written) predictions(ctx context.Context, answers []trainer.Prediction, o *plan.Outcome) error {
	var b bytes.Buffer
	file := func(sample int) string { return w.files[sample] }
	if err := trainer.WritePredictions(&b, w.plan.Data.Classes, file, answers); err != nil {
		return err
	}
	key := plan.PredictionsKey(w.job.ID)
	o.Objects["predictions"] = ref("predictions.csv", func(string) string { return key }, b.Bytes())
	return w.store.Put(ctx, key, &b, int64(b.Len()))
}

// quality is how well a trial does, from 0 to 1: best at a learning rate of 0.03 and
// a momentum of 0.9, and a little better with small batches.
func (w *written) quality() float64 {
	c := w.plan.Trials[w.job.Trial].Config.Training
	rate, momentum := math.Log(c.LearningRate/0.03), c.Momentum-0.9
	return math.Exp(-rate*rate/8 - momentum*momentum - 0.005*float64(c.BatchSize))
}

// answers are the predictions for the test pictures of the job's fold.
func (w *written) answers() []trainer.Prediction {
	data, fold := w.plan.Data, w.plan.Folds[w.job.Fold]
	margin := 5*w.quality() + 0.4*w.r.NormFloat64() // what the true class is ahead by, on average
	answers := make([]trainer.Prediction, len(fold.Test))
	for k, sample := range fold.Test {
		logits, sum := make([]float64, len(data.Classes)), 0.0
		for c := range logits {
			logits[c] = w.r.NormFloat64()
			if c == data.Labels[sample] {
				logits[c] += margin
			}
			sum += math.Exp(logits[c])
		}
		a := trainer.Prediction{Sample: sample, Label: data.Labels[sample], Probabilities: make([]float32, len(logits))}
		for c, x := range logits {
			a.Probabilities[c] = float32(math.Exp(x) / sum)
			if x > logits[a.Predicted] {
				a.Predicted = c
			}
		}
		a.Loss = math.Log(sum) - logits[a.Label]
		answers[k] = a
	}
	return answers
}

// history is a way from chance to the scores, with some noise.
func (w *written) history(scores plan.Metrics) []plan.Epoch {
	n, classes := w.shape.Epochs, float64(len(w.plan.Data.Classes))
	chance := plan.Metrics{"accuracy": 1 / classes, "f1": 1 / classes, "auc": 0.5, "loss": math.Log(classes)}
	speed, pace := 2+2*w.r.Float64(), 0.3+0.2*w.r.Float64()
	lines := make([]plan.Epoch, n)
	for e := range lines {
		way := (1 - math.Exp(-speed*float64(e+1)/float64(n))) / (1 - math.Exp(-speed))
		noise := 0.02 * w.r.NormFloat64() * (1 - float64(e+1)/float64(n))
		m := make(plan.Metrics, len(scores))
		for name, final := range scores {
			m[name] = chance[name] + float64((final-chance[name])*(way+noise))
			if name != "loss" {
				m[name] = min(max(m[name], 0), 1)
			}
		}
		lines[e] = plan.Epoch{Epoch: e + 1, TrainLoss: max(0.9*m["loss"], 0.001), Metrics: m, Seconds: pace}
	}
	lines[n-1].Metrics = scores
	return lines
}
