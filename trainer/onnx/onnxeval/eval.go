package onnxeval

import (
	"fmt"
	"runtime"
	"slices"

	"orchestrator/trainer/onnx"
)

// Run evaluates a graph and returns all its outputs by name. The inputs are
// given by name and must fit the shapes that the graph declares; an open batch
// takes any size.
func Run(g *onnx.Graph, inputs map[string]*Array) (map[string]*Array, error) {
	values := map[string]*Array{}
	for _, t := range g.Initializers {
		values[t.Name] = FromTensor(t)
	}
	for _, in := range g.Inputs {
		a, ok := inputs[in.Name]
		if !ok {
			return nil, fmt.Errorf("evaluate graph %q: input %q is missing", g.Name, in.Name)
		}
		if !fits(a.Shape, in.Shape) {
			return nil, fmt.Errorf("evaluate graph %q: input %q has shape %v, declared is %v", g.Name, in.Name, a.Shape, in.Shape)
		}
		values[in.Name] = a
	}
	for _, n := range g.Nodes {
		if err := runNode(n, values); err != nil {
			return nil, fmt.Errorf("evaluate graph %q: %w", g.Name, err)
		}
	}
	outputs := map[string]*Array{}
	for _, o := range g.Outputs {
		a, ok := values[o.Name]
		if !ok {
			return nil, fmt.Errorf("evaluate graph %q: nothing computes output %q", g.Name, o.Name)
		}
		outputs[o.Name] = a
	}
	return outputs, nil
}

func runNode(n *onnx.Node, values map[string]*Array) error {
	in := make([]*Array, len(n.Inputs))
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		a, ok := values[name]
		if !ok {
			return fmt.Errorf("%s %q: input %q is not computed before it", n.Op, n.Name, name)
		}
		in[i] = a
	}
	out, err := Node(n, in)
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if i >= len(out) {
			return fmt.Errorf("%s %q: has no output %d", n.Op, n.Name, i)
		}
		values[name] = out[i]
	}
	return nil
}

// Node evaluates one operation. An absent optional input is nil or left out at
// the end. All outputs that the operator defines are returned, also those that
// the node does not name.
func Node(n *onnx.Node, in []*Array) (out []*Array, err error) {
	row, ok := table[n.FullOp()]
	if !ok {
		return nil, fmt.Errorf("%s %q: the evaluator has no operator %s", n.Op, n.Name, n.FullOp())
	}
	for i := range row.required {
		if i >= len(in) || in[i] == nil {
			return nil, fmt.Errorf("%s %q: input %d is missing", n.Op, n.Name, i)
		}
	}
	defer func() {
		// An index outside a slice means, like a failed check, that the
		// inputs do not fit the operator.
		switch r := recover().(type) {
		case nil:
		case evalError:
			err = fmt.Errorf("%s %q: %w", n.Op, n.Name, r)
		case runtime.Error:
			err = fmt.Errorf("%s %q: the inputs do not fit the operator (%w)", n.Op, n.Name, r)
		default:
			panic(r)
		}
	}()
	return narrow(in, row.eval(n, in)), nil
}

// narrow rounds the results of operands of a type of two bytes to that type, each
// element once: what a runtime computes that keeps all digits until then. Those that
// are not of floating point, as positions and truth values, and those of a Cast stay
// as they are.
func narrow(in, out []*Array) []*Array {
	i := slices.IndexFunc(in, func(a *Array) bool { return a != nil && a.Type.Half() })
	if i < 0 {
		return out
	}
	rounded := make([]*Array, len(out))
	for k, a := range out {
		if rounded[k] = a; a.Type == 0 || a.Type.Half() {
			rounded[k] = apply(a, in[i].Type.Round).of(in[i].Type)
		}
	}
	return rounded
}

func fits(shape, declared []int) bool {
	if len(shape) != len(declared) {
		return false
	}
	for i, d := range declared {
		if d != onnx.Batch && d != shape[i] {
			return false
		}
	}
	return true
}

// optional is an input that may be absent.
func optional(in []*Array, i int) *Array {
	if i < len(in) {
		return in[i]
	}
	return nil
}

func one(a *Array) []*Array { return []*Array{a} }
