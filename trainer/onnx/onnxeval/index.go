package onnxeval

import "slices"

// strides are the distances between neighbours along each axis.
func strides(shape []int) []int {
	out := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		out[i] = n
		n *= shape[i]
	}
	return out
}

// product is the number of elements of a shape, 1 for a scalar.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// each calls f for every position of a shape in row-major order. The slice at
// is reused between calls.
func each(shape []int, f func(i int, at []int)) {
	n := product(shape)
	at := make([]int, len(shape))
	for i := range n {
		f(i, at)
		for d := len(at) - 1; d >= 0; d-- {
			if at[d]++; at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
	}
}

// flat is the row-major position of a multi-index.
func flat(at, strides []int) int {
	n := 0
	for i, x := range at {
		n += x * strides[i]
	}
	return n
}

// index makes an array whose element at a position is x's element at from(position).
func index(x *Array, shape []int, from func(at []int) int) *Array {
	y := New(shape...).of(x.Type)
	each(shape, func(i int, at []int) { y.Data[i] = x.Data[from(at)] })
	return y
}

// axis resolves a possibly negative axis.
func axis(a, rank int) int {
	check(a >= -rank && a < rank, "axis %d is not within rank %d", a, rank)
	if a < 0 {
		a += rank
	}
	return a
}

// axesOf resolves axes, in order.
func axesOf(as []int, rank int) []int {
	out := make([]int, len(as))
	for i, a := range as {
		out[i] = axis(a, rank)
	}
	return out
}

// lines calls f for every line of a shape along one axis: its elements lie at
// start, start+stride, ..., n of them.
func lines(shape []int, ax int, f func(start, stride, n int)) {
	n, stride := shape[ax], product(shape[ax+1:])
	for outer := range product(shape[:ax]) {
		for inner := range stride {
			f(outer*n*stride+inner, stride, n)
		}
	}
}

// commonShape is the shape that arrays broadcast to, aligned at the last axis.
func commonShape(shapes ...[]int) []int {
	var out []int
	for _, s := range shapes {
		for len(out) < len(s) {
			out = slices.Insert(out, 0, 1)
		}
	}
	for _, s := range shapes {
		for i, d := range s {
			o := &out[len(out)-len(s)+i]
			check(d == *o || d == 1 || *o == 1, "shapes %v do not broadcast", shapes)
			if *o == 1 {
				*o = d
			}
		}
	}
	return out
}

// expand repeats x along axes of size 1 until it has the given shape.
func expand(x *Array, shape []int) *Array {
	if slices.Equal(x.Shape, shape) {
		return x
	}
	check(len(x.Shape) <= len(shape), "shape %v does not broadcast to %v", x.Shape, shape)
	lead := len(shape) - len(x.Shape)
	step := strides(x.Shape)
	for i, d := range x.Shape {
		check(d == 1 || d == shape[lead+i], "shape %v does not broadcast to %v", x.Shape, shape)
		if d == 1 {
			step[i] = 0
		}
	}
	return index(x, shape, func(at []int) int { return flat(at[lead:], step) })
}

// reshape gives x's elements another shape of the same size.
func reshape(x *Array, shape ...int) *Array {
	check(product(shape) == len(x.Data), "%d elements of shape %v do not fill shape %v", len(x.Data), x.Shape, shape)
	return &Array{Shape: slices.Clone(shape), Data: x.Data, Type: x.Type}
}

// transpose permutes the axes: axis i of the result is axis perm[i] of x.
func transpose(x *Array, perm []int) *Array {
	check(len(perm) == len(x.Shape), "perm %v does not fit rank %d", perm, len(x.Shape))
	shape, step := make([]int, len(perm)), make([]int, len(perm))
	from := strides(x.Shape)
	for i, p := range perm {
		p = axis(p, len(perm))
		shape[i], step[i] = x.Shape[p], from[p]
	}
	return index(x, shape, func(at []int) int { return flat(at, step) })
}
