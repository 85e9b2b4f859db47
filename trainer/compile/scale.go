package compile

import (
	"math"

	"orchestrator/trainer/onnx"
)

// Most gradients are small numbers, and float16 has none below 2^-24. So the loss
// is multiplied before it is differentiated, and what comes of it divided by the
// same number, once it is float32 (Micikevicius et al. 2018, arXiv:1710.03740,
// section 3.2). As the number is a power of two that rounds nothing. Where it was
// too large gradients are infinite, and the host is told so. bfloat16 reaches as
// far as float32.

// scaled tells whether the gradients have a loss_scale.
func (o Options) scaled() bool { return precisions[o.Precision] == onnx.Float16 }

// unlessLost is a running statistic's new value, but its old one where the statistic
// of the mini-batch is not finite: the step is then skipped, and would be in vain
// with statistics that are lost for good.
func (n *network) unlessLost(batch, moved, running onnx.Value) onnx.Value {
	if !n.o.scaled() {
		return moved
	}
	finite := n.Op("LessOrEqual", nil, n.Op("Abs", nil, batch), n.Scalar(math.MaxFloat32))
	return n.Op("Where", nil, finite, moved, running)
}

// scaledLoss is what is differentiated.
func (s *step) scaledLoss() onnx.Value {
	if s.scale.Absent() {
		return s.loss
	}
	defer s.Scope("loss")()
	return s.Op("Mul", nil, s.loss, s.scale)
}

// unscaled is a gradient by a parameter without the scale.
func (s *step) unscaled(gradient onnx.Value) onnx.Value {
	if s.scale.Absent() {
		return gradient
	}
	return s.Op("Div", nil, gradient, s.scale)
}

// testSums tells whether the sums of the gradients, the next values of acc:*, are
// finite: just then the sum of their squares is. Squares of finite gradients are too
// large for float32 from 1.8e19 on, where a step would be the end of the training as
// well.
func (s *step) testSums() {
	if s.scale.Absent() {
		return
	}
	defer s.Scope("finite")()
	var squares []onnx.Value
	for _, name := range s.trained() {
		squares = append(squares, s.Op("ReduceSumSquare", onnx.Attrs{"keepdims": int64(0)}, s.next["acc:"+name]))
	}
	s.finite = s.Op("LessOrEqual", nil, s.Op("Sum", nil, squares...), s.Scalar(math.MaxFloat32))
}
