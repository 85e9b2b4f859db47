package onnx

import (
	"fmt"
	"slices"
)

// shapeCall is one question to a shape rule: the node, its inputs, and a way to
// look at constants among them.
type shapeCall struct {
	n       *Node
	in      []Value
	constOf func(Value) *Tensor
}

// shapeRule infers the outputs of a node; it may return fewer than the node has
// names for only where an optional output is not asked for.
type shapeRule func(c *shapeCall) ([]Value, error)

// InferNode infers types and shapes of a node's outputs from its inputs, as the
// operator's specification says. constOf returns the tensor of an input whose
// value is known, or nil; it is asked where a shape depends on a value, such as
// the second input of Reshape. Names are left empty.
func InferNode(n *Node, in []Value, constOf func(Value) *Tensor) ([]Value, error) {
	op := n.FullOp()
	rule, known := shapeRules[op]
	if !known {
		return nil, &UnknownOpError{Op: op, Node: n.Name}
	}
	if len(in) < rule.min {
		return nil, fmt.Errorf("takes at least %d inputs, has %d", rule.min, len(in))
	}
	for i := range rule.min {
		if in[i].Absent() {
			return nil, fmt.Errorf("input %d is required", i)
		}
	}
	outs, err := rule.infer(&shapeCall{n, in, constOf})
	if err != nil {
		return nil, err
	}
	if len(outs) < len(n.Outputs) {
		return nil, fmt.Errorf("has %d outputs, the operator yields %d", len(n.Outputs), len(outs))
	}
	return outs[:len(n.Outputs)], nil
}

// KnownOp reports whether InferNode has a rule for the operator; ops of other
// domains than the standard one are written "domain.Op".
func KnownOp(op string) bool { _, ok := shapeRules[op]; return ok }

// UnknownOpError says that a graph has an operator that is not supported.
type UnknownOpError struct{ Op, Node string }

func (e *UnknownOpError) Error() string { return fmt.Sprintf("the operator %s is not supported", e.Op) }

// Hint says what a user can do about it.
func (e *UnknownOpError) Hint() string {
	return "export the network with this operator spelled out in simpler ones, or cut it off by surgery (cut_after)"
}

// ExitCode marks the error as bad input.
func (e *UnknownOpError) ExitCode() int { return 2 }

type opShape struct {
	min   int // required inputs
	infer shapeRule
}

// ints returns the value of input i, which must be a known integer tensor. It
// is nil where the input is absent.
func (c *shapeCall) ints(i int) ([]int, error) {
	if i >= len(c.in) || c.in[i].Absent() {
		return nil, nil
	}
	t := c.constOf(c.in[i])
	if t == nil {
		return nil, fmt.Errorf("input %d (%s) must be constant", i, c.in[i].Name)
	}
	switch data := t.Data.(type) {
	case []int64:
		out := make([]int, len(data))
		for k, v := range data {
			out[k] = int(v)
		}
		return out, nil
	case []int32:
		out := make([]int, len(data))
		for k, v := range data {
			out[k] = int(v)
		}
		return out, nil
	}
	return nil, fmt.Errorf("input %d (%s) must hold integers, not %s", i, c.in[i].Name, t.Type)
}

// has reports whether optional input i is there.
func (c *shapeCall) has(i int) bool { return i < len(c.in) && !c.in[i].Absent() }

// like is an output of input i's type with another shape.
func (c *shapeCall) like(i int, shape ...int) ([]Value, error) {
	return []Value{{Type: c.in[i].Type, Shape: shape}}, nil
}

// axis reads an axis attribute and makes it non-negative.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside of rank %d", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

func axesOf(axes []int, rank int) ([]int, error) {
	out := make([]int, len(axes))
	for i, a := range axes {
		var err error
		if out[i], err = axis(a, rank); err != nil {
			return nil, err
		}
		if slices.Contains(out[:i], out[i]) {
			return nil, fmt.Errorf("axis %d is named twice", a)
		}
	}
	return out, nil
}

