package surgery

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// insertAfter puts a Relu or Dropout between a layer and all that read it.
func (o *operation) insertAfter(in Insertion) error {
	l := in.Layer.withDefaults()
	n, err := o.layer("insert_after", in.After)
	if err != nil {
		return err
	}
	if err := o.checkNew("insert_after", l); err != nil {
		return err
	}
	if l.Kind != Relu && l.Kind != Dropout {
		return &Error{
			Action: "insert_after", Name: in.After, Reason: fmt.Sprintf("a %s layer changes the shape that the layers behind it rely on", l.Kind),
			Try: "kind: relu or dropout; cut_after and append build everything else",
		}
	}
	old := n.Outputs[0]
	added := o.shapeless(l, old)
	for _, reader := range o.g.Nodes {
		for i, name := range reader.Inputs {
			if name == old {
				reader.Inputs[i] = added.Outputs[0]
			}
		}
	}
	o.g.Nodes = slices.Insert(o.g.Nodes, slices.Index(o.g.Nodes, n)+1, added)
	for i, out := range o.g.Outputs {
		if out.Name == old {
			o.g.Outputs[i].Name = added.Outputs[0]
		}
	}
	return nil
}

// insertProbe puts a linear classifier on a layer and freezes what is below.
func (o *operation) insertProbe(p Probe) error {
	if err := o.cutAfter("insert_probe", p.After); err != nil {
		return err
	}
	for _, name := range Parameters(o.g, "*") {
		o.frozen[name] = true
	}
	return o.append(NewLayer{Name: p.Name, Kind: Linear, Outputs: p.Outputs, Init: p.Init})
}

// rename gives a layer another name, by which later steps and lr_mult find it.
func (o *operation) rename(r Rename) error {
	n, err := o.layer("rename", r.From)
	if err != nil {
		return err
	}
	taken := slices.ContainsFunc(o.g.Nodes, func(m *onnx.Node) bool { return m != n && m.Name == r.To })
	if r.To == "" || taken {
		reason := "the new name is empty"
		if taken {
			reason = fmt.Sprintf("there is a layer %q already", r.To)
		}
		return &Error{Action: "rename", Name: r.From, Reason: reason, Try: "as {rename: {from: fc8, to: fc8_sentiment}}"}
	}
	n.Name = r.To
	return nil
}

// reinit draws the parameters of layers anew: weights by the filler, biases and
// the shifts of normalisations constant, the scales of normalisations 1.
func (o *operation) reinit(r Reinit) error {
	names := Parameters(o.g, r.Layers)
	if len(names) == 0 {
		return &Error{
			Action: "reinit", Name: r.Layers, Reason: "no layer with parameters has a name like that",
			Try: nearestHint(r.Layers, parameterLayers(o.g)),
		}
	}
	for _, name := range names {
		t := o.g.Initializer(name)
		switch shape := t.Shape; {
		case o.scales(name):
			o.setParameter(Init{Bias: 1}.Biases(name, shape...))
		case len(shape) < 2 || o.isBias(name):
			o.setParameter(r.Init.Biases(name, shape...))
		default:
			o.setParameter(r.Init.Weights(o.seed, name, o.fanIn(t), shape...))
		}
	}
	return o.forgetStatistics(r.Layers)
}

// forgetStatistics gives the normalisations of a glob the running statistics of
// an untrained network: mean 0, variance 1.
func (o *operation) forgetStatistics(glob string) error {
	for _, n := range o.g.Nodes {
		if n.Op != "BatchNormalization" || !Match(glob, n.Name) {
			continue
		}
		for i, value := range []float64{0, 1} {
			old := o.g.Initializer(n.Inputs[3+i])
			if old == nil {
				return fmt.Errorf("layer %q computes its running statistics", n.Name)
			}
			t := Init{Bias: value}.Biases(old.Name, old.Shape...)
			t.Param = false
			o.setParameter(t)
		}
	}
	return nil
}

// scales reports whether a parameter is the factor of a normalisation.
func (o *operation) scales(name string) bool {
	return slices.ContainsFunc(readersOf(o.g, name), func(n *onnx.Node) bool {
		switch n.Op {
		case "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization":
			return len(n.Inputs) > 1 && n.Inputs[1] == name
		}
		return false
	})
}

// isBias reports whether a parameter of several dimensions is only added.
func (o *operation) isBias(name string) bool {
	readers := readersOf(o.g, name)
	return len(readers) > 0 && !slices.ContainsFunc(readers, func(n *onnx.Node) bool { return n.Op != "Add" })
}

// fanIn is how many inputs one output of a weight sums up.
func (o *operation) fanIn(t *onnx.Tensor) int {
	for _, n := range readersOf(o.g, t.Name) {
		if d, ok := denseLayer(o.g, n); ok && d.weight == t {
			return d.fanIn()
		}
	}
	return onnx.NumElements(t.Shape[1:])
}
