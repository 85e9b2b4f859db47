package compile

import (
	"fmt"
	"reflect"
	"slices"

	"orchestrator/trainer/onnx"
)

// rewriteForGraphics replaces nodes of a finished graph by others that suit graphics
// processors; other graphs it leaves as they are. The gradients' rules, which are
// those of the whole nodes, have been applied by then.
func (s *step) rewriteForGraphics(g *onnx.Graph) {
	if s.o.Target == CPU {
		return
	}
	var nodes []*onnx.Node
	for _, n := range g.Nodes {
		w := &rewriter{g: g, node: n}
		switch {
		case n.Op == "BatchNormalization" && n.Int("training_mode", 0) == 1:
			w.batchNorm(s.Named(n.Inputs[0]).Shape)
		case n.Op == "ReduceSum", n.Op == "ReduceMean":
			w.sum(s.Named(n.Inputs[0]).Shape, s.Named(n.Outputs[0]).Shape)
		}
		if w.nodes == nil {
			w.nodes = []*onnx.Node{n}
		}
		nodes = append(nodes, w.nodes...)
	}
	g.Nodes = nodes
	g.Prune()
}

// rewriter writes nodes in the place of one.
type rewriter struct {
	g     *onnx.Graph
	node  *onnx.Node
	nodes []*onnx.Node
}

// op appends a node and returns its output.
func (w *rewriter) op(op string, attrs onnx.Attrs, inputs ...string) string {
	out := fmt.Sprintf("%s/%s_%d", w.node.Name, op, len(w.nodes))
	w.nodes = append(w.nodes, &onnx.Node{Name: out, Op: op, Inputs: inputs, Outputs: []string{out}, Attrs: attrs})
	return out
}

// named gives the last node's output a name.
func (w *rewriter) named(out string) string {
	w.nodes[len(w.nodes)-1].Outputs[0] = out
	return out
}

// constant is an initializer, one that is there already where it is the same: the
// runtime computes equal nodes once if they have the same inputs.
func (w *rewriter) constant(t *onnx.Tensor) string {
	for _, have := range w.g.Initializers {
		if !have.Param && have.Type == t.Type && slices.Equal(have.Shape, t.Shape) && len(t.Shape) < 2 && reflect.DeepEqual(have.Data, t.Data) {
			return have.Name
		}
	}
	t.Name = fmt.Sprintf("%s/constant_%d", w.node.Name, len(w.g.Initializers))
	w.g.Initializers = append(w.g.Initializers, t)
	return t.Name
}

func (w *rewriter) ints(xs ...int) string {
	out := make([]int64, len(xs))
	for i, x := range xs {
		out[i] = int64(x)
	}
	return w.constant(onnx.Ints(out...))
}

func (w *rewriter) number(x float64) string {
	return w.constant(&onnx.Tensor{Type: onnx.Float, Shape: []int{}, Data: []float32{float32(x)}})
}

func (w *rewriter) reshape(v string, shape ...int) string {
	return w.op("Reshape", nil, v, w.ints(shape...))
}

// lastSum adds up the last of two dimensions: the one sum that the CUDA provider has
// a kernel of its own for, which is fast and adds up in a fixed order. Others go to
// cuDNN, or to a kernel that adds up atomically.
func (w *rewriter) lastSum(v string) string {
	return w.op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, v, w.ints(1))
}

// channelSums adds up all dimensions but the second, of v with the given shape: [C].
func (w *rewriter) channelSums(v string, shape []int) string {
	n, c := shape[0], shape[1]
	area := onnx.NumElements(shape[2:])
	if area > 1 {
		v = w.lastSum(w.reshape(v, n*c, area))
	}
	v = w.op("Transpose", onnx.Attrs{"perm": []int64{1, 0}}, w.reshape(v, n, c))
	return w.lastSum(v)
}

// sum writes a ReduceSum or ReduceMean as sums of last dimensions.
func (w *rewriter) sum(in, out []int) {
	reduced, ok := w.reduced(len(in))
	kept, size := 1, 1
	last, trailing := -1, true // the last dimension that is kept; all reduced ones lie behind it
	for i, d := range in {
		if reduced[i] {
			size *= d
		} else if kept *= d; d > 1 {
			last = i
		}
	}
	for i, d := range in {
		trailing = trailing && !(reduced[i] && d > 1 && i < last)
	}
	if !ok || kept == 1 || size == 1 || trailing && w.node.Op == "ReduceSum" {
		return
	}
	var v string
	switch {
	case trailing:
		v = w.lastSum(w.reshape(w.node.Inputs[0], kept, size))
	case allBut(reduced, 1):
		v = w.channelSums(w.node.Inputs[0], in)
	default:
		v = w.lastSum(w.reshape(w.op("Transpose", onnx.Attrs{"perm": lastly(reduced)}, w.node.Inputs[0]), kept, size))
	}
	if w.node.Op == "ReduceMean" {
		v = w.op("Div", nil, v, w.number(float64(size)))
	}
	w.reshape(v, out...)
	w.named(w.node.Outputs[0])
}

// reduced tells of each dimension whether the node reduces it; ok is false where
// that is not known.
func (w *rewriter) reduced(rank int) (reduced []bool, ok bool) {
	reduced = make([]bool, rank)
	if len(w.node.Inputs) < 2 {
		return reduced, false // all of them
	}
	axes := w.g.Initializer(w.node.Inputs[1])
	if axes == nil {
		return reduced, false
	}
	for _, a := range axes.I64() {
		reduced[(int(a)+rank)%rank] = true
	}
	return reduced, true
}

// allBut tells whether all dimensions are reduced but one.
func allBut(reduced []bool, one int) bool {
	for i, r := range reduced {
		if r == (i == one) {
			return false
		}
	}
	return true
}

// lastly is the permutation that brings the reduced dimensions to the end.
func lastly(reduced []bool) []int64 {
	var first, last []int64
	for i, r := range reduced {
		if r {
			last = append(last, int64(i))
		} else {
			first = append(first, int64(i))
		}
	}
	return append(first, last...)
}

// batchNorm computes the statistics of the mini-batch for a BatchNormalization that
// uses these, and makes them its running ones: ONNX Runtime's kernels for CUDA refuse
// training_mode from operator set 14 on. The variance is the mean of d², d = x - mean,
// which loses no digits, as E[x²] - mean² would; the gradient's rule takes d too.
func (w *rewriter) batchNorm(shape []int) {
	n := w.node
	channels := shape[1]
	count := w.number(float64(onnx.NumElements(shape) / channels))
	beside := slices.Repeat([]int{1}, len(shape))
	beside[1] = channels
	spread := func(v string) string { return w.reshape(v, beside...) }

	w.op("Div", nil, w.channelSums(n.Inputs[0], shape), count)
	mean := w.named(n.Outputs[1])
	off := w.op("Sub", nil, n.Inputs[0], spread(mean))
	w.op("Div", nil, w.channelSums(w.op("Mul", nil, off, off), shape), count)
	variance := w.named(n.Outputs[2])
	w.op("BatchNormalization", onnx.Attrs{"epsilon": float32(n.Float("epsilon", 1e-5))}, n.Inputs[0], n.Inputs[1], n.Inputs[2], mean, variance)
	w.named(n.Outputs[0])
}
