// Package footprint predicts how much memory a runtime needs to execute a graph:
// it follows the nodes in the order in which ONNX Runtime executes them, and adds
// up what is alive.
//
// A value lives from the node that computes it to the last one that reads it. A
// view (Reshape and its like) is no memory of its own. What follows from constants
// alone is computed when the graph is opened, and stays. What the caller brings,
// inputs and outputs of the graph, is not counted.
package footprint

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// Footprint is what the execution of a graph takes, in bytes.
type Footprint struct {
	// Values is the most that intermediate values, and the working space of
	// convolutions, take at any one time.
	Values int64
	// Constants are the graph's own and what follows from them.
	Constants int64
	Nodes     int
}

const (
	// nodeBytes is what an opened graph takes for each node: 7 kB measured.
	nodeBytes = 8 << 10
	// ONNX Runtime's allocator hands out chunks that are up to twice as large as
	// what is asked for, and does not give back what lies between: with five
	// networks it took 1.2 to 1.7 times what is alive at once.
	arenaNumerator, arenaDenominator = 8, 5
)

// Session is what the opened graph takes.
func (f Footprint) Session() int64 { return f.Constants + int64(f.Nodes)*nodeBytes }

// Arena is what the runtime holds for the values once the graph was executed.
func (f Footprint) Arena() int64 { return f.Values * arenaNumerator / arenaDenominator }

// Of follows an execution of g, whose inputs have static shapes.
func Of(g *onnx.Graph) (Footprint, error) {
	b := onnx.NewBuilder("footprint")
	bind := map[string]onnx.Value{}
	for _, in := range g.Inputs {
		if slices.ContainsFunc(in.Shape, func(d int) bool { return d < 0 }) {
			return Footprint{}, fmt.Errorf("footprint of graph %q: its input %q has the open shape %v", g.Name, in.Name, in.Shape)
		}
		bind[in.Name] = b.Input(in.Name, in.Type, in.Shape...)
	}
	b.Replay(g, bind)
	if err := b.Err(); err != nil {
		return Footprint{}, fmt.Errorf("footprint of graph %q: %w", g.Name, err)
	}
	t := newTape(g, b)
	for _, n := range order(g) {
		if !t.folded[n] {
			t.execute(n)
		}
	}
	return Footprint{Values: t.peak, Constants: t.constants, Nodes: len(g.Nodes)}, nil
}

// buffer is memory that some values share.
type buffer struct {
	bytes int64 // 0: it is not the execution's
	reads int   // to come
}

// tape executes a graph without its numbers.
type tape struct {
	shapes    *onnx.Builder
	folded    map[*onnx.Node]bool // computed when the graph is opened
	buffers   map[string]*buffer  // by value
	constants int64
	live      int64
	peak      int64
}

func newTape(g *onnx.Graph, shapes *onnx.Builder) *tape {
	t := &tape{shapes: shapes, folded: map[*onnx.Node]bool{}, buffers: map[string]*buffer{"": {}}}
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		t.buffers[v.Name] = &buffer{}
	}
	t.fold(g)
	reads := map[string]int{}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			reads[in]++
		}
	}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			if t.buffers[out] == nil {
				t.buffers[out] = &buffer{bytes: t.size(out), reads: reads[out]}
			}
		}
	}
	return t
}

// fold finds what follows from constants, and counts what of it others read.
func (t *tape) fold(g *onnx.Graph) {
	constant := map[string]bool{"": true}
	for _, c := range g.Initializers {
		constant[c.Name] = true
		t.buffers[c.Name] = &buffer{}
	}
	needed := map[string]bool{}
	for _, n := range g.Nodes {
		t.folded[n] = !slices.ContainsFunc(n.Inputs, func(in string) bool { return !constant[in] })
		for _, out := range n.Outputs {
			if constant[out] = t.folded[n]; t.folded[n] {
				t.buffers[out] = &buffer{}
			}
		}
		for _, in := range n.Inputs {
			if constant[in] && !t.folded[n] && in != "" && !needed[in] {
				needed[in] = true
				t.constants += t.size(in)
			}
		}
	}
}

// size is what a value takes, rounded up as the runtime does.
func (t *tape) size(name string) int64 {
	v := t.shapes.Named(name)
	return (int64(v.Size())*v.Type.Size() + 255) / 256 * 256
}

// execute takes the memory that a node needs and gives back what nobody reads
// after it.
func (t *tape) execute(n *onnx.Node) {
	for _, out := range n.Outputs {
		b := t.buffers[out]
		if from := t.buffers[n.Inputs[0]]; views[n.Op] && b.bytes > 0 {
			from.reads += b.reads
			t.buffers[out] = from
		} else {
			t.live += b.bytes
		}
	}
	t.peak = max(t.peak, t.live+t.workspace(n))
	for _, in := range n.Inputs {
		t.read(t.buffers[in], 1)
	}
	if !views[n.Op] {
		for _, out := range n.Outputs {
			t.read(t.buffers[out], 0) // given back at once if nobody reads it
		}
	}
}

// read notes some reads of a buffer, and gives it back after the last.
func (t *tape) read(b *buffer, times int) {
	b.reads -= times
	if b.reads == 0 {
		t.live -= b.bytes
	}
}

// views are the operators whose output is the memory of their input.
var views = map[string]bool{"Flatten": true, "Identity": true, "Reshape": true, "Squeeze": true, "Unsqueeze": true}

// workspace is what a node needs while it computes: the columns of a picture
// where a convolution is done as a product of matrices.
func (t *tape) workspace(n *onnx.Node) int64 {
	if n.Op != "Conv" && n.Op != "ConvTranspose" {
		return 0
	}
	w := t.shapes.Named(n.Inputs[1]).Shape
	places := t.shapes.Named(n.Outputs[0]).Shape[2:]
	if n.Op == "ConvTranspose" {
		places = t.shapes.Named(n.Inputs[0]).Shape[2:]
	}
	columns := t.shapes.Named(n.Inputs[0]).Type.Size() * int64(w[1]) * int64(onnx.NumElements(w[2:])) * int64(onnx.NumElements(places))
	if n.Op == "Conv" && w[0] <= onnx.NumElements(places) {
		return 0 // done piece by piece
	}
	return columns
}
