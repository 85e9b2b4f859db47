package onnxeval

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// reshapeOp: 0 keeps the dimension at that place (unless allowzero), one -1 is
// what remains.
func reshapeOp(n *onnx.Node, in []*Array) []*Array {
	x, shape := in[0], in[1].ints()
	open, known := -1, 1
	for i, d := range shape {
		if d == 0 && n.Int("allowzero", 0) == 0 {
			check(i < len(x.Shape), "shape %v keeps dimension %d of %v", shape, i, x.Shape)
			shape[i] = x.Shape[i]
		}
		if d == -1 {
			check(open < 0, "shape %v has two open dimensions", shape)
			open = i
			continue
		}
		known *= shape[i]
	}
	if open >= 0 {
		check(known > 0 && len(x.Data)%known == 0, "%v cannot be reshaped to %v", x.Shape, shape)
		shape[open] = len(x.Data) / known
	}
	return one(reshape(x, shape...))
}

// flatten makes a matrix of the axes before axis and those from it on.
func flatten(n *onnx.Node, in []*Array) []*Array {
	x, rank := in[0], len(in[0].Shape)
	ax := n.Int("axis", 1)
	check(ax >= -rank && ax <= rank, "axis %d is not within rank %d", ax, rank)
	if ax < 0 {
		ax += rank
	}
	return one(reshape(x, product(x.Shape[:ax]), product(x.Shape[ax:])))
}

// transposeOp reverses the axes unless perm says otherwise.
func transposeOp(n *onnx.Node, in []*Array) []*Array {
	perm := n.Ints("perm")
	if perm == nil {
		for i := range in[0].Shape {
			perm = append(perm, len(in[0].Shape)-1-i)
		}
	}
	return one(transpose(in[0], perm))
}

// squeeze removes the given axes of size 1, or all of them.
func squeeze(_ *onnx.Node, in []*Array) []*Array {
	x := in[0]
	var drop []int
	if a := optional(in, 1); a != nil {
		drop = axesOf(a.ints(), len(x.Shape))
	}
	shape := []int{}
	for i, d := range x.Shape {
		named := slices.Contains(drop, i)
		check(!named || d == 1, "axis %d of shape %v cannot be squeezed", i, x.Shape)
		if named || drop == nil && d == 1 {
			continue
		}
		shape = append(shape, d)
	}
	return one(reshape(x, shape...))
}

// unsqueeze inserts axes of size 1 at these places of the result.
func unsqueeze(_ *onnx.Node, in []*Array) []*Array {
	x, axes := in[0], in[1].ints()
	rank := len(x.Shape) + len(axes)
	axes = axesOf(axes, rank)
	shape, rest := make([]int, rank), x.Shape
	for i := range shape {
		if slices.Contains(axes, i) {
			shape[i] = 1
			continue
		}
		check(len(rest) > 0, "axes %v repeat", axes)
		shape[i], rest = rest[0], rest[1:]
	}
	return one(reshape(x, shape...))
}

// expandOp broadcasts in both directions.
func expandOp(_ *onnx.Node, in []*Array) []*Array {
	return one(expand(in[0], commonShape(in[0].Shape, in[1].ints())))
}

// tile repeats the array along each axis.
func tile(_ *onnx.Node, in []*Array) []*Array {
	x, repeats := in[0], in[1].ints()
	check(len(repeats) == len(x.Shape), "repeats %v do not fit rank %d", repeats, len(x.Shape))
	shape, step := slices.Clone(x.Shape), strides(x.Shape)
	for i, r := range repeats {
		shape[i] *= r
	}
	return one(index(x, shape, func(at []int) int {
		from := 0
		for i, a := range at {
			from += a % x.Shape[i] * step[i]
		}
		return from
	}))
}

