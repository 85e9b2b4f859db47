package surgery

import (
	"math"
	"slices"
	"testing"
)

// TestFillers compares mean and standard deviation with Caffe's definitions for
// a fan-in of 300: xavier is uniform in ±0.1, hence has 0.1/sqrt(3).
func TestFillers(t *testing.T) {
	for _, c := range []struct {
		name      string
		init      Init
		mean, std float64
		bound     float64 // no value is larger
	}{
		{"gaussian", Init{Gaussian: 0.01}, 0, 0.01, 0.06},
		{"xavier", Init{Xavier: true}, 0, 0.1 / math.Sqrt(3), 0.1},
		{"default", Init{}, 0, 0.1 / math.Sqrt(3), 0.1},
		{"msra", Init{MSRA: true}, 0, math.Sqrt(2. / 300), 0.5},
		{"constant", Constant(0.5), 0.5, 0, 0.5},
		{"nothing", Constant(0), 0, 0, 0},
		{"uniform", Init{Uniform: []float64{-0.1, 0.3}}, 0.1, 0.4 / math.Sqrt(12), 0.3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.init.Weights(42, "fc.weight", 300, 100, 300)
			if !w.Param || w.Name != "fc.weight" || !slices.Equal(w.Shape, []int{100, 300}) {
				t.Fatalf("tensor %q %v, Param %v", w.Name, w.Shape, w.Param)
			}
			mean, variance, top := 0., 0., 0.
			for _, x := range w.F32() {
				mean += float64(x) / 30000
				top = max(top, math.Abs(float64(x)))
			}
			for _, x := range w.F32() {
				variance += (float64(x) - mean) * (float64(x) - mean) / 30000
			}
			if std := math.Sqrt(variance); math.Abs(mean-c.mean) > c.std/50+1e-9 || math.Abs(std-c.std) > c.std/50+1e-9 || top > c.bound {
				t.Errorf("mean %g, std %g, largest %g; want %g, %g, at most %g", mean, std, top, c.mean, c.std, c.bound)
			}
		})
	}
}

// TestBilinear: the kernels that interpolate for a stride of 2 and of 1, by hand.
func TestBilinear(t *testing.T) {
	w := Init{Bilinear: true}.Weights(1, "up.weight", 4, 1, 1, 4, 4).F32()
	row := []float32{0.25, 0.75, 0.75, 0.25}
	for i, x := range w {
		if want := row[i/4] * row[i%4]; x != want {
			t.Errorf("element %d of a kernel of 4 is %v, want %v", i, x, want)
		}
	}
	if got := (Init{Bilinear: true}).Weights(1, "up.weight", 3, 1, 1, 3, 3).F32()[4]; got != 1 {
		t.Errorf("the middle of a kernel of 3 is %v, want 1", got)
	}
}

// TestFillersAreReproducible: the values belong to (seed, name), and are pinned
// here because stored jobs were trained from them.
func TestFillersAreReproducible(t *testing.T) {
	draw := func(seed int64, name string) []float32 {
		return Init{Gaussian: 1}.Weights(seed, name, 1, 4).F32()
	}
	first := draw(1, "fc.weight")
	if again := draw(1, "fc.weight"); !slices.Equal(first, again) {
		t.Errorf("the same seed and name drew %v and %v", first, again)
	}
	for _, other := range [][]float32{draw(2, "fc.weight"), draw(1, "fc.bias")} {
		if slices.Equal(first, other) {
			t.Errorf("another seed or name drew the same %v", other)
		}
	}
	if want := []float32{1.2928319, -1.7019873, 1.5833833, 1.6805459}; !slices.Equal(first, want) {
		t.Errorf("seed 1 drew %v, formerly %v", first, want)
	}
}

func TestBiases(t *testing.T) {
	b := Init{Gaussian: 0.01, Bias: 1}.Biases("fc.bias", 3)
	if !slices.Equal(b.F32(), []float32{1, 1, 1}) || !b.Param || b.Name != "fc.bias" {
		t.Errorf("bias %q %v, Param %v", b.Name, b.F32(), b.Param)
	}
}
