package trainer

import (
	"fmt"
	"maps"
	"slices"

	"orchestrator/trainer/onnx"
)

// trainedModel is the template with the trained values in it, ending in class
// probabilities of shape [N, classes], for anyone to use: its input is the
// normalised picture that the metadata describe.
func trainedModel(template *onnx.Graph, st *state, metadata map[string]string) (*onnx.Graph, error) {
	g := template.Clone()
	for _, s := range st.slots {
		if s.Zero || !s.Updated {
			continue
		}
		t := g.Initializer(s.Param)
		if t == nil {
			return nil, fmt.Errorf("the model has no parameter %q to put the trained values into", s.Param)
		}
		t.Data = slices.Clone(s.now.F32())
	}
	g.Outputs = g.Outputs[:1]
	endInProbabilities(g)
	g.Prune()
	maps.Copy(g.Metadata, metadata)
	return g, nil
}

// endInProbabilities appends what the first output lacks to be a matrix of
// probabilities: Flatten where it has more than two dimensions, Softmax where
// the network does not end in one.
func endInProbabilities(g *onnx.Graph) {
	if len(g.Outputs[0].Shape) != 2 {
		appendNode(g, "Flatten", onnx.Attrs{"axis": int64(1)})
	}
	if !endsInSoftmax(g) {
		appendNode(g, "Softmax", onnx.Attrs{"axis": int64(-1)})
	}
}

// endsInSoftmax follows the first output back through nodes that only reshape.
func endsInSoftmax(g *onnx.Graph) bool {
	name := g.Outputs[0].Name
	for {
		i := slices.IndexFunc(g.Nodes, func(n *onnx.Node) bool { return slices.Contains(n.Outputs, name) })
		if i < 0 {
			return false
		}
		switch n := g.Nodes[i]; n.Op {
		case "Softmax":
			return true
		case "Identity", "Flatten", "Reshape", "Squeeze":
			name = n.Inputs[0]
		default:
			return false
		}
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
	name := freeName(g, map[string]string{"Softmax": "probabilities", "Flatten": "scores"}[op])
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