// concat joins along an axis.
func concat(n *onnx.Node, in []*Array) []*Array {
	ax := axis(n.Int("axis", 0), len(in[0].Shape))
	shape := slices.Clone(in[0].Shape)
	shape[ax] = 0
	for _, x := range in {
		check(len(x.Shape) == len(shape), "ranks %d and %d do not join", len(shape), len(x.Shape))
		for i, d := range x.Shape {
			check(i == ax || d == shape[i], "shape %v does not join the others", x.Shape)
		}
		shape[ax] += x.Shape[ax]
	}
	y := New(shape...).of(in[0].Type)
	y.Data = y.Data[:0]
	for outer := range product(shape[:ax]) {
		for _, x := range in {
			size := product(x.Shape[ax:])
			y.Data = append(y.Data, x.Data[outer*size:(outer+1)*size]...)
		}
	}
	return one(y)
}

// split cuts along an axis: into the given sizes, or into equal parts of which
// the last may be smaller.
func split(n *onnx.Node, in []*Array) []*Array {
	x := in[0]
	ax := axis(n.Int("axis", 0), len(x.Shape))
	var sizes []int
	if a := optional(in, 1); a != nil {
		sizes = a.ints()
	} else {
		parts := n.Int("num_outputs", len(n.Outputs))
		check(parts > 0, "Split into %d parts", parts)
		size := (x.Shape[ax] + parts - 1) / parts
		for i := range parts {
			sizes = append(sizes, min(size, x.Shape[ax]-i*size))
		}
	}
	check(int(total(vector(sizes...).Data)) == x.Shape[ax], "sizes %v do not add up to %d", sizes, x.Shape[ax])
	var out []*Array
	start := 0
	for _, size := range sizes {
		out = append(out, cut(x, ax, start, 1, size))
		start += size
	}
	return out
}

// cut takes count elements along an axis.
func cut(x *Array, ax, start, step, count int) *Array {
	shape, from := slices.Clone(x.Shape), strides(x.Shape)
	shape[ax] = count
	return index(x, shape, func(at []int) int {
		// at[ax] is counted in steps and shifted to the start.
		return flat(at, from) + (start+at[ax]*(step-1))*from[ax]
	})
}

// slice takes start, start+step, ... up to end, exclusive, along each axis;
// negative positions count from the end, and positions outside are moved to it.
func slice(_ *onnx.Node, in []*Array) []*Array {
	x, starts, ends := in[0], in[1].ints(), in[2].ints()
	axes := make([]int, len(starts))
	for i := range axes {
		axes[i] = i
	}
	if a := optional(in, 3); a != nil {
		axes = axesOf(a.ints(), len(x.Shape))
	}
	steps := ones(len(starts))
	if a := optional(in, 4); a != nil {
		steps = a.ints()
	}
	check(len(ends) == len(starts) && len(axes) == len(starts) && len(steps) == len(starts), "starts, ends, axes and steps differ in length")
	for i, ax := range axes {
		check(steps[i] != 0, "step 0")
		start, count := sliceRange(starts[i], ends[i], steps[i], x.Shape[ax])
		x = cut(x, ax, start, steps[i], count)
	}
	return one(x)
}

func sliceRange(start, end, step, dim int) (first, count int) {
	if start < 0 {
		start += dim
	}
	if end < 0 {
		end += dim
	}
	if step > 0 {
		start, end = min(max(start, 0), dim), min(max(end, 0), dim)
		return start, max(0, (end-start-1)/step+1) * int(truth(end > start))
	}
	start, end = min(max(start, 0), dim-1), min(max(end, -1), dim-1)
	return start, max(0, (end-start+1)/step+1) * int(truth(end < start))
}

// pad adds elements before and after each axis; negative pads remove them.
func pad(n *onnx.Node, in []*Array) []*Array {
	x, mode := in[0], n.Str("mode", "constant")
	check(mode == "constant" || mode == "reflect" || mode == "edge", "Pad mode %q is not supported", mode)
	begin, end := padAmounts(x, in[1].ints(), optional(in, 3))
	value := 0.
	if a := optional(in, 2); a != nil {
		value = a.item()
	}
	shape, step := slices.Clone(x.Shape), strides(x.Shape)
	for i := range shape {
		shape[i] += begin[i] + end[i]
	}
	y := New(shape...).of(x.Type)
	each(shape, func(i int, at []int) {
		from, inside := 0, true
		for d, a := range at {
			p := padSource(a-begin[d], x.Shape[d], mode)
			inside = inside && p >= 0
			from += p * step[d]
		}
		y.Data[i] = value
		if inside {
			y.Data[i] = x.Data[from]
		}
	})
	return one(y)
}

