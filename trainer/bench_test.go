package trainer

import (
	"context"
	"testing"
	"time"

	"orchestrator/trainer/onnx"
)

// BenchmarkLoop trains a network that hardly computes and reports what a step
// costs outside the session: batches, buffers, bookkeeping.
func BenchmarkLoop(b *testing.B) {
	rt := newRuntime(b)
	job := smallJob(layers{dropout: true, batchNorm: true})
	data := newPictures(3200, 2)
	job.Data, job.Train, job.BatchSize, job.EvalBatch = data, nil, 32, 0
	for i := range data.labels {
		job.Train = append(job.Train, i)
	}
	var steps int
	var inside, total, waited time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := Run(context.Background(), job, timed{rt, &inside}, &memory{}, nil, func(p Progress) {
			if p.Evaluated == nil {
				steps++
				waited += time.Duration(p.DataSeconds * float64(time.Second))
			}
		}); err != nil {
			b.Fatal(err)
		}
		total += time.Since(start)
	}
	perStep := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(steps) }
	b.ReportMetric(perStep(inside), "session-µs/step")
	b.ReportMetric(perStep(total-inside), "overhead-µs/step")
	b.ReportMetric(perStep(waited), "data-wait-µs/step")
}

// timed adds the time spent in sessions, opening them included, to spent.
type timed struct {
	Runtime
	spent *time.Duration
}

func (r timed) Open(g *onnx.Graph) (Session, error) {
	start := time.Now()
	s, err := r.Runtime.Open(g)
	*r.spent += time.Since(start)
	return timedSession{s, r.spent}, err
}

type timedSession struct {
	Session
	spent *time.Duration
}

func (s timedSession) Run(inputs, outputs []*onnx.Tensor) error {
	start := time.Now()
	err := s.Session.Run(inputs, outputs)
	*s.spent += time.Since(start)
	return err
}

// BenchmarkCheckpoint encodes 64 MiB of state.
func BenchmarkCheckpoint(b *testing.B) {
	c := Checkpoint{}
	for _, name := range []string{"a", "b"} {
		t := onnx.NewTensor(onnx.Float, 8<<20)
		t.Name = name
		c.Tensors = append(c.Tensors, t)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		if err := EncodeCheckpoint(discard{}, c); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
