package surgery

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// TakeWeights returns a copy of g whose layers that match the glob have the
// parameters, and running statistics, of the layers of the same names in from,
// whatever the geometry there is; and the layers' names. It is for networks whose
// weights are known but whose file differs from the original in strides, pads or
// pooling. A layer that from lacks, or has with other shapes, is an *Error.
func TakeWeights(g, from *onnx.Graph, glob string) (*onnx.Graph, []string, error) {
	g = g.Clone()
	var taken []string
	for _, n := range g.Nodes {
		own := heldBy(g, n)
		if !Match(glob, n.Name) || len(own) == 0 {
			continue
		}
		fail := func(format string, args ...any) error {
			return &Error{Action: "take_weights", Name: n.Name, Reason: fmt.Sprintf(format, args...), Try: "name the layers that both networks have, as --layers 'conv*'"}
		}
		i := slices.IndexFunc(from.Nodes, func(m *onnx.Node) bool { return m.Name == n.Name })
		if i < 0 {
			return nil, nil, fail("the other network has no layer of that name")
		}
		theirs := heldBy(from, from.Nodes[i])
		if len(theirs) != len(own) {
			return nil, nil, fail("it has %d tensors, in the other network %d", len(own), len(theirs))
		}
		for k, t := range own {
			data, ok := fitted(theirs[k], t, transposes(from.Nodes[i]) != transposes(n))
			if !ok {
				return nil, nil, fail("its parameter %s has the shape %v, in the other network %v", t.Name, t.Shape, theirs[k].Shape)
			}
			at := slices.Index(g.Initializers, t)
			g.Initializers[at] = &onnx.Tensor{Name: t.Name, Param: t.Param, Type: t.Type, Shape: t.Shape, Data: data}
		}
		taken = append(taken, n.Name)
	}
	if len(taken) == 0 {
		return nil, nil, &Error{Action: "take_weights", Name: glob, Reason: "no layer with parameters has a name like that", Try: nearestHint(glob, parameterLayers(g))}
	}
	return g, taken, nil
}

// heldBy are the parameters of a layer, and the running statistics of a
// normalisation.
func heldBy(g *onnx.Graph, n *onnx.Node) []*onnx.Tensor {
	own := layerParameters(g, n)
	if n.Op == "BatchNormalization" {
		for _, name := range n.Inputs[3:] {
			if t := g.Initializer(name); t != nil && !slices.Contains(own, t) {
				own = append(own, t)
			}
		}
	}
	return own
}

// transposes reports whether a layer's matrix has a row per output.
func transposes(n *onnx.Node) bool { return n.Op == "Gemm" && n.Int("transB", 0) == 1 }

// fitted are the values of from in the shape of t: the same shape, or its
// transpose where the layers store matrices differently.
func fitted(from, t *onnx.Tensor, transposed bool) ([]float32, bool) {
	values := from.F32()
	if len(t.Shape) != 2 || !transposed {
		same := slices.Equal(from.Shape, t.Shape) || len(from.Shape) > 0 && onnx.NumElements(from.Shape) == onnx.NumElements(t.Shape) && len(t.Shape) == 1
		return slices.Clone(values), same
	}
	rows, columns := t.Shape[0], t.Shape[1]
	if !slices.Equal(from.Shape, []int{columns, rows}) {
		return nil, false
	}
	out := make([]float32, len(values))
	for r := range rows {
		for c := range columns {
			out[r*columns+c] = values[c*rows+r]
		}
	}
	return out, true
}
