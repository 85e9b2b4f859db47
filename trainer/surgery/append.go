package surgery

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// append puts a fully connected layer and a Softmax on the network's output.
func (o *operation) append(l Layer) error {
	fail := func(try, format string, args ...any) error {
		return &Error{Action: "append", Name: l.Name, Reason: fmt.Sprintf(format, args...), Try: try}
	}
	switch {
	case l.Name == "":
		return fail("give it one: {append: {name: fc8, outputs: 2}}", "the new layer has no name")
	case l.Outputs < 1:
		return fail("give the number of classes", "a layer cannot have %d outputs", l.Outputs)
	case len(o.g.Outputs) != 1:
		return fail("cut_after the layer to build on", "the network has %d outputs", len(o.g.Outputs))
	case slices.ContainsFunc(o.g.Nodes, func(n *onnx.Node) bool { return n.Name == l.Name }):
		return fail("choose another name, or replace the layer", "there is a layer of that name already")
	}
	softmax, err := o.takeSoftmax()
	if err != nil {
		return err
	}
	features, err := o.flattened(l.Name)
	if err != nil {
		return err
	}
	width := features.Shape[1]
	weight := l.Init.Weights(o.seed, freshName(o.g, l.Name+".weight"), width, l.Outputs, width)
	bias := l.Init.Biases(freshName(o.g, l.Name+".bias"), l.Outputs)
	o.g.Initializers = append(o.g.Initializers, weight, bias)
	scores := freshName(o.g, l.Name)
	o.g.Nodes = append(o.g.Nodes, &onnx.Node{
		Op: "Gemm", Name: l.Name, Attrs: onnx.Attrs{"transB": int64(1)},
		Inputs: []string{features.Name, weight.Name, bias.Name}, Outputs: []string{scores},
	})
	if softmax == nil {
		name := freshName(o.g, "prob")
		softmax = &onnx.Node{Op: "Softmax", Name: name, Outputs: []string{name}}
	}
	softmax.Inputs, softmax.Attrs = []string{scores}, onnx.Attrs{"axis": int64(-1)}
	o.g.Nodes = append(o.g.Nodes, softmax)
	return o.endAt(softmax.Outputs[0])
}

// takeSoftmax removes a Softmax at the end and returns it, or nil.
func (o *operation) takeSoftmax() (*onnx.Node, error) {
	i := slices.IndexFunc(o.g.Nodes, func(n *onnx.Node) bool { return slices.Contains(n.Outputs, o.g.Outputs[0].Name) })
	if i < 0 || o.g.Nodes[i].Op != "Softmax" {
		return nil, nil
	}
	n := o.g.Nodes[i]
	return n, o.endAt(n.Inputs[0])
}

// flattened is the network's output as a matrix [batch, features].
func (o *operation) flattened(layer string) (onnx.Value, error) {
	out := o.g.Outputs[0]
	if len(out.Shape) < 2 || slices.Contains(out.Shape[1:], onnx.Batch) {
		return out, fmt.Errorf("the network's output %q of shape %v has no features to build on", out.Name, out.Shape)
	}
	if len(out.Shape) == 2 {
		return out, nil
	}
	name := freshName(o.g, layer+"_flatten")
	o.g.Nodes = append(o.g.Nodes, &onnx.Node{
		Op: "Flatten", Name: name, Attrs: onnx.Attrs{"axis": int64(1)},
		Inputs: []string{out.Name}, Outputs: []string{name},
	})
	return onnx.Value{Name: name, Type: out.Type, Shape: []int{out.Shape[0], onnx.NumElements(out.Shape[1:])}}, nil
}

// freshName is base, or base with a number behind it where a node, value or
// initializer has that name.
func freshName(g *onnx.Graph, base string) string {
	taken := map[string]bool{}
	for _, in := range g.Inputs {
		taken[in.Name] = true
	}
	for _, t := range g.Initializers {
		taken[t.Name] = true
	}
	for _, n := range g.Nodes {
		taken[n.Name] = true
		for _, out := range n.Outputs {
			taken[out] = true
		}
	}
	name := base
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	return name
}
