package onnximport

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"orchestrator/trainer/onnx"
)

// upgrade rewrites a node of the file's opset into nodes of onnx.Opset. Each
// case names the version in which the operator changed.
func (im *importer) upgrade(n *onnx.Node) ([]*onnx.Node, error) {
	n = n.Clone()
	if err := checkArity(n); err != nil {
		return nil, err
	}
	one := []*onnx.Node{n}
	switch n.Op {
	case "Constant":
		return one, im.constantNode(n)
	case "Squeeze", "Unsqueeze", "ReduceSum": // 13: axes became an input
		im.moveInts(n, 13, "axes", 1)
	case "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
		"ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp": // 18: likewise
		im.moveInts(n, 18, "axes", 1)
	case "Split": // 13: the sizes became an input; 18: num_outputs
		im.moveInts(n, 13, "split", 1)
		im.evenSplit(n)
	case "Slice": // 10: everything became an input
		im.moveInts(n, 10, "starts", 1)
		im.moveInts(n, 10, "ends", 2)
		im.moveInts(n, 10, "axes", 3)
	case "Pad": // 11: pads and value became inputs
		im.moveInts(n, 11, "pads", 1)
		im.moveFloat(n, 11, "value", 2)
	case "Clip": // 11: the bounds became inputs
		im.moveFloat(n, 11, "min", 1)
		im.moveFloat(n, 11, "max", 2)
	case "Dropout": // 12: the ratio became an input
		im.moveFloat(n, 12, "ratio", 1)
		if len(n.Outputs) > 1 && im.unused(n.Outputs[1]) {
			n.Outputs = n.Outputs[:1] // the mask, which nobody reads
		}
	case "BatchNormalization": // 9 dropped spatial, 14 the outputs for training
		return im.batchNorm(n)
	case "Softmax", "LogSoftmax": // 13: along one axis, before over all from axis on
		if im.version < 13 {
			return im.flatSoftmax(n)
		}
	case "Upsample":
		return one, im.upsample(n)
	case "Resize":
		return one, im.resize(n)
	case "Scatter": // 11: renamed
		n.Op = "ScatterElements"
	case "CastLike": // PyTorch's exporter writes it where it does not optimise
		if len(n.Inputs) == 2 {
			n.Op, n.Attrs = "Cast", onnx.Attrs{"to": int64(im.types[n.Inputs[1]].Type)}
			n.Inputs = n.Inputs[:1]
			im.cast(n)
		}
	case "Cast":
		im.cast(n)
	case "Reshape": // 14: zeros in the target may be meant
		if t := im.known(n, 1); t != nil && !slices.Contains(t, 0) {
			delete(n.Attrs, "allowzero")
		}
	case "Swish": // 24
		return im.swish(n), nil
	case "RMSNormalization": // 23
		return im.rmsNorm(n)
	case "AveragePool": // 19
		return one, noDilations(n)
	case "Gelu": // 20
		return im.gelu(n)
	case "GroupNormalization": // 18 and 21
		return im.groupNorm(n)
	}
	return one, nil
}

// checkArity refuses nodes that lack what the rewrites look at before any shape
// rule sees them.
func checkArity(n *onnx.Node) error {
	if len(n.Outputs) == 0 {
		return errors.New("it has no output")
	}
	want := 1
	switch n.Op {
	case "Constant":
		want = 0
	case "GroupNormalization":
		want = 3
	case "BatchNormalization":
		want = 5
	case "RMSNormalization":
		want = 2
	}
	if len(n.Inputs) < want {
		return fmt.Errorf("it has %d inputs and needs %d", len(n.Inputs), want)
	}
	return nil
}

// unused reports whether no node of the file reads the value.
func (im *importer) unused(name string) bool {
	return im.reads[name] == 0 && im.graph.Outputs[0].Name != name
}

// moveInts turns an integer-list attribute into input i, as operators did in
// the given version.
func (im *importer) moveInts(n *onnx.Node, since int, attr string, i int) {
	v, ok := n.Attrs[attr].([]int64)
	if im.version >= since || !ok {
		return
	}
	delete(n.Attrs, attr)
	im.setInput(n, i, im.constant(onnx.Ints(v...)))
}

// moveFloat does the same for a number; absent attributes stay absent inputs.
func (im *importer) moveFloat(n *onnx.Node, since int, attr string, i int) {
	v, ok := n.Attrs[attr].(float32)
	if im.version >= since || !ok {
		return
	}
	delete(n.Attrs, attr)
	im.setInput(n, i, im.constant(onnx.Floats([]float32{v})))
}

