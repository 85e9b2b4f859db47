package compile

import "orchestrator/trainer/autodiff"

// Targets of compiled graphs. All are standard ONNX: a graph for one runs on any
// other, but what is fast on one device may be slow on another, or may not give the
// same bits twice.
const (
	CPU  = "cpu"
	CUDA = "cuda"
)

// Targets lists them.
var Targets = []string{CPU, CUDA}

// lowering is that of the gradients.
func (o Options) lowering() autodiff.Lowering {
	return autodiff.Lowering{Graphics: o.Target != CPU, Deterministic: o.Deterministic}
}
