package onnxeval

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// position resolves an index that may be negative.
func position(x float64, dim int) int {
	i := toInt(x)
	check(i >= -dim && i < dim, "index %d is not within %d", i, dim)
	if i < 0 {
		i += dim
	}
	return i
}

// gather takes the entries along an axis that the indices name; the indices'
// shape replaces that axis.
func gather(n *onnx.Node, in []*Array) []*Array {
	x, indices := in[0], in[1]
	ax := axis(n.Int("axis", 0), len(x.Shape))
	shape := slices.Concat(x.Shape[:ax], indices.Shape, x.Shape[ax+1:])
	y := New(shape...).of(x.Type)
	inner, dim := product(x.Shape[ax+1:]), x.Shape[ax]
	y.Data = y.Data[:0]
	for outer := range product(x.Shape[:ax]) {
		for _, i := range indices.Data {
			from := (outer*dim + position(i, dim)) * inner
			y.Data = append(y.Data, x.Data[from:from+inner]...)
		}
	}
	return one(y)
}

// gatherElements reads, at each position of the indices, the element whose
// coordinate along the axis is the index there.
func gatherElements(n *onnx.Node, in []*Array) []*Array {
	x, indices := in[0], in[1]
	at := elementPositions(x, indices, n.Int("axis", 0))
	y := New(indices.Shape...).of(x.Type)
	for i, p := range at {
		y.Data[i] = x.Data[p]
	}
	return one(y)
}

// elementPositions is where in x each index of GatherElements and
// ScatterElements points.
func elementPositions(x, indices *Array, ax int) []int {
	ax = axis(ax, len(x.Shape))
	check(len(indices.Shape) == len(x.Shape), "indices of rank %d for data of rank %d", len(indices.Shape), len(x.Shape))
	for i, d := range indices.Shape {
		check(i == ax || d <= x.Shape[i], "indices of shape %v for data of shape %v", indices.Shape, x.Shape)
	}
	step := strides(x.Shape)
	out := make([]int, len(indices.Data))
	each(indices.Shape, func(i int, at []int) {
		out[i] = flat(at, step) + (position(indices.Data[i], x.Shape[ax])-at[ax])*step[ax]
	})
	return out
}

// scatterElements writes updates to a copy of the data, combining by reduction.
func scatterElements(n *onnx.Node, in []*Array) []*Array {
	x, indices, updates := in[0], in[1], in[2]
	check(slices.Equal(indices.Shape, updates.Shape), "indices %v and updates %v differ in shape", indices.Shape, updates.Shape)
	combine := scatterReduction(n)
	y := apply(x, func(v float64) float64 { return v })
	for i, p := range elementPositions(x, indices, n.Int("axis", 0)) {
		y.Data[p] = combine(y.Data[p], updates.Data[i])
	}
	return one(y)
}

func scatterReduction(n *onnx.Node) func(old, update float64) float64 {
	switch r := n.Str("reduction", "none"); r {
	case "none":
		return func(_, update float64) float64 { return update }
	case "add":
		return add
	case "mul":
		return mul
	case "max":
		return func(a, b float64) float64 { return max(a, b) }
	case "min":
		return func(a, b float64) float64 { return min(a, b) }
	default:
		check(false, "reduction %q is not known", r)
		return nil
	}
}

// gatherND: the last axis of the indices holds coordinates into the data's axes
// after batch_dims; each names a slice.
func gatherND(n *onnx.Node, in []*Array) []*Array {
	x, indices, batch := in[0], in[1], n.Int("batch_dims", 0)
	rank := len(indices.Shape)
	check(rank > batch && len(x.Shape) > batch, "batch_dims %d", batch)
	width := indices.Shape[rank-1]
	starts, inner := slicePositions(x, indices, batch)
	shape := slices.Concat(indices.Shape[:rank-1], x.Shape[batch+width:])
	y := New(shape...).of(x.Type)
	y.Data = y.Data[:0]
	for _, s := range starts {
		y.Data = append(y.Data, x.Data[s:s+inner]...)
	}
	return one(y)
}

// slicePositions is where in x the slices begin that the coordinates in the
// last axis of the indices name, and how long they are.
func slicePositions(x, indices *Array, batch int) (starts []int, inner int) {
	width := indices.Shape[len(indices.Shape)-1]
	check(batch+width <= len(x.Shape), "indices of shape %v for data of shape %v", indices.Shape, x.Shape)
	step := strides(x.Shape)
	perBatch := product(indices.Shape[batch : len(indices.Shape)-1])
	for i := range product(indices.Shape[:len(indices.Shape)-1]) {
		start := i / max(perBatch, 1) * product(x.Shape[batch:])
		for j := range width {
			start += position(indices.Data[i*width+j], x.Shape[batch+j]) * step[batch+j]
		}
		starts = append(starts, start)
	}
	return starts, product(x.Shape[batch+width:])
}

// scatterND writes slices of updates to a copy of the data.
func scatterND(n *onnx.Node, in []*Array) []*Array {
	x, indices, updates := in[0], in[1], in[2]
	check(len(indices.Shape) > 0, "indices of rank 0")
	combine := scatterReduction(n)
	y := apply(x, func(v float64) float64 { return v })
	starts, inner := slicePositions(x, indices, 0)
	check(len(updates.Data) == len(starts)*inner, "updates of shape %v do not fit indices %v", updates.Shape, indices.Shape)
	for i, s := range starts {
		for j := range inner {
			y.Data[s+j] = combine(y.Data[s+j], updates.Data[i*inner+j])
		}
	}
	return one(y)
}

// oneHot inserts an axis of size depth that holds values[1] at the index and
// values[0] elsewhere. Indices outside the range mark nothing.
func oneHot(n *onnx.Node, in []*Array) []*Array {
	indices, depth, values := in[0], toInt(in[1].item()), in[2]
	check(len(values.Data) == 2, "values of shape %v", values.Shape)
	rank := len(indices.Shape) + 1
	ax := axis(n.Int("axis", -1), rank)
	shape := slices.Insert(slices.Clone(indices.Shape), ax, depth)
	y := New(shape...).of(values.Type)
	step := strides(slices.Insert(slices.Clone(indices.Shape), ax, 1))
	step[ax] = 0
	each(shape, func(i int, at []int) {
		hot := toInt(indices.Data[flat(at, step)])
		if hot < 0 {
			hot += depth
		}
		y.Data[i] = values.Data[int(truth(hot == at[ax]))]
	})
	return one(y)
}

// topK yields the k largest (or smallest) elements along an axis in order, and
// their indices; of equal ones the lower index comes first.
func topK(n *onnx.Node, in []*Array) []*Array {
	x, k := in[0], toInt(in[1].item())
	ax := axis(n.Int("axis", -1), len(x.Shape))
	check(k >= 0 && k <= x.Shape[ax], "k is %d of %d", k, x.Shape[ax])
	shape := slices.Clone(x.Shape)
	shape[ax] = k
	y, indices := New(shape...).of(x.Type), New(shape...).of(onnx.Int64)
	direction := 1 - 2*float64(n.Int("largest", 1))
	inner, outer := product(shape[ax+1:]), 0
	lines(x.Shape, ax, func(start, stride, count int) {
		order := make([]int, count)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			return int(sign(direction * (x.Data[start+a*stride] - x.Data[start+b*stride])))
		})
		to := outer/inner*k*inner + outer%inner
		for i := range k {
			y.Data[to+i*inner] = x.Data[start+order[i]*stride]
			indices.Data[to+i*inner] = float64(order[i])
		}
		outer++
	})
	return []*Array{y, indices}
}
