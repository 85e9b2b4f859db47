package optim

import (
	"math"

	"orchestrator/trainer/onnx"
)

// corrections make up for means that start at zero: 1 - beta1^t, and the root
// of 1 - beta2^t.
var corrections = []Scalar{
	{"bias_correction_1", func(h Hyper, t int) float64 { return remains(h.Beta1, t) }},
	{"bias_correction_2", func(h Hyper, t int) float64 { return math.Sqrt(remains(h.Beta2, t)) }},
}

// remains is 1 - beta^t, to full precision also for a beta just below 1.
func remains(beta float64, t int) float64 { return -math.Expm1(float64(t) * math.Log(beta)) }

// adam: m' = b1·m + (1-b1)·g;  s' = b2·s + (1-b2)·g²;
// w' = w - lr · m'/(1-b1^t) / (sqrt(s'/(1-b2^t)) + eps)
// (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1), g with the weight decay in
// it. adamw is the same with decoupled decay (Loshchilov and Hutter 2019,
// arXiv:1711.05101, algorithm 2).
func adam(s *Step) (onnx.Value, []onnx.Value) {
	g := s.decayed()
	mean := s.moved(s.State[0], g, s.Beta1)
	square := s.moved(s.State[1], s.Op("Mul", nil, g, g), s.Beta2)
	root := s.Op("Div", nil, s.Op("Sqrt", nil, square), s.Scalars[1])
	step := s.Op("Div", nil, mean, s.Op("Add", nil, root, s.Scalar(s.Epsilon)))
	rate := s.Op("Div", nil, s.Rate, s.Scalars[0])
	return s.Op("Sub", nil, s.Param, s.Op("Mul", nil, step, rate)), []onnx.Value{mean, square}
}

// rmsprop: s' = a·s + (1-a)·g²;  v' = mu·v + g/(sqrt(s') + eps);  w' = w - lr·v'
// (Tieleman and Hinton 2012, lecture 6.5 of Neural Networks for Machine
// Learning; momentum and the place of eps as in torch.optim.RMSprop), g with the
// weight decay in it.
func rmsprop(s *Step) (onnx.Value, []onnx.Value) {
	g := s.decayed()
	square := s.moved(s.State[0], s.Op("Mul", nil, g, g), s.RMSDecay)
	root := s.Op("Add", nil, s.Op("Sqrt", nil, square), s.Scalar(s.Epsilon))
	v := s.Op("Add", nil, s.times(s.State[1], s.Momentum), s.Op("Div", nil, g, root))
	return s.Op("Sub", nil, s.Param, s.Op("Mul", nil, v, s.Rate)), []onnx.Value{square, v}
}
