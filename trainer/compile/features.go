package compile

import (
	"fmt"

	"orchestrator/trainer/onnx"
)

// Features compiles the part of the network that computes some of its values,
// as it is used: Dropout does nothing, BatchNormalization uses its running
// statistics. values are names of the model's values, such as the outputs of
// layers; the program's outputs are FeatureOutput of each, in that order, float
// [N, ...] with a row per picture.
//
// A value that is not float, or has no row per picture, gives a *FeatureError.
func Features(model *onnx.Graph, values []string, o Options) (*Program, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	cut := model.Clone()
	cut.Outputs = nil
	for _, name := range values {
		if producer(cut, name) == nil && (len(cut.Inputs) != 1 || cut.Inputs[0].Name != name) {
			return nil, &FeatureError{Value: name, Reason: "no layer computes it"}
		}
		cut.Outputs = append(cut.Outputs, onnx.Value{Name: name, Type: onnx.Float})
	}
	cut.Prune()
	renameReserved(cut)
	if len(cut.Inputs) != 1 {
		return nil, fmt.Errorf("network %q has %d inputs; a classifier has one, the pictures", model.Name, len(cut.Inputs))
	}
	n := &network{
		Builder: onnx.NewBuilder("features"), o: o, model: cut,
		values: map[string]onnx.Value{}, moved: map[string]onnx.Value{},
	}
	x := n.sources()
	n.declareState()
	outs := n.Replay(cut, n.bind(x))
	if err := n.Err(); err != nil {
		return nil, err
	}
	if err := checkRows(cut, values, outs, o); err != nil {
		return nil, err
	}
	for i, v := range outs {
		n.Output(FeatureOutput(values[i]), v)
	}
	g, err := n.Graph()
	if err != nil {
		return nil, fmt.Errorf("features graph: %w", err)
	}
	nameOutputs(g)
	return &Program{Graph: g, State: n.state}, nil
}

// FeatureOutput is the name that Features gives a value of the network.
func FeatureOutput(value string) string { return "feature:" + value }

// checkRows makes sure that each value has a row per picture, also with another
// number of pictures: a dimension may be of their number by chance.
func checkRows(g *onnx.Graph, values []string, outs []onnx.Value, o Options) error {
	other := onnx.NewBuilder("shapes")
	in := g.Inputs[0]
	x := other.Input(in.Name, onnx.Float, o.Batch+1, o.Channels, o.Height, o.Width)
	again := other.Replay(g, map[string]onnx.Value{in.Name: x})
	if err := other.Err(); err != nil {
		return err
	}
	for i, v := range outs {
		switch {
		case v.Type != onnx.Float:
			return &FeatureError{Value: values[i], Reason: fmt.Sprintf("its type is %v, not float", v.Type)}
		case v.Rank() == 0 || v.Shape[0] != o.Batch || again[i].Shape[0] != o.Batch+1:
			return &FeatureError{Value: values[i], Reason: fmt.Sprintf("its shape %v has no row for each of %d pictures", v.Shape, o.Batch)}
		}
	}
	return nil
}

// FeatureError says that a value of a network cannot be kept as a feature of
// each picture.
type FeatureError struct {
	Value  string
	Reason string
}

func (e *FeatureError) Error() string {
	return fmt.Sprintf("the features %q cannot be computed: %s", e.Value, e.Reason)
}

// Hint says where the names are seen.
func (e *FeatureError) Hint() string {
	return "orchestrator model inspect prints the layers' names and the shapes of their outputs"
}

// ExitCode marks the error as one of the input.
func (e *FeatureError) ExitCode() int { return 2 }
