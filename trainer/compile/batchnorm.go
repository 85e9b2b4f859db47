package compile

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// writeOutNorms replaces the BatchNormalization nodes that use the statistics of the
// mini-batch by what they compute, for targets whose kernels know running statistics
// only: ONNX Runtime's for CUDA refuse training_mode from operator set 14 on. It is
// done when the gradients are written, whose rule is the whole node's.
func (s *step) writeOutNorms(g *onnx.Graph) {
	if s.o.Target == CPU {
		return
	}
	var nodes []*onnx.Node
	for _, n := range g.Nodes {
		if n.Op == "BatchNormalization" && n.Int("training_mode", 0) == 1 {
			nodes = append(nodes, s.writeOutNorm(g, n)...)
		} else {
			nodes = append(nodes, n)
		}
	}
	g.Nodes = nodes
	g.Prune()
}

// writeOutNorm is one node written out: with d = x - mean, y = d/√(variance+ε)·scale +
// bias. The variance is the mean of d², which loses no digits, as E[x²] - mean²
// would.
func (s *step) writeOutNorm(g *onnx.Graph, n *onnx.Node) []*onnx.Node {
	x := s.Named(n.Inputs[0])
	channels := x.Shape[1]
	axes, beside := []int64{}, slices.Repeat([]int64{1}, x.Rank())
	beside[1] = int64(channels)
	for i := range x.Rank() {
		if i != 1 {
			axes = append(axes, int64(i))
		}
	}
	constant := func(name string, t *onnx.Tensor) string {
		t.Name = n.Name + "/" + name
		g.Initializers = append(g.Initializers, t)
		return t.Name
	}
	number := func(name string, x float32) string {
		return constant(name, &onnx.Tensor{Type: onnx.Float, Shape: []int{}, Data: []float32{x}})
	}
	over, broadcast := constant("axes", onnx.Ints(axes...)), constant("broadcast", onnx.Ints(beside...))
	vector := constant("vector", onnx.Ints(int64(channels)))
	count := number("count", float32(x.Size()/channels))
	epsilon := number("epsilon", float32(n.Float("epsilon", 1e-5)))
	var nodes []*onnx.Node
	add := func(out, op string, attrs onnx.Attrs, inputs ...string) string {
		nodes = append(nodes, &onnx.Node{Name: n.Name + "/" + op + "_" + out, Op: op, Inputs: inputs, Outputs: []string{out}, Attrs: attrs})
		return out
	}
	part := func(name string) string { return n.Name + "/" + name }
	keep := func() onnx.Attrs { return onnx.Attrs{"keepdims": int64(1)} }
	// The gradient's rule begins with the same operators, which the runtime then
	// computes once.
	spread := func(name, v string) string { return add(part(name), "Reshape", nil, v, broadcast) }
	mean := add(n.Outputs[1], "Reshape", nil, add(part("mean"), "ReduceMean", keep(), n.Inputs[0], over), vector)
	off := add(part("off"), "Sub", nil, n.Inputs[0], spread("mean_beside", mean))
	squares := add(part("squares"), "ReduceSumSquare", keep(), off, over)
	variance := add(n.Outputs[2], "Reshape", nil, add(part("variance"), "Div", nil, squares, count), vector)
	above := add(part("above"), "Add", nil, spread("variance_beside", variance), epsilon)
	inverse := add(part("inverse"), "Reciprocal", nil, add(part("deviation"), "Sqrt", nil, above))
	normal := add(part("normal"), "Mul", nil, off, inverse)
	scaled := add(part("scaled"), "Mul", nil, normal, spread("scale_beside", n.Inputs[1]))
	add(n.Outputs[0], "Add", nil, scaled, spread("bias_beside", n.Inputs[2]))
	return nodes
}
