package trainer

import "orchestrator/trainer/onnx"

// Runtime turns graphs into sessions. Package ort has the one for ONNX Runtime.
type Runtime interface {
	// Open compiles g, whose inputs and outputs are all static.
	Open(g *onnx.Graph) (Session, error)
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
}) Runtime {
	return opener(func(g *onnx.Graph) (Session, error) { return rt.Open(g) })
}

type opener func(g *onnx.Graph) (Session, error)

func (o opener) Open(g *onnx.Graph) (Session, error) { return o(g) }
