package compile

import (
	"fmt"
	"maps"
	"slices"

	"orchestrator/trainer/onnx"
)

// network is a classifier written into a Builder with its batch size fixed.
type network struct {
	*onnx.Builder
	o        Options
	model    *onnx.Graph // pruned to what the logits need, ends in them
	training bool
	masks    []Mask
	state    []Slot
	values   map[string]onnx.Value // the graph inputs that hold initializers, by initializer
	moved    map[string]onnx.Value // new running statistics, by initializer
	logits   onnx.Value            // [N, classes]
}

// newNetwork declares the inputs that come before the state and finds the end
// of the network; forward writes it.
func newNetwork(name string, model *onnx.Graph, o Options, training bool) (*network, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	end, err := findLogits(model, o)
	if err != nil {
		return nil, err
	}
	cut := model.Clone()
	cut.Outputs = []onnx.Value{end}
	cut.Prune()
	renameReserved(cut)
	if len(cut.Inputs) != 1 && !o.Features {
		return nil, fmt.Errorf("network %q has %d inputs; a classifier has one, the pictures", model.Name, len(cut.Inputs))
	}
	return &network{
		Builder: onnx.NewBuilder(name), o: o, model: cut, training: training,
		values: map[string]onnx.Value{}, moved: map[string]onnx.Value{},
	}, nil
}

// sources declares what the network is fed with, and returns it as its inputs
// want it, by their names.
func (n *network) sources() map[string]onnx.Value {
	sources := map[string]onnx.Value{}
	for _, in := range n.model.Inputs {
		if n.o.Features {
			sources[in.Name] = n.Input(FeatureOutput(in.Name), onnx.Float, n.sourceShape(in)...)
		} else {
			sources[in.Name] = n.images()
		}
	}
	return sources
}

// sourceShape is the shape of what an input of the network is fed with.
func (n *network) sourceShape(in onnx.Value) []int {
	if n.o.Features {
		return append([]int{n.o.Batch}, in.Shape[1:]...)
	}
	return []int{n.o.Batch, n.o.Channels, n.o.Height, n.o.Width}
}

// images declares the picture input and returns it as the network wants it.
func (n *network) images() onnx.Value {
	shape := []int{n.o.Batch, n.o.Channels, n.o.Height, n.o.Width}
	if n.o.FloatInput {
		return n.Input("images", onnx.Float, shape...)
	}
	x := n.Input("images", onnx.Uint8, shape...)
	defer n.Scope("normalise")()
	x = n.Op("Cast", onnx.Attrs{"to": int64(onnx.Float)}, x)
	if notAll(n.o.Mean, 0) {
		x = n.Op("Sub", nil, x, n.perChannel(n.o.Mean))
	}
	if notAll(n.o.Scale, 1) {
		x = n.Op("Mul", nil, x, n.perChannel(n.o.Scale))
	}
	return x
}

func (n *network) perChannel(xs []float32) onnx.Value {
	return n.Const(onnx.Floats(xs, 1, len(xs), 1, 1))
}

func notAll(xs []float32, x float32) bool {
	return slices.ContainsFunc(xs, func(v float32) bool { return v != x })
}

// declareMasks declares one input for each Dropout, of the shape of what it
// multiplies. That is known only when the network has been written, after its
// inputs: so it is written once more, to be thrown away.
func (n *network) declareMasks() error {
	dry := onnx.NewBuilder("shapes")
	sources := map[string]onnx.Value{}
	for _, in := range n.model.Inputs {
		sources[in.Name] = dry.Input(in.Name, onnx.Float, n.sourceShape(in)...)
	}
	dry.Replay(n.model, sources)
	if err := dry.Err(); err != nil {
		return err
	}
	for _, node := range n.model.Nodes {
		if node.Op != "Dropout" {
			continue
		}
		m := Mask{Input: "mask:" + node.Name, Ratio: n.dropoutRatio(node), Shape: dry.Named(node.Inputs[0]).Shape, Bits: n.o.Target != CPU}
		n.Input(m.Input, m.Value().Type, m.Value().Shape...)
		n.masks = append(n.masks, m)
	}
	return n.Err()
}

