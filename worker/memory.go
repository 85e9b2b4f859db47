package worker

import (
	"fmt"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/features"
	"orchestrator/trainer/onnx"
)

// MicroBatch is the largest micro-batch with which a trial is predicted to take no
// more than limit bytes, where its settings leave that open; otherwise the one
// that they name. train is the number of pictures it trains on at most, and
// pictures that of the data set. Where nothing fits the error says what would.
func MicroBatch(base *onnx.Graph, c plan.Config, classes []string, train, pictures int, limit plan.Bytes) (int, error) {
	job, err := plannedJob(base, c, classes, train, pictures)
	if err != nil {
		return 0, err
	}
	pass, err := passMemory(job, c, pictures)
	if err != nil {
		return 0, err
	}
	size := int(c.Training.MicroBatchSize)
	auto := c.Training.MicroBatchSize == plan.AutoMicroBatch
	if auto || size == 0 {
		size = c.Training.BatchSize
	}
	for ; ; size = smaller(size) {
		job.MicroBatch = size
		m, err := job.Memory()
		if err != nil {
			return 0, err
		}
		m.Features = pass
		if m.Peak() <= int64(limit) {
			return size, nil
		}
		if size == 1 || !auto {
			return 0, &memoryError{auto: auto, size: size, need: m.Peak(), limit: int64(limit)}
		}
	}
}

// passMemory is what it takes to compute the features of the job's frozen part; 0
// where it has none.
func passMemory(job trainer.Job, c plan.Config, pictures int) (int64, error) {
	f, err := frozenPart(job, c, pictures)
	if f == nil || err != nil {
		return 0, err
	}
	return features.Spec{Model: job.Model, Values: f.Values, Data: job.Data, Pictures: pictures}.Memory()
}

// smaller is the largest number below n that divides it.
func smaller(n int) int {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return n / d
		}
	}
	return 1
}

// plannedJob is a job of a trial as far as it is known before there are pictures:
// what its graphs and their sizes follow from.
func plannedJob(base *onnx.Graph, c plan.Config, classes []string, train, pictures int) (trainer.Job, error) {
	data, err := dataset.Load(nil, nil, geometry(c.Preprocessing))
	if err != nil {
		return trainer.Job{}, fmt.Errorf("preprocessing: %w", err)
	}
	c.Training.ClassWeights = plan.ClassWeights{} // of pictures that are not there
	job, err := trainerJob(plan.Spec{Config: c, Classes: classes, Train: make([]int, train), Test: make([]int, train)}, base, data)
	if err != nil {
		return job, err
	}
	f, err := frozenPart(job, c, pictures)
	if f != nil {
		job.Features = toBeComputed{}
	}
	return job, err
}

// toBeComputed stands for features of which only the sizes matter.
type toBeComputed struct{}

// Read is not called.
func (toBeComputed) Read([]float32, int, int) error {
	return fmt.Errorf("the features are not computed")
}

// memoryError says that a trial needs more memory than its sweep allows.
type memoryError struct {
	auto        bool
	size        int // of the micro-batch
	need, limit int64
}

func (e *memoryError) Error() string {
	return fmt.Sprintf("resources.memory is %s, but with %s at a time a job needs about %s", gibibytes(e.limit), pictures(e.size), gibibytes(e.need))
}

// Hint says what needs less.
func (e *memoryError) Hint() string {
	if e.auto {
		return "allow more, freeze lower layers, or use smaller pictures (preprocessing.resize, crop)"
	}
	return "write micro_batch_size: auto to have the largest that fits chosen, or allow more"
}

// ExitCode marks wrong input.
func (e *memoryError) ExitCode() int { return 2 }

func gibibytes(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

func pictures(n int) string {
	if n == 1 {
		return "one picture"
	}
	return fmt.Sprintf("%d pictures", n)
}
