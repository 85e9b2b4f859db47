package trainer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// Run trains job and scores its test samples after each epoch, starting from the
// newest checkpoint of ck if there is one. A resumed job ends with the same bits
// as an unbroken one, on the same runtime and device.
//
// It ends early
//   - soon after stop is closed, with a checkpoint of the last whole step and
//     ErrInterrupted;
//   - after the run under way when ctx is cancelled, without a checkpoint and
//     with ctx's error;
//   - with a *DivergedError when a loss is not finite, or with a loss scale when
//     that is 1 and gradients are not.
//
// report, which may be nil, is called from this goroutine after each step and
// each evaluation; it should not block. No goroutine outlives Run.
func Run(ctx context.Context, job Job, rt Runtime, ck Checkpoints, stop <-chan struct{}, report func(Progress)) (*Result, error) {
	r := &run{job: job, ctx: ctx, stop: stop, ck: ck, report: report, started: time.Now()}
	if r.report == nil {
		r.report = func(Progress) {}
	}
	if err := job.check(); err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.open(rt); err != nil {
		return nil, err
	}
	if err := r.resume(); err != nil {
		return nil, err
	}
	r.batches = r.prefetch(rt)
	defer r.batches.close()
	if err := r.epochs(); err != nil {
		return nil, err
	}
	return r.result()
}

// run is a job at work.
type run struct {
	job    Job
	ctx    context.Context
	stop   <-chan struct{}
	ck     Checkpoints
	report func(Progress)

	// Either train, or accumulate and apply, do a step.
	train, accumulate, apply *program
	clear                    *program        // before a step's first accumulate; nil: the host does it
	average                  *program        // after each step; nil: no average is kept
	eval                     *evaluator      // of pictures, by the whole network
	masks                    []compile.Mask  // of a micro-batch
	rest                     *compile.Frozen // how the network is divided; nil: it is trained as a whole
	quick                    *evaluator      // of features, by the rest, in all epochs but the last; nil without
	state                    *state
	batches                  *prefetcher
	loss, rate               *onnx.Tensor // scalars
	scalars                  feed         // those that programs ask for
	scaling                  *scaling     // of a job in float16; else nil
	learningRate             float64      // of the last step; what rate holds in single precision

	// at is the position between two steps, and all else that a checkpoint
	// holds but for the tensors.
	at          Checkpoint
	predictions []Prediction // of the last evaluation
	started     time.Time    // of this attempt
	epochBegan  time.Time
}

// open compiles and opens the programs.
func (r *run) open(rt Runtime) error {
	p, err := r.job.compile()
	if err != nil {
		return err
	}
	p.fit(rt)
	open := func(p *compile.Program) (opened *program) {
		if p != nil && err == nil {
			opened, err = openProgram(rt, p)
		}
		return opened
	}
	evaluator := func(p *compile.Program) *evaluator {
		if opened := open(p); opened != nil {
			return newEvaluator(opened)
		}
		return nil
	}
	r.rest, r.masks, r.eval, r.quick = p.rest, p.masks(), evaluator(p.eval), evaluator(p.quick)
	r.train, r.accumulate, r.apply, r.average = open(p.train), open(p.accumulate), open(p.apply), open(p.average)
	r.clear = open(p.clear)
	if err != nil {
		return err
	}
	r.loss, r.rate, r.scalars = onnx.NewTensor(onnx.Float), onnx.NewTensor(onnx.Float), feed{}
	r.scaling, r.at.LossScale = newScaling(&r.job), r.job.firstLossScale()
	r.state, err = newState(rt, r.job.Model, p.all()...)
	return err
}

func (r *run) close() {
	r.state.close()
	for _, p := range []*program{r.train, r.clear, r.accumulate, r.apply, r.average} {
		p.close()
	}
	for _, e := range []*evaluator{r.eval, r.quick} {
		if e != nil {
			e.close()
		}
	}
}

