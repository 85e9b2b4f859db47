package onnx

import (
	"fmt"
	"math"
	"slices"
)

// reduceRule is opset 18's: axes are the second input; none means all, or with
// noop_with_empty_axes nothing.
func reduceRule(c *shapeCall) ([]Value, error) {
	axes, err := c.ints(1)
	if err != nil {
		return nil, err
	}
	rank := c.in[0].Rank()
	if len(axes) == 0 {
		if c.n.Int("noop_with_empty_axes", 0) != 0 {
			return same(c)
		}
		for i := range rank {
			axes = append(axes, i)
		}
	}
	if axes, err = axesOf(axes, rank); err != nil {
		return nil, err
	}
	return c.like(0, reducedShape(c.in[0].Shape, axes, c.n.Int("keepdims", 1) != 0)...)
}

func reducedShape(shape, axes []int, keep bool) []int {
	out := []int{}
	for i, d := range shape {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

func argRule(c *shapeCall) ([]Value, error) {
	a, err := axis(c.n.Int("axis", 0), c.in[0].Rank())
	if err != nil {
		return nil, err
	}
	return []Value{{Type: Int64, Shape: reducedShape(c.in[0].Shape, []int{a}, c.n.Int("keepdims", 1) != 0)}}, nil
}

func shapeOfRule(c *shapeCall) ([]Value, error) {
	rank := c.in[0].Rank()
	start, end := clampAxis(c.n.Int("start", 0), rank), clampAxis(c.n.Int("end", rank), rank)
	return []Value{{Type: Int64, Shape: []int{max(0, end-start)}}}, nil
}

func clampAxis(a, rank int) int {
	if a < 0 {
		a += rank
	}
	return min(max(a, 0), rank)
}

func sizeRule(*shapeCall) ([]Value, error) { return []Value{{Type: Int64, Shape: []int{}}}, nil }

func constantRule(c *shapeCall) ([]Value, error) {
	if t, ok := c.n.Attrs["value"].(*Tensor); ok {
		return []Value{{Type: t.Type, Shape: t.Shape}}, nil
	}
	return nil, fmt.Errorf("only constants of one tensor are supported")
}

func constantOfShapeRule(c *shapeCall) ([]Value, error) {
	shape, err := c.ints(0)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(shape, func(d int) bool { return d < 0 }) {
		return nil, fmt.Errorf("the shape %v is negative", shape)
	}
	t := Float
	if v, ok := c.n.Attrs["value"].(*Tensor); ok {
		t = v.Type
	}
	return []Value{{Type: t, Shape: append([]int{}, shape...)}}, nil
}

func rangeRule(c *shapeCall) ([]Value, error) {
	var bounds [3]float64
	for i := range bounds {
		x, err := c.number(i)
		if err != nil {
			return nil, err
		}
		bounds[i] = x
	}
	start, limit, delta := bounds[0], bounds[1], bounds[2]
	if delta == 0 {
		return nil, fmt.Errorf("delta is 0")
	}
	n := math.Max(0, math.Ceil((limit-start)/delta))
	if !(n <= math.MaxInt32) {
		return nil, fmt.Errorf("%v elements from %v to %v are too many", n, start, limit)
	}
	return c.like(0, int(n))
}

// number returns input i, which must be one known number.
func (c *shapeCall) number(i int) (float64, error) {
	t := c.constOf(c.in[i])
	if t == nil || NumElements(t.Shape) != 1 {
		return 0, fmt.Errorf("input %d (%s) must be one constant number", i, c.in[i].Name)
	}
	switch data := t.Data.(type) {
	case []float32:
		return float64(data[0]), nil
	case []float64:
		return data[0], nil
	case []int64:
		return float64(data[0]), nil
	case []int32:
		return float64(data[0]), nil
	}
	return 0, fmt.Errorf("input %d (%s) is %s, not a number", i, c.in[i].Name, t.Type)
}
