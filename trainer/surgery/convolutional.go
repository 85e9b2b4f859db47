package surgery

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// toFullyConvolutional writes what follows the last maps as convolutions (Long,
// Shelhamer and Darrell 2015, "Fully convolutional networks for semantic
// segmentation"): the layer that reads them flattened gets a kernel of their
// size, further ones a kernel of 1. An average over all places in front of the
// classes is left out: the mean of the map of scores is then what the network
// answered. Pictures larger than the declared ones give [N, classes, rows, columns].
func (o *operation) toFullyConvolutional() error {
	fail := func(format string, args ...any) error {
		return &Error{
			Action: "to_fully_convolutional", Reason: fmt.Sprintf(format, args...),
			Try: "cut_after the last layer that fits, then try again",
		}
	}
	values, err := inferShapes(o.g)
	if err != nil {
		return err
	}
	c := converter{operation: o, values: values, maps: map[string]bool{}, instead: map[string]string{}}
	start := c.lastMaps()
	if start == "" {
		return fail("the network makes no maps into scores")
	}
	c.maps[start] = true
	nodes := o.g.Nodes
	o.g.Nodes = nil
	for i, n := range nodes {
		if !slices.ContainsFunc(n.Inputs, func(in string) bool { return c.maps[in] }) {
			o.g.Nodes = append(o.g.Nodes, n)
			continue
		}
		if problem := c.convert(n, nodes[i+1:]); problem != "" {
			return fail("layer %q (%s) %s", n.Name, n.Op, problem)
		}
	}
	return o.endAt(c.resolve(o.g.Outputs[0].Name))
}

// converter rewrites the nodes behind the last maps, in order.
type converter struct {
	*operation
	values  map[string]onnx.Value // as they were
	maps    map[string]bool       // values that are maps now
	instead map[string]string     // values that are no more -> what takes their place
	size    [2]int                // rows and columns of the maps that were flattened
}

// lastMaps is the last value with rows and columns: what averages or flattens
// all places reads it.
func (c *converter) lastMaps() string {
	for _, n := range slices.Backward(c.g.Nodes) {
		if len(n.Inputs) > 0 && c.places(n.Inputs[0]) > 1 && c.places(n.Outputs[0]) <= 1 {
			return n.Inputs[0]
		}
	}
	return ""
}

// places is how many rows times columns the maps of a value have; 0 where it
// is no maps.
func (c *converter) places(name string) int {
	shape := c.values[name].Shape
	if len(shape) != 4 || shape[0] != onnx.Batch {
		return 0
	}
	return shape[2] * shape[3]
}

// convert writes one node that reads maps, and says what stands in the way; later
// are the nodes behind it.
func (c *converter) convert(n *onnx.Node, later []*onnx.Node) (problem string) {
	out := c.values[n.Outputs[0]].Shape
	switch n.Op {
	case "Flatten", "Reshape", "Squeeze":
		if len(out) != 2 {
			return fmt.Sprintf("makes %v of it, which is no row of features", out)
		}
		if in := c.values[n.Inputs[0]].Shape; len(in) == 4 {
			c.size = [2]int{in[2], in[3]}
		}
		c.skip(n)
	case "GlobalAveragePool", "ReduceMean", "AveragePool":
		if c.places(n.Outputs[0]) > 1 {
			c.keep(n)
			return ""
		}
		if in := c.values[n.Inputs[0]].Shape; len(in) != 4 || onnx.NumElements(out[1:]) != in[1] {
			return "averages something else than places"
		}
		c.size = [2]int{1, 1}
		c.skip(n)
	case "Gemm", "MatMul":
		return c.convolve(n, later)
	case "Add", "Sub", "Mul", "Div":
		return c.perMap(n, out)
	case "Softmax", "LogSoftmax":
		n.Attrs = onnx.Attrs{"axis": int64(1)}
		c.keep(n)
	case "Relu", "Dropout", "Identity", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Clip", "HardSwish", "Conv", "MaxPool", "LRN", "BatchNormalization":
		c.keep(n)
	default:
		return "cannot be applied to every place"
	}
	return ""
}

