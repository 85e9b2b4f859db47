package compile

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// Description is a graph as people read it: its nodes in sections, and what lives
// from step to step. WriteText and WriteDot print it.
type Description struct {
	Name   string           `json:"name"`
	Inputs []DescribedValue `json:"inputs"` // fed in each run
	// State are the parameters, and with a program what else it keeps.
	State    []DescribedSlot `json:"state"`
	Sections []Section       `json:"sections"`
	Outputs  []string        `json:"outputs"`
}

// Section is a part of a step: "input", "forward", "loss", "backward", "clip",
// "statistics" or "update"; "scores" are what an evaluation adds to the network.
type Section struct {
	Name  string          `json:"name"`
	Nodes []DescribedNode `json:"nodes"`
}

// DescribedNode is one operation.
type DescribedNode struct {
	Name string `json:"name"`
	Op   string `json:"op"`
	// Layer is the layer of the network that the node belongs to: itself in the
	// forward section, the one that is differentiated in the backward section. In
	// the update it is the parameter.
	Layer      string           `json:"layer,omitempty"`
	Inputs     []string         `json:"inputs"` // "" is absent
	Outputs    []DescribedValue `json:"outputs"`
	Attributes map[string]any   `json:"attributes"` // those that are not defaults
}

// DescribedValue is a value with its shape.
type DescribedValue struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	// GradientOf are the values by which this is the gradient of the loss.
	GradientOf []string `json:"gradient_of,omitempty"`
}

// DescribedSlot is a tensor that lives from step to step.
type DescribedSlot struct {
	DescribedValue
	Kind    string `json:"kind"`      // trained, frozen, statistic, optimizer, sum, average; parameter of a model alone
	Param   string `json:"parameter"` // that it is or belongs to
	Updated bool   `json:"updated"`
	InPlace bool   `json:"in_place"` // the new value is written where the old one was
}

// DescribeModel describes a network alone, for a batch of pictures.
func DescribeModel(model *onnx.Graph, batch int) (*Description, error) {
	b := onnx.NewBuilder(model.Name)
	bind := map[string]onnx.Value{}
	for _, in := range model.Inputs {
		shape := slices.Clone(in.Shape)
		if len(shape) > 0 && shape[0] == onnx.Batch {
			shape[0] = batch
		}
		bind[in.Name] = b.Input(in.Name, in.Type, shape...)
	}
	for i, v := range b.Replay(model, bind) {
		b.Output(model.Outputs[i].Name, v)
	}
	g, err := b.Graph()
	if err != nil {
		return nil, err
	}
	d := newDescriber(&Program{Graph: g}, model)
	for _, t := range g.Initializers {
		if t.Param {
			v := DescribedValue{Name: t.Name, Type: t.Type.String(), Shape: t.Shape}
			d.out.State = append(d.out.State, DescribedSlot{DescribedValue: v, Kind: "parameter", Param: t.Name})
			d.state[t.Name] = true
		}
	}
	return d.describe()
}

// Describe describes a program that was compiled from a model.
func Describe(p *Program, model *onnx.Graph) (*Description, error) {
	d := newDescriber(p, model)
	for _, s := range p.State {
		v := DescribedValue{Name: s.Name, Type: onnx.Float.String(), Shape: s.Shape}
		d.out.State = append(d.out.State, DescribedSlot{
			DescribedValue: v, Kind: slotKind(s, model), Param: s.Param, Updated: s.Updated, InPlace: s.InPlace,
		})
		d.state[s.Name] = true
	}
	return d.describe()
}

// slotOf is the slot that an input with the name of a block belongs to; see
// BlockName.
func slotOf(input string) string {
	if at := strings.LastIndex(input, "#"); at >= 0 {
		return input[:at]
	}
	return input
}

// slotKind is what a slot is for.
func slotKind(s Slot, model *onnx.Graph) string {
	t := model.Initializer(s.Param)
	switch {
	case s.Sum:
		return "sum"
	case s.Zero:
		return "optimizer"
	case s.Name == Averaged(s.Param):
		return "average"
	case t != nil && !t.Param:
		return "statistic"
	case s.Updated:
		return "trained"
	}
	return "frozen"
}

// describer is a description in the making.
type describer struct {
	program *Program
	layers  map[string]bool     // names of the model's nodes
	state   map[string]bool     // names of slots
	of      map[string][]string // gradient -> values
	shapes  *onnx.Builder
	out     *Description
	parts   map[string]*Section
}

func newDescriber(p *Program, model *onnx.Graph) *describer {
	d := &describer{
		program: p, layers: map[string]bool{}, state: map[string]bool{}, of: map[string][]string{},
		shapes: onnx.NewBuilder("shapes"), parts: map[string]*Section{},
		out: &Description{Name: p.Graph.Name, Inputs: []DescribedValue{}, State: []DescribedSlot{}, Sections: []Section{}},
	}
	for _, n := range model.Nodes {
		d.layers[n.Name] = true
	}
	for value, gradient := range p.Gradients {
		d.of[gradient] = append(d.of[gradient], value)
	}
	for _, values := range d.of {
		slices.Sort(values)
	}
	return d
}

