package onnximport

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// weightInputs are the inputs of an operator that hold a weight, by position.
var weightInputs = map[string][]int{"Conv": {1}, "ConvTranspose": {1}, "Gemm": {0, 1}, "MatMul": {0, 1}}

// weightNames are the values that are read as weights, as they are or through a
// view.
func (im *importer) weightNames() map[string]bool {
	weights := map[string]bool{}
	for _, n := range slices.Backward(im.graph.Nodes) {
		for i, in := range n.Inputs {
			through := i == 0 && views[n.Op] && len(n.Outputs) > 0 && weights[n.Outputs[0]]
			if through || slices.Contains(weightInputs[n.Op], i) {
				weights[in] = true
			}
		}
	}
	return weights
}

// findConstants makes initializers of the float Constant nodes of a file that keeps
// its weights in these, as all of paddle2onnx do, and copies running statistics
// that are a parameter as well.
func (im *importer) findConstants() error {
	g, weights := im.graph, im.weightNames()
	if !slices.ContainsFunc(g.Initializers, func(t *onnx.Tensor) bool { return weights[t.Name] }) {
		constants := slices.ContainsFunc(g.Nodes, func(n *onnx.Node) bool { return weights[n.Outputs[0]] && constantWeight(n) != nil })
		if constants {
			im.constantsToInitializers()
		}
	}
	im.splitStatistics()
	return nil
}

// constantWeight is the value of a Constant node that may be a weight, or nil.
func constantWeight(n *onnx.Node) *onnx.Tensor {
	t, ok := n.Attrs["value"].(*onnx.Tensor)
	if n.Op != "Constant" || !ok || t.Type != onnx.Float && t.Type != onnx.Double || onnx.NumElements(t.Shape) < 2 {
		return nil
	}
	return t
}

func (im *importer) constantsToInitializers() {
	im.graph.Nodes = slices.DeleteFunc(im.graph.Nodes, func(n *onnx.Node) bool {
		t := constantWeight(n)
		if t == nil {
			return false
		}
		named := *t
		named.Name = n.Outputs[0]
		im.graph.Initializers = append(im.graph.Initializers, &named)
		return true
	})
}

// splitStatistics gives normalisations that share a tensor between their running
// statistics and a parameter, as exporters do where both happen to be equal, a copy
// of it for the statistics: the parameter is trained then.
func (im *importer) splitStatistics() {
	read := map[string]bool{} // other than as statistics
	statistic := func(n *onnx.Node, i int) bool { return n.Op == "BatchNormalization" && (i == 3 || i == 4) }
	for _, n := range im.graph.Nodes {
		for i, in := range n.Inputs {
			read[in] = read[in] || !statistic(n, i)
		}
	}
	copies := map[string]string{}
	for _, n := range im.graph.Nodes {
		for i, in := range n.Inputs {
			t := im.graph.Initializer(in)
			if !statistic(n, i) || !read[in] || t == nil {
				continue
			}
			if copies[in] == "" {
				c := *t
				c.Name = im.unusedName(in + "_statistic")
				im.graph.Initializers = append(im.graph.Initializers, &c)
				copies[in] = c.Name
			}
			n.Inputs[i] = copies[in]
		}
	}
}

// checkWeights refuses weights of another type than training computes in.
func (im *importer) checkWeights() error {
	weights := im.weightNames()
	for _, t := range im.graph.Initializers {
		if weights[t.Name] && t.Type == onnx.Double {
			return &Error{
				Problem: fmt.Sprintf("the weights %q are double (float64)", t.Name),
				hint:    "export the network in float32: in PyTorch, model.float() before the export",
			}
		}
	}
	return nil
}
