package onnximport

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// known is input i as integers, where it is a constant; else nil.
func (im *importer) known(n *onnx.Node, i int) []int {
	if i >= len(n.Inputs) {
		return nil
	}
	return intsOf(im.consts[n.Inputs[i]])
}

// cast drops how float8 saturates (19) and rounds (24), and takes half-precision
// types for float, as all weights are widened to that.
func (im *importer) cast(n *onnx.Node) {
	delete(n.Attrs, "saturate")
	delete(n.Attrs, "round_mode")
	if to := onnx.DType(n.Int("to", 0)); to == onnx.Float16 || to == onnx.BFloat16 {
		n.Attrs["to"] = int64(onnx.Float)
	}
	if onnx.DType(n.Int("to", 0)) == onnx.Float && im.types[n.Inputs[0]].Type == onnx.Float {
		n.Op, n.Attrs = "Identity", onnx.Attrs{}
	}
}

// swish is x·sigmoid(alpha·x).
func (im *importer) swish(n *onnx.Node) []*onnx.Node {
	s := spell{im: im, n: n}
	x := n.Inputs[0]
	inner := x
	if alpha := n.Float("alpha", 1); alpha != 1 {
		inner = s.op("Mul", nil, x, im.scalar(alpha))
	}
	s.last("Mul", n.Outputs[0], x, s.op("Sigmoid", nil, inner))
	return s.nodes
}

// rmsNorm is x divided by the root of its mean square from an axis on, times a
// scale.
func (im *importer) rmsNorm(n *onnx.Node) ([]*onnx.Node, error) {
	rank, axis := len(im.types[n.Inputs[0]].Shape), n.Int("axis", -1)
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return nil, fmt.Errorf("axis %d is outside of rank %d", n.Int("axis", -1), rank)
	}
	s := spell{im: im, n: n}
	var axes []int64
	for a := axis; a < rank; a++ {
		axes = append(axes, int64(a))
	}
	x := n.Inputs[0]
	mean := s.op("ReduceMean", onnx.Attrs{"keepdims": int64(1)}, s.op("Mul", nil, x, x), im.constant(onnx.Ints(axes...)))
	root := s.op("Sqrt", nil, s.op("Add", nil, mean, im.scalar(n.Float("epsilon", 1e-5))))
	s.last("Mul", n.Outputs[0], s.op("Div", nil, x, root), n.Inputs[1])
	return s.nodes, nil
}

// batchNorm brings normalisation for inference to version 15's form. One whose
// statistics are computed, as of standardised weights (NFNets, BiT) or of a layer
// (Keras), has nothing that runs along: it is arithmetic with these.
func (im *importer) batchNorm(n *onnx.Node) ([]*onnx.Node, error) {
	if n.Int("spatial", 1) == 0 {
		return nil, fmt.Errorf("normalisation over every position (spatial = 0) is not supported")
	}
	shape := im.types[n.Inputs[0]].Shape
	own := n.Int("training_mode", 0) != 0 && len(shape) > 2 && shape[0] == 1
	delete(n.Attrs, "spatial")
	delete(n.Attrs, "training_mode")
	for _, out := range n.Outputs[1:] {
		if !im.unused(out) {
			return nil, fmt.Errorf("its statistics %q are used elsewhere: export the network for inference", out)
		}
	}
	n.Outputs = n.Outputs[:1]
	if !own && im.consts[n.Inputs[3]] != nil && im.consts[n.Inputs[4]] != nil {
		return []*onnx.Node{n}, nil
	}
	if len(shape) < 2 {
		return nil, fmt.Errorf("it normalises %v, which has no channels", shape)
	}
	return im.computedNorm(n, len(shape), own), nil
}

// computedNorm normalises by statistics that are computed: the node's inputs, or
// those of its own input.
func (im *importer) computedNorm(n *onnx.Node, rank int, own bool) []*onnx.Node {
	s := spell{im: im, n: n}
	column := slices.Repeat([]int64{1}, rank-1)
	column[0] = -1
	perChannel := func(name string) string { return s.op("Reshape", nil, name, im.constant(onnx.Ints(column...))) }
	var off, variance string
	if own {
		axes := []int64{0}
		for a := 2; a < rank; a++ {
			axes = append(axes, int64(a))
		}
		mean := func(name string) string {
			return s.op("ReduceMean", onnx.Attrs{"keepdims": int64(1)}, name, im.constant(onnx.Ints(axes...)))
		}
		off = s.op("Sub", nil, n.Inputs[0], mean(n.Inputs[0]))
		variance = mean(s.op("Mul", nil, off, off))
	} else {
		off = s.op("Sub", nil, n.Inputs[0], perChannel(n.Inputs[3]))
		variance = perChannel(n.Inputs[4])
	}
	y := s.op("Div", nil, off, s.op("Sqrt", nil, s.op("Add", nil, variance, im.scalar(n.Float("epsilon", 1e-5)))))
	for i, op := range []string{"Mul", "Add"} {
		if x, same := im.sameEverywhere(n.Inputs[1+i]); !same {
			y = s.op(op, nil, y, perChannel(n.Inputs[1+i]))
		} else if x != float32(1-i) {
			y = s.op(op, nil, y, im.scalar(float64(x)))
		}
	}
	s.last("Identity", n.Outputs[0], y)
	return s.nodes
}

