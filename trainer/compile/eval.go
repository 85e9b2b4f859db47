package compile

import (
	"fmt"

	"orchestrator/trainer/onnx"
)

// Eval compiles the network as it is used: Dropout does nothing,
// BatchNormalization uses its running statistics. Every parameter and running
// statistic is an input. The logits are those whose Softmax are the
// probabilities under the Options' Loss; see Link.
func Eval(model *onnx.Graph, o Options) (*Program, error) {
	n, err := newNetwork("eval", model, o, false)
	if err != nil {
		return nil, err
	}
	x := n.sources()
	n.declareState()
	if err := n.forward(x); err != nil {
		return nil, err
	}
	logits := n.logits
	for _, op := range Link(n.o.Loss) {
		logits = n.Op(op, nil, logits)
	}
	n.Output("logits", logits)
	n.Output("probabilities", n.Op("Softmax", onnx.Attrs{"axis": int64(1)}, logits))
	g, err := n.Graph()
	if err != nil {
		return nil, fmt.Errorf("evaluation graph: %w", err)
	}
	nameOutputs(g)
	return &Program{Graph: g, State: n.state}, nil
}
