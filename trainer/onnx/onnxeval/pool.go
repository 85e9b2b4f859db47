package onnxeval

import (
	"math"

	"orchestrator/trainer/onnx"
)

// maxPool yields the largest element of each window, and as second output where
// it is: a flat position in the whole input, batch and channels included. Of
// equal elements the first counts.
func maxPool(n *onnx.Node, in []*Array) []*Array {
	check(n.Int("storage_order", 0) == 0, "storage_order 1 is not supported")
	var indices []float64
	y := pool(n, in[0], func(plane int, taps []tap, _ int) float64 {
		best, at := math.Inf(-1), -1
		for _, t := range taps {
			if v := in[0].Data[plane+t.in]; at < 0 || v > best {
				best, at = v, plane+t.in
			}
		}
		indices = append(indices, float64(at))
		return best
	})
	return []*Array{y, {Shape: y.Shape, Data: indices, Type: onnx.Int64}}
}

// averagePool divides the sum of each window by the number of its elements
// inside the input or, with count_include_pad, inside the padded input.
func averagePool(n *onnx.Node, in []*Array) []*Array {
	includePad := n.Int("count_include_pad", 0) != 0
	return one(pool(n, in[0], func(plane int, taps []tap, padded int) float64 {
		sum, count := 0., len(taps)
		for _, t := range taps {
			sum += in[0].Data[plane+t.in]
		}
		if includePad {
			count = padded
		}
		return sum / float64(count)
	}))
}

// lpPool is the p-norm of each window.
func lpPool(n *onnx.Node, in []*Array) []*Array {
	p := float64(n.Int("p", 2))
	return one(pool(n, in[0], func(plane int, taps []tap, _ int) float64 {
		sum := 0.
		for _, t := range taps {
			sum += math.Pow(math.Abs(in[0].Data[plane+t.in]), p)
		}
		return math.Pow(sum, 1/p)
	}))
}

// pool slides a window over each plane [n, c] of x, in the order of the output.
func pool(n *onnx.Node, x *Array, f func(plane int, taps []tap, padded int) float64) *Array {
	check(len(x.Shape) >= 3, "X has rank %d", len(x.Shape))
	w := newWindow(n, x.Shape[2:], n.Ints("kernel_shape"))
	y := New(append([]int{x.Shape[0], x.Shape[1]}, w.out...)...).of(x.Type)
	type place struct {
		taps   []tap
		padded int
	}
	places := make([]place, product(w.out))
	each(w.out, func(p int, at []int) {
		taps, padded := w.taps(at)
		places[p] = place{taps, padded}
	})
	size := product(w.in)
	for i := range y.Data {
		p := places[i%len(places)]
		y.Data[i] = f(i/len(places)*size, p.taps, p.padded)
	}
	return y
}

// globalPool reduces each plane to one element.
func globalPool(f func(xs []float64) float64) operator {
	return func(_ *onnx.Node, in []*Array) []*Array {
		x := in[0]
		check(len(x.Shape) >= 3, "X has rank %d", len(x.Shape))
		y := New(append([]int{x.Shape[0], x.Shape[1]}, ones(len(x.Shape)-2)...)...).of(x.Type)
		size := product(x.Shape[2:])
		for i := range y.Data {
			y.Data[i] = f(x.Data[i*size : (i+1)*size])
		}
		return one(y)
	}
}
