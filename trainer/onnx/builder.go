package onnx

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Builder writes a graph node by node, with static shapes inferred as it goes.
//
// Two calls with the same operation, attributes and inputs give the same Value:
// formulas may repeat subexpressions freely. The first error sticks: later
// calls return zero Values, and Err and Graph report it, so that formulas need
// no error handling of their own.
type Builder struct {
	graph  *Graph
	values map[string]Value   // every defined name
	consts map[string]*Tensor // values known now, by name
	shared map[string][]Value // node key -> outputs
	scope  string
	serial int
	err    error
}

// NewBuilder starts an empty graph.
func NewBuilder(name string) *Builder {
	return &Builder{
		graph:  &Graph{Name: name, Metadata: map[string]string{}},
		values: map[string]Value{},
		consts: map[string]*Tensor{},
		shared: map[string][]Value{},
	}
}

// Err is the first error of any call so far.
func (b *Builder) Err() error { return b.err }

// Fail records an error, unless one is already recorded.
func (b *Builder) Fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

// Scope prefixes the names of the nodes written until the returned function is
// called, so that a reader of the graph sees which layer they came from.
func (b *Builder) Scope(prefix string) (end func()) {
	old := b.scope
	b.scope = prefix
	return func() { b.scope = old }
}

// Input declares a graph input.
func (b *Builder) Input(name string, t DType, shape ...int) Value {
	v := b.define(Value{Name: name, Type: t, Shape: shape})
	if b.err == nil {
		b.graph.Inputs = append(b.graph.Inputs, v)
	}
	return v
}

// Const adds a constant; an equal unnamed one is shared.
func (b *Builder) Const(t *Tensor) Value {
	if b.err != nil {
		return Value{}
	}
	if t.Name != "" {
		if old, ok := b.consts[t.Name]; ok && old == t {
			return b.values[t.Name]
		}
		return b.addConst(t)
	}
	key := constKey(t)
	if old, ok := b.shared[key]; ok {
		return old[0]
	}
	named := *t
	named.Name = b.fresh("const")
	v := b.addConst(&named)
	b.shared[key] = []Value{v}
	return v
}

func (b *Builder) addConst(t *Tensor) Value {
	v := b.define(t.Value())
	if b.err == nil {
		b.graph.Initializers = append(b.graph.Initializers, t)
		b.consts[t.Name] = t
	}
	return v
}

// Scalar is a float constant of rank 0.
func (b *Builder) Scalar(x float64) Value {
	return b.Const(&Tensor{Type: Float, Shape: []int{}, Data: []float32{float32(x)}})
}

// Ints is a one-dimensional int64 constant: a shape, axes, starts, ...
func (b *Builder) Ints(xs ...int) Value {
	data := make([]int64, len(xs))
	for i, x := range xs {
		data[i] = int64(x)
	}
	return b.Const(Ints(data...))
}

// ConstOf returns the tensor behind a constant value, or nil.
func (b *Builder) ConstOf(v Value) *Tensor { return b.consts[v.Name] }

// Op writes a node with one output.
func (b *Builder) Op(op string, attrs Attrs, inputs ...Value) Value {
	return b.OpN(op, attrs, 1, inputs...)[0]
}

// OpN writes a node with n outputs. After an error the returned values are zero.
func (b *Builder) OpN(op string, attrs Attrs, n int, inputs ...Value) []Value {
	zero := make([]Value, n)
	if b.err != nil {
		return zero
	}
	node := &Node{Op: op, Attrs: attrs}
	if strings.HasPrefix(op, "com.microsoft.") {
		node.Domain, node.Op = "com.microsoft", strings.TrimPrefix(op, "com.microsoft.")
	}
	for _, in := range inputs {
		node.Inputs = append(node.Inputs, in.Name)
	}
	for len(node.Inputs) > 0 && node.Inputs[len(node.Inputs)-1] == "" {
		node.Inputs = node.Inputs[:len(node.Inputs)-1]
	}
	key := nodeKey(node, n)
	if old, ok := b.shared[key]; ok {
		return old
	}
	node.Name = b.fresh(op)
	for i := range n {
		out := node.Name
		if i > 0 {
			out = fmt.Sprintf("%s.%d", node.Name, i)
		}
		node.Outputs = append(node.Outputs, out)
	}
	outs := b.emit(node)
	if b.err != nil {
		return zero
	}
	if !randomOps[op] {
		b.shared[key] = outs
	}
	return outs
}

// randomOps draw afresh at every node and are never shared.
var randomOps = map[string]bool{"RandomNormal": true, "RandomUniform": true, "RandomNormalLike": true, "RandomUniformLike": true, "Bernoulli": true}

// emit infers the node's outputs and appends it.
func (b *Builder) emit(node *Node) []Value {
	inputs := make([]Value, len(node.Inputs))
	for i, name := range node.Inputs {
		if name == "" {
			continue
		}
		v, ok := b.values[name]
		if !ok {
			b.Fail("%s %q: input %q is not defined", node.Op, node.Name, name)
			return nil
		}
		inputs[i] = v
	}
	outs, err := InferNode(node, inputs, func(v Value) *Tensor { return b.consts[v.Name] })
	if err != nil {
		b.Fail("%s %q: %w", node.Op, node.Name, err)
		return nil
	}
	for i := range outs {
		outs[i].Name = node.Outputs[i]
		if outs[i].Name != "" {
			outs[i] = b.define(outs[i])
		}
	}
	b.graph.Nodes = append(b.graph.Nodes, node)
	return outs
}

