package caffe

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// converter writes layers as nodes, in order.
type converter struct {
	layers []layer
	g      *onnx.Graph
	shadow *onnx.Builder         // the same for one picture, for its shapes
	values map[string]onnx.Value // by the name that Caffe's blob has at this point
	norms  map[string]*onnx.Node // BatchNormalizations that a Scale may complete, by value
	taken  map[string]bool       // names of nodes and values
}

func convert(name string, in picture, layers []layer) (*onnx.Graph, error) {
	c := &converter{
		layers: layers,
		g:      &onnx.Graph{Name: name, Metadata: map[string]string{}},
		shadow: onnx.NewBuilder("shapes"), values: map[string]onnx.Value{}, norms: map[string]*onnx.Node{}, taken: map[string]bool{in.name: true},
	}
	c.g.Inputs = []onnx.Value{{Name: in.name, Type: onnx.Float, Shape: append([]int{onnx.Batch}, in.shape...)}}
	c.values[in.name] = c.shadow.Input(in.name, onnx.Float, append([]int{1}, in.shape...)...)
	for _, l := range layers {
		if err := c.layer(l); err != nil {
			return nil, err
		}
	}
	if len(c.g.Nodes) == 0 {
		return nil, &Error{Reason: "the network computes nothing", Try: "is it a solver's file? Give the network's"}
	}
	last := c.shadow.Named(c.g.Nodes[len(c.g.Nodes)-1].Outputs[0])
	shape := append([]int{onnx.Batch}, last.Shape[1:]...)
	c.g.Outputs = []onnx.Value{{Name: last.Name, Type: onnx.Float, Shape: shape}}
	c.g.Prune()
	if err := onnx.Check(c.g); err != nil {
		return nil, fmt.Errorf("caffe: the imported network is not valid: %w", err)
	}
	return c.g, nil
}

// converters write the layers, by type.
var converters map[string]func(*converter, layer) error

func init() {
	skip := func(*converter, layer) error { return nil }
	unary := func(op string) func(*converter, layer) error {
		return func(c *converter, l layer) error { return c.unary(l, op, nil) }
	}
	converters = map[string]func(*converter, layer) error{
		"Convolution": (*converter).convolution, "Deconvolution": (*converter).convolution, "InnerProduct": (*converter).innerProduct,
		"Pooling": (*converter).pooling, "LRN": (*converter).lrn, "Dropout": (*converter).dropout, "ReLU": (*converter).relu, "PReLU": (*converter).prelu,
		"ELU": (*converter).elu, "Sigmoid": unary("Sigmoid"), "TanH": unary("Tanh"), "AbsVal": unary("Abs"), "BNLL": unary("Softplus"),
		"Power": (*converter).power, "Exp": (*converter).exp, "Log": (*converter).log, "Clip": (*converter).clip,
		"BatchNorm": (*converter).batchNorm, "Scale": (*converter).scale, "Bias": (*converter).bias,
		"Concat": (*converter).concat, "Slice": (*converter).slice, "Split": (*converter).split, "Eltwise": (*converter).eltwise,
		"Flatten": (*converter).flatten, "Reshape": (*converter).reshape, "Softmax": (*converter).softmax, "SoftmaxWithLoss": (*converter).softmax,
		"Accuracy": skip, "Silence": skip, "EuclideanLoss": skip, "HingeLoss": skip, "SigmoidCrossEntropyLoss": skip, "MultinomialLogisticLoss": skip,
		"InfogainLoss": skip, "ContrastiveLoss": skip, "HDF5Output": skip,
	}
}

func (c *converter) layer(l layer) error {
	if isData(l.kind) {
		return nil
	}
	to, known := converters[l.kind]
	if !known {
		return l.bad("cut the network below it in the prototxt", "layers of this type are not supported")
	}
	if err := to(c, l); err != nil {
		return err
	}
	if err := c.shadow.Err(); err != nil {
		return l.bad("do the prototxt and the caffemodel belong together?", "%v", err)
	}
	return nil
}

// input is the value of a layer's i-th bottom.
func (c *converter) input(l layer, i int) (onnx.Value, error) {
	if i >= len(l.bottom) {
		return onnx.Value{}, l.bad("", "it has %d bottoms", len(l.bottom))
	}
	v, ok := c.values[l.bottom[i]]
	if !ok {
		return v, l.bad("", "nothing computes its bottom %q", l.bottom[i])
	}
	return v, nil
}

// inputs are the values of all bottoms.
func (c *converter) inputs(l layer) ([]onnx.Value, error) {
	var all []onnx.Value
	for i := range l.bottom {
		v, err := c.input(l, i)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return nil, l.bad("", "it has no bottoms")
	}
	return all, nil
}

