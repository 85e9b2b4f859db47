package onnxeval

import (
	"math"

	"orchestrator/trainer/onnx"
)

func relu(x float64) float64         { return max(x, 0) }
func sigmoid(x float64) float64      { return 1 / (1 + math.Exp(-x)) }
func softsign(x float64) float64     { return x / (1 + math.Abs(x)) }
func reciprocal(x float64) float64   { return 1 / x }
func neg(x float64) float64          { return -x }
func hardSwish(x float64) float64    { return x * hardSigmoid(x, 1./6, 0.5) }
func mish(x float64) float64         { return x * math.Tanh(softplus(x)) }
func leakyRelu(x, a float64) float64 { return max(x, 0) + a*min(x, 0) }
func prelu(x, slope float64) float64 { return leakyRelu(x, slope) }

// softplus is log(1 + exp(x)), written so that exp cannot overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func elu(x, alpha float64) float64 {
	if x >= 0 {
		return x
	}
	return alpha * math.Expm1(x)
}

func selu(x, alpha, gamma float64) float64 { return gamma * elu(x, alpha) }

func celu(x, alpha float64) float64 { return max(x, 0) + min(0, alpha*math.Expm1(x/alpha)) }

func thresholdedRelu(x, alpha float64) float64 {
	if x > alpha {
		return x
	}
	return 0
}

func hardSigmoid(x, alpha, beta float64) float64 { return max(0, min(1, alpha*x+beta)) }

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // zero, or not a number
}

// gelu is x·Φ(x), with approximate="tanh" the approximation of that name.
func gelu(n *onnx.Node, in []*Array) []*Array {
	if n.Str("approximate", "none") == "tanh" {
		return one(apply(in[0], func(x float64) float64 {
			return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		}))
	}
	return one(apply(in[0], func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }))
}

// softmaxLine computes softmax, or its logarithm, along one axis.
func softmaxLine(logarithm bool) operator {
	return func(n *onnx.Node, in []*Array) []*Array {
		x := in[0]
		y := New(x.Shape...).of(x.Type)
		lines(x.Shape, axis(n.Int("axis", -1), len(x.Shape)), func(start, stride, n int) {
			top, sum := math.Inf(-1), 0.
			for i := range n {
				top = max(top, x.Data[start+i*stride])
			}
			for i := range n {
				sum += math.Exp(x.Data[start+i*stride] - top)
			}
			for i := range n {
				at := start + i*stride
				if logarithm {
					y.Data[at] = x.Data[at] - top - math.Log(sum)
				} else {
					y.Data[at] = math.Exp(x.Data[at]-top) / sum
				}
			}
		})
		return one(y)
	}
}
