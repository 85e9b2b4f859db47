package optim

import (
	"math"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

// clipped are the gradients (3, -4) and (12), of norm 13, after clip.
func clipped(t *testing.T, scale float64, clip func(*onnx.Builder, []onnx.Value) []onnx.Value) []float64 {
	t.Helper()
	b := onnx.NewBuilder("clip")
	out := clip(b, []onnx.Value{b.Input("x", onnx.Float, 2), b.Input("y", onnx.Float, 1)})
	b.Output("x'", out[0])
	b.Output("y'", out[1])
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	got, err := onnxeval.Run(g, map[string]*onnxeval.Array{
		"x": {Shape: []int{2}, Data: []float64{3 * scale, -4 * scale}}, "y": {Shape: []int{1}, Data: []float64{12 * scale}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(got["x'"].Data, got["y'"].Data...)
}

func TestClipNormScalesAllGradientsAlike(t *testing.T) {
	norm := func(limit float64) func(*onnx.Builder, []onnx.Value) []onnx.Value {
		return func(b *onnx.Builder, g []onnx.Value) []onnx.Value { return ClipNorm(b, g, limit) }
	}
	compare(t, "above the limit", clipped(t, 1, norm(6.5)), []float64{1.5, -2, 6}, 1e-12)
	compare(t, "below the limit", clipped(t, 1, norm(14)), []float64{3, -4, 12}, 0)
	compare(t, "zero", clipped(t, 0, norm(1)), []float64{0, 0, 0}, 0)
}

func TestClipValueBoundsEachElement(t *testing.T) {
	got := clipped(t, 1, func(b *onnx.Builder, g []onnx.Value) []onnx.Value { return ClipValue(b, g, 3.5) })
	compare(t, "clipped", got, []float64{3, -3.5, 3.5}, 0)
}

func TestAverageIsItsRecurrence(t *testing.T) {
	b := onnx.NewBuilder("average")
	b.Output("out", Average(b, b.Input("mean", onnx.Float, 1), b.Input("value", onnx.Float, 1), b.Input("share", onnx.Float)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	const decay = 0.4
	mean, want := 2.0, 2.0
	for step := 1; step <= 8; step++ {
		value := math.Sin(float64(step))
		d := min(decay, (1+float64(step))/(10+float64(step)))
		want = d*want + (1-d)*value
		out, err := onnxeval.Run(g, map[string]*onnxeval.Array{
			"mean": {Shape: []int{1}, Data: []float64{mean}}, "value": {Shape: []int{1}, Data: []float64{value}},
			"share": scalar(AverageShare(decay, step)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if mean = out["out"].Data[0]; math.Abs(mean-want) > 1e-12 {
			t.Fatalf("step %d: %v, want %v", step, mean, want)
		}
	}
}