// dropoutRatio is the constant second input, by default one half.
func (n *network) dropoutRatio(node *onnx.Node) float64 {
	if len(node.Inputs) < 2 || node.Inputs[1] == "" {
		return 0.5
	}
	t := n.model.Initializer(node.Inputs[1])
	if t == nil || t.Type != onnx.Float || len(t.F32()) != 1 {
		n.Fail("Dropout %q: its ratio is not a constant", node.Name)
		return 0
	}
	return float64(t.F32()[0])
}

// declareState declares an input for every parameter and running statistic, in
// the order in which the nodes use them first.
func (n *network) declareState() {
	statistics := map[string]bool{}
	for _, node := range n.model.Nodes {
		if node.Op == "BatchNormalization" && len(node.Inputs) > 4 {
			statistics[node.Inputs[3]], statistics[node.Inputs[4]] = true, true
		}
	}
	for _, node := range n.model.Nodes {
		for _, in := range node.Inputs {
			t := n.model.Initializer(in)
			if _, done := n.values[in]; done || t == nil || !t.Param && !statistics[in] {
				continue
			}
			n.declare(t)
		}
	}
}

// declareTrained declares the inputs of the trained parameters alone.
func (n *network) declareTrained() {
	for _, node := range n.model.Nodes {
		for _, in := range node.Inputs {
			if _, done := n.values[in]; done || !n.trains(in) {
				continue
			}
			n.declare(n.model.Initializer(in))
		}
	}
}

func (n *network) declare(t *onnx.Tensor) {
	slot := Slot{Name: "param:" + t.Name, Param: t.Name, Shape: t.Shape}
	n.state = append(n.state, slot)
	n.values[t.Name] = n.Input(slot.Name, t.Type, t.Shape...)
}

// trains tells whether an initializer is a parameter with a learning rate.
func (n *network) trains(name string) bool {
	t := n.model.Initializer(name)
	return t != nil && t.Param && n.o.rates(name).LR != 0
}

// trained are the names of the parameters to be updated, in the state's order.
func (n *network) trained() []string {
	var names []string
	for _, s := range n.state {
		if !s.Zero && n.trains(s.Param) {
			names = append(names, s.Param)
		}
	}
	return names
}

// forward writes the network and leaves the logits as [N, classes].
func (n *network) forward(sources map[string]onnx.Value) error {
	body := n.model
	if n.training {
		body = n.forTraining()
	}
	bind := n.bind(sources)
	for _, m := range n.masks {
		bind[m.Input] = n.mask(m)
	}
	outs := n.Replay(body, bind)
	if err := n.Err(); err != nil {
		return err
	}
	if n.training {
		n.moveStatistics()
	}
	return n.flattenLogits(outs[0])
}

// bind gives the network's inputs and state the values that the graph has for
// them.
func (n *network) bind(sources map[string]onnx.Value) map[string]onnx.Value {
	bind := maps.Clone(sources)
	maps.Copy(bind, n.values)
	return bind
}

// forTraining is the model with its training behaviour: Dropout as a product
// with its mask, BatchNormalization with the statistics of the mini-batch,
// MaxPool with the positions of its maxima.
func (n *network) forTraining() *onnx.Graph {
	g := n.model.Clone()
	reached := n.reached()
	var nodes []*onnx.Node
	for _, node := range g.Nodes {
		switch node.Op {
		case "Dropout":
			node.Op, node.Attrs = "Mul", nil
			node.Inputs = []string{node.Inputs[0], "mask:" + node.Name}
			node.Outputs = node.Outputs[:1]
		case "BatchNormalization":
			if n.normalisesBatch(node) {
				nodes = append(nodes, ownStatistics(node)...)
			}
		case "MaxPool":
			if len(node.Outputs) == 1 && reached[node.Inputs[0]] && !n.o.lowering().Ordered() {
				node.Outputs = append(node.Outputs, node.Name+".positions")
			}
		}
		nodes = append(nodes, node)
	}
	g.Nodes = nodes
	return g
}

