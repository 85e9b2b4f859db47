package trainer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// trainedModel is the template with the trained values in it, ending in class
// probabilities of shape [N, classes], as they are under the loss, for anyone to
// use: its input is the normalised picture that the metadata describe.
func trainedModel(template *onnx.Graph, st *state, loss string, classes int, metadata map[string]string) (*onnx.Graph, error) {
	g := template.Clone()
	for _, s := range st.slots {
		if s.Zero || !s.Updated {
			continue
		}
		t := g.Initializer(s.Param)
		if t == nil {
			return nil, fmt.Errorf("the model has no parameter %q to put the trained values into", s.Param)
		}
		values, err := st.read(s)
		if err != nil {
			return nil, err
		}
		t.Data = slices.Clone(values)
	}
	g.Outputs = g.Outputs[:1]
	endInProbabilities(g, compile.Link(loss))
	dropExtraOutputs(g, classes)
	g.Prune()
	maps.Copy(g.Metadata, metadata)
	return g, nil
}

// declareSize gives the input of a trained network the size of the pictures that it
// was trained on.
func declareSize(g *onnx.Graph, data Data) {
	in, shape := &g.Inputs[0], pictureShape(data)
	in.Shape = []int{in.Shape[0], in.Shape[1], shape[1], shape[2]}
}

// endInProbabilities appends what the first output lacks to be a matrix of
// probabilities: Flatten where it has more than two dimensions, Softmax where
// the network does not end in one. The operators of link, which take scores,
// stand before that Softmax; compile drops what else is made of the scores.
func endInProbabilities(g *onnx.Graph, link []string) {
	end := ending(g)
	if end != nil && (end.Op == "Sigmoid" || end.Op == "LogSoftmax") && len(link) > 0 {
		end.Op, end.Attrs = "Identity", nil
	}
	softmax := end != nil && end.Op == "Softmax"
	if softmax {
		insertBefore(g, end, link)
	}
	if len(g.Outputs[0].Shape) != 2 {
		appendNode(g, "Flatten", onnx.Attrs{"axis": int64(1)})
	}
	if !softmax {
		for _, op := range link {
			appendNode(g, op, nil)
		}
		appendNode(g, "Softmax", onnx.Attrs{"axis": int64(-1)})
	}
}

// dropExtraOutputs has a network with more outputs than classes answer over the
// classes alone.
func dropExtraOutputs(g *onnx.Graph, classes int) {
	softmax := ending(g)
	if g.Outputs[0].Shape[1] == classes {
		return
	}
	slice := &onnx.Node{Name: freeName(g, "classes"), Op: "Slice", Inputs: []string{softmax.Inputs[0]}}
	slice.Outputs = []string{slice.Name}
	for _, x := range []int64{0, int64(classes), 1} { // start, end, axis
		t := onnx.Ints(x)
		t.Name = freeName(g, fmt.Sprintf("%s_%d", slice.Name, len(slice.Inputs)))
		g.Initializers = append(g.Initializers, t)
		slice.Inputs = append(slice.Inputs, t.Name)
	}
	g.Nodes = slices.Insert(g.Nodes, slices.Index(g.Nodes, softmax), slice)
	softmax.Inputs[0] = slice.Outputs[0]
	g.Outputs[0].Shape = []int{g.Outputs[0].Shape[0], classes}
}

// ending is the last node before the first output that does more than reshape,
// or nil.
func ending(g *onnx.Graph) *onnx.Node {
	name := g.Outputs[0].Name
	for {
		i := slices.IndexFunc(g.Nodes, func(n *onnx.Node) bool { return slices.Contains(n.Outputs, name) })
		if i < 0 {
			return nil
		}
		switch n := g.Nodes[i]; n.Op {
		case "Identity", "Flatten", "Reshape", "Squeeze":
			name = n.Inputs[0]
		default:
			return n
		}
	}
}

// insertBefore puts operators of one input between a node and its first input.
func insertBefore(g *onnx.Graph, n *onnx.Node, ops []string) {
	for _, op := range ops {
		name := freeName(g, strings.ToLower(op))
		node := &onnx.Node{Name: name, Op: op, Inputs: []string{n.Inputs[0]}, Outputs: []string{name}}
		g.Nodes = slices.Insert(g.Nodes, slices.Index(g.Nodes, n), node)
		n.Inputs[0] = name
	}
}

// appendNode puts a node behind the first output, which becomes the output of
// that node, [N, classes].
func appendNode(g *onnx.Graph, op string, attrs onnx.Attrs) {
	old := g.Outputs[0]
	classes := 1
	for _, d := range old.Shape[1:] {
		classes *= d
	}
	base, known := map[string]string{"Softmax": "probabilities", "Flatten": "scores"}[op]
	if !known {
		base = strings.ToLower(op)
	}
	name := freeName(g, base)
	g.Nodes = append(g.Nodes, &onnx.Node{Name: name, Op: op, Inputs: []string{old.Name}, Outputs: []string{name}, Attrs: attrs})
	g.Outputs[0] = onnx.Value{Name: name, Type: old.Type, Shape: []int{old.Shape[0], classes}}
}

// freeName is base, with underscores appended until no value or node of g has
// that name.
func freeName(g *onnx.Graph, base string) string {
	used := map[string]bool{}
	for _, v := range g.Inputs {
		used[v.Name] = true
	}
	for _, t := range g.Initializers {
		used[t.Name] = true
	}
	for _, n := range g.Nodes {
		used[n.Name] = true
		for _, o := range n.Outputs {
			used[o] = true
		}
	}
	for used[base] {
		base += "_"
	}
	return base
}
