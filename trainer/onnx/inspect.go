package onnx

import "slices"

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
// count a multiply-add as two, for one picture. Parameters that several nodes
// read count at the first, so that the layers' add up to the network's.
type Layer struct {
	Name       string `json:"name"`
	Op         string `json:"op"`
	Output     []int  `json:"output"`
	Parameters int    `json:"parameters"`
	FLOPs      int64  `json:"flops"`
}

// Inspect lists the layers of a template graph, with shapes for one picture.
func Inspect(g *Graph) (Report, error) {
	b, err := shapesOf(g)
	if err != nil {
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
			delete(sizes, in) // shared parameters count where they are read first
		}
		l.FLOPs = flops(n, b)
		r.Layers = append(r.Layers, l)
	}
	return r, nil
}

// shapesOf writes a graph into a Builder, which then knows every value's shape;
// an open batch is one picture.
func shapesOf(g *Graph) (*Builder, error) {
	b := NewBuilder("inspect")
	bind := map[string]Value{}
	for _, in := range g.Inputs {
		shape := slices.Clone(in.Shape)
		for i, d := range shape {
			if d == Batch {
				shape[i] = 1
			}
		}
		bind[in.Name] = b.Input(in.Name, in.Type, shape...)
	}
	b.Replay(g, bind)
	return b, b.Err()
}

func reportValues(values []Value) []ReportValue {
	out := make([]ReportValue, len(values))
	for i, v := range values {
		out[i] = ReportValue{v.Name, v.Type.String(), v.Shape}
	}
	return out
}
