package onnx

import (
	"math"
	"testing"
)

// Every number of a type of two bytes is its own rounding, and what lies half way
// between two of them goes to the one whose last digit is 0.
func TestRoundToTwoBytes(t *testing.T) {
	decoders := map[DType]func(bits uint16) float64{
		Float16:  func(bits uint16) float64 { return float64(halfToFloat(bits)) },
		BFloat16: func(bits uint16) float64 { return float64(math.Float32frombits(uint32(bits) << 16)) },
	}
	for kind, decode := range decoders {
		for bits := uint16(0); !math.IsInf(decode(bits), 0); bits++ {
			x, next := decode(bits), decode(bits+1)
			if got := kind.Round(x); got != x {
				t.Fatalf("%s: %v becomes %v", kind, x, got)
			}
			if got := kind.Round(-x); got != -x {
				t.Fatalf("%s: %v becomes %v", kind, -x, got)
			}
			if math.IsInf(next, 0) {
				break
			}
			even, middle := x, (x+next)/2
			if bits%2 == 1 {
				even = next
			}
			if got := kind.Round(middle); got != even {
				t.Fatalf("%s: %v, between %v and %v, becomes %v", kind, middle, x, next, got)
			}
			if below, above := kind.Round(math.Nextafter(middle, 0)), kind.Round(math.Nextafter(middle, next)); below != x || above != next {
				t.Fatalf("%s: the neighbours of %v become %v and %v", kind, middle, below, above)
			}
		}
	}
}

func TestRoundBeyondTwoBytes(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		kind    DType
		x, want float64
	}{
		{Float16, 65519, 65504}, {Float16, 65520, inf}, {Float16, -65520, -inf}, {Float16, inf, inf},
		{Float16, 0x1p-25, 0}, {Float16, 0x1.8p-25, 0x1p-24}, {BFloat16, 0x1.fep127, 0x1.fep127}, {BFloat16, 0x1.ffp127, inf},
		{Float, 0.1, 0.1}, {Int64, 0.1, 0.1},
	} {
		if got := c.kind.Round(c.x); got != c.want {
			t.Errorf("%s: %v becomes %v, want %v", c.kind, c.x, got, c.want)
		}
	}
	if !math.IsNaN(Float16.Round(math.NaN())) {
		t.Error("a NaN becomes a number")
	}
	if Float16.Roundoff() != 0x1p-11 || BFloat16.Roundoff() != 0x1p-8 || Float.Roundoff() != 0 || BFloat16.Size() != 2 || BFloat16.String() != "bfloat16" {
		t.Errorf("roundoffs %v, %v, %v; bfloat16 has %d bytes and is called %s", Float16.Roundoff(), BFloat16.Roundoff(), Float.Roundoff(), BFloat16.Size(), BFloat16)
	}
}