// resume takes the newest checkpoint, if there is one.
func (r *run) resume() error {
	c, err := r.ck.Latest()
	if err != nil {
		return fmt.Errorf("look for a checkpoint: %w", err)
	}
	if c == nil {
		return nil
	}
	if c.Epoch < 0 || c.Epoch > r.job.last() || c.Step < 0 || c.Step > r.job.steps() || len(c.History) != c.Epoch {
		return fmt.Errorf("the checkpoint does not belong to this job: epoch %d, step %d, %d epochs of history; the job has %d epochs of %d steps",
			c.Epoch, c.Step, len(c.History), r.job.last(), r.job.steps())
	}
	if has := c.LossScale.Factor != 0; has != r.job.scaled() {
		return fmt.Errorf("the checkpoint does not belong to this job: its loss scale is %g, and the job computes in %q", c.LossScale.Factor, r.job.Precision)
	}
	if err := r.state.restore(c.Tensors); err != nil {
		return fmt.Errorf("the checkpoint does not belong to this job: %w", err)
	}
	r.at = *c
	r.at.Tensors = nil
	r.at.History = slices.Clip(c.History) // what is appended must not reach the checkpoint's memory
	return nil
}

// save writes a checkpoint of the present position.
func (r *run) save() error {
	c := r.at
	c.Seconds = r.seconds()
	var err error
	if c.Tensors, err = r.state.tensors(); err == nil {
		err = r.ck.Save(c)
	}
	if err != nil {
		return fmt.Errorf("save the checkpoint of epoch %d, step %d: %w", c.Epoch, c.Step, err)
	}
	return nil
}

// seconds is the time spent on the job so far, in all attempts.
func (r *run) seconds() float64 { return r.at.Seconds + time.Since(r.started).Seconds() }

func (r *run) prefetch(memory DeviceMemory) *prefetcher {
	job := &r.job
	micro, parts := job.micro(), (job.batch()+job.micro()-1)/job.micro()
	masks := r.masks
	return prefetch(job.plan(r.at.Epoch, r.at.Step),
		func(c content) (*batch, error) {
			if c.train {
				return newBatch(memory, micro, parts, job.inputs(c, r.rest), masks)
			}
			return newBatch(memory, job.evalBatch(), 1, job.inputs(c, r.rest), nil)
		},
		func(b *batch, s batchSpec) error {
			err := b.fill(s, source{data: job.Data, features: job.Features, seed: job.Seed, mirror: job.Mirror, center: job.CenterCrop})
			b.weigh(job.ClassWeights)
			return err
		})
}

// inputs are what programs take of a sample; rest is how the network is divided
// where that is features.
func (j *Job) inputs(c content, rest *compile.Frozen) []onnx.Value {
	if !c.features {
		return pictureInput(j.Data)
	}
	var values []onnx.Value
	for i, name := range rest.Values {
		values = append(values, onnx.Value{Name: compile.FeatureOutput(name), Type: onnx.Float, Shape: rest.Shapes[i]})
	}
	return values
}

// epochs does what is left of the job.
func (r *run) epochs() error {
	if last := r.job.last(); r.at.Epoch == last && last < r.job.Epochs {
		return nil // only the record of it is missing
	}
	if r.at.Epoch == r.job.Epochs { // all is done, but the predictions are not kept
		scores, err := r.evaluate()
		if err == nil { // the checkpoint may be of a job that took other crops
			r.at.History[len(r.at.History)-1].Scores = scores
		}
		return err
	}
	for r.at.Epoch < r.job.last() {
		r.epochBegan = time.Now()
		for r.at.Step < r.job.steps() {
			if err := r.pause(); err != nil {
				return err
			}
			if err := r.step(); err != nil {
				return err
			}
		}
		if err := r.endEpoch(); err != nil {
			return err
		}
	}
	return nil
}

