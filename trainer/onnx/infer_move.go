package onnx

import (
	"fmt"
	"math"
	"slices"
)

func concatRule(c *shapeCall) ([]Value, error) {
	first := c.in[0]
	a, err := axis(c.n.Int("axis", 0), first.Rank())
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(first.Shape)
	for _, v := range c.in[1:] {
		if v.Rank() != first.Rank() || v.Type != first.Type {
			return nil, fmt.Errorf("%v and %v cannot be joined", first.Shape, v.Shape)
		}
		for i, d := range v.Shape {
			if i != a && d != shape[i] {
				return nil, fmt.Errorf("%v and %v differ beside axis %d", first.Shape, v.Shape, a)
			}
		}
		shape[a] += v.Shape[a]
	}
	return c.like(0, shape...)
}

func splitRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	a, err := axis(c.n.Int("axis", 0), x.Rank())
	if err != nil {
		return nil, err
	}
	sizes, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	if sizes == nil {
		parts := c.n.Int("num_outputs", len(c.n.Outputs))
		if parts != len(c.n.Outputs) {
			return nil, fmt.Errorf("num_outputs is %d for %d outputs", parts, len(c.n.Outputs))
		}
		sizes = evenSplit(x.Shape[a], parts)
	}
	out, sum := make([]Value, len(sizes)), 0
	for i, s := range sizes {
		shape := slices.Clone(x.Shape)
		shape[a] = s
		sum += s
		out[i] = Value{Type: x.Type, Shape: shape}
	}
	if sum != x.Shape[a] {
		return nil, fmt.Errorf("the parts %v do not add up to %d", sizes, x.Shape[a])
	}
	return out, nil
}

// evenSplit cuts n into equal parts, the last one smaller where need be.
func evenSplit(n, parts int) []int {
	if parts < 1 {
		return nil
	}
	size := (n + parts - 1) / parts
	out := make([]int, parts)
	for i := range out {
		out[i] = max(0, min(size, n-i*size))
	}
	return out
}

func sliceRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	starts, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	ends, err := c.ints(2)
	if err != nil {
		return nil, err
	}
	axes, err := c.ints(3)
	if err != nil {
		return nil, err
	}
	steps, err := c.ints(4)
	if err != nil {
		return nil, err
	}
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if steps == nil {
		steps = ones(len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil, fmt.Errorf("starts, ends, axes and steps differ in length")
	}
	if axes, err = axesOf(axes, x.Rank()); err != nil {
		return nil, err
	}
	shape := slices.Clone(x.Shape)
	for i, a := range axes {
		if steps[i] == 0 {
			return nil, fmt.Errorf("a step is 0")
		}
		shape[a] = SliceLength(x.Shape[a], starts[i], ends[i], steps[i])
	}
	return c.like(0, shape...)
}

// SliceLength is how many elements a slice of a dimension has, with starts and
// ends clamped as the Slice operator does.
func SliceLength(dim, start, end, step int) int {
	if start < 0 {
		start += dim
	}
	if end < 0 && end > math.MinInt64/2 {
		end += dim
	}
	if step > 0 {
		start, end = min(max(start, 0), dim), min(max(end, 0), dim)
		return max(0, (end-start+step-1)/step)
	}
	start, end = min(max(start, 0), dim-1), min(max(end, -1), dim-1)
	return max(0, (start-end-step-1)/-step)
}

func padRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	pads, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	axes, err := c.ints(3)
	if err != nil {
		return nil, err
	}
	if axes == nil {
		for i := range x.Rank() {
			axes = append(axes, i)
		}
	}
	if axes, err = axesOf(axes, x.Rank()); err != nil {
		return nil, err
	}
	if len(pads) != 2*len(axes) {
		return nil, fmt.Errorf("%d pads for %d axes", len(pads), len(axes))
	}
	shape := slices.Clone(x.Shape)
	for i, a := range axes {
		if shape[a] += pads[i] + pads[len(axes)+i]; shape[a] < 0 {
			return nil, fmt.Errorf("the pads %v leave less than nothing of %v", pads, x.Shape)
		}
	}
	return c.like(0, shape...)
}

func reshapeRule(c *shapeCall) ([]Value, error) {
	target, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	shape, err := ReshapeTo(c.in[0].Shape, target, c.n.Int("allowzero", 0) != 0)
	return []Value{{Type: c.in[0].Type, Shape: shape}}, err
}

