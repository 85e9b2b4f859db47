package compile

import "orchestrator/trainer/autodiff"

// Targets of compiled graphs. All are standard ONNX: a graph for one runs on any
// other, but what is fast on one device may be slow on another, or may not give the
// same bits twice.
const (
	CPU    = "cpu"
	CUDA   = "cuda"
	WebGPU = "webgpu" // and any other graphics processor whose kernels bind few buffers
)

// Targets lists them.
var Targets = []string{CPU, CUDA, WebGPU}

// mostTogether is how many tensors one operator takes or gives, by target; 0: any
// number. WebGPU promises a kernel eight buffers.
var mostTogether = map[string]int{WebGPU: 7}

// lowering is that of the gradients.
func (o Options) lowering() autodiff.Lowering {
	return autodiff.Lowering{Graphics: o.Target != CPU, Deterministic: o.Deterministic}
}
