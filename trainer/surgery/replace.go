package surgery

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// dense is a layer whose outputs can be counted in its weights.
type dense struct {
	node   *onnx.Node
	weight *onnx.Tensor
	axis   int          // of the weight that counts outputs
	bias   *onnx.Tensor // nil without one
}

func (d dense) outputs() int { return d.weight.Shape[d.axis] }

// fanIn is how many inputs one output sums up.
func (d dense) fanIn() int {
	return onnx.NumElements(d.weight.Shape) / max(d.outputs(), 1)
}

// replace gives a layer another number of outputs.
func (o *operation) replace(l Layer) error {
	n, err := o.layer("replace", l.Name)
	if err != nil {
		return err
	}
	fail := func(try, format string, args ...any) error {
		return &Error{Action: "replace", Name: l.Name, Reason: fmt.Sprintf(format, args...), Try: try}
	}
	d, ok := denseLayer(o.g, n)
	if !ok {
		return fail(nearestHint(l.Name, denseLayers(o.g)), "it is a %s without weights of its own; a Conv, Gemm or MatMul can be replaced", n.Op)
	}
	if l.Outputs < 1 {
		return fail("give the number of classes", "a layer cannot have %d outputs", l.Outputs)
	}
	if groups := n.Int("group", 1); l.Outputs%groups != 0 {
		return fail(fmt.Sprintf("give a multiple of %d", groups), "%d outputs cannot be divided into its %d groups", l.Outputs, groups)
	}
	for _, t := range []*onnx.Tensor{d.weight, d.bias} {
		if t != nil && len(readersOf(o.g, t.Name)) > 1 {
			return fail("replace a layer whose weights are its own", "its parameter %q is shared with another layer", t.Name)
		}
	}
	if behind := o.widthReader(d); behind != "" && l.Outputs != d.outputs() {
		return fail("replace the last layer, or cut_after this one and append", "layer %q behind it has weights for its %d outputs", behind, d.outputs())
	}
	o.resize(d, l)
	if err := o.refreshOutputs(); err != nil && o.misfit == nil {
		o.misfit = &Error{
			Action: "replace", Name: l.Name, Reason: fmt.Sprintf("the layers behind it do not fit %d outputs: %v", l.Outputs, err),
			Try: "replace the last layer, or cut_after this one and append; of two heads that are averaged, replace both",
		}
	}
	return nil
}

// denseLayer finds the weights of a Conv, Gemm or MatMul.
func denseLayer(g *onnx.Graph, n *onnx.Node) (dense, bool) {
	if len(n.Inputs) < 2 {
		return dense{}, false
	}
	d := dense{node: n, weight: g.Initializer(n.Inputs[1])}
	if d.weight == nil || len(d.weight.Shape) < 2 {
		return dense{}, false
	}
	if len(n.Inputs) > 2 {
		d.bias = g.Initializer(n.Inputs[2])
	}
	switch n.Op {
	case "Conv":
		d.axis = 0
	case "Gemm":
		d.axis = 1 - min(n.Int("transB", 0), 1)
	case "MatMul":
		d.axis = len(d.weight.Shape) - 1
		d.bias = matMulBias(g, n, d.outputs())
	default:
		return dense{}, false
	}
	return d, true
}

func denseLayers(g *onnx.Graph) []string {
	var names []string
	for _, n := range g.Nodes {
		if _, ok := denseLayer(g, n); ok {
			names = append(names, n.Name)
		}
	}
	return names
}

// behind lists the nodes that depend on a layer, in order.
func (o *operation) behind(n *onnx.Node) []*onnx.Node {
	reached := map[string]bool{n.Outputs[0]: true}
	var out []*onnx.Node
	for _, m := range o.g.Nodes {
		if m == n || !slices.ContainsFunc(m.Inputs, func(in string) bool { return reached[in] }) {
			continue
		}
		out = append(out, m)
		for _, name := range m.Outputs {
			reached[name] = true
		}
	}
	return out
}

// widthReader names a layer behind d that has parameters sized for d's outputs.
func (o *operation) widthReader(d dense) string {
	for _, n := range o.behind(d.node) {
		for _, in := range n.Inputs {
			t := o.g.Initializer(in)
			if t != nil && t.Param && t != d.bias && slices.Contains(t.Shape, d.outputs()) {
				return n.Name
			}
		}
	}
	return ""
}

// resize draws new parameters, and rewrites the Reshapes behind that name the
// old number of outputs.
func (o *operation) resize(d dense, l Layer) {
	old := d.outputs()
	shape := slices.Clone(d.weight.Shape)
	shape[d.axis] = l.Outputs
	for _, n := range o.behind(d.node) {
		if n.Op == "Reshape" {
			o.retarget(n, old, l.Outputs)
		}
	}
	o.setParameter(l.Init.Weights(o.seed, d.weight.Name, d.fanIn(), shape...))
	if d.bias != nil {
		shape := slices.Clone(d.bias.Shape)
		if last := len(shape) - 1; last >= 0 && shape[last] == old {
			shape[last] = l.Outputs
		}
		o.setParameter(l.Init.Biases(d.bias.Name, shape...))
	}
}

// retarget gives a Reshape a target of its own in which the old number of
// outputs is the new one.
func (o *operation) retarget(n *onnx.Node, old, outputs int) {
	target := o.g.Initializer(n.Inputs[1])
	if target == nil || !slices.Contains(target.I64(), int64(old)) {
		return
	}
	changed := slices.Clone(target.I64())
	for i, d := range changed {
		if d == int64(old) {
			changed[i] = int64(outputs)
		}
	}
	t := onnx.Ints(changed...)
	t.Name = freshName(o.g, target.Name)
	o.g.Initializers = append(o.g.Initializers, t)
	n.Inputs[1] = t.Name
	o.g.Prune()
}

// setParameter puts t in the place of the initializer of its name. It is new,
// hence not frozen.
func (o *operation) setParameter(t *onnx.Tensor) {
	i := slices.IndexFunc(o.g.Initializers, func(old *onnx.Tensor) bool { return old.Name == t.Name })
	o.g.Initializers[i] = t
	delete(o.frozen, t.Name)
}

// refreshOutputs infers the types and shapes of the outputs anew.
func (o *operation) refreshOutputs() error {
	values, err := inferShapes(o.g)
	if err != nil && o.misfit != nil {
		return o.misfit
	}
	if err != nil {
		return err
	}
	for i, out := range o.g.Outputs {
		v, ok := values[out.Name]
		if !ok {
			return &Error{
				Reason: fmt.Sprintf("the value %q does not have the pictures of a mini-batch as its first dimension", out.Name),
				Try:    "end the network at a layer before it or behind it; `orchestrator model inspect` lists the layers with their shapes",
			}
		}
		o.g.Outputs[i] = v
	}
	return nil
}