// emit writes a node of that name and returns its values, of which outs are the
// names.
func (c *converter) emit(name, op string, attrs onnx.Attrs, outs int, inputs ...onnx.Value) []onnx.Value {
	node := &onnx.Node{Name: c.free(name), Op: op, Attrs: attrs}
	for _, in := range inputs {
		node.Inputs = append(node.Inputs, in.Name)
	}
	for i := range outs {
		out := node.Name
		if i > 0 {
			out = c.free(fmt.Sprintf("%s_%d", node.Name, i))
		}
		node.Outputs = append(node.Outputs, out)
	}
	c.g.Nodes = append(c.g.Nodes, node)
	single := &onnx.Graph{Name: "one", Nodes: []*onnx.Node{node}, Outputs: nil}
	bind := map[string]onnx.Value{}
	for _, in := range inputs {
		single.Inputs = append(single.Inputs, in)
		bind[in.Name] = in
	}
	c.shadow.Replay(single, bind)
	values := make([]onnx.Value, outs)
	for i, out := range node.Outputs {
		values[i] = c.shadow.Named(out)
	}
	return values
}

func (c *converter) free(name string) string {
	for base, i := name, 2; c.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	c.taken[name] = true
	return name
}

// top gives a layer's only top its value.
func (c *converter) top(l layer, v onnx.Value) {
	for _, name := range l.tops[:min(1, len(l.tops))] {
		c.values[name] = v
	}
}

// constant adds an initializer; a parameter is what training changes.
func (c *converter) constant(name string, param bool, data []float32, shape ...int) onnx.Value {
	t := &onnx.Tensor{Name: c.free(name), Param: param, Type: onnx.Float, Shape: shape, Data: data}
	c.g.Initializers = append(c.g.Initializers, t)
	return c.shadow.Const(t)
}

func (c *converter) ints(name string, data ...int64) onnx.Value {
	t := onnx.Ints(data...)
	t.Name = c.free(name)
	c.g.Initializers = append(c.g.Initializers, t)
	return c.shadow.Const(t)
}

// blob is the i-th blob's values, which must be as many as the shape has.
func (l layer) blob(i int, shape ...int) ([]float32, error) {
	if i >= len(l.blobs) {
		return nil, l.bad("give the caffemodel that belongs to the prototxt: layers are matched by name", "it has %d blobs of weights, and needs %d", len(l.blobs), i+1)
	}
	if got, want := len(l.blobs[i].data), onnx.NumElements(shape); got != want {
		return nil, l.bad("do the prototxt and the caffemodel belong together?", "blob %d has %d values, not %d (%v)", i, got, want, shape)
	}
	// Files of the first form have dimensions of 1 in front.
	if has := l.blobs[i].dims(); has != nil && !slices.Equal(withoutOnes(has), withoutOnes(shape)) {
		return nil, l.bad("do the prototxt and the caffemodel belong together?", "blob %d has the shape %v, not %v", i, has, shape)
	}
	return l.blobs[i].data, nil
}

func withoutOnes(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 1 })
}

// axisOf is a layer's axis, 1 where it does not say, counted from the front; old are
// names that the first form had for it.
func (l layer) axisOf(param *message, rank int, old ...string) (int, error) {
	axis := param.integer("axis", 1)
	for _, name := range old {
		if len(param.all(name)) > 0 {
			axis = param.integer(name, 1)
		}
	}
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return 0, l.bad("", "its axis is not one of %d", rank)
	}
	return axis, nil
}

func (c *converter) unary(l layer, op string, attrs onnx.Attrs) error {
	v, err := c.input(l, 0)
	if err != nil {
		return err
	}
	c.top(l, c.emit(l.name, op, attrs, 1, v)[0])
	return nil
}

// window are the settings of a layer that slides over maps: rows, then columns.
type window struct {
	kernel, stride, pad, dilation [2]int
}

func (l layer) window(param *message) (window, error) {
	var w window
	for _, of := range []struct {
		to        *[2]int
		name      string
		def, most int
	}{{&w.kernel, "kernel", 0, 1 << 14}, {&w.stride, "stride", 1, 1 << 14}, {&w.pad, "pad", 0, 1 << 14}, {&w.dilation, "dilation", 1, 1 << 14}} {
		*of.to = [2]int{of.def, of.def}
		name := of.name
		if name == "kernel" {
			name = "kernel_size"
		}
		switch all := param.all(name); len(all) {
		case 0:
		case 1:
			*of.to = [2]int{int(all[0]), int(all[0])}
		case 2:
			*of.to = [2]int{int(all[0]), int(all[1])}
		default:
			return w, l.bad("", "it has %d axes; pictures have 2", len(all))
		}
		of.to[0], of.to[1] = param.integer(of.name+"_h", of.to[0]), param.integer(of.name+"_w", of.to[1])
		if slices.Min(of.to[:]) < min(of.def, 1) || slices.Max(of.to[:]) > of.most {
			return w, l.bad("", "its %s is %v", of.name, *of.to)
		}
	}
	return w, nil
}

func (w window) attrs() onnx.Attrs {
	twice := func(x [2]int) []int64 { return []int64{int64(x[0]), int64(x[1])} }
	return onnx.Attrs{
		"kernel_shape": twice(w.kernel), "strides": twice(w.stride), "pads": append(twice(w.pad), twice(w.pad)...),
	}
}