func padAmounts(x *Array, pads []int, axesInput *Array) (begin, end []int) {
	rank := len(x.Shape)
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if axesInput != nil {
		axes = axesOf(axesInput.ints(), rank)
	}
	check(len(pads) == 2*len(axes), "pads %v do not fit %d axes", pads, len(axes))
	begin, end = make([]int, rank), make([]int, rank)
	for i, a := range axes {
		begin[a], end[a] = pads[i], pads[i+len(axes)]
	}
	return begin, end
}

// padSource is where position p of an axis of n elements is read, or -1.
func padSource(p, n int, mode string) int {
	if p >= 0 && p < n {
		return p
	}
	if mode == "constant" {
		return -1
	}
	check(n > 0, "nothing to pad from")
	if mode == "edge" || n == 1 {
		return min(max(p, 0), n-1)
	}
	// Reflection repeats every 2(n-1) without doubling the border.
	period := 2 * (n - 1)
	p = (p%period + period) % period
	return min(p, period-p)
}

// depthToSpace moves blocks of channels into space.
func depthToSpace(n *onnx.Node, in []*Array) []*Array {
	x, b := in[0], n.Int("blocksize", 1)
	check(len(x.Shape) == 4 && b > 0 && x.Shape[1]%(b*b) == 0, "shape %v does not fit block size %d", x.Shape, b)
	batch, c, h, w := x.Shape[0], x.Shape[1]/(b*b), x.Shape[2], x.Shape[3]
	var y *Array
	if n.Str("mode", "DCR") == "DCR" {
		y = transpose(reshape(x, batch, b, b, c, h, w), []int{0, 3, 4, 1, 5, 2})
	} else {
		y = transpose(reshape(x, batch, c, b, b, h, w), []int{0, 1, 4, 2, 5, 3})
	}
	return one(reshape(y, batch, c, h*b, w*b))
}

// spaceToDepth moves blocks of space into channels.
func spaceToDepth(n *onnx.Node, in []*Array) []*Array {
	x, b := in[0], n.Int("blocksize", 1)
	check(len(x.Shape) == 4 && b > 0 && x.Shape[2]%b == 0 && x.Shape[3]%b == 0, "shape %v does not fit block size %d", x.Shape, b)
	batch, c, h, w := x.Shape[0], x.Shape[1], x.Shape[2]/b, x.Shape[3]/b
	y := transpose(reshape(x, batch, c, h, b, w, b), []int{0, 3, 5, 1, 2, 4})
	return one(reshape(y, batch, c*b*b, h, w))
}

// trilu keeps the upper or lower triangle of matrices, from diagonal k on.
func trilu(n *onnx.Node, in []*Array) []*Array {
	x, k, upper := in[0], 0, n.Int("upper", 1) != 0
	if a := optional(in, 1); a != nil {
		k = toInt(a.item())
	}
	rank := len(x.Shape)
	check(rank >= 2, "Trilu of rank %d", rank)
	y := New(x.Shape...).of(x.Type)
	each(x.Shape, func(i int, at []int) {
		above := at[rank-1] - at[rank-2] - k
		if upper && above >= 0 || !upper && above <= 0 {
			y.Data[i] = x.Data[i]
		}
	})
	return one(y)
}

// shapeOp is the shape, or the part of it from start to end.
func shapeOp(n *onnx.Node, in []*Array) []*Array {
	rank := len(in[0].Shape)
	start, count := sliceRange(n.Int("start", 0), n.Int("end", rank), 1, rank)
	return one(vector(in[0].Shape[start : start+count]...))
}

func size(_ *onnx.Node, in []*Array) []*Array {
	return one(scalar(float64(len(in[0].Data))).of(onnx.Int64))
}