// pause is called between two runs of a graph: it returns an error when the job
// is to end here.
func (r *run) pause() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	select {
	case <-r.stop:
	default:
		return nil
	}
	if err := r.save(); err != nil {
		return err
	}
	return ErrInterrupted
}

// step trains on one mini-batch.
func (r *run) step() error {
	began := time.Now()
	b, waited, err := r.batches.next()
	if err != nil {
		return err
	}
	r.learningRate = r.job.LearningRate * r.job.Policy.Factor(b.epoch, b.step, r.job.Epochs, r.job.steps(), r.at.History)
	r.rate.F32()[0] = float32(r.learningRate)
	r.setScalars(b.epoch*r.job.steps() + b.step + 1)
	loss, updated, err := r.update(b)
	if err == nil && updated && r.average != nil {
		err = r.average.run(r.bind(feed{}), r.state)
	}
	if err != nil {
		return fmt.Errorf("epoch %d, step %d: %w", b.epoch+1, b.step+1, err)
	}
	finite := !math.IsNaN(loss) && !math.IsInf(loss, 0)
	if !r.rescale(updated) || updated && !finite {
		return &DivergedError{Epoch: b.epoch + 1, Step: b.step + 1, Loss: loss, Rate: r.learningRate, Gradients: finite, Float16: r.job.scaled()}
	}
	r.at.Step++
	if finite {
		r.at.LossSum += loss * float64(len(b.samples))
		r.at.LossCount += len(b.samples)
	}
	r.batches.release(b)
	r.report(Progress{
		Epoch: r.at.Epoch + 1, Epochs: r.job.last(), Step: r.at.Step, Steps: r.job.steps(),
		TrainLoss:    r.at.LossSum / float64(r.at.LossCount),
		LearningRate: r.learningRate,
		StepSeconds:  time.Since(began).Seconds(),
		DataSeconds:  waited.Seconds(),
		LossScale:    r.at.LossScale.Factor,
		Skipped:      !updated,
	})
	return nil
}

// rescale changes the loss scale after a step; false where a step without an update
// does not come of a scale that was too large.
func (r *run) rescale(updated bool) bool {
	switch {
	case r.scaling == nil:
		return true
	case updated:
		r.at.LossScale.good()
		return true
	}
	return r.at.LossScale.bad()
}

// update runs the graphs of one step and returns the mini-batch's mean loss, and
// whether the gradients allowed the update.
func (r *run) update(b *batch) (loss float64, updated bool, err error) {
	if r.train != nil {
		err := r.train.run(r.bind(b.views[0]), r.state)
		return float64(r.loss.F32()[0]), true, err
	}
	if err := r.clearSums(); err != nil {
		return 0, false, err
	}
	for _, view := range b.used() {
		if err := r.ctx.Err(); err != nil {
			return 0, false, err
		}
		if err := r.accumulate.run(r.bind(view), r.state); err != nil {
			return 0, false, err
		}
		loss += float64(r.loss.F32()[0])
	}
	if !r.scaling.sound(loss) {
		return loss, false, nil
	}
	return loss, true, r.apply.run(r.bind(feed{}), r.state)
}

// clearSums makes the sums of gradients zero.
func (r *run) clearSums() error {
	if r.clear == nil {
		r.state.clearSums()
		return nil
	}
	return r.clear.run(feed{"zero": onnx.NewTensor(onnx.Float)}, r.state)
}

// setScalars computes what programs want to know of an update, counted from 1.
func (r *run) setScalars(update int) {
	for _, p := range []*program{r.train, r.apply, r.average} {
		if p == nil {
			continue
		}
		for _, s := range p.Scalars {
			if r.scalars[s.Input] == nil {
				r.scalars[s.Input] = onnx.NewTensor(onnx.Float)
			}
			r.scalars[s.Input].F32()[0] = float32(s.At(update))
		}
	}
}

