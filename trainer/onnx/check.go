package onnx

import "fmt"

// Check says what is wrong with a graph, or nil: every name is defined before
// it is used and only once, every operator is known, constants have as many
// elements as their shapes say, and where shapes are static they agree with the
// operators' definitions and with the declared outputs.
func Check(g *Graph) error {
	c := checker{values: map[string]Value{}, consts: map[string]*Tensor{}}
	for _, in := range g.Inputs {
		if err := c.define(in); err != nil {
			return fmt.Errorf("input %q: %w", in.Name, err)
		}
	}
	for _, t := range g.Initializers {
		if err := c.constant(t); err != nil {
			return fmt.Errorf("constant %q: %w", t.Name, err)
		}
	}
	for _, n := range g.Nodes {
		if err := c.node(n); err != nil {
			return fmt.Errorf("%s %q: %w", n.Op, n.Name, err)
		}
	}
	for _, out := range g.Outputs {
		v, ok := c.values[out.Name]
		if !ok {
			return fmt.Errorf("output %q is not defined", out.Name)
		}
		if v.Type != 0 && v.Type != out.Type {
			return fmt.Errorf("output %q is declared %s and computed %s", out.Name, out.Type, v.Type)
		}
		if v.Shape != nil && static(out.Shape) && fmt.Sprint(v.Shape) != fmt.Sprint(out.Shape) {
			return fmt.Errorf("output %q is declared %v and computed %v", out.Name, out.Shape, v.Shape)
		}
	}
	return nil
}

// checker knows what is defined so far; values whose shapes depend on an open
// batch have nil shapes.
type checker struct {
	values map[string]Value
	consts map[string]*Tensor
}

func (c *checker) define(v Value) error {
	if v.Name == "" {
		return fmt.Errorf("it has no name")
	}
	if _, taken := c.values[v.Name]; taken {
		return fmt.Errorf("%q is defined twice", v.Name)
	}
	if !static(v.Shape) {
		v.Shape = nil
	}
	c.values[v.Name] = v
	return nil
}

func (c *checker) constant(t *Tensor) error {
	n, ok := t.length()
	if !ok {
		return fmt.Errorf("its data are not of type %s", t.Type)
	}
	if n != NumElements(t.Shape) {
		return fmt.Errorf("it has %d elements, its shape %v wants %d", n, t.Shape, NumElements(t.Shape))
	}
	c.consts[t.Name] = t
	v := t.Value()
	if v.Shape == nil {
		v.Shape = []int{}
	}
	return c.define(v)
}

func (c *checker) node(n *Node) error {
	inputs, open := make([]Value, len(n.Inputs)), false
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		v, ok := c.values[name]
		if !ok {
			return fmt.Errorf("input %q is not defined", name)
		}
		open = open || v.Shape == nil
		inputs[i] = v
	}
	outs := make([]Value, len(n.Outputs))
	if open {
		if !KnownOp(n.FullOp()) {
			return &UnknownOpError{Op: n.FullOp(), Node: n.Name}
		}
	} else {
		var err error
		if outs, err = InferNode(n, inputs, func(v Value) *Tensor { return c.consts[v.Name] }); err != nil {
			return err
		}
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		outs[i].Name = name
		if err := c.define(outs[i]); err != nil {
			return err
		}
	}
	return nil
}

// static reports whether every dimension is known.
func static(shape []int) bool {
	for _, d := range shape {
		if d < 0 {
			return false
		}
	}
	return shape != nil
}

// length is the number of elements of the data; ok is false where they are not
// of the tensor's type.
func (t *Tensor) length() (n int, ok bool) {
	switch data := t.Data.(type) {
	case []float32:
		return len(data), t.Type == Float
	case []float64:
		return len(data), t.Type == Double
	case []int64:
		return len(data), t.Type == Int64
	case []int32:
		return len(data), t.Type == Int32
	case []uint8:
		return len(data), t.Type == Uint8
	case []int8:
		return len(data), t.Type == Int8
	case []bool:
		return len(data), t.Type == Bool
	}
	return 0, false
}
