package onnximport

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// probeBatch stands for the batch size while shapes are followed: a prime that
// no layer has as a dimension of its own, so that a dimension which it divides
// is the batch, or a multiple of it.
const probeBatch = 8191

// checkBatch is the other size at which the finished graph is checked.
const checkBatch = 3

func batched(d int) bool { return d != 0 && d%probeBatch == 0 }

// atBatch replaces the probe by another batch size.
func atBatch(shape []int, batch int) []int {
	out := slices.Clone(shape)
	for i, d := range out {
		if batched(d) {
			out[i] = d / probeBatch * batch
		}
	}
	return out
}

// openNode frees a node from the file's batch size. It may write nodes before
// it, and answers with all of them.
func (im *importer) openNode(n *onnx.Node) ([]*onnx.Node, error) {
	one := []*onnx.Node{n}
	switch n.Op {
	case "Reshape":
		return one, im.openReshape(n)
	case "Expand":
		return im.openExpand(n)
	case "Concat":
		return im.openConcat(n), nil
	case "ConstantOfShape":
		return im.openFilled(n), nil
	case "Tile":
		return im.openTile(n), nil
	case "Gather":
		return im.openGather(n), nil
	case "Squeeze":
		im.openSqueeze(n)
	case "GatherND":
		return im.flatGather(n), nil
	}
	return one, nil
}

