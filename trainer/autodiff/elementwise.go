package autodiff

import (
	"math"

	"orchestrator/trainer/onnx"
)

// passDY is the rule of operators that hand their input on, perhaps broadcast.
func passDY(e *edge) onnx.Value { return e.DY() }

func absX(e *edge) onnx.Value { return e.Mul(e.DY(), e.Op("Sign", nil, e.X(0))) }

func castX(e *edge) onnx.Value {
	if e.X(0).Type == e.DY().Type {
		return e.DY()
	}
	return e.Op("Cast", onnx.Attrs{"to": int64(e.X(0).Type)}, e.DY())
}

// celuX: exp(x/alpha) = Y/alpha + 1 below zero.
func celuX(e *edge) onnx.Value {
	below := e.Mul(e.DY(), e.Add(e.Times(e.Y(0), 1/e.node.Float("alpha", 1)), e.Scalar(1)))
	return e.Where(e.Above(e.X(0), 0), e.DY(), below)
}

// clipX passes the gradient where X lies within the bounds, which may be absent.
func clipX(e *edge) onnx.Value {
	dx := e.DY()
	if lo := e.X(1); !lo.Absent() {
		dx = e.Where(e.Op("Less", nil, e.X(0), lo), e.Zero(), dx)
	}
	if hi := e.X(2); !hi.Absent() {
		dx = e.Where(e.Op("Greater", nil, e.X(0), hi), e.Zero(), dx)
	}
	return dx
}

func cosX(e *edge) onnx.Value { return e.Neg(e.Mul(e.DY(), e.Op("Sin", nil, e.X(0)))) }

// eluX: alpha·exp(x) = Y + alpha below zero.
func eluX(e *edge) onnx.Value {
	below := e.Mul(e.DY(), e.Add(e.Y(0), e.Scalar(e.node.Float("alpha", 1))))
	return e.Where(e.Above(e.X(0), 0), e.DY(), below)
}

func erfX(e *edge) onnx.Value {
	bell := e.Exp(e.Neg(e.Mul(e.X(0), e.X(0))))
	return e.Mul(e.DY(), e.Times(bell, 2/math.Sqrt(math.Pi)))
}

func expX(e *edge) onnx.Value { return e.Mul(e.DY(), e.Y(0)) }

