package compile

import (
	"errors"
	"slices"

	"orchestrator/trainer/onnx"
)

// Frozen divides a network at the height where training begins. What lies below
// answers the same to a picture in every step.
type Frozen struct {
	// Values are what the rest takes from the part below, by the model's names:
	// features of the pictures, as the program that Features compiles for them
	// computes them.
	Values []string
	Shapes [][]int // of the values, for one picture
	// Layers are the names of the layers below, in the model's order.
	Layers []string
	// Rest is the model without them. Its inputs are Values; with
	// Options.Features it is compiled like any other.
	Rest *onnx.Graph
}

// Floats is the number of features of a picture.
func (f *Frozen) Floats() int {
	n := 0
	for _, shape := range f.Shapes {
		n += onnx.NumElements(shape)
	}
	return n
}

// Freeze divides the model, whose pictures and Rates are those of the Options.
// What depends on a trained parameter belongs to the rest, and so does what
// draws at random in training, as Dropout does, with all that depends on it.
// The result is nil where there is no part below with a parameter in it, or
// where what the rest takes from it is not a row of numbers per picture.
func Freeze(model *onnx.Graph, o Options) (*Frozen, error) {
	n, err := newNetwork("frozen", model, o, true)
	if err != nil {
		return nil, err
	}
	whole := model.Clone()
	whole.Prune()
	d := divide(whole, n.trains)
	if !d.parameters || len(d.values) == 0 {
		return nil, nil
	}
	o.Batch = 1
	p, err := Features(model, d.values, o)
	var unfit *FeatureError
	if errors.As(err, &unfit) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &Frozen{Values: d.values, Layers: d.layers, Rest: whole}
	whole.Inputs = nil
	for i, out := range p.Graph.Outputs {
		f.Shapes = append(f.Shapes, out.Shape[1:])
		shape := append([]int{onnx.Batch}, out.Shape[1:]...)
		whole.Inputs = append(whole.Inputs, onnx.Value{Name: d.values[i], Type: onnx.Float, Shape: shape})
	}
	whole.Nodes = slices.DeleteFunc(whole.Nodes, func(n *onnx.Node) bool { return slices.Contains(d.layers, n.Name) })
	whole.Prune()
	return f, nil
}

// division says what of a network changes in training.
type division struct {
	layers     []string // nodes that see the pictures and do not change
	values     []string // outputs of theirs that others take, or the pictures
	parameters bool     // some of the layers has parameters
}

// divide follows the pictures upwards to where trained parameters or randomness
// come in.
func divide(g *onnx.Graph, trains func(string) bool) division {
	var d division
	fixed := map[string]bool{} // depends on the pictures, and on nothing that changes
	changing := map[string]bool{}
	for _, in := range g.Inputs {
		fixed[in.Name] = true
	}
	take := func(value string) {
		if fixed[value] && !slices.Contains(d.values, value) {
			d.values = append(d.values, value)
		}
	}
	for _, n := range g.Nodes {
		sees := slices.ContainsFunc(n.Inputs, func(in string) bool { return fixed[in] })
		changes := draws[n.Op] || slices.ContainsFunc(n.Inputs, func(in string) bool { return changing[in] || trains(in) })
		for _, out := range n.Outputs {
			if out != "" { // one that nobody reads
				fixed[out], changing[out] = sees && !changes, changes
			}
		}
		switch {
		case changes:
			for _, in := range n.Inputs {
				take(in)
			}
		case sees:
			d.layers = append(d.layers, n.Name)
			d.parameters = d.parameters || slices.ContainsFunc(n.Inputs, func(in string) bool {
				t := g.Initializer(in)
				return t != nil && t.Param
			})
		}
	}
	for _, out := range g.Outputs {
		take(out.Name)
	}
	return d
}

// draws are the operators that are random in training.
var draws = map[string]bool{"Dropout": true, "RandomNormalLike": true, "RandomUniformLike": true, "Bernoulli": true, "Multinomial": true}
