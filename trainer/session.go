package trainer

import "orchestrator/trainer/onnx"

// Runtime turns graphs into sessions. Package ort has the one for ONNX Runtime.
type Runtime interface {
	// Open compiles g, whose inputs and outputs are all static.
	Open(g *onnx.Graph) (Session, error)
	DeviceMemory
}

// DeviceMemory is where a runtime's device wants the tensors that stay from run to run.
type DeviceMemory interface {
	// OwnMemory tells whether the device has a memory of its own. Then Alloc, Copy
	// and Free are there to keep tensors in it, which spares a run their transport.
	OwnMemory() bool
	// InPlace tells whether a run may write an output over an input that the graph's
	// InPlace names.
	InPlace() bool
	// Alloc returns a tensor in the device's memory, of any content, whose Data
	// nobody but the runtime can read.
	Alloc(v onnx.Value) (*onnx.Tensor, error)
	// Lend returns a tensor of zeros in the host's memory for what is sent often, in
	// memory that the device reads fastest. It is gone when the runtime is closed.
	Lend(v onnx.Value) (*onnx.Tensor, error)
	// Copy copies the elements of one tensor to another of the same size, either of
	// them in the device's memory.
	Copy(to, from *onnx.Tensor) error
	// Free gives a tensor of Alloc's back. It is safe to call twice.
	Free(t *onnx.Tensor)
}

// Session runs one graph. It is used by one goroutine at a time.
type Session interface {
	// Run reads inputs and writes outputs, in the order of the graph's Inputs
	// and Outputs. All tensors are allocated by the caller with the graph's
	// types and shapes; no output may share memory with an input, but for
	// those of the graph's InPlace.
	Run(inputs, outputs []*onnx.Tensor) error
	// Close frees the session. It is safe to call twice.
	Close() error
}

// RuntimeOf makes a Runtime of something that opens sessions of a type of its
// own, as *ort.Runtime does:
//
//	trainer.Run(ctx, job, trainer.RuntimeOf(rt), ...)
func RuntimeOf[S Session](rt interface {
	Open(g *onnx.Graph) (S, error)
	DeviceMemory
}) Runtime {
	return opener{rt, func(g *onnx.Graph) (Session, error) { return rt.Open(g) }}
}

type opener struct {
	DeviceMemory
	open func(g *onnx.Graph) (Session, error)
}

func (o opener) Open(g *onnx.Graph) (Session, error) { return o.open(g) }