// geluX: Φ(x) + x·φ(x), of the normal distribution's functions.
func geluX(e *edge) onnx.Value {
	x := e.X(0)
	cumulative := e.Times(e.Add(e.Op("Erf", nil, e.Times(x, 1/math.Sqrt2)), e.Scalar(1)), 0.5)
	density := e.Times(e.Exp(e.Times(e.Mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
	return e.Mul(e.DY(), e.Add(cumulative, e.Mul(x, density)))
}

// hardSigmoidX passes alpha·dY on the slope, where 0 < Y < 1.
func hardSigmoidX(e *edge) onnx.Value {
	slope := e.Op("And", nil, e.Above(e.Y(0), 0), e.Op("Less", nil, e.Y(0), e.Scalar(1)))
	return e.Where(slope, e.Times(e.DY(), e.node.Float("alpha", 0.2)), e.Zero())
}

// hardSwishX: x·(x/6 + 1/2) has slope x/3 + 1/2 between -3 and 3; 0 below, 1 above.
func hardSwishX(e *edge) onnx.Value {
	slope := e.Add(e.Div(e.X(0), e.Scalar(3)), e.Scalar(0.5))
	slope = e.Where(e.Above(e.X(0), -3), slope, e.Zero())
	slope = e.Where(e.Above(e.X(0), 3), e.Scalar(1), slope)
	return e.Mul(e.DY(), slope)
}

func leakyReluX(e *edge) onnx.Value {
	return e.Where(e.Above(e.X(0), 0), e.DY(), e.Times(e.DY(), e.node.Float("alpha", 0.01)))
}

func logX(e *edge) onnx.Value { return e.Div(e.DY(), e.X(0)) }

// mishX: Y = x·t with t = tanh(softplus(x)), whose slope is sigmoid(x)·(1 - t²).
func mishX(e *edge) onnx.Value {
	x := e.X(0)
	t := e.Op("Tanh", nil, e.Op("Softplus", nil, x))
	slope := e.Mul(e.Op("Sigmoid", nil, x), e.Sub(e.Scalar(1), e.Mul(t, t)))
	return e.Mul(e.DY(), e.Add(t, e.Mul(x, slope)))
}

func negX(e *edge) onnx.Value { return e.Neg(e.DY()) }

// reciprocalX: (1/x)' = -Y².
func reciprocalX(e *edge) onnx.Value { return e.Neg(e.Mul(e.DY(), e.Mul(e.Y(0), e.Y(0)))) }

// reluX reads Y, not X, so that X need not be kept. ONNX Runtime compares and
// casts with vector instructions, but takes the sign of one element at a time: of
// 25 million elements in 12 and 58 ms (two cores).
// reluX is a product on processors, where it is faster than a Where, which has
// one operator less to start.
func reluX(e *edge) onnx.Value {
	passes := e.Above(e.Y(0), 0)
	if e.Graphics {
		return e.Where(passes, e.DY(), e.Zero())
	}
	return e.Mul(e.DY(), e.Truth(passes))
}

// seluX: gamma·alpha·exp(x) = Y + gamma·alpha below zero, gamma above.
func seluX(e *edge) onnx.Value {
	alpha, gamma := e.node.Float("alpha", 1.67326319217681884765625), e.node.Float("gamma", 1.05070102214813232421875)
	below := e.Add(e.Y(0), e.Scalar(gamma*alpha))
	return e.Mul(e.DY(), e.Where(e.Above(e.X(0), 0), e.Scalar(gamma), below))
}

func sigmoidX(e *edge) onnx.Value {
	return e.Mul(e.DY(), e.Mul(e.Y(0), e.Sub(e.Scalar(1), e.Y(0))))
}

func sinX(e *edge) onnx.Value { return e.Mul(e.DY(), e.Op("Cos", nil, e.X(0))) }

func softplusX(e *edge) onnx.Value { return e.Mul(e.DY(), e.Op("Sigmoid", nil, e.X(0))) }

// softsignX: 1/(1+|x|)² = (1 - |Y|)².
func softsignX(e *edge) onnx.Value {
	rest := e.Sub(e.Scalar(1), e.Op("Abs", nil, e.Y(0)))
	return e.Mul(e.DY(), e.Mul(rest, rest))
}

func sqrtX(e *edge) onnx.Value { return e.Div(e.Times(e.DY(), 0.5), e.Y(0)) }

func tanhX(e *edge) onnx.Value {
	return e.Mul(e.DY(), e.Sub(e.Scalar(1), e.Mul(e.Y(0), e.Y(0))))
}

func thresholdedReluX(e *edge) onnx.Value {
	return e.Where(e.Above(e.X(0), e.node.Float("alpha", 1)), e.DY(), e.Zero())
}

func divA(e *edge) onnx.Value { return e.Div(e.DY(), e.X(1)) }

func divB(e *edge) onnx.Value { return e.Neg(e.Div(e.Mul(e.DY(), e.Y(0)), e.X(1))) }

func mulA(e *edge) onnx.Value { return e.Mul(e.DY(), e.X(1)) }

func mulB(e *edge) onnx.Value { return e.Mul(e.DY(), e.X(0)) }

func subB(e *edge) onnx.Value { return e.Neg(e.DY()) }

// extremeX is the rule of Min and Max: the inputs that attain the extreme share
// its gradient equally.
func extremeX(e *edge) onnx.Value {
	if len(e.node.Inputs) == 1 {
		return e.DY()
	}
	hits := e.Mask(e.X(0), e.Y(0))
	for k := 1; k < len(e.node.Inputs); k++ {
		hits = e.Add(hits, e.Mask(e.X(k), e.Y(0)))
	}
	return e.Div(e.Mul(e.DY(), e.Mask(e.X(e.I()), e.Y(0))), hits)
}

func meanX(e *edge) onnx.Value { return e.Over(e.DY(), len(e.node.Inputs)) }

func preluX(e *edge) onnx.Value {
	return e.Where(e.Above(e.X(0), 0), e.DY(), e.Mul(e.DY(), e.X(1)))
}

func preluSlope(e *edge) onnx.Value {
	return e.Mul(e.DY(), e.Op("Min", nil, e.X(0), e.Zero()))
}

// powBase: p·x^(p-1). Squares, by far the most frequent powers, need no Pow.
func powBase(e *edge) onnx.Value {
	x, p := e.X(0), e.X(1)
	if t := e.ConstOf(p); t != nil && t.Type == onnx.Float && len(t.F32()) == 1 && t.F32()[0] == 2 {
		return e.Mul(e.DY(), e.Times(x, 2))
	}
	if p.Type != x.Type {
		p = e.Op("Cast", onnx.Attrs{"to": int64(x.Type)}, p)
	}
	return e.Mul(e.DY(), e.Mul(p, e.Op("Pow", nil, x, e.Sub(p, e.Scalar(1)))))
}

// powExponent: x^p·log(x), where the base is positive.
func powExponent(e *edge) onnx.Value { return e.Mul(e.DY(), e.Mul(e.Y(0), e.Log(e.X(0)))) }

func whereA(e *edge) onnx.Value { return e.Where(e.X(0), e.DY(), e.Zero()) }

func whereB(e *edge) onnx.Value { return e.Where(e.X(0), e.Zero(), e.DY()) }

// dropoutX is the identity that Dropout is outside training. Training replaces
// the node by a product with a mask before it is differentiated.
func dropoutX(e *edge) onnx.Value {
	if mode := e.X(2); !mode.Absent() {
		t := e.ConstOf(mode)
		if t == nil || t.Type != onnx.Bool || t.Data.([]bool)[0] {
			return e.Fail("a Dropout in training mode draws its own mask: it must be made a product with a mask first")
		}
	}
	return e.DY()
}
