package autodiff

import "orchestrator/trainer/onnx"

// Lowering chooses among the graphs for one gradient: they are equal but for the
// last bits. The zero value is for processors.
type Lowering struct {
	// Graphics is for graphics processors.
	Graphics bool
	// Deterministic, of Graphics, avoids operators that such devices add up in any
	// order: ConvTranspose and ScatterElements, and with them the fastest way of some
	// gradients. Processors need no avoiding.
	Deterministic bool
}

// Ordered tells whether a sum's order has to be in the graph.
func (l Lowering) Ordered() bool { return l.Graphics && l.Deterministic }

// Gradients is Gradients with this lowering.
func (l Lowering) Gradients(b *onnx.Builder, loss onnx.Value, wrt []onnx.Value) (map[string]onnx.Value, error) {
	return gradients(b, loss, wrt, l)
}
