package compile

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// OutputError says that a network's output cannot be trained on.
type OutputError struct {
	Value   string // the network's value
	Classes int    // wanted; 0 where that is not what is wrong
	Reason  string
	Others  []string // outputs of the file that import left out
}

func (e *OutputError) Error() string {
	return fmt.Sprintf("the network's output %q: %s", e.Value, e.Reason)
}

// Hint says what a user can do about it.
func (e *OutputError) Hint() string {
	other := ""
	if len(e.Others) > 0 {
		other = fmt.Sprintf(", or take another of the file's outputs (model.output: %s)", strings.Join(e.Others, ", "))
	}
	if e.Classes > 0 {
		return fmt.Sprintf("replace the last layer by one with %d outputs (model.surgery: replace)%s", e.Classes, other)
	}
	return "cut the network after the layer that scores the classes (model.surgery: cut_after)" + other
}

// ExitCode marks the error as one of the input.
func (e *OutputError) ExitCode() int { return 2 }

// passive operators change the shape of the scores only; a final Softmax may
// stand before them.
var passive = map[string]bool{"Identity": true, "Flatten": true, "Reshape": true, "Squeeze": true}

// findLogits is the value that the loss is taken from: the one that o.Logits
// names, or the input of a final Softmax or LogSoftmax (Sigmoid too, with a loss
// that takes sigmoids itself), or else the output.
func findLogits(model *onnx.Graph, o Options) (onnx.Value, error) {
	if name := o.Logits; name != "" {
		if producer(model, name) == nil {
			return onnx.Value{}, &OutputError{Value: name, Reason: "no node computes it"}
		}
		return onnx.Value{Name: name, Type: onnx.Float}, nil
	}
	if len(model.Outputs) != 1 {
		return onnx.Value{}, fmt.Errorf("network %q has %d outputs; a classifier has one", model.Name, len(model.Outputs))
	}
	out := model.Outputs[0]
	n := producer(model, out.Name)
	for n != nil && passive[n.Op] {
		n = producer(model, n.Inputs[0])
	}
	if n != nil && (n.Op == "Softmax" || n.Op == "LogSoftmax" || n.Op == "Sigmoid" && len(Link(o.Loss)) > 0) {
		return onnx.Value{Name: n.Inputs[0], Type: out.Type}, nil
	}
	return out, nil
}

// producer is the node that computes a value, or nil.
func producer(g *onnx.Graph, value string) *onnx.Node {
	i := slices.IndexFunc(g.Nodes, func(n *onnx.Node) bool { return slices.Contains(n.Outputs, value) })
	if i < 0 {
		return nil
	}
	return g.Nodes[i]
}

// reserved are the names that programs give their own inputs and outputs.
var reserved = []string{"images", "labels", "weights", "learning_rate", "loss_scale", "zero", "bias_correction_1", "bias_correction_2", "average_share", "loss", "finite", "logits", "probabilities"}

// isReserved tells whether a program may use a name for something of its own: the
// inputs and outputs above, state and masks (KIND:NAME), and what it computes
// (PART/NAME).
func isReserved(name string) bool {
	if slices.Contains(reserved, name) || strings.Contains(name, ":") {
		return true
	}
	part, _, inPart := strings.Cut(name, "/")
	return inPart && slices.Contains([]string{"grad", "update", "statistics", "normalise", "clip", "finite", "loss"}, part)
}

// renameReserved gives the network's values that have a reserved name another;
// parameters and running statistics are inputs of a program under names of its own.
func renameReserved(g *onnx.Graph) {
	taken, statistics, rename := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			taken[out] = true
		}
		if n.Op == "BatchNormalization" {
			statistics[n.Inputs[3]], statistics[n.Inputs[4]] = true, true
		}
	}
	free := func(name string) string {
		to := "network/" + strings.ReplaceAll(name, ":", "_")
		for taken[to] {
			to += "_"
		}
		taken[to], rename[name] = true, to
		return to
	}
	for _, t := range g.Initializers {
		if isReserved(t.Name) && !t.Param && !statistics[t.Name] {
			t.Name = free(t.Name)
		}
	}
	for _, n := range g.Nodes {
		for i, in := range n.Inputs {
			if to, ok := rename[in]; ok {
				n.Inputs[i] = to
			}
		}
		for i, out := range n.Outputs {
			if isReserved(out) {
				n.Outputs[i] = free(out)
			}
		}
	}
	for i, o := range g.Outputs {
		if to, ok := rename[o.Name]; ok {
			g.Outputs[i].Name = to
		}
	}
}
