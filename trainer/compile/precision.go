package compile

import (
	"maps"
	"math"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// lower puts the arithmetic of the step, which is written up to the gradients,
// into the low type of Options.Precision. What the update takes is float32: the
// gradients of the parameters, the loss, the new running statistics. The
// parameters stay float32, and each is rounded at most once in a step. written are
// the operators of the network and the loss as they were before they were
// differentiated, which writes some in other ones.
func (s *step) lower(written map[string]string) error {
	to := precisions[s.o.Precision]
	if to == 0 || s.Err() != nil {
		return s.Err()
	}
	g := s.Written()
	kept := []map[string]onnx.Value{{"": s.loss}, s.gradients, s.next}
	for _, m := range kept {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			g.Outputs = append(g.Outputs, m[name])
		}
	}
	l := s.newLowering(g, to, written)
	for _, n := range g.Nodes {
		l.node(n)
	}
	for _, v := range g.Outputs {
		l.in(v.Name, onnx.Float)
	}
	s.Builder = onnx.NewBuilder(g.Name)
	bind := map[string]onnx.Value{}
	for _, in := range g.Inputs {
		bind[in.Name] = s.Input(in.Name, in.Type, in.Shape...)
	}
	s.Replay(&onnx.Graph{Nodes: l.nodes, Initializers: g.Initializers}, bind)
	for _, m := range kept {
		for name, v := range m {
			m[name] = s.Named(l.in(v.Name, onnx.Float))
		}
	}
	s.loss = kept[0][""]
	return s.Err()
}

// lowering writes the nodes of a graph again, each in float32 or in the low type.
type lowering struct {
	to     onnx.DType
	value  func(name string) onnx.Value // of the graph
	consts map[string]*onnx.Tensor
	// layers are the rows of the nodes of network and loss, and exact tells which of
	// those are full for their numbers' sake: what computes their gradients is full too.
	layers map[string]precisionRule
	exact  map[string]bool
	// wanted are the values that nothing but low nodes reads.
	wanted map[string]bool
	// lows are the values that followers are low for, neutral those that go with
	// either type: parameters, masks, constants, and what follows from them alone.
	lows, neutral map[string]bool
	// names has the name of each value in a type, once it is written in that.
	names map[onnx.DType]map[string]string
	// truths are the nodes that make floats of another type.
	truths map[string]*onnx.Node
	nodes  []*onnx.Node
}

// newLowering looks at the graph, and takes out what its outputs do not need.
func (s *step) newLowering(g *onnx.Graph, to onnx.DType, written map[string]string) *lowering {
	l := &lowering{
		to: to, value: s.Named, consts: map[string]*onnx.Tensor{}, layers: map[string]precisionRule{}, exact: map[string]bool{},
		wanted: map[string]bool{}, lows: map[string]bool{}, neutral: map[string]bool{}, truths: map[string]*onnx.Node{},
		names: map[onnx.DType]map[string]string{onnx.Float: {}, to: {}},
	}
	for name, op := range written {
		part, _, _ := strings.Cut(name, "/")
		l.layers[name] = ruleFor(op, to)
		l.exact[name] = precisionRules[op].class == full && op != "Cast" || inFloat32[part]
	}
	g.Prune()
	for _, t := range g.Initializers {
		l.consts[t.Name], l.neutral[t.Name] = t, true
		l.names[onnx.Float][t.Name] = t.Name
	}
	for _, in := range g.Inputs {
		l.names[onnx.Float][in.Name] = in.Name
	}
	for _, v := range s.values {
		l.neutral[v.Name] = true
	}
	for _, m := range s.masks {
		l.neutral[m.Input] = true
	}
	l.findWanted(g)
	return l
}

// inFloat32 are the parts of a step, by the first element of their nodes' names,
// that are computed in float32 whatever their operators are.
var inFloat32 = map[string]bool{"loss": true, "normalise": true, "statistics": true}

// findWanted goes from the outputs to the inputs.
func (l *lowering) findWanted(g *onnx.Graph) {
	refused := map[string]bool{}
	for _, v := range g.Outputs {
		refused[v.Name] = true
	}
	for _, n := range slices.Backward(g.Nodes) {
		takes := l.rule(n).class == low && l.holds(n, math.Inf(1)) || l.movesDown(n)
		for _, in := range n.Inputs {
			refused[in] = refused[in] || !takes
			l.wanted[in] = !refused[in]
		}
	}
}