func (b *Builder) define(v Value) Value {
	if b.err != nil {
		return Value{}
	}
	if _, taken := b.values[v.Name]; taken {
		b.Fail("value %q is defined twice", v.Name)
		return Value{}
	}
	b.values[v.Name] = v
	return v
}

func (b *Builder) fresh(op string) string {
	for {
		b.serial++
		name := fmt.Sprintf("%s_%d", op, b.serial)
		if b.scope != "" {
			name = b.scope + "/" + name
		}
		if _, taken := b.values[name]; !taken {
			return name
		}
	}
}

// Named looks a value up by name; the zero Value where there is none.
func (b *Builder) Named(name string) Value { return b.values[name] }

// Nodes are the nodes written so far, in order: the tape that autodiff walks.
func (b *Builder) Nodes() []*Node { return b.graph.Nodes }

// Written is a copy of the graph so far, without outputs.
func (b *Builder) Written() *Graph {
	g := b.graph.Clone()
	g.Outputs = nil
	return g
}

// Output makes v an output of the graph under the given name.
func (b *Builder) Output(name string, v Value) {
	if b.err != nil {
		return
	}
	if v.Absent() {
		b.Fail("output %q has no value", name)
		return
	}
	if v.Name != name {
		node := &Node{Op: "Identity", Name: name, Inputs: []string{v.Name}, Outputs: []string{name}}
		v = b.emitOne(node)
	}
	b.graph.Outputs = append(b.graph.Outputs, v)
}

func (b *Builder) emitOne(node *Node) Value {
	outs := b.emit(node)
	if b.err != nil {
		return Value{}
	}
	return outs[0]
}

// Replay writes the nodes of g, whose inputs and initializers that appear in
// bind take the bound values; other initializers become constants. Node and
// value names are kept. It returns g's outputs in order.
//
// Batch dimensions disappear here: shapes follow from the bound inputs.
func (b *Builder) Replay(g *Graph, bind map[string]Value) []Value {
	names := map[string]string{"": ""}
	for name, v := range bind {
		names[name] = v.Name
	}
	for _, t := range g.Initializers {
		if _, bound := names[t.Name]; !bound {
			names[t.Name] = b.Const(t).Name
		}
	}
	for _, n := range g.Nodes {
		c := n.Clone()
		for i, in := range c.Inputs {
			name, ok := names[in]
			if !ok {
				b.Fail("%s %q: input %q is not bound", n.Op, n.Name, in)
				return nil
			}
			c.Inputs[i] = name
		}
		for _, out := range c.Outputs {
			names[out] = out
		}
		if b.emit(c); b.err != nil {
			return nil
		}
	}
	outs := make([]Value, len(g.Outputs))
	for i, o := range g.Outputs {
		outs[i] = b.values[names[o.Name]]
	}
	return outs
}

// Rewrite makes a node, which has one output, compute it in another way. The
// inputs may have been written after the node: those that it needs move before it.
func (b *Builder) Rewrite(n *Node, op string, attrs Attrs, inputs ...Value) {
	if b.err != nil {
		return
	}
	n.Domain, n.Op, n.Attrs, n.Inputs = "", op, attrs, nil
	for _, v := range inputs {
		n.Inputs = append(n.Inputs, v.Name)
	}
	b.graph.Sort()
}

// Sort brings nodes behind those that compute their inputs, and leaves the
// order as it is otherwise.
func (g *Graph) Sort() {
	producers := map[string]*Node{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			producers[out] = n
		}
	}
	sorted, done := make([]*Node, 0, len(g.Nodes)), map[*Node]bool{}
	var place func(n *Node)
	place = func(n *Node) {
		if n == nil || done[n] {
			return
		}
		done[n] = true
		for _, in := range n.Inputs {
			place(producers[in])
		}
		sorted = append(sorted, n)
	}
	for _, n := range g.Nodes {
		place(n)
	}
	g.Nodes = sorted
}

// Graph finishes: nodes and constants that no output needs are dropped, and
// the result is checked.
func (b *Builder) Graph() (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	g := b.graph
	g.Prune()
	if err := Check(g); err != nil {
		return nil, fmt.Errorf("the graph that was built is not valid: %w", err)
	}
	return g, nil
}

// Prune drops the nodes and initializers that no output depends on.
func (g *Graph) Prune() {
	needed := map[string]bool{}
	for _, o := range g.Outputs {
		needed[o.Name] = true
	}
	var kept []*Node
	for _, n := range slices.Backward(g.Nodes) {
		if !slices.ContainsFunc(n.Outputs, func(o string) bool { return needed[o] }) {
			continue
		}
		for _, in := range n.Inputs {
			if in != "" { // an absent input needs no node's unread output
				needed[in] = true
			}
		}
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	g.Nodes = kept
	g.Initializers = slices.DeleteFunc(g.Initializers, func(t *Tensor) bool { return !needed[t.Name] })
}

// nodeKey is the same for two nodes just where they compute the same. Names and
// strings are quoted, since they may hold any separator.
func nodeKey(n *Node, outputs int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s:%s/%d%q", n.Domain, n.Op, outputs, n.Inputs)
	keys := make([]string, 0, len(n.Attrs))
	for k := range n.Attrs {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if t, ok := n.Attrs[k].(*Tensor); ok {
			fmt.Fprintf(&s, " %q=%s", k, constKey(t))
			continue
		}
		fmt.Fprintf(&s, " %q=%T%#v", k, n.Attrs[k], n.Attrs[k])
	}
	return s.String()
}

func constKey(t *Tensor) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d%v", t.Type, t.Shape)
	// Binary of every supported slice type except bool is fixed-size; bool too.
	_ = binary.Write(h, binary.LittleEndian, t.Data)
	return fmt.Sprintf("const:%x", h.Sum(nil))
}
