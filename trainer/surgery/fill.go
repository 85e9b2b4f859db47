package surgery

import (
	"math"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/rng"
)

// Init is one of Caffe's weight fillers; at most one of the first four fields
// is set. The default is Xavier. Biases are constant.
type Init struct {
	Gaussian float64 // normal with mean 0 and this standard deviation
	Xavier   bool    // uniform within ±sqrt(3 / fan-in)
	MSRA     bool    // normal with standard deviation sqrt(2 / fan-in)
	Constant float64
	Bias     float64
}

// Weights makes the parameter of that name. fanIn is how many inputs one output
// sums up. The values depend on the seed, the name, the filler and the shape.
func (f Init) Weights(seed int64, name string, fanIn int, shape ...int) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, shape...)
	t.Name, t.Param = name, true
	draw := f.sampler(seed, name, fanIn)
	data := t.F32()
	for i := range data {
		data[i] = float32(draw())
	}
	return t
}

func (f Init) sampler(seed int64, name string, fanIn int) func() float64 {
	r := rng.New(seed, "init:"+name)
	normal := func(std float64) func() float64 {
		return func() float64 { return r.NormFloat64() * std }
	}
	switch {
	case f.Gaussian != 0:
		return normal(f.Gaussian)
	case f.MSRA:
		return normal(math.Sqrt(2 / float64(fanIn)))
	case f.Constant != 0:
		return func() float64 { return f.Constant }
	}
	bound := math.Sqrt(3 / float64(fanIn))
	return func() float64 { return (2*r.Float64() - 1) * bound }
}

// Biases makes the bias of that name: Bias everywhere.
func (f Init) Biases(name string, shape ...int) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, shape...)
	t.Name, t.Param = name, true
	data := t.F32()
	for i := range data {
		data[i] = float32(f.Bias)
	}
	return t
}
