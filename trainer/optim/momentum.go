package optim

import (
	"maps"
	"slices"

	"orchestrator/trainer/onnx"
)

// sgd: v' = mu·v + lr·(g + wd·w);  w' = w - v'.
func sgd(s *Step) (onnx.Value, []onnx.Value) {
	v := s.velocity()
	return s.Op("Sub", nil, s.Param, v), []onnx.Value{v}
}

// nesterov: v' as in sgd;  w' = w - ((1+mu)·v' - mu·v), the form of Caffe's
// NesterovSolver.
func nesterov(s *Step) (onnx.Value, []onnx.Value) {
	v := s.velocity()
	ahead := s.Op("Sub", nil, s.times(v, 1+s.Momentum), s.times(s.State[0], s.Momentum))
	return s.Op("Sub", nil, s.Param, ahead), []onnx.Value{v}
}

// sgdPyTorch: v' = mu·v + g + wd·w;  w' = w - lr·v', as torch.optim.SGD without
// dampening.
func sgdPyTorch(s *Step) (onnx.Value, []onnx.Value) {
	v := s.Op("Add", nil, s.times(s.State[0], s.Momentum), s.decayed())
	return s.Op("Sub", nil, s.Param, s.Op("Mul", nil, v, s.Rate)), []onnx.Value{v}
}

// lars: v' = mu·v + lr·local·(g + wd·w);  w' = w - v', with
// local = eta·|w| / (|g| + wd·|w|), of the whole parameter (You, Gitman and
// Ginsburg 2017, arXiv:1708.03888, algorithm 1). Where the weights or the
// gradient are all zero, as biases are at first, local is 1, as in the authors'
// own implementation: at 0 they could never leave zero.
func lars(s *Step) (onnx.Value, []onnx.Value) {
	norm := func(v onnx.Value) onnx.Value { return s.Op("ReduceL2", onnx.Attrs{"keepdims": int64(0)}, v) }
	w, g := norm(s.Param), norm(s.Gradient)
	below := g
	if s.Decay != 0 {
		below = s.Op("Add", nil, g, s.times(w, s.Decay))
	}
	zero := s.Scalar(0)
	both := s.Op("And", nil, s.Op("Greater", nil, w, zero), s.Op("Greater", nil, g, zero))
	local := s.Op("Where", nil, both, s.Op("Div", nil, s.times(w, s.Trust), below), s.Scalar(1))
	move := s.Op("Mul", nil, s.decayed(), s.Op("Mul", nil, s.Rate, local))
	v := s.Op("Add", nil, s.times(s.State[0], s.Momentum), move)
	return s.Op("Sub", nil, s.Param, v), []onnx.Value{v}
}

// velocity is mu·v + lr·(g + wd·w).
func (s *Step) velocity() onnx.Value {
	if product := Product(s.Builder, s.Gradient); product != nil && s.Momentum != 0 {
		return s.velocityOf(product)
	}
	kept := s.times(s.State[0], s.Momentum)
	if s.Decay != 0 {
		kept = s.Op("Add", nil, kept, s.Op("Mul", nil, s.Param, s.times(s.Rate, s.Decay)))
	}
	return s.Op("Add", nil, kept, s.Op("Mul", nil, s.Gradient, s.Rate))
}

// velocityOf is the velocity where the gradient is a bare product of matrices,
// as it is for fully connected layers: lr scales its smaller factor, and
// v + lr·wd/mu·w is the C of its Gemm with beta = mu. The largest parameters are
// so read and written three times less; of CaffeNet's step that is about 5%.
func (s *Step) velocityOf(product *onnx.Node) onnx.Value {
	kept := s.State[0]
	if s.Decay != 0 {
		kept = s.Op("Add", nil, kept, s.Op("Mul", nil, s.Param, s.times(s.Rate, s.Decay/s.Momentum)))
	}
	attrs := maps.Clone(product.Attrs)
	attrs["beta"] = float32(s.Momentum)
	a := s.Op("Mul", nil, s.Named(product.Inputs[0]), s.Rate)
	return s.Op("Gemm", attrs, a, s.Named(product.Inputs[1]), kept)
}

// Product is the Gemm without C that made a value, or nil.
func Product(b *onnx.Builder, v onnx.Value) *onnx.Node {
	for _, n := range slices.Backward(b.Nodes()) {
		if slices.Contains(n.Outputs, v.Name) {
			if n.Op == "Gemm" && n.Domain == "" && len(n.Inputs) == 2 {
				return n
			}
			return nil
		}
	}
	return nil
}
