package onnx

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Dump writes a graph as text, a line for each input, constant, node and output:
//
//	conv1_1 = Conv(data, conv1_w, conv1_b) strides=[2 2]  float [8 64 111 111]  # conv1
//
// Shapes of nodes are shown where they follow from static inputs.
func Dump(w io.Writer, g *Graph) error {
	d := dumper{w: w, values: map[string]Value{}, consts: map[string]*Tensor{}}
	d.line("graph %s", g.Name)
	for _, in := range g.Inputs {
		d.line("input %s %s %v", in.Name, in.Type, in.Shape)
		d.values[in.Name] = in
	}
	for _, t := range g.Initializers {
		d.line("const %s %s %v%s", t.Name, t.Type, t.Shape, smallValue(t))
		d.values[t.Name], d.consts[t.Name] = t.Value(), t
	}
	for _, n := range g.Nodes {
		d.node(n)
	}
	for _, out := range g.Outputs {
		d.line("output %s %s %v", out.Name, out.Type, out.Shape)
	}
	return d.err
}

type dumper struct {
	w      io.Writer
	values map[string]Value
	consts map[string]*Tensor
	err    error
}

func (d *dumper) line(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format+"\n", args...)
	}
}

func (d *dumper) node(n *Node) {
	var s strings.Builder
	fmt.Fprintf(&s, "%s = %s(%s)", strings.Join(n.Outputs, ", "), n.FullOp(), strings.Join(n.Inputs, ", "))
	for _, key := range slices.Sorted(maps.Keys(n.Attrs)) {
		if t, ok := n.Attrs[key].(*Tensor); ok {
			fmt.Fprintf(&s, " %s=%s%v%s", key, t.Type, t.Shape, smallValue(t))
			continue
		}
		fmt.Fprintf(&s, " %s=%v", key, n.Attrs[key])
	}
	for i, v := range d.infer(n) {
		if i < len(n.Outputs) && n.Outputs[i] != "" {
			v.Name = n.Outputs[i]
			d.values[v.Name] = v
			fmt.Fprintf(&s, "  %s %v", v.Type, v.Shape)
		}
	}
	if n.Name != n.Outputs[0] {
		fmt.Fprintf(&s, "  # %s", n.Name)
	}
	d.line("%s", s.String())
}

// infer returns the node's output types, or nothing where its inputs' are open.
func (d *dumper) infer(n *Node) []Value {
	inputs := make([]Value, len(n.Inputs))
	for i, name := range n.Inputs {
		v, ok := d.values[name]
		if name != "" && (!ok || !static(append([]int{}, v.Shape...))) {
			return nil
		}
		inputs[i] = v
	}
	outs, err := InferNode(n, inputs, func(v Value) *Tensor { return d.consts[v.Name] })
	if err != nil {
		return nil
	}
	return outs
}

// smallValue shows constants of up to eight elements.
func smallValue(t *Tensor) string {
	if n, ok := t.length(); !ok || n > 8 {
		return ""
	}
	return fmt.Sprintf(" = %v", t.Data)
}
