package onnximport

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// findOutput keeps one output and drops what it does not need, be it nodes with
// operators that are not known.
func (im *importer) findOutput() error {
	g := im.graph
	if len(g.Outputs) == 0 {
		return &Error{Problem: "the network has no output", hint: "an image classifier ends in class scores"}
	}
	var names []string
	for _, o := range g.Outputs {
		names = append(names, o.Name)
	}
	keep := 0
	if im.options.Output != "" {
		if keep = slices.Index(names, im.options.Output); keep < 0 {
			return &Error{Problem: fmt.Sprintf("the network has no output %q", im.options.Output), hint: "its outputs are " + strings.Join(names, ", ")}
		}
	}
	g.LeftOut = slices.Delete(slices.Clone(names), keep, keep+1)
	g.Outputs = g.Outputs[keep : keep+1]
	for _, n := range g.Nodes {
		captures(n)
	}
	g.Sort()
	g.Prune()
	return nil
}

// findInput takes initializers and what nothing reads out of the inputs and brings
// the one that is left to [N, channels, height, width], with a size.
func (im *importer) findInput() error {
	g := im.graph
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v onnx.Value) bool { return g.Initializer(v.Name) != nil })
	if len(g.Inputs) > 1 {
		g.Inputs = slices.DeleteFunc(g.Inputs, func(v onnx.Value) bool { return len(im.readersOf(v.Name)) == 0 })
	}
	if len(g.Inputs) != 1 {
		return &Error{Problem: fmt.Sprintf("the network has %d inputs", len(g.Inputs)), hint: "an image classifier has one input, the pictures"}
	}
	in := &g.Inputs[0]
	if len(in.Shape) != 4 || in.Type != onnx.Float {
		return &Error{Problem: fmt.Sprintf("the input %s is %s %v", in.Name, in.Type, in.Shape), hint: "an image classifier's input is float [N, channels, height, width]"}
	}
	im.fileBatch = max(in.Shape[0], 0)
	in.Shape = slices.Clone(in.Shape)
	im.channelsFirst(in)
	if in.Shape[1] == onnx.Batch {
		in.Shape[1] = im.openChannels(in.Name)
	}
	for i, size := range []int{im.options.Height, im.options.Width} {
		if size > 0 && (in.Shape[2+i] == onnx.Batch || !im.options.OwnSize) {
			in.Shape[2+i] = size
		}
	}
	if slices.Contains(in.Shape[1:], onnx.Batch) {
		return &Error{
			Problem: fmt.Sprintf("the network leaves the size of its pictures open: its input %s has the shape %v", in.Name, in.Shape),
			hint:    "say it with --input 224x224 (height x width); a sweep takes it from preprocessing",
		}
	}
	return nil
}

func (im *importer) readersOf(name string) []*onnx.Node {
	var found []*onnx.Node
	for _, n := range im.graph.Nodes {
		if slices.Contains(n.Inputs, name) {
			found = append(found, n)
		}
	}
	return found
}

// channelsFirst gives a network that takes [N, height, width, channels], as
// TensorFlow's do, an input with the channels first and a Transpose behind it.
// ONNX Runtime takes that out together with the one that such files begin with.
func (im *importer) channelsFirst(in *onnx.Value) {
	few := func(d int) bool { return d == 1 || d == 3 || d == 4 }
	last := in.Shape[3]
	if few(in.Shape[1]) || !few(last) && !(last == onnx.Batch && im.beginsWithTranspose(in.Name)) {
		return
	}
	inner := im.unusedName(in.Name + "_channels_last")
	for _, n := range im.graph.Nodes {
		for i, name := range n.Inputs {
			if name == in.Name {
				n.Inputs[i] = inner
			}
		}
	}
	in.Shape = []int{in.Shape[0], last, in.Shape[1], in.Shape[2]}
	im.graph.Nodes = slices.Insert(im.graph.Nodes, 0, &onnx.Node{
		Op: "Transpose", Name: inner, Inputs: []string{in.Name}, Outputs: []string{inner}, Attrs: onnx.Attrs{"perm": []int64{0, 2, 3, 1}},
	})
}

// beginsWithTranspose tells whether all that reads the input brings channels to
// the front.
func (im *importer) beginsWithTranspose(name string) bool {
	readers := im.readersOf(name)
	return len(readers) > 0 && !slices.ContainsFunc(readers, func(n *onnx.Node) bool {
		return n.Op != "Transpose" || !slices.Equal(n.Ints("perm"), []int{0, 3, 1, 2})
	})
}

// unusedName is base, with something behind it where the file has that name.
func (im *importer) unusedName(base string) string {
	taken := map[string]bool{}
	for _, t := range im.graph.Initializers {
		taken[t.Name] = true
	}
	for _, in := range im.graph.Inputs {
		taken[in.Name] = true
	}
	for _, n := range im.graph.Nodes {
		for _, out := range n.Outputs {
			taken[out] = true
		}
	}
	for taken[base] {
		base += "_"
	}
	return base
}

// openChannels finds the channels that a file leaves open: as many as the first
// convolution behind the input reads, else those of the options.
func (im *importer) openChannels(input string) int {
	reached := map[string]bool{input: true}
	for _, n := range im.graph.Nodes {
		if len(n.Inputs) == 0 || !reached[n.Inputs[0]] {
			continue
		}
		if n.Op == "Conv" && len(n.Inputs) > 1 {
			if shape := im.weightShape(n.Inputs[1]); len(shape) == 4 {
				return shape[1] * n.Int("group", 1)
			}
			break
		}
		for _, out := range n.Outputs {
			reached[out] = true
		}
	}
	if im.options.Channels > 0 {
		return im.options.Channels
	}
	return onnx.Batch
}

// weightShape is the shape of an initializer or of a Constant node's value.
func (im *importer) weightShape(name string) []int {
	if t := im.graph.Initializer(name); t != nil {
		return t.Shape
	}
	for _, n := range im.graph.Nodes {
		if n.Op == "Constant" && slices.Contains(n.Outputs, name) {
			if t, ok := n.Attrs["value"].(*onnx.Tensor); ok {
				return t.Shape
			}
		}
	}
	return nil
}