// openReshape replaces a batch size in a Reshape's target by 0, which copies
// the input's dimension, or by -1: [1, 9216] becomes [0, 9216]. The size got
// there by computation from the input's shape, or literally in a file whose
// batch is fixed; such literals are understood where the batch comes first.
func (im *importer) openReshape(n *onnx.Node) error {
	if len(n.Inputs) != 2 || im.consts[n.Inputs[0]] != nil || n.Int("allowzero", 0) != 0 {
		return nil
	}
	from, target := im.types[n.Inputs[0]].Shape, intsOf(im.consts[n.Inputs[1]])
	if target == nil {
		return nil
	}
	at := slices.IndexFunc(target, batched)
	var want []int
	var err error
	switch {
	case at >= 0:
		want, err = onnx.ReshapeTo(from, target, false)
	case im.fileBatch > 0 && len(from) > 0 && batched(from[0]) && len(target) > 0:
		at = 0
		want, err = im.literalTarget(from, target)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if got, err := onnx.ReshapeTo(from, target, false); err == nil && slices.Equal(got, want) && !slices.ContainsFunc(target, batched) {
		return nil
	}
	open := int64(-1)
	if at < len(from) && want[at] == from[at] {
		open = 0
	}
	n.Inputs[1] = im.constant(int64s(want, at, open))
	return nil
}

// literalTarget is the shape at the probe batch that a target written for the
// file's own batch means.
func (im *importer) literalTarget(from, target []int) ([]int, error) {
	want, err := onnx.ReshapeTo(atBatch(from, im.fileBatch), target, false)
	if err != nil {
		return nil, err
	}
	if want[0]%im.fileBatch != 0 {
		return nil, fmt.Errorf("its target %v joins or divides the batch of %d", target, im.fileBatch)
	}
	want[0] = want[0] / im.fileBatch * probeBatch
	return want, nil
}

// int64s is a Reshape target, with the given entry replaced.
func int64s(shape []int, at int, entry int64) *onnx.Tensor {
	out := make([]int64, len(shape))
	for i, d := range shape {
		out[i] = int64(d)
	}
	out[at] = entry
	return onnx.Ints(out...)
}

// intsOf is the content of a known int64 vector, or nil.
func intsOf(t *onnx.Tensor) []int {
	if t == nil || t.Type != onnx.Int64 || len(t.Shape) != 1 {
		return nil
	}
	out := make([]int, len(t.I64()))
	for i, d := range t.I64() {
		out[i] = int(d)
	}
	return out
}

// openExpand handles a target that was computed from the batch size: a
// dimension that the input has already needs no expanding, and what is the same
// for every picture, such as a class token, is spread over the batch.
func (im *importer) openExpand(n *onnx.Node) ([]*onnx.Node, error) {
	if len(n.Inputs) != 2 {
		return []*onnx.Node{n}, nil
	}
	x, target := im.types[n.Inputs[0]], intsOf(im.consts[n.Inputs[1]])
	onlyFirst := len(target) > 1 && target[0] == probeBatch && !slices.ContainsFunc(target[1:], batched)
	if !slices.ContainsFunc(target, batched) {
		return []*onnx.Node{n}, nil
	}
	if t := im.consts[n.Inputs[0]]; t != nil && onnx.NumElements(t.Shape) == 1 && !onlyFirst {
		number := *t // is no weight, and what reads it in this shape has to get along with it
		number.Param = false
		n.Inputs[0] = im.constant(&number)
		return []*onnx.Node{n}, nil
	}
	out, err := onnx.BroadcastShapes(x.Shape, target)
	if err != nil {
		return nil, err
	}
	rest := slices.Clone(target)
	for i, d := range rest {
		if batched(d) {
			rest[i] = 1
		}
	}
	if whole, err := onnx.BroadcastShapes(x.Shape, rest); err == nil && slices.Equal(whole, out) {
		n.Inputs[1] = im.constant(int64s(rest, 0, int64(rest[0])))
		return []*onnx.Node{n}, nil
	}
	if out[0] != probeBatch || slices.ContainsFunc(out[1:], batched) {
		return nil, fmt.Errorf("it expands to %v, where the batch is not the first dimension alone", atBatch(out, onnx.Batch))
	}
	s := spell{im: im, n: n}
	name := s.op("Expand", nil, n.Inputs[0], im.constant(int64s(rest, 0, int64(rest[0]))))
	im.spread(&s, name, n.Outputs[0], len(out))
	return s.nodes, nil
}

// openTile repeats what there is one of for every picture, as position embeddings
// that are made for one.
func (im *importer) openTile(n *onnx.Node) []*onnx.Node {
	repeats, shape := im.known(n, 1), im.types[n.Inputs[0]].Shape
	if len(repeats) == 0 || repeats[0] != probeBatch || len(shape) != len(repeats) || shape[0] != 1 || slices.ContainsFunc(repeats[1:], batched) {
		return []*onnx.Node{n}
	}
	s := spell{im: im, n: n}
	one := s.op("Tile", nil, n.Inputs[0], im.constant(int64s(repeats, 0, 1)))
	im.spread(&s, one, n.Outputs[0], len(shape))
	return s.nodes
}

// openSqueeze keeps the batch that a file, whose batch is fixed at 1, takes off its
// answer.
func (im *importer) openSqueeze(n *onnx.Node) {
	shape, axes := im.types[n.Inputs[0]].Shape, im.known(n, 1)
	at := slices.IndexFunc(axes, func(a int) bool { return a == 0 || a == -len(shape) })
	if at < 0 || len(shape) == 0 || im.fileBatch != 1 || !batched(shape[0]) || n.Outputs[0] != im.graph.Outputs[0].Name {
		return
	}
	var rest []int64
	for _, a := range slices.Delete(axes, at, at+1) {
		rest = append(rest, int64(a))
	}
	if n.Inputs[1] = im.constant(onnx.Ints(rest...)); len(rest) == 0 {
		n.Op, n.Inputs = "Identity", n.Inputs[:1]
	}
}

// openConcat spreads an operand written for one picture over the batch, in a
// file whose batch is fixed at 1 and which therefore had no need to.
func (im *importer) openConcat(n *onnx.Node) []*onnx.Node {
	first := im.types[n.Inputs[0]].Shape
	axis := n.Int("axis", 0)
	if axis == 0 || axis == -len(first) || im.fileBatch != 1 {
		return []*onnx.Node{n}
	}
	perBatch := func(name string) bool {
		s := im.types[name].Shape
		return len(s) > 0 && batched(s[0])
	}
	if !slices.ContainsFunc(n.Inputs, perBatch) {
		return []*onnx.Node{n}
	}
	s := spell{im: im, n: n}
	for i, name := range n.Inputs {
		if shape := im.types[name].Shape; len(shape) > 1 && shape[0] == 1 {
			n.Inputs[i] = im.fresh(n)
			im.spread(&s, name, n.Inputs[i], len(shape))
		}
	}
	return append(s.nodes, n)
}

// spread repeats a value of shape [1, ...] for every picture. Expand would need
// the batch size; choosing between the value and itself by a condition of shape
// [N, 1, ...] does not, gives exactly the value, and passes its gradient on.
func (im *importer) spread(s *spell, name, out string, rank int) {
	pixel := s.op("Slice", nil, im.graph.Inputs[0].Name,
		im.constant(onnx.Ints(0, 0, 0)), im.constant(onnx.Ints(1, 1, 1)), im.constant(onnx.Ints(1, 2, 3)))
	target := slices.Repeat([]int64{1}, rank)
	target[0] = 0
	column := s.op("Reshape", nil, pixel, im.constant(onnx.Ints(target...)))
	either := s.op("Cast", onnx.Attrs{"to": int64(onnx.Bool)}, column)
	s.last("Where", out, either, name, name)
}

// verifyBatch makes sure that the finished graph works at any batch size: at
// another one than it was followed at, every shape must be the same but for the
// batch, and no constant may hold the size.
func (im *importer) verifyBatch() error {
	values := map[string]onnx.Value{}
	for _, t := range im.graph.Initializers {
		values[t.Name] = t.Value()
	}
	in := im.types[im.graph.Inputs[0].Name]
	in.Shape = atBatch(in.Shape, checkBatch)
	values[in.Name] = in
	for _, n := range im.graph.Nodes {
		if err := im.verifyNode(n, values); err != nil {
			return im.batchError(n, err)
		}
	}
	out := im.types[im.graph.Outputs[0].Name]
	if len(out.Shape) == 0 || out.Shape[0] != probeBatch || slices.ContainsFunc(out.Shape[1:], batched) {
		return &Error{
			Problem: fmt.Sprintf("the output %s has the shape %v, which is not one answer per picture", out.Name, atBatch(out.Shape, onnx.Batch)),
			hint:    "give a classifier whose output is [N, classes]",
		}
	}
	return nil
}

func (im *importer) verifyNode(n *onnx.Node, values map[string]onnx.Value) error {
	inputs := make([]onnx.Value, len(n.Inputs))
	for i, name := range n.Inputs {
		inputs[i] = values[name]
		if im.derived[name] && holdsBatch(im.consts[name]) {
			return fmt.Errorf("it computes with the batch's size, its input %q", name)
		}
	}
	outs, err := onnx.InferNode(n, inputs, func(v onnx.Value) *onnx.Tensor { return im.consts[v.Name] })
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if want := atBatch(im.types[name].Shape, checkBatch); !slices.Equal(outs[i].Shape, want) {
			return fmt.Errorf("for %d pictures it gives %v instead of %v", checkBatch, outs[i].Shape, want)
		}
		outs[i].Name = name
		values[name] = outs[i]
	}
	return nil
}

func (im *importer) batchError(n *onnx.Node, err error) error {
	return &Error{
		Problem: fmt.Sprintf("%s %q does not work at every batch size", n.Op, n.Name),
		hint:    "export the network with an open batch dimension (dynamic_axes, or dynamic_shapes)",
		err:     err,
	}
}

// holdsBatch reports whether a small constant has the probe among its elements.
func holdsBatch(t *onnx.Tensor) bool {
	switch data := t.Data.(type) {
	case []int64:
		return slices.ContainsFunc(data, func(x int64) bool { return batched(int(x)) })
	case []int32:
		return slices.ContainsFunc(data, func(x int32) bool { return batched(int(x)) })
	case []float32:
		return slices.ContainsFunc(data, func(x float32) bool { return x == float32(int(x)) && batched(int(x)) })
	}
	return false
}