func (im *importer) setInput(n *onnx.Node, i int, name string) {
	for len(n.Inputs) <= i {
		n.Inputs = append(n.Inputs, "")
	}
	n.Inputs[i] = name
}

// evenSplit spells out the sizes of a Split that only says how many parts.
func (im *importer) evenSplit(n *onnx.Node) {
	if len(n.Inputs) > 1 && n.Inputs[1] != "" {
		return
	}
	delete(n.Attrs, "num_outputs")
	shape := im.types[n.Inputs[0]].Shape
	axis := n.Int("axis", 0)
	if axis < 0 {
		axis += len(shape)
	}
	if axis < 0 || axis >= len(shape) {
		return // InferNode says what is wrong
	}
	parts := len(n.Outputs)
	size := (shape[axis] + parts - 1) / parts
	sizes := make([]int64, parts)
	for i := range sizes {
		sizes[i] = int64(min(size, shape[axis]-i*size))
	}
	im.setInput(n, 1, im.constant(onnx.Ints(sizes...)))
}

func (im *importer) constantNode(n *onnx.Node) error {
	var t *onnx.Tensor
	switch {
	case n.Attrs["value"] != nil:
		return nil
	case n.Attrs["value_float"] != nil:
		v, _ := n.Attrs["value_float"].(float32)
		t = onnx.Floats([]float32{v})
	case n.Attrs["value_floats"] != nil:
		v, _ := n.Attrs["value_floats"].([]float32)
		t = onnx.Floats(v, len(v))
	case n.Attrs["value_int"] != nil:
		v, _ := n.Attrs["value_int"].(int64)
		t = &onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{v}}
	case n.Attrs["value_ints"] != nil:
		v, _ := n.Attrs["value_ints"].([]int64)
		t = onnx.Ints(v...)
	default:
		return fmt.Errorf("a constant of this kind is not supported")
	}
	n.Attrs = onnx.Attrs{"value": t}
	return nil
}

// flatSoftmax is the operator before version 13: the input is seen as a matrix,
// all dimensions from axis (1 where it is not given) on as one. Where that is a
// single dimension, or all others are 1, today's operator does the same.
func (im *importer) flatSoftmax(n *onnx.Node) ([]*onnx.Node, error) {
	shape := im.types[n.Inputs[0]].Shape
	axis := n.Int("axis", 1)
	if axis < 0 {
		axis += len(shape)
	}
	if axis < 0 || axis >= len(shape) {
		return nil, fmt.Errorf("axis %d is outside of %v", n.Int("axis", 1), shape)
	}
	big := -1
	for i := axis; i < len(shape); i++ {
		if shape[i] > 1 {
			if big >= 0 {
				return im.reshapedSoftmax(n, shape, axis), nil
			}
			big = i
		}
	}
	if big < 0 {
		big = axis
	}
	n.Attrs["axis"] = int64(big)
	return []*onnx.Node{n}, nil
}

func (im *importer) reshapedSoftmax(n *onnx.Node, shape []int, axis int) []*onnx.Node {
	flat, soft, out := im.fresh(n), im.fresh(n), n.Outputs[0]
	back := make([]int64, len(shape))
	for i, d := range shape {
		if i > 0 {
			back[i] = int64(d)
		}
	}
	back[0] = -1 // the batch
	n.Attrs["axis"] = int64(1)
	x := n.Inputs[0]
	n.Inputs, n.Outputs = []string{flat}, []string{soft}
	return []*onnx.Node{
		{Op: "Flatten", Name: flat, Inputs: []string{x}, Outputs: []string{flat}, Attrs: onnx.Attrs{"axis": int64(axis)}},
		n,
		{Op: "Reshape", Name: out, Inputs: []string{soft, im.constant(onnx.Ints(back...))}, Outputs: []string{out}, Attrs: onnx.Attrs{}},
	}
}

// noDilations drops an attribute that version 18 does not have, where it says
// nothing.
func noDilations(n *onnx.Node) error {
	d := n.Ints("dilations")
	if slices.ContainsFunc(d, func(x int) bool { return x != 1 }) {
		return fmt.Errorf("averaging with dilations %v is not supported", d)
	}
	delete(n.Attrs, "dilations")
	return nil
}

func (im *importer) fresh(n *onnx.Node) string {
	im.serial++
	return fmt.Sprintf("%s/%s_%d", n.Outputs[0], n.Op, im.serial)
}

