package surgery

import (
	"cmp"
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// append puts a layer on the network's output, before a Softmax that ends it.
func (o *operation) append(l NewLayer) error {
	l = l.withDefaults()
	if err := o.checkNew("append", l); err != nil {
		return err
	}
	if len(o.g.Outputs) != 1 {
		return &Error{
			Action: "append", Name: l.Name, Reason: fmt.Sprintf("the network has %d outputs", len(o.g.Outputs)),
			Try: "cut_after the layer to build on",
		}
	}
	softmax, err := o.takeSoftmax()
	if err != nil {
		return err
	}
	switch l.Kind {
	case Linear:
		err = o.appendLinear(l)
		if softmax == nil {
			name := freshName(o.g, "prob")
			softmax = &onnx.Node{Op: "Softmax", Name: name, Outputs: []string{name}}
		}
	case Conv:
		err = o.appendConv(l)
	default:
		out := o.g.Outputs[0]
		n := o.shapeless(l, out.Name)
		o.g.Nodes = append(o.g.Nodes, n)
		err = o.endAt(n.Outputs[0])
	}
	if err != nil || softmax == nil {
		return err
	}
	softmax.Inputs, softmax.Attrs = []string{o.g.Outputs[0].Name}, onnx.Attrs{"axis": int64(-1)}
	o.g.Nodes = append(o.g.Nodes, softmax)
	return o.endAt(softmax.Outputs[0])
}

func (l NewLayer) withDefaults() NewLayer {
	l.Kind, l.Stride, l.Groups = cmp.Or(l.Kind, Linear), cmp.Or(l.Stride, 1), cmp.Or(l.Groups, 1)
	return l
}

// checkNew finds what is wrong with a new layer wherever it goes.
func (o *operation) checkNew(action string, l NewLayer) error {
	fail := func(try, format string, args ...any) error {
		return &Error{Action: action, Name: l.Name, Reason: fmt.Sprintf(format, args...), Try: try}
	}
	weights := l.Kind == Linear || l.Kind == Conv
	switch {
	case l.Name == "":
		return fail("give it one: {append: {name: fc8, outputs: 2}}", "the new layer has no name")
	case !slices.Contains([]string{Linear, Conv, Relu, Dropout}, l.Kind):
		return fail("the kinds are linear, conv, relu, dropout", "there is no kind of layer %q", l.Kind)
	case weights && l.Outputs < 1:
		return fail("give the number of classes", "a layer cannot have %d outputs", l.Outputs)
	case l.Kind == Conv && (l.Kernel < 1 || l.Stride < 1 || l.Pad < 0 || l.Groups < 1):
		return fail("as {name: conv6, kind: conv, outputs: 64, kernel: 3, pad: 1}", "a kernel of %d, stride %d, pad %d and %d groups make no convolution", l.Kernel, l.Stride, l.Pad, l.Groups)
	case l.Kind == Dropout && (l.Ratio < 0 || l.Ratio >= 1):
		return fail("as ratio: 0.5", "a ratio of %v cannot be dropped; it is at least 0 and below 1", l.Ratio)
	case slices.ContainsFunc(o.g.Nodes, func(n *onnx.Node) bool { return n.Name == l.Name }):
		return fail("choose another name, or replace the layer", "there is a layer of that name already")
	}
	return nil
}

// appendLinear puts a fully connected layer on the output.
func (o *operation) appendLinear(l NewLayer) error {
	features, err := o.flattened(l.Name)
	if err != nil {
		return err
	}
	width := features.Shape[1]
	weight := l.Init.Weights(o.seed, freshName(o.g, l.Name+".weight"), width, l.Outputs, width)
	return o.appendWeighted(l, "Gemm", onnx.Attrs{"transB": int64(1)}, features.Name, weight)
}

// appendConv puts a convolution on the output, which must be maps.
func (o *operation) appendConv(l NewLayer) error {
	out := o.g.Outputs[0]
	fail := func(try, format string, args ...any) error {
		return &Error{Action: "append", Name: l.Name, Reason: fmt.Sprintf(format, args...), Try: try}
	}
	if len(out.Shape) != 4 || out.Shape[1] == onnx.Batch {
		return fail("cut_after a layer with maps, or append a linear layer", "a convolution needs maps, but the network's output has the shape %v", out.Shape)
	}
	maps := out.Shape[1]
	if maps%l.Groups != 0 || l.Outputs%l.Groups != 0 {
		return fail("choose a divisor of both", "%d maps and %d outputs cannot both be divided into %d groups", maps, l.Outputs, l.Groups)
	}
	if side := min(out.Shape[2], out.Shape[3]) + 2*l.Pad; l.Kernel > side {
		return fail("take a smaller kernel or more pad", "a kernel of %d is larger than the maps, %d with their pad", l.Kernel, side)
	}
	twice := func(x int) []int64 { return []int64{int64(x), int64(x)} }
	weight := l.Init.Weights(o.seed, freshName(o.g, l.Name+".weight"), maps/l.Groups*l.Kernel*l.Kernel, l.Outputs, maps/l.Groups, l.Kernel, l.Kernel)
	return o.appendWeighted(l, "Conv", onnx.Attrs{
		"kernel_shape": twice(l.Kernel), "strides": twice(l.Stride), "pads": append(twice(l.Pad), twice(l.Pad)...), "group": int64(l.Groups),
	}, out.Name, weight)
}

// appendWeighted puts a node with a weight and a bias on the output.
func (o *operation) appendWeighted(l NewLayer, op string, attrs onnx.Attrs, input string, weight *onnx.Tensor) error {
	bias := l.Init.Biases(freshName(o.g, l.Name+".bias"), l.Outputs)
	o.g.Initializers = append(o.g.Initializers, weight, bias)
	name := freshName(o.g, l.Name)
	o.g.Nodes = append(o.g.Nodes, &onnx.Node{
		Op: op, Name: l.Name, Attrs: attrs, Inputs: []string{input, weight.Name, bias.Name}, Outputs: []string{name},
	})
	return o.endAt(name)
}

// shapeless makes a layer that keeps the shape of what it reads.
func (o *operation) shapeless(l NewLayer, input string) *onnx.Node {
	n := &onnx.Node{Op: "Relu", Name: l.Name, Inputs: []string{input}, Outputs: []string{freshName(o.g, l.Name)}}
	if l.Kind == Dropout {
		ratio := onnx.NewTensor(onnx.Float)
		ratio.Name = freshName(o.g, l.Name+".ratio")
		ratio.F32()[0] = float32(l.Ratio)
		o.g.Initializers = append(o.g.Initializers, ratio)
		n.Op, n.Inputs = "Dropout", append(n.Inputs, ratio.Name)
	}
	return n
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
