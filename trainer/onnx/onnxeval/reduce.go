package onnxeval

import (
	"math"
	"slices"

	"orchestrator/trainer/onnx"
)

// reduction reduces over the axes given as second input: all where there are
// none, unless noop_with_empty_axes.
func reduction(f func(xs []float64) float64) operator {
	return func(n *onnx.Node, in []*Array) []*Array {
		x := in[0]
		var axes []int
		if a := optional(in, 1); a != nil {
			axes = axesOf(a.ints(), len(x.Shape))
		}
		if len(axes) == 0 {
			if n.Int("noop_with_empty_axes", 0) != 0 {
				return one(x)
			}
			for i := range x.Shape {
				axes = append(axes, i)
			}
		}
		return one(reduce(x, axes, n.Int("keepdims", 1) != 0, f))
	}
}

func reduce(x *Array, axes []int, keep bool, f func(xs []float64) float64) *Array {
	kept, step, shape := slices.Clone(x.Shape), []int(nil), []int{}
	for _, a := range axes {
		kept[a] = 1
	}
	step = strides(kept)
	for i, d := range kept {
		if slices.Contains(axes, i) {
			step[i] = 0
		}
		if keep || !slices.Contains(axes, i) {
			shape = append(shape, d)
		}
	}
	y := New(shape...).of(x.Type)
	groups := make([][]float64, len(y.Data))
	each(x.Shape, func(i int, at []int) {
		o := flat(at, step)
		groups[o] = append(groups[o], x.Data[i])
	})
	for i, g := range groups {
		y.Data[i] = f(g)
	}
	return y
}

func total(xs []float64) float64 {
	sum := 0.
	for _, x := range xs {
		sum += x
	}
	return sum
}

func average(xs []float64) float64 { return total(xs) / float64(len(xs)) }

func largest(xs []float64) float64 {
	top := math.Inf(-1)
	for _, x := range xs {
		top = max(top, x)
	}
	return top
}

func smallest(xs []float64) float64 {
	low := math.Inf(1)
	for _, x := range xs {
		low = min(low, x)
	}
	return low
}

func multiplied(xs []float64) float64 {
	p := 1.
	for _, x := range xs {
		p *= x
	}
	return p
}

func norm1(xs []float64) float64 {
	sum := 0.
	for _, x := range xs {
		sum += math.Abs(x)
	}
	return sum
}

func sumSquare(xs []float64) float64 {
	sum := 0.
	for _, x := range xs {
		sum += x * x
	}
	return sum
}

func norm2(xs []float64) float64  { return math.Sqrt(sumSquare(xs)) }
func logSum(xs []float64) float64 { return math.Log(total(xs)) }

func logSumExp(xs []float64) float64 {
	top, sum := largest(xs), 0.
	for _, x := range xs {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum)
}

// argument finds the index of the best element along an axis; of equal ones the
// first, or the last with select_last_index.
func argument(better func(a, b float64) bool) operator {
	return func(n *onnx.Node, in []*Array) []*Array {
		x, last := in[0], n.Int("select_last_index", 0) != 0
		ax := axis(n.Int("axis", 0), len(x.Shape))
		shape := slices.Clone(x.Shape)
		shape[ax] = 1
		y := New(shape...).of(onnx.Int64)
		o := 0
		lines(x.Shape, ax, func(start, stride, n int) {
			best := 0
			for i := range n {
				a, b := x.Data[start+i*stride], x.Data[start+best*stride]
				if better(a, b) || last && a == b {
					best = i
				}
			}
			y.Data[o] = float64(best)
			o++
		})
		if n.Int("keepdims", 1) == 0 {
			y.Shape = slices.Delete(shape, ax, ax+1)
		}
		return one(y)
	}
}

// cumSum adds up along an axis.
func cumSum(n *onnx.Node, in []*Array) []*Array {
	x := in[0]
	exclusive, reverse := n.Int("exclusive", 0) != 0, n.Int("reverse", 0) != 0
	y := New(x.Shape...).of(x.Type)
	lines(x.Shape, axis(toInt(in[1].item()), len(x.Shape)), func(start, stride, n int) {
		sum := 0.
		for i := range n {
			if reverse {
				i = n - 1 - i
			}
			at := start + i*stride
			if exclusive {
				y.Data[at] = sum
			}
			sum += x.Data[at]
			if !exclusive {
				y.Data[at] = sum
			}
		}
	})
	return one(y)
}
