package trainer

import "math"

// check refuses a job that could not be trained, before anything is compiled.
func (j *Job) check() error {
	if j.Model == nil || len(j.Model.Inputs) != 1 || len(j.Model.Outputs) == 0 {
		return badJob("the model must have one input and an output")
	}
	if len(j.Classes) < 2 {
		return badJob("%d classes; there must be at least two", len(j.Classes))
	}
	if len(j.Train) == 0 || len(j.Test) == 0 {
		return badJob("%d training and %d test samples; both must be there", len(j.Train), len(j.Test))
	}
	if j.Epochs < 1 || j.BatchSize < 1 || j.MicroBatch < 0 || j.EvalBatch < 0 || j.CheckpointEveryEpochs < 0 {
		return badJob("epochs %d, batch size %d, micro-batch %d, evaluation batch %d, checkpoint every %d epochs",
			j.Epochs, j.BatchSize, j.MicroBatch, j.EvalBatch, j.CheckpointEveryEpochs)
	}
	for name, x := range map[string]float64{
		"learning rate": j.LearningRate, "momentum": j.Momentum, "weight decay": j.WeightDecay, "focal gamma": j.FocalGamma,
		"norm of the gradients": j.ClipNorm, "clipping value": j.ClipValue, "label smoothing": j.LabelSmoothing, "decay of the average": j.Average,
	} {
		if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
			return badJob("the %s is %v", name, x)
		}
	}
	if j.LabelSmoothing >= 1 || j.Average >= 1 {
		return badJob("label smoothing %v and decay of the average %v; both must be below 1", j.LabelSmoothing, j.Average)
	}
	if n := len(j.ClassWeights); n != 0 && n != len(j.Classes) {
		return badJob("%d class weights for %d classes", n, len(j.Classes))
	}
	if err := checkOversample(j.Oversample, j.Data); err != nil {
		return err
	}
	if err := j.Policy.check(); err != nil {
		return err
	}
	for _, set := range [][]int{j.Train, j.Test} {
		for _, sample := range set {
			if l := j.Data.Label(sample); l < 0 || l >= len(j.Classes) {
				return badJob("sample %d (%s) has the label %d of %d classes", sample, j.Data.File(sample), l, len(j.Classes))
			}
		}
	}
	return nil
}

// batch is the number of rows of a mini-batch: no more than there are samples.
func (j *Job) batch() int { return min(j.BatchSize, len(j.Train)) }

// micro is the number of rows that one run of the training graph takes.
func (j *Job) micro() int {
	if j.MicroBatch > 0 {
		return min(j.MicroBatch, j.batch())
	}
	return j.batch()
}

// evalBatch is the number of rows of an evaluation run.
func (j *Job) evalBatch() int {
	n := j.EvalBatch
	if n == 0 {
		n = j.micro()
	}
	return min(n, len(j.Test))
}

// steps is the number of mini-batches of an epoch.
func (j *Job) steps() int { return (len(j.Train) + j.batch() - 1) / j.batch() }