// BroadcastShapes applies ONNX's multidirectional broadcasting.
func BroadcastShapes(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]int, rank)
	for i := range out {
		out[i] = 1
	}
	for _, s := range shapes {
		for i, d := range s {
			k := rank - len(s) + i
			switch {
			case d == out[k] || d == 1:
			case out[k] == 1:
				out[k] = d
			default:
				return nil, fmt.Errorf("shapes %v do not broadcast", shapes)
			}
		}
	}
	return out, nil
}

// same is the rule of operators that keep type and shape.
func same(c *shapeCall) ([]Value, error) {
	return []Value{{Type: c.in[0].Type, Shape: c.in[0].Shape}}, nil
}

// broadcast is the rule of elementwise operators of several inputs.
func broadcast(c *shapeCall) ([]Value, error) {
	shapes := make([][]int, len(c.in))
	for i, v := range c.in {
		if v.Type != c.in[0].Type {
			return nil, fmt.Errorf("inputs are %s and %s; all must have one type", c.in[0].Type, v.Type)
		}
		shapes[i] = v.Shape
	}
	shape, err := BroadcastShapes(shapes...)
	return []Value{{Type: c.in[0].Type, Shape: shape}}, err
}

// compare is broadcast with a boolean answer.
func compare(c *shapeCall) ([]Value, error) {
	out, err := broadcast(c)
	if err != nil {
		return nil, err
	}
	out[0].Type = Bool
	return out, nil
}

// powRule lets the exponent have another type, as the operator does.
func powRule(c *shapeCall) ([]Value, error) {
	shape, err := BroadcastShapes(c.in[0].Shape, c.in[1].Shape)
	return []Value{{Type: c.in[0].Type, Shape: shape}}, err
}

// logic is broadcast of booleans.
func logic(c *shapeCall) ([]Value, error) {
	if c.in[0].Type != Bool {
		return nil, fmt.Errorf("the input is %s, not bool", c.in[0].Type)
	}
	return broadcast(c)
}

func whereRule(c *shapeCall) ([]Value, error) {
	if c.in[0].Type != Bool {
		return nil, fmt.Errorf("the condition is %s, not bool", c.in[0].Type)
	}
	if c.in[1].Type != c.in[2].Type {
		return nil, fmt.Errorf("the choices are %s and %s; both must have one type", c.in[1].Type, c.in[2].Type)
	}
	shape, err := BroadcastShapes(c.in[0].Shape, c.in[1].Shape, c.in[2].Shape)
	return []Value{{Type: c.in[1].Type, Shape: shape}}, err
}

func castRule(c *shapeCall) ([]Value, error) {
	to := DType(c.n.Int("to", 0))
	switch to {
	case Float, Double, Int32, Int64, Uint8, Int8, Bool, Float16, BFloat16:
		return []Value{{Type: to, Shape: c.in[0].Shape}}, nil
	}
	return nil, fmt.Errorf("cast to %s is not supported", to)
}

// preluRule broadcasts the slope to the input only.
func preluRule(c *shapeCall) ([]Value, error) {
	shape, err := BroadcastShapes(c.in[0].Shape, c.in[1].Shape)
	if err == nil && !slices.Equal(shape, c.in[0].Shape) {
		err = fmt.Errorf("the slope %v does not broadcast to %v", c.in[1].Shape, c.in[0].Shape)
	}
	return []Value{{Type: c.in[0].Type, Shape: shape}}, err
}

func dropoutRule(c *shapeCall) ([]Value, error) {
	return []Value{{Type: c.in[0].Type, Shape: c.in[0].Shape}, {Type: Bool, Shape: c.in[0].Shape}}, nil
}

// axisRule is same with a checked axis attribute.
func axisRule(def int) shapeRule {
	return func(c *shapeCall) ([]Value, error) {
		if _, err := axis(c.n.Int("axis", def), c.in[0].Rank()); err != nil {
			return nil, err
		}
		return same(c)
	}
}
