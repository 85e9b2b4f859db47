package onnx

// Report describes a network for people and scripts.
type Report struct {
	Parameters int           `json:"parameters"` // numbers that training may change
	Inputs     []ReportValue `json:"inputs"`
	Outputs    []ReportValue `json:"outputs"`
	Layers     []Layer       `json:"layers"`
}

// ReportValue is an input or output; a shape entry of -1 is the open batch.
type ReportValue struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
}

// Layer is one node, under the name that surgery and lr_mult know it by. FLOPs
// count a multiply-add as two, for one picture.
type Layer struct {
	Name       string `json:"name"`
	Op         string `json:"op"`
	Output     []int  `json:"output"`
	Parameters int    `json:"parameters"`
	FLOPs      int64  `json:"flops"`
}

// Inspect lists the layers of a template graph, with shapes for one picture.
func Inspect(g *Graph) (Report, error) {
	b := NewBuilder("inspect")
	bind := map[string]Value{}
	for _, in := range g.Inputs {
		shape := append([]int{}, in.Shape...)
		for i, d := range shape {
			if d == Batch {
				shape[i] = 1
			}
		}
		bind[in.Name] = b.Input(in.Name, in.Type, shape...)
	}
	b.Replay(g, bind)
	if err := b.Err(); err != nil {
		return Report{}, err
	}
	r := Report{Inputs: reportValues(g.Inputs), Outputs: reportValues(g.Outputs), Layers: []Layer{}}
	sizes := map[string]int{}
	for _, t := range g.Initializers {
		if t.Param {
			sizes[t.Name] = NumElements(t.Shape)
			r.Parameters += sizes[t.Name]
		}
	}
	for _, n := range g.Nodes {
		l := Layer{Name: n.Name, Op: n.Op, Output: b.Named(n.Outputs[0]).Shape}
		for _, in := range n.Inputs {
			l.Parameters += sizes[in]
		}
		l.FLOPs = flops(n, b)
		r.Layers = append(r.Layers, l)
	}
	return r, nil
}

func reportValues(values []Value) []ReportValue {
	out := make([]ReportValue, len(values))
	for i, v := range values {
		out[i] = ReportValue{v.Name, v.Type.String(), v.Shape}
	}
	return out
}

// flops counts the arithmetic of a node: exactly for convolutions and matrix
// products, one per window element for pools, one per output element otherwise,
// and none for moving data.
func flops(n *Node, b *Builder) int64 {
	out := int64(b.Named(n.Outputs[0]).Size())
	switch n.Op {
	case "Conv":
		w := b.Named(n.Inputs[1]).Shape
		return 2*out*int64(NumElements(w[1:])) + biasFlops(n, out)
	case "ConvTranspose":
		x, w := b.Named(n.Inputs[0]), b.Named(n.Inputs[1]).Shape
		return 2*int64(x.Size())*int64(NumElements(w[1:])) + biasFlops(n, out)
	case "Gemm":
		a := b.Named(n.Inputs[0]).Shape
		inner := a[1]
		if n.Int("transA", 0) != 0 {
			inner = a[0]
		}
		return 2*out*int64(inner) + biasFlops(n, out)
	case "MatMul":
		a := b.Named(n.Inputs[0]).Shape
		return 2 * out * int64(a[len(a)-1])
	case "MaxPool", "AveragePool":
		return out * int64(NumElements(n.Ints("kernel_shape")))
	case "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "ReduceMax":
		return int64(b.Named(n.Inputs[0]).Size())
	case "Reshape", "Flatten", "Transpose", "Concat", "Split", "Slice", "Identity", "Dropout", "Squeeze", "Unsqueeze",
		"Expand", "Gather", "Pad", "Cast", "Shape", "Constant", "Tile":
		return 0
	}
	return out
}

func biasFlops(n *Node, out int64) int64 {
	if len(n.Inputs) > 2 && n.Inputs[2] != "" {
		return out
	}
	return 0
}
