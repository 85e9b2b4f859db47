package compile

import (
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/ort/orttest"
)

// BenchmarkStep measures a training step of 32 pictures through ONNX Runtime
// with two threads, in seconds.
func BenchmarkStep(b *testing.B) {
	b.Run("caffenet", func(b *testing.B) {
		model, err := builtin.Model("caffenet", 2, 1)
		if err != nil {
			b.Fatal(err)
		}
		benchmarkStep(b, model, 227)
	})
	b.Run("squeezenet", func(b *testing.B) {
		_, model := loadGolden(b, "squeezenet_hymenoptera_head", "squeezenet1.1-7.onnx")
		hymenopteraHead(model)
		benchmarkStep(b, model, 224)
	})
}

func benchmarkStep(b *testing.B, model *onnx.Graph, size int) {
	r := orttest.New(b, 2)
	o := Options{Batch: 32, Channels: 3, Height: size, Width: size, Momentum: 0.9, Decay: 5e-4, FloatInput: true}
	p, err := Train(model, o)
	if err != nil {
		b.Fatal(err)
	}
	var g golden
	g.Settings.Batch, g.Settings.Classes, g.Settings.InputScale, g.Settings.LearningRate = 32, 2, 100, 1e-6
	m := newMachine(b, r, p, g.tensors(model, p))
	defer m.session.Close()
	m.step(b) // the first steps fill the runtime's memory arena
	m.step(b)
	for b.Loop() {
		m.step(b)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/step")
	b.ReportMetric(0, "ns/op")
}