// movesDown tells whether a node moves elements to low nodes alone.
func (l *lowering) movesDown(n *onnx.Node) bool {
	return l.rule(n).class == move && l.holds(n, l.to.Roundoff()) &&
		!slices.ContainsFunc(n.Outputs, func(out string) bool { return out != "" && !l.wanted[out] })
}

// rule is the row of the table for a node.
func (l *lowering) rule(n *onnx.Node) precisionRule {
	r, layer := l.layers[n.Name]
	if !layer {
		r = ruleFor(n.FullOp(), l.to)
	}
	scope := n.Name[:max(0, strings.LastIndex(n.Name, "/"))]
	of, gradient := strings.CutPrefix(scope, "grad/")
	if r.class != move && (l.exact[n.Name] && r.class != full || gradient && l.exact[of]) {
		return precisionRule{}
	}
	return r
}

// operands are the inputs of a node that have the type it computes in.
func (l *lowering) operands(n *onnx.Node) []string {
	var names []string
	for i, in := range n.Inputs {
		if l.value(in).Type == onnx.Float && (n.Op != "Resize" || i == 0) { // its scales stay float32
			names = append(names, in)
		}
	}
	return names
}

// holds tells whether the low type has the constants among a node's operands, to
// within a relative error: an infinite one allows all but those beyond its range.
func (l *lowering) holds(n *onnx.Node, within float64) bool {
	return !slices.ContainsFunc(l.operands(n), func(in string) bool {
		t := l.consts[in]
		return t != nil && slices.ContainsFunc(t.F32(), func(x float32) bool {
			r := l.to.Round(float64(x))
			return r != float64(x) && (math.IsInf(r, 0) || math.Abs(r-float64(x)) > within*math.Abs(float64(x)))
		})
	})
}

// follows tells whether some operand is low, and none is float32.
func (l *lowering) follows(n *onnx.Node) bool {
	operands := l.operands(n)
	return slices.ContainsFunc(operands, func(in string) bool { return l.lows[in] }) &&
		!slices.ContainsFunc(operands, func(in string) bool { return !l.lows[in] && !l.neutral[in] }) &&
		l.holds(n, l.to.Roundoff())
}

// node writes a node of the graph, and before it the Casts of its operands.
func (l *lowering) node(n *onnx.Node) {
	r, follows := l.rule(n), l.follows(n)
	in := onnx.Float
	switch {
	case r.class == low && l.holds(n, math.Inf(1)), r.class == follow && follows, r.class == move && follows, l.movesDown(n):
		in = l.to
	}
	operands := l.operands(n)
	neutral := len(operands) == 0 || r.class != full &&
		!slices.ContainsFunc(operands, func(name string) bool { return !l.neutral[name] })
	c := n.Clone()
	for i, name := range c.Inputs {
		if slices.Contains(operands, name) {
			c.Inputs[i] = l.in(name, in)
		}
	}
	l.nodes = append(l.nodes, c)
	for i, out := range n.Outputs {
		if out == "" || l.value(out).Type != onnx.Float {
			continue
		}
		l.names[in][out] = out
		l.lows[out] = in == l.to || r.back && follows && i == 0 // the others are statistics
		l.neutral[out] = neutral && in == onnx.Float
		if n.Op == "Cast" {
			l.truths[out] = c
		}
	}
}

// in is the name of a value in a type. Where it is not yet written in that, a Cast
// does it for all its readers.
func (l *lowering) in(name string, t onnx.DType) string {
	if written, ok := l.names[t][name]; ok {
		return written
	}
	other := l.to
	if t == l.to {
		other = onnx.Float
	}
	from := l.names[other][name]
	if c := l.truths[name]; c != nil {
		from = c.Inputs[0]
	}
	as := name + ":" + t.String()
	for l.value(as).Name != "" { // a network may have such a name
		as += "'"
	}
	l.nodes = append(l.nodes, &onnx.Node{Name: as, Op: "Cast", Attrs: onnx.Attrs{"to": int64(t)}, Inputs: []string{from}, Outputs: []string{as}})
	l.names[t][name] = as
	return as
}