// upsample is Resize's predecessor, with scales as attribute (7) or input (9).
func (im *importer) upsample(n *onnx.Node) error {
	if v, ok := n.Attrs["scales"].([]float32); ok {
		delete(n.Attrs, "scales")
		im.setInput(n, 1, im.constant(onnx.Floats(v, len(v))))
	}
	if len(n.Inputs) != 2 {
		return fmt.Errorf("it has no scales")
	}
	n.Op = "Resize"
	n.Inputs = []string{n.Inputs[0], "", n.Inputs[1]}
	n.Attrs["coordinate_transformation_mode"] = "asymmetric"
	if n.Str("mode", "nearest") == "nearest" {
		n.Attrs["nearest_mode"] = "floor"
	}
	return nil
}

// gelu spells the operator of version 20 out.
func (im *importer) gelu(n *onnx.Node) ([]*onnx.Node, error) {
	x, y := n.Inputs[0], n.Outputs[0]
	s := spell{im: im, n: n}
	half := im.scalar(0.5)
	var inner string
	switch mode := n.Str("approximate", "none"); mode {
	case "none":
		inner = s.op("Erf", nil, s.op("Mul", nil, x, im.scalar(math.Sqrt(0.5))))
	case "tanh":
		cubic := s.op("Mul", nil, s.op("Mul", nil, s.op("Mul", nil, x, x), x), im.scalar(0.044715))
		inner = s.op("Tanh", nil, s.op("Mul", nil, s.op("Add", nil, x, cubic), im.scalar(math.Sqrt(2/math.Pi))))
	default:
		return nil, fmt.Errorf("the approximation %q is not supported", mode)
	}
	s.last("Mul", y, s.op("Mul", nil, x, half), s.op("Add", nil, inner, im.scalar(1)))
	return s.nodes, nil
}

// groupNorm spells GroupNormalization out as InstanceNormalization over the
// groups; the scale is per group before version 21 and per channel from then.
func (im *importer) groupNorm(n *onnx.Node) ([]*onnx.Node, error) {
	shape, groups := im.types[n.Inputs[0]].Shape, n.Int("num_groups", 0)
	if len(shape) < 3 || groups < 1 || shape[1]%groups != 0 {
		return nil, fmt.Errorf("%d groups do not fit %v", groups, shape)
	}
	s := spell{im: im, n: n}
	ones, zeros := make([]float32, groups), make([]float32, groups)
	for i := range ones {
		ones[i] = 1
	}
	grouped := s.op("Reshape", nil, n.Inputs[0], im.constant(onnx.Ints(0, int64(groups), -1)))
	normal := s.op("InstanceNormalization", onnx.Attrs{"epsilon": float32(n.Float("epsilon", 1e-5))},
		grouped, im.constant(onnx.Floats(ones, groups)), im.constant(onnx.Floats(zeros, groups)))
	back := []int64{0}
	for _, d := range shape[1:] {
		back = append(back, int64(d))
	}
	whole := s.op("Reshape", nil, normal, im.constant(onnx.Ints(back...)))
	scale := im.perChannel(&s, n.Inputs[1], shape, groups)
	bias := im.perChannel(&s, n.Inputs[2], shape, groups)
	s.last("Add", n.Outputs[0], s.op("Mul", nil, whole, scale), bias)
	return s.nodes, nil
}

// perChannel gives a scale or bias the shape [C,1,...], repeating it within the
// groups where it has one entry per group.
func (im *importer) perChannel(s *spell, name string, shape []int, groups int) string {
	channels := shape[1]
	if onnx.NumElements(im.types[name].Shape) == groups && groups != channels {
		name = s.op("Reshape", nil, name, im.constant(onnx.Ints(int64(groups), 1)))
		name = s.op("Expand", nil, name, im.constant(onnx.Ints(int64(groups), int64(channels/groups))))
	}
	target := slices.Repeat([]int64{1}, len(shape)-1)
	target[0] = int64(channels)
	return s.op("Reshape", nil, name, im.constant(onnx.Ints(target...)))
}

func (im *importer) scalar(x float64) string {
	return im.constant(&onnx.Tensor{Type: onnx.Float, Shape: []int{}, Data: []float32{float32(x)}})
}

// spell writes an operator out in simpler ones.
type spell struct {
	im    *importer
	n     *onnx.Node
	nodes []*onnx.Node
}

func (s *spell) op(op string, attrs onnx.Attrs, inputs ...string) string {
	out := s.im.fresh(s.n)
	s.add(op, attrs, out, inputs)
	return out
}

func (s *spell) last(op, out string, inputs ...string) { s.add(op, nil, out, inputs) }

func (s *spell) add(op string, attrs onnx.Attrs, out string, inputs []string) {
	if attrs == nil {
		attrs = onnx.Attrs{}
	}
	s.nodes = append(s.nodes, &onnx.Node{Op: op, Name: out, Inputs: inputs, Outputs: []string{out}, Attrs: attrs})
}
