package onnx

import "math"

// format is a binary floating-point format of IEEE 754's kind.
type format struct {
	digits   int     // binary digits of a normal number, the leading one included
	smallest int     // exponent of the smallest normal number
	largest  float64 // finite number
}

var formats = map[DType]format{
	Float16:  {11, -14, 65504},
	BFloat16: {8, -126, 0x1.fep127},
}

// Half tells whether t is one of the floating-point types of two bytes.
func (t DType) Half() bool { return t == Float16 || t == BFloat16 }

// Round is x as the nearest number of a type of two bytes, ties to even, as a Cast
// computes it: beyond the largest number it is infinite. Of other types it is x
// itself.
func (t DType) Round(x float64) float64 {
	f, ok := formats[t]
	if !ok || x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	step := math.Ldexp(1, max(math.Ilogb(x), f.smallest)-f.digits+1)
	r := math.RoundToEven(x/step) * step
	if math.Abs(r) > f.largest {
		return math.Inf(int(math.Copysign(1, x)))
	}
	return r
}

// Roundoff is the largest relative error of Round in the normal range of the type:
// 2^-11 for Float16, 2^-8 for BFloat16, 0 for other types.
func (t DType) Roundoff() float64 {
	f, ok := formats[t]
	if !ok {
		return 0
	}
	return math.Ldexp(1, -f.digits)
}