// sameEverywhere is the one number that a computed constant repeats.
func (im *importer) sameEverywhere(name string) (x float32, same bool) {
	t := im.consts[name]
	if t == nil || !im.derived[name] || t.Type != onnx.Float || len(t.F32()) == 0 {
		return 0, false
	}
	x = t.F32()[0]
	return x, !slices.ContainsFunc(t.F32(), func(y float32) bool { return y != x })
}

// openFilled makes a constant with a row per picture, as position embeddings begin
// with, from that of one picture.
func (im *importer) openFilled(n *onnx.Node) []*onnx.Node {
	target := im.known(n, 0)
	if len(target) < 2 || target[0] != probeBatch || slices.ContainsFunc(target[1:], batched) {
		return []*onnx.Node{n}
	}
	s := spell{im: im, n: n}
	value, _ := n.Attrs["value"].(*onnx.Tensor)
	one := im.constant(int64s(target, 0, 1))
	if value == nil || value.Type == onnx.Float || value.Type == onnx.Int64 {
		im.spread(&s, s.op("ConstantOfShape", n.Attrs, one), n.Outputs[0], len(target))
		return s.nodes
	}
	// The Where of spread is not there for all types: these go through numbers.
	number := s.op("Cast", onnx.Attrs{"to": int64(onnx.Int64)}, s.op("ConstantOfShape", n.Attrs, one))
	all := im.fresh(n)
	im.spread(&s, number, all, len(target))
	s.add("Cast", onnx.Attrs{"to": int64(value.Type)}, n.Outputs[0], []string{all})
	return s.nodes
}

// openGather understands indices that say the same of every picture, into a row of
// what all pictures have, as PyTorch's exporter writes as_strided: it is a Reshape,
// and a Gather within each picture where elements change places.
func (im *importer) openGather(n *onnx.Node) []*onnx.Node {
	whole := []*onnx.Node{n}
	if len(n.Inputs) != 2 || im.consts[n.Inputs[0]] != nil || im.consts[n.Inputs[1]] == nil {
		return whole
	}
	data, index := im.types[n.Inputs[0]].Shape, im.consts[n.Inputs[1]]
	if len(data) != 1 || !batched(data[0]) || len(index.Shape) == 0 || index.Type != onnx.Int64 {
		return whole
	}
	pictures, width := index.Shape[0], data[0]/probeBatch
	if pictures != probeBatch && (pictures != im.fileBatch || pictures == 0) {
		return whole
	}
	first, ok := perPicture(index.I64(), pictures, width)
	if !ok {
		return whole
	}
	s := spell{im: im, n: n}
	shape := []int64{-1}
	for _, d := range index.Shape[1:] {
		shape = append(shape, int64(d))
	}
	from := n.Inputs[0]
	if !isRange(first, width) {
		t := onnx.Ints(first...)
		rows := s.op("Reshape", nil, from, im.constant(onnx.Ints(-1, int64(width))))
		from = s.op("Gather", onnx.Attrs{"axis": int64(1)}, rows, im.constant(t))
	}
	s.last("Reshape", n.Outputs[0], from, im.constant(onnx.Ints(shape...)))
	return s.nodes
}

// perPicture are the indices of the first picture, where those of the others are
// the same but for the pictures before them.
func perPicture(index []int64, pictures, width int) (first []int64, ok bool) {
	n := len(index) / pictures
	first = index[:n]
	for i, x := range index {
		if x != first[i%n]+int64(i/n*width) || x < int64(i/n*width) || x >= int64((i/n+1)*width) {
			return nil, false
		}
	}
	return first, n > 0
}

func isRange(index []int64, n int) bool {
	for i, x := range index {
		if x != int64(i) {
			return false
		}
	}
	return len(index) == n
}

// flatGather writes GatherND with constant indices as Gather, which has a gradient:
// the dimensions that are indexed become one.
func (im *importer) flatGather(n *onnx.Node) []*onnx.Node {
	whole := []*onnx.Node{n}
	index := im.consts[n.Inputs[len(n.Inputs)-1]]
	if len(n.Inputs) != 2 || index == nil || index.Type != onnx.Int64 || len(index.Shape) == 0 || n.Int("batch_dims", 0) != 0 {
		return whole
	}
	data, last := im.types[n.Inputs[0]].Shape, len(index.Shape)-1
	depth := index.Shape[last]
	if depth < 1 || depth > len(data) || slices.ContainsFunc(data[:depth], batched) || len(data) > depth && slices.ContainsFunc(data[depth:], batched) {
		return whole
	}
	flat := make([]int64, len(index.I64())/depth)
	for i := range flat {
		for k, d := range data[:depth] {
			x := index.I64()[i*depth+k]
			if x < 0 {
				x += int64(d)
			}
			if x < 0 || x >= int64(d) {
				return whole // the evaluator or the runtime says what is wrong
			}
			flat[i] = flat[i]*int64(d) + x
		}
	}
	t := onnx.Ints(flat...)
	t.Shape = slices.Clone(index.Shape[:last])
	s := spell{im: im, n: n}
	from := n.Inputs[0]
	if depth > 1 {
		im.reads[from]++ // so that a parameter keeps its shape and name
		from = s.op("Reshape", nil, from, im.constant(int64s(append([]int{-1}, data[depth:]...), 0, -1)))
	}
	s.nodes = append(s.nodes, &onnx.Node{Op: "Gather", Name: n.Name, Inputs: []string{from, im.constant(t)}, Outputs: n.Outputs, Attrs: onnx.Attrs{"axis": int64(0)}})
	return s.nodes
}
