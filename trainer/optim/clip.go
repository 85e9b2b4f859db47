package optim

import "orchestrator/trainer/onnx"

// ClipNorm scales all gradients by one factor so that their common Euclidean
// norm is at most limit (Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063,
// algorithm 1).
func ClipNorm(b *onnx.Builder, gradients []onnx.Value, limit float64) []onnx.Value {
	squares := make([]onnx.Value, len(gradients))
	for i, g := range gradients {
		squares[i] = b.Op("ReduceSumSquare", onnx.Attrs{"keepdims": int64(0)}, g)
	}
	norm := b.Op("Sqrt", nil, b.Op("Sum", nil, squares...))
	factor := b.Op("Div", nil, b.Scalar(limit), b.Op("Max", nil, norm, b.Scalar(limit)))
	return each(gradients, func(g onnx.Value) onnx.Value { return b.Op("Mul", nil, g, factor) })
}

// ClipValue brings every element of every gradient to -limit..limit.
func ClipValue(b *onnx.Builder, gradients []onnx.Value, limit float64) []onnx.Value {
	return each(gradients, func(g onnx.Value) onnx.Value {
		return b.Op("Clip", nil, g, b.Scalar(-limit), b.Scalar(limit))
	})
}

func each(values []onnx.Value, f func(onnx.Value) onnx.Value) []onnx.Value {
	out := make([]onnx.Value, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}
