package onnx

import "slices"

// Opset is the one operator-set version that graphs have after import. Every
// rule, shape function and evaluator speaks this version only; onnximport
// rewrites older and newer models to it.
const Opset = 18

// Batch marks the one dimension of a template graph that is chosen later: the
// number of pictures in a mini-batch. It appears in shapes of imported graphs
// only; a Builder's values are always fully static.
const Batch = -1

// Value is a typed edge of a graph. The zero Value (empty name) stands for an
// optional input that is absent.
type Value struct {
	Name  string
	Type  DType
	Shape []int // Batch (-1) allowed in dimension 0 of template graphs
}

// Absent reports whether v stands for an optional input that was left out.
func (v Value) Absent() bool { return v.Name == "" }

// Rank is the number of dimensions.
func (v Value) Rank() int { return len(v.Shape) }

// Size is the number of elements of a static shape.
func (v Value) Size() int { return NumElements(v.Shape) }

// NumElements multiplies the dimensions of a static shape; 1 for a scalar.
func NumElements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Attrs are a node's attributes. The dynamic types are int64, float32, string,
// []int64, []float32, []string, *Tensor, *Graph and, in a Function, AttrRef.
type Attrs map[string]any

// Node is one operation.
type Node struct {
	Name    string // as in the file; unique within a graph after import
	Domain  string // "" is the standard domain
	Op      string
	Inputs  []string // "" is an absent optional input
	Outputs []string // "" is an output nobody reads
	Attrs   Attrs
}

// FullOp is the operator's name as Builder.Op takes it: with its domain unless
// that is the standard one.
func (n *Node) FullOp() string {
	if n.Domain == "" || n.Domain == "ai.onnx" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

// Int returns an integer attribute, or def where it is absent.
func (n *Node) Int(name string, def int) int {
	if v, ok := n.Attrs[name].(int64); ok {
		return int(v)
	}
	return def
}

// Float returns a float attribute, or def where it is absent.
func (n *Node) Float(name string, def float64) float64 {
	if v, ok := n.Attrs[name].(float32); ok {
		return float64(v)
	}
	return def
}

// Str returns a string attribute, or def where it is absent.
func (n *Node) Str(name, def string) string {
	if v, ok := n.Attrs[name].(string); ok {
		return v
	}
	return def
}

// Ints returns an integer-list attribute, or def where it is absent.
func (n *Node) Ints(name string, def ...int) []int {
	v, ok := n.Attrs[name].([]int64)
	if !ok {
		return def
	}
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// Graph is a straight-line program: nodes in topological order, each output
// assigned once.
type Graph struct {
	Name         string
	Inputs       []Value // without initializers
	Outputs      []Value
	Nodes        []*Node
	Initializers []*Tensor // named constants: weights and shapes
	Metadata     map[string]string
	// InPlace names outputs that a session may write into memory that inputs have:
	// OUTPUT -> INPUTS. It is not part of a file.
	InPlace map[string][]string
	// LeftOut names the outputs of the file that import left out. It is not part of a
	// file either.
	LeftOut []string
}

// Initializer returns the constant of that name, or nil.
func (g *Graph) Initializer(name string) *Tensor {
	i := slices.IndexFunc(g.Initializers, func(t *Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return g.Initializers[i]
}

// Clone copies the graph's structure; tensors' data are shared, as they are
// never written after they are made.
func (g *Graph) Clone() *Graph {
	c := &Graph{Name: g.Name, Metadata: map[string]string{}, LeftOut: g.LeftOut}
	for k, v := range g.Metadata {
		c.Metadata[k] = v
	}
	c.Inputs = slices.Clone(g.Inputs)
	c.Outputs = slices.Clone(g.Outputs)
	for _, n := range g.Nodes {
		c.Nodes = append(c.Nodes, n.Clone())
	}
	for _, t := range g.Initializers {
		s := *t
		c.Initializers = append(c.Initializers, &s)
	}
	return c
}

// Clone copies the node; attribute values are shared.
func (n *Node) Clone() *Node {
	c := *n
	c.Inputs, c.Outputs = slices.Clone(n.Inputs), slices.Clone(n.Outputs)
	c.Attrs = make(Attrs, len(n.Attrs))
	for k, v := range n.Attrs {
		c.Attrs[k] = v
	}
	return &c
}