// bind adds the scalars to a feed.
func (r *run) bind(f feed) feed {
	f["loss"], f["learning_rate"] = r.loss, r.rate
	r.scaling.bind(f, r.at.LossScale)
	maps.Copy(f, r.scalars)
	return f
}

// scored is the state that is evaluated and exported: with the averages in place
// of the values that they are of, where there are any.
func (r *run) scored() *state {
	if r.average == nil {
		return r.state
	}
	return r.state.averaged()
}

// evaluate scores the test samples.
func (r *run) evaluate() (Scores, error) {
	r.predictions = r.predictions[:0:0]
	crops := r.job.crops(r.at.Epoch)
	for len(r.predictions) < crops*len(r.job.Test) {
		if err := r.pause(); err != nil {
			return nil, err
		}
		b, _, err := r.batches.next()
		if err != nil {
			return nil, err
		}
		eval := r.eval
		if b.features {
			eval = r.quick
		}
		if r.predictions, err = eval.run(b, r.scored(), r.job.Data, r.predictions); err != nil {
			return nil, err
		}
		r.batches.release(b)
	}
	r.predictions = averaged(r.predictions, crops)
	loss := meanLoss(r.predictions)
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return nil, &DivergedError{Epoch: min(r.at.Epoch+1, r.job.Epochs), Loss: loss, Rate: r.learningRate}
	}
	return Score(r.predictions, len(r.job.Classes)), nil
}

// endEpoch scores the epoch, appends it to the history and writes the checkpoint
// that is due.
func (r *run) endEpoch() error {
	scores, err := r.evaluate()
	if err != nil {
		return err
	}
	if r.at.LossCount == 0 { // every step was skipped for its loss
		return &DivergedError{Epoch: r.at.Epoch + 1, Step: r.at.Step, Loss: math.NaN(), Rate: r.learningRate, Float16: true}
	}
	line := EpochResult{
		Epoch:     r.at.Epoch + 1,
		TrainLoss: r.at.LossSum / float64(r.at.LossCount),
		Scores:    scores,
		Seconds:   time.Since(r.epochBegan).Seconds(),
		Skipped:   r.at.LossScale.Skipped,
	}
	r.at.History = append(r.at.History, line)
	r.at.Epoch, r.at.Step, r.at.LossSum, r.at.LossCount, r.at.LossScale.Skipped = r.at.Epoch+1, 0, 0, 0, 0
	r.report(Progress{
		Epoch: line.Epoch, Epochs: r.job.last(), Step: r.job.steps(), Steps: r.job.steps(),
		TrainLoss: line.TrainLoss, LearningRate: r.learningRate, Evaluated: &line,
	})
	every := r.job.CheckpointEveryEpochs
	if every > 0 && r.at.Epoch%every == 0 || r.at.Epoch == r.job.StopAfter && r.at.Epoch < r.job.Epochs {
		return r.save()
	}
	return nil
}

// last is the number of epochs that are trained.
func (j *Job) last() int {
	if j.StopAfter > 0 {
		return min(j.StopAfter, j.Epochs)
	}
	return j.Epochs
}

func (r *run) result() (*Result, error) {
	if r.job.last() < r.job.Epochs {
		last := r.at.History[len(r.at.History)-1]
		return &Result{Scores: last.Scores, History: r.at.History, Seconds: r.seconds()}, nil
	}
	model, err := trainedModel(r.job.Model, r.scored(), r.job.Loss, len(r.job.Classes), r.job.Metadata)
	if err != nil {
		return nil, err
	}
	declareSize(model, r.job.Data)
	if len(r.at.History) == 0 {
		return nil, errors.New("a job without an epoch has no result")
	}
	return &Result{
		Scores:      r.at.History[len(r.at.History)-1].Scores,
		History:     r.at.History,
		Confusion:   Confusion(r.predictions),
		Predictions: r.predictions,
		Model:       model,
		Seconds:     r.seconds(),
	}, nil
}
