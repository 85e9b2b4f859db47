package onnximport

import (
	"errors"
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// maxCalls is how deep functions may call each other; maxInlined is how many nodes
// they may unfold to.
const (
	maxCalls   = 32
	maxInlined = 1 << 18
)

// inline puts the bodies of a file's own functions where nodes call them.
func (im *importer) inline(functions []*onnx.Function) error {
	if len(functions) == 0 {
		return nil
	}
	known := map[[2]string]*onnx.Function{}
	for _, f := range functions {
		if f.Opset != 0 && f.Opset != im.version {
			return &Error{
				Problem: fmt.Sprintf("the function %q is of operator-set version %d, the network of %d", f.Name, f.Opset, im.version),
				hint:    "export the network without functions of its own (onnx.inliner.inline_local_functions writes such a file)",
			}
		}
		known[[2]string{f.Domain, f.Name}] = f
	}
	var out []*onnx.Node
	steps := 0
	var add func(nodes []*onnx.Node, depth int) error
	add = func(nodes []*onnx.Node, depth int) error {
		for _, n := range nodes {
			if steps++; steps > maxInlined || depth > maxCalls {
				return &Error{Problem: "the file's functions call each other without end", hint: "the file is not valid ONNX"}
			}
			f := known[[2]string{n.Domain, n.Op}]
			if f == nil {
				out = append(out, n)
				continue
			}
			if err := add(im.body(n, f), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	err := add(im.graph.Nodes, 0)
	im.graph.Nodes = out
	return err
}

// body is what a call of a function computes.
func (im *importer) body(call *onnx.Node, f *onnx.Function) []*onnx.Node {
	names := map[string]string{"": ""}
	for i, in := range f.Inputs {
		if names[in] = ""; i < len(call.Inputs) {
			names[in] = call.Inputs[i]
		}
	}
	attrs := onnx.Attrs{}
	for k, v := range f.Defaults {
		attrs[k] = v
	}
	for k, v := range call.Attrs {
		attrs[k] = v
	}
	nodes := im.paste(f.Nodes, names, call, attrs)
	inner := make([]string, len(f.Outputs))
	for i, o := range f.Outputs {
		inner[i] = names[o]
	}
	return append(nodes, passed(inner, call.Outputs)...)
}

// passed gives values the names that they have outside.
func passed(inner, outer []string) []*onnx.Node {
	var nodes []*onnx.Node
	for i, out := range outer {
		if i < len(inner) && out != "" {
			nodes = append(nodes, &onnx.Node{Op: "Identity", Inputs: []string{inner[i]}, Outputs: []string{out}, Attrs: onnx.Attrs{}})
		}
	}
	return nodes
}

// paste copies nodes to where another one is, which they are named after. What
// they define gets names of its own, which it puts into names, where those of
// what they read are. References to attributes are resolved.
func (im *importer) paste(nodes []*onnx.Node, names map[string]string, at *onnx.Node, attrs onnx.Attrs) []*onnx.Node {
	im.serial++
	prefix := fmt.Sprintf("%s/%d/", display(at), im.serial)
	for _, n := range nodes {
		for _, o := range n.Outputs {
			if o != "" {
				names[o] = prefix + o
			}
		}
	}
	name := func(old string) string {
		if to, ok := names[old]; ok {
			return to
		}
		return old
	}
	out := make([]*onnx.Node, len(nodes))
	for i, n := range nodes {
		c := n.Clone()
		for k, in := range c.Inputs {
			c.Inputs[k] = name(in)
		}
		for k, o := range c.Outputs {
			c.Outputs[k] = name(o)
		}
		if n.Name != "" {
			c.Name = display(at) + "/" + n.Name
		}
		for k, v := range c.Attrs {
			if ref, ok := v.(onnx.AttrRef); ok {
				if c.Attrs[k] = attrs[string(ref)]; c.Attrs[k] == nil {
					delete(c.Attrs, k)
				}
			} else if g, ok := v.(*onnx.Graph); ok {
				c.Attrs[k] = im.pasteGraph(g, names, c, attrs)
			}
		}
		out[i] = c
	}
	return out
}

// pasteGraph does the same to a graph that a node holds.
func (im *importer) pasteGraph(g *onnx.Graph, outside map[string]string, at *onnx.Node, attrs onnx.Attrs) *onnx.Graph {
	names := map[string]string{}
	for k, v := range outside {
		names[k] = v
	}
	c := g.Clone()
	for _, t := range c.Initializers {
		im.serial++
		names[t.Name] = fmt.Sprintf("%s/%d/%s", display(at), im.serial, t.Name)
		t.Name = names[t.Name]
	}
	c.Nodes = im.paste(c.Nodes, names, at, attrs)
	for i, o := range c.Outputs {
		if to, ok := names[o.Name]; ok {
			c.Outputs[i].Name = to
		}
	}
	return c
}

// captures adds what the graphs of a node read from outside to its inputs, so that
// what is needed and read is seen there.
func captures(n *onnx.Node) {
	for _, v := range n.Attrs {
		g, ok := v.(*onnx.Graph)
		if !ok {
			continue
		}
		defined := map[string]bool{"": true}
		for _, t := range g.Initializers {
			defined[t.Name] = true
		}
		for _, m := range g.Nodes {
			for _, o := range m.Outputs {
				defined[o] = true
			}
		}
		read := []string{}
		for _, m := range g.Nodes {
			captures(m)
			read = append(read, m.Inputs...)
		}
		for _, o := range g.Outputs {
			read = append(read, o.Name)
		}
		for _, name := range read {
			if !defined[name] && !slices.Contains(n.Inputs, name) {
				n.Inputs = append(n.Inputs, name)
			}
		}
	}
}

// branch converts the branch of an If that is taken.
func (im *importer) branch(n *onnx.Node) error {
	var taken *onnx.Graph
	condition := (*onnx.Tensor)(nil)
	if len(n.Inputs) > 0 {
		condition = im.consts[n.Inputs[0]]
	}
	if condition == nil || condition.Type != onnx.Bool || len(condition.Data.([]bool)) != 1 {
		return errors.New("which branch is taken depends on the pictures, which is not supported")
	}
	name := "else_branch"
	if condition.Data.([]bool)[0] {
		name = "then_branch"
	}
	if taken, _ = n.Attrs[name].(*onnx.Graph); taken == nil {
		return fmt.Errorf("it has no %s", name)
	}
	g := im.pasteGraph(taken, nil, n, nil)
	for _, t := range g.Initializers {
		t.Param = im.trainable(t)
		im.addConstant(t)
	}
	g.Sort()
	inner := make([]string, len(g.Outputs))
	for i, o := range g.Outputs {
		inner[i] = o.Name
	}
	for _, m := range append(g.Nodes, passed(inner, n.Outputs)...) {
		if err := im.node(m); err != nil {
			return fmt.Errorf("%s %q in its branch: %w", m.Op, display(m), err)
		}
	}
	return nil
}