// ownStatistics makes a BatchNormalization use and tell the statistics of the
// mini-batch: with momentum 0 the "running" ones that it returns are those.
// ONNX Runtime writes them into the buffers of the running ones that it is given;
// so it is given others, of any values, by the nodes returned.
func ownStatistics(node *onnx.Node) []*onnx.Node {
	node.Attrs["training_mode"], node.Attrs["momentum"] = int64(1), float32(0)
	node.Outputs = []string{node.Outputs[0], node.Name + ".mean", node.Name + ".variance"}
	var nodes []*onnx.Node
	for i, suffix := range []string{".any_mean", ".any_variance"} {
		running, name := node.Inputs[3+i], node.Name+suffix
		nodes = append(nodes, &onnx.Node{Name: name, Op: "Add", Inputs: []string{running, running}, Outputs: []string{name}})
		node.Inputs[3+i] = name
	}
	return nodes
}

// reached are the values that depend on a trained parameter.
func (n *network) reached() map[string]bool {
	reached := map[string]bool{}
	for _, node := range n.model.Nodes {
		if slices.ContainsFunc(node.Inputs, func(in string) bool { return reached[in] || n.trains(in) }) {
			for _, out := range node.Outputs {
				reached[out] = true
			}
		}
	}
	return reached
}

// moveStatistics writes running' = momentum·running + (1 - momentum)·batch for
// each BatchNormalization that trains.
func (n *network) moveStatistics() {
	if n.o.Target != CPU {
		n.moveStatisticsTogether()
		return
	}
	for _, node := range n.model.Nodes {
		if !n.normalisesBatch(node) {
			continue
		}
		momentum := node.Float("momentum", 0.9)
		end := n.Scope("statistics/" + node.Name)
		for k, suffix := range []string{".mean", ".variance"} {
			running, batch := node.Inputs[3+k], n.Named(node.Name+suffix)
			n.moved[running] = n.movedBy(momentum, n.values[running], batch)
		}
		end()
	}
}

// movedBy is what becomes of running statistics.
func (n *network) movedBy(momentum float64, running, batch onnx.Value) onnx.Value {
	kept := n.Op("Mul", nil, running, n.Scalar(momentum))
	moved := n.Op("Add", nil, kept, n.Op("Mul", nil, batch, n.Scalar(1-momentum)))
	return n.unlessLost(batch, moved, running)
}

// flattenLogits brings [N,C] or [N,C,1,1] to [N,C] and compares C with the
// number of classes: of extra outputs training makes classes, and evaluation drops
// them.
func (n *network) flattenLogits(v onnx.Value) error {
	if v.Rank() < 2 || v.Shape[0] != n.o.Batch || v.Size() != n.o.Batch*v.Shape[1] {
		return &OutputError{Value: v.Name, Others: n.model.LeftOut, Reason: fmt.Sprintf("shape %v is not a row of class scores per picture ([%d, classes])", v.Shape, n.o.Batch)}
	}
	if n.o.Classes == 0 {
		n.o.Classes = v.Shape[1]
	}
	width := v.Shape[1]
	if width < n.o.Classes || width > n.o.Classes && !n.o.ExtraOutputs {
		return &OutputError{Value: v.Name, Classes: n.o.Classes, Others: n.model.LeftOut, Reason: fmt.Sprintf("%d outputs, but the data set has %d classes", v.Shape[1], n.o.Classes)}
	}
	n.logits = v
	if v.Rank() > 2 {
		n.logits = n.Op("Reshape", nil, v, n.Ints(n.o.Batch, width))
	}
	if width > n.o.Classes && n.training {
		n.o.Classes = width
	} else if width > n.o.Classes {
		n.logits = n.Op("Slice", nil, n.logits, n.Ints(0), n.Ints(n.o.Classes), n.Ints(1))
	}
	return n.Err()
}
