package surgery

import (
	"math"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/rng"
)

// Init is one of Caffe's weight fillers; at most one of the fields before Bias
// is set. The default is Xavier. Biases are constant.
type Init struct {
	Gaussian float64   // normal with mean 0 and this standard deviation
	Xavier   bool      // uniform within ±sqrt(3 / fan-in)
	MSRA     bool      // normal with standard deviation sqrt(2 / fan-in)
	Uniform  []float64 // two bounds
	Constant *float64
	// Bilinear makes the kernels of a convolution interpolate, as for upsampling by
	// a transposed one; all weights of a layer that has no kernels are 1.
	Bilinear bool
	Bias     float64
}

// Constant is the filler that gives every weight this number.
func Constant(x float64) Init { return Init{Constant: &x} }

// Weights makes the parameter of that name. fanIn is how many inputs one output
// sums up. The values depend on the seed, the name, the filler and the shape.
func (f Init) Weights(seed int64, name string, fanIn int, shape ...int) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, shape...)
	t.Name, t.Param = name, true
	if f.Bilinear {
		interpolate(t)
		return t
	}
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
	case f.Constant != nil:
		return func() float64 { return *f.Constant }
	case len(f.Uniform) == 2:
		low, high := f.Uniform[0], f.Uniform[1]
		return func() float64 { return low + r.Float64()*(high-low) }
	}
	bound := math.Sqrt(3 / float64(fanIn))
	return func() float64 { return (2*r.Float64() - 1) * bound }
}

// interpolate fills kernels as Caffe's bilinear filler does: with f = ceil(k/2) and
// c = (k - 1) / 2f, (1 - |x/f - c|)(1 - |y/f - c|), where both f and c are those
// of the columns.
func interpolate(t *onnx.Tensor) {
	data := t.F32()
	rows, columns := 1, 1
	if len(t.Shape) == 4 {
		rows, columns = t.Shape[2], t.Shape[3]
	}
	f := math.Ceil(float64(columns) / 2)
	c := float64(columns-1) / (2 * f)
	for i := range data {
		x, y := float64(i%columns), float64(i/columns%rows)
		data[i] = float32((1 - math.Abs(x/f-c)) * (1 - math.Abs(y/f-c)))
	}
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