// ReshapeTo resolves the 0 (copy) and -1 (what is left) of a Reshape's target.
func ReshapeTo(from, target []int, allowZero bool) ([]int, error) {
	shape, open, known := slices.Clone(target), -1, 1
	for i, d := range target {
		switch {
		case d == -1 && open < 0:
			open = i
			continue
		case d == 0 && !allowZero:
			if i >= len(from) {
				return nil, fmt.Errorf("target %v copies dimension %d, which %v does not have", target, i, from)
			}
			shape[i] = from[i]
		case d < 0:
			return nil, fmt.Errorf("target %v is not a shape", target)
		}
		known *= shape[i]
	}
	size := NumElements(from)
	if open >= 0 {
		if known == 0 || size%known != 0 {
			return nil, fmt.Errorf("%v does not reshape to %v", from, target)
		}
		shape[open] = size / known
		known = size
	}
	if known != size {
		return nil, fmt.Errorf("%v (%d elements) does not reshape to %v", from, size, target)
	}
	return shape, nil
}

func flattenRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	a := c.n.Int("axis", 1)
	if a < 0 {
		a += x.Rank()
	}
	if a < 0 || a > x.Rank() {
		return nil, fmt.Errorf("axis %d is outside of rank %d", a, x.Rank())
	}
	return c.like(0, NumElements(x.Shape[:a]), NumElements(x.Shape[a:]))
}

func transposeRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	perm := c.n.Ints("perm")
	if perm == nil {
		for i := range x.Rank() {
			perm = append(perm, x.Rank()-1-i)
		}
	}
	perm, err := axesOf(perm, x.Rank())
	if err != nil || len(perm) != x.Rank() {
		return nil, fmt.Errorf("perm %v does not permute %v", perm, x.Shape)
	}
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = x.Shape[p]
	}
	return c.like(0, shape...)
}

func squeezeRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	axes, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	if axes == nil {
		for i, d := range x.Shape {
			if d == 1 {
				axes = append(axes, i)
			}
		}
	}
	if axes, err = axesOf(axes, x.Rank()); err != nil {
		return nil, err
	}
	for _, a := range axes {
		if x.Shape[a] != 1 {
			return nil, fmt.Errorf("axis %d of %v is not 1", a, x.Shape)
		}
	}
	return c.like(0, reducedShape(x.Shape, axes, false)...)
}

func unsqueezeRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	axes, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	rank := x.Rank() + len(axes)
	if axes, err = axesOf(axes, rank); err != nil {
		return nil, err
	}
	shape, rest := make([]int, rank), x.Shape
	for i := range shape {
		if slices.Contains(axes, i) {
			shape[i] = 1
			continue
		}
		shape[i], rest = rest[0], rest[1:]
	}
	return c.like(0, shape...)
}

func expandRule(c *shapeCall) ([]Value, error) {
	target, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	shape, err := BroadcastShapes(c.in[0].Shape, target)
	return []Value{{Type: c.in[0].Type, Shape: shape}}, err
}

func tileRule(c *shapeCall) ([]Value, error) {
	repeats, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	if len(repeats) != c.in[0].Rank() {
		return nil, fmt.Errorf("%d repeats for %v", len(repeats), c.in[0].Shape)
	}
	shape := slices.Clone(c.in[0].Shape)
	for i, r := range repeats {
		if shape[i] *= r; r < 0 {
			return nil, fmt.Errorf("repeats %v are negative", repeats)
		}
	}
	return c.like(0, shape...)
}

func gatherRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	a, err := axis(c.n.Int("axis", 0), x.Rank())
	if err != nil {
		return nil, err
	}
	if err := c.indices(); err != nil {
		return nil, err
	}
	return c.like(0, slices.Concat([]int{}, x.Shape[:a], c.in[1].Shape, x.Shape[a+1:])...)
}

// indices checks the type of the second input.
func (c *shapeCall) indices() error {
	if t := c.in[1].Type; t != Int64 && t != Int32 {
		return fmt.Errorf("the indices are %s, not int32 or int64", t)
	}
	return nil
}

// alongAxis checks the indices of an operator that moves elements along one axis.
func (c *shapeCall) alongAxis() error {
	if _, err := axis(c.n.Int("axis", 0), c.in[0].Rank()); err != nil {
		return err
	}
	if c.in[1].Rank() != c.in[0].Rank() {
		return fmt.Errorf("indices %v and %v differ in rank", c.in[1].Shape, c.in[0].Shape)
	}
	return c.indices()
}