// sectionOrder is how sections follow each other in a step.
var sectionOrder = []string{"input", "forward", "loss", "scores", "backward", "statistics", "clip", "update"}

func (d *describer) describe() (*Description, error) {
	g := d.program.Graph
	bind := map[string]onnx.Value{}
	for _, in := range g.Inputs {
		bind[in.Name] = d.shapes.Input(in.Name, in.Type, in.Shape...)
		if !d.state[in.Name] && !d.state[slotOf(in.Name)] {
			d.out.Inputs = append(d.out.Inputs, d.value(in.Name))
		}
	}
	d.shapes.Replay(g, bind)
	if err := d.shapes.Err(); err != nil {
		return nil, fmt.Errorf("describe graph %q: %w", g.Name, err)
	}
	for _, n := range g.Nodes {
		section, layer := d.place(n)
		if d.parts[section] == nil {
			d.parts[section] = &Section{Name: section}
		}
		d.parts[section].Nodes = append(d.parts[section].Nodes, d.node(n, layer))
	}
	for _, name := range sectionOrder {
		if s := d.parts[name]; s != nil {
			d.out.Sections = append(d.out.Sections, *s)
		}
	}
	for _, o := range g.Outputs {
		d.out.Outputs = append(d.out.Outputs, o.Name)
	}
	return d.out, nil
}

// scopes are the first parts of the names that the compiler gives its own nodes,
// which go on with the layer or the parameter.
var scopes = map[string]string{
	"normalise": "input", "loss": "loss", "grad": "backward", "statistics": "statistics", "clip": "clip", "update": "update",
}

// place is the section and the layer of a node.
func (d *describer) place(n *onnx.Node) (section, layer string) {
	if d.layers[n.Name] {
		return "forward", n.Name
	}
	scope, rest, _ := strings.Cut(n.Name, "/")
	if at := strings.LastIndex(rest, "/"); at >= 0 {
		layer = rest[:at]
	}
	if section, ok := scopes[scope]; ok {
		return section, layer
	}
	switch {
	case strings.HasSuffix(n.Outputs[0], "'"):
		return "update", ""
	case slices.ContainsFunc(d.program.Graph.Outputs, func(o onnx.Value) bool { return o.Name == "loss" }):
		return "loss", ""
	}
	return "scores", ""
}

func (d *describer) node(n *onnx.Node, layer string) DescribedNode {
	out := DescribedNode{Name: n.Name, Op: n.FullOp(), Layer: layer, Inputs: make([]string, len(n.Inputs)), Attributes: map[string]any{}}
	for i, in := range n.Inputs {
		out.Inputs[i] = in
		if t := d.program.Graph.Initializer(in); t != nil && !d.state[in] {
			out.Inputs[i] = constantText(t)
		}
	}
	for _, name := range n.Outputs {
		out.Outputs = append(out.Outputs, d.value(name))
	}
	for name, value := range n.Given() {
		switch v := value.(type) {
		case *onnx.Tensor:
			value = constantText(v)
		case *onnx.Graph:
			value = "graph " + v.Name
		case int64:
			if n.Op == "Cast" && name == "to" {
				value = onnx.DType(v).String()
			}
		}
		out.Attributes[name] = value
	}
	return out
}

func (d *describer) value(name string) DescribedValue {
	v := d.shapes.Named(name)
	return DescribedValue{Name: name, Type: v.Type.String(), Shape: v.Shape, GradientOf: d.of[name]}
}

// mostShown is how many elements of a constant are written out.
const mostShown = 6

// constantText is a constant, shortened where it is long: 0.9, [1 2 3],
// [0 1 2 3 … 999] or float[64 3 7 7].
func constantText(t *onnx.Tensor) string {
	all := strings.Fields(strings.Trim(shown(t), "[]"))
	switch {
	case len(t.Shape) == 0 && len(all) == 1:
		return all[0]
	case onnx.NumElements(t.Shape) <= mostShown:
		return "[" + strings.Join(all, " ") + "]"
	case len(t.Shape) == 1 && t.Type == onnx.Int64:
		return fmt.Sprintf("[%s … %s]", strings.Join(all[:mostShown-2], " "), all[len(all)-1])
	}
	name := ""
	if t.Name != "" && !strings.Contains(t.Name, "const_") {
		name = t.Name + " "
	}
	return fmt.Sprintf("%s%s%v", name, t.Type, t.Shape)
}

// shown are the elements of a constant that constantText may look at: all but
// those of a large tensor of numbers.
func shown(t *onnx.Tensor) string {
	if t.Type != onnx.Int64 && onnx.NumElements(t.Shape) > mostShown {
		return ""
	}
	return fmt.Sprint(t.Data)
}