// resolve is what stands for a value now.
func (c *converter) resolve(name string) string {
	for c.instead[name] != "" {
		name = c.instead[name]
	}
	return name
}

func (c *converter) skip(n *onnx.Node) {
	c.instead[n.Outputs[0]] = n.Inputs[0]
	c.maps[n.Outputs[0]] = true
}

func (c *converter) keep(n *onnx.Node) {
	for i, name := range n.Inputs {
		n.Inputs[i] = c.resolve(name)
	}
	c.g.Nodes = append(c.g.Nodes, n)
	c.maps[n.Outputs[0]] = true
}

// perMap keeps arithmetic with a constant per feature: one per map now.
func (c *converter) perMap(n *onnx.Node, out []int) (problem string) {
	for _, name := range n.Inputs {
		t := c.g.Initializer(name)
		if t == nil {
			continue
		}
		if size := onnx.NumElements(t.Shape); size > 1 {
			if len(out) != 2 || size != out[1] {
				return fmt.Sprintf("reads a constant of shape %v, which is not one number per feature", t.Shape)
			}
			c.reshape(t, t.F32(), size, 1, 1)
		}
		c.keep(n)
		return ""
	}
	return "cannot be applied to every place"
}

// convolve writes a fully connected layer as a convolution; a row of its weights
// holds the values of the maps in the order of a kernel's.
func (c *converter) convolve(n *onnx.Node, later []*onnx.Node) (problem string) {
	d, ok := denseLayer(c.g, n)
	switch {
	case !ok || len(d.weight.Shape) != 2:
		return "has weights that are not a matrix of its own"
	case n.Op == "Gemm" && (n.Float("alpha", 1) != 1 || n.Float("beta", 1) != 1 || n.Int("transA", 0) != 0):
		return "scales or transposes what it reads"
	case slices.ContainsFunc(later, func(m *onnx.Node) bool { return slices.Contains(m.Inputs, d.weight.Name) }):
		return "shares its weights with another layer"
	}
	outputs, inputs, places := d.outputs(), d.fanIn(), c.size[0]*c.size[1]
	if places == 0 || inputs%places != 0 {
		return fmt.Sprintf("has %d inputs, which are not maps of %d×%d", inputs, c.size[0], c.size[1])
	}
	from := d.weight.F32()
	kernel := make([]float32, len(from))
	for row := range outputs {
		for i := range inputs {
			if d.axis == 0 {
				kernel[row*inputs+i] = from[row*inputs+i]
			} else {
				kernel[row*inputs+i] = from[i*outputs+row]
			}
		}
	}
	c.reshape(d.weight, kernel, outputs, inputs/places, c.size[0], c.size[1])
	sides := []int64{int64(c.size[0]), int64(c.size[1])}
	convolution := &onnx.Node{
		Op: "Conv", Name: n.Name, Inputs: []string{n.Inputs[0], d.weight.Name}, Outputs: n.Outputs,
		Attrs: onnx.Attrs{"kernel_shape": sides, "strides": []int64{1, 1}, "pads": []int64{0, 0, 0, 0}, "group": int64(1)},
	}
	if n.Op == "Gemm" && d.bias != nil {
		c.reshape(d.bias, spread(d.bias.F32(), outputs), outputs)
		convolution.Inputs = append(convolution.Inputs, d.bias.Name)
	}
	c.keep(convolution)
	c.size = [2]int{1, 1}
	return ""
}

// reshape puts a tensor of these values and this shape in the place of t, which
// the network that is operated on shares.
func (c *converter) reshape(t *onnx.Tensor, data []float32, shape ...int) {
	i := slices.Index(c.g.Initializers, t)
	c.g.Initializers[i] = &onnx.Tensor{Name: t.Name, Type: t.Type, Shape: shape, Data: data, Param: t.Param}
}

// spread is one bias per output, where there may be one for all.
func spread(bias []float32, outputs int) []float32 {
	if len(bias) == 1 {
		return slices.Repeat(bias, outputs)
	}
	return bias
}