func gatherElementsRule(c *shapeCall) ([]Value, error) {
	if err := c.alongAxis(); err != nil {
		return nil, err
	}
	return c.like(0, c.in[1].Shape...)
}

func scatterElementsRule(c *shapeCall) ([]Value, error) {
	if err := c.alongAxis(); err != nil {
		return nil, err
	}
	if !slices.Equal(c.in[1].Shape, c.in[2].Shape) || c.in[2].Type != c.in[0].Type {
		return nil, fmt.Errorf("updates %s %v do not fit indices %v of %s", c.in[2].Type, c.in[2].Shape, c.in[1].Shape, c.in[0].Type)
	}
	return same(c)
}

func scatterNDRule(c *shapeCall) ([]Value, error) {
	x, idx, updates := c.in[0], c.in[1], c.in[2]
	if idx.Rank() == 0 || idx.Type != Int64 || idx.Shape[idx.Rank()-1] > x.Rank() {
		return nil, fmt.Errorf("indices %s %v do not fit %v", idx.Type, idx.Shape, x.Shape)
	}
	last := idx.Rank() - 1
	if !slices.Equal(updates.Shape, slices.Concat(idx.Shape[:last], x.Shape[idx.Shape[last]:])) || updates.Type != x.Type {
		return nil, fmt.Errorf("updates %s %v do not fit indices %v of %s %v", updates.Type, updates.Shape, idx.Shape, x.Type, x.Shape)
	}
	return same(c)
}

func gatherNDRule(c *shapeCall) ([]Value, error) {
	x, idx, batch := c.in[0], c.in[1], c.n.Int("batch_dims", 0)
	if idx.Rank() == 0 || batch < 0 || batch >= idx.Rank() || batch+idx.Shape[idx.Rank()-1] > x.Rank() {
		return nil, fmt.Errorf("indices %v do not fit %v", idx.Shape, x.Shape)
	}
	last := idx.Rank() - 1
	return c.like(0, slices.Concat([]int{}, idx.Shape[:last], x.Shape[batch+idx.Shape[last]:])...)
}

func oneHotRule(c *shapeCall) ([]Value, error) {
	depth, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	if len(depth) != 1 || depth[0] < 1 {
		return nil, fmt.Errorf("the depth %v is not one positive number", depth)
	}
	idx := c.in[0].Shape
	a, err := axis(c.n.Int("axis", -1), len(idx)+1)
	if err != nil {
		return nil, err
	}
	return c.like(2, slices.Insert(slices.Clone(idx), a, depth[0])...)
}

func depthToSpaceRule(c *shapeCall) ([]Value, error) {
	s, b := c.in[0].Shape, c.n.Int("blocksize", 0)
	if len(s) != 4 || b < 1 || b > s[1] || s[1]%(b*b) != 0 {
		return nil, fmt.Errorf("block size %d does not fit %v", b, s)
	}
	return c.like(0, s[0], s[1]/(b*b), s[2]*b, s[3]*b)
}

func spaceToDepthRule(c *shapeCall) ([]Value, error) {
	s, b := c.in[0].Shape, c.n.Int("blocksize", 0)
	if len(s) != 4 || b < 1 || s[2]%b != 0 || s[3]%b != 0 {
		return nil, fmt.Errorf("block size %d does not fit %v", b, s)
	}
	return c.like(0, s[0], s[1]*b*b, s[2]/b, s[3]/b)
}

func resizeRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	if c.has(3) {
		sizes, err := c.ints(3)
		if err == nil && len(sizes) != x.Rank() {
			err = fmt.Errorf("sizes %v do not fit %v", sizes, x.Shape)
		}
		return []Value{{Type: x.Type, Shape: sizes}}, err
	}
	if !c.has(2) {
		return nil, fmt.Errorf("neither scales nor sizes are given")
	}
	t := c.constOf(c.in[2])
	if t == nil || t.Type != Float || len(t.F32()) != x.Rank() {
		return nil, fmt.Errorf("the scales must be %d constant floats", x.Rank())
	}
	shape := make([]int, x.Rank())
	for i, s := range t.F32() {
		shape[i] = int(math.Floor(float64(x.Shape[i]) * float64(s)))
	}
	return c.like(0, shape...)
}
