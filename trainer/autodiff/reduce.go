package autodiff

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// reducedAxes are the axes that a Reduce* node reduces, not negative.
func (e *edge) reducedAxes() []int {
	rank := e.X(0).Rank()
	var axes []int
	if !e.X(1).Absent() {
		var ok bool
		if axes, ok = e.ConstInts(1); !ok {
			return nil
		}
	}
	if len(axes) == 0 && e.node.Int("noop_with_empty_axes", 0) == 0 {
		for k := range rank {
			axes = append(axes, k)
		}
	}
	for i, a := range axes {
		if a < 0 {
			axes[i] = a + rank
		}
	}
	return axes
}

// kept gives v, of the output's shape, the rank of the input: the reduced axes
// come back with length one. The walk expands what is returned that way.
func (e *edge) kept(v onnx.Value) onnx.Value {
	shape := slices.Clone(e.X(0).Shape)
	for _, a := range e.reducedAxes() {
		shape[a] = 1
	}
	return e.Reshape(v, shape...)
}

func reduceSumX(e *edge) onnx.Value { return e.kept(e.DY()) }

func reduceMeanX(e *edge) onnx.Value {
	return e.Over(e.kept(e.DY()), e.X(0).Size()/e.Y(0).Size())
}

func reduceL1X(e *edge) onnx.Value {
	return e.Mul(e.kept(e.DY()), e.Op("Sign", nil, e.X(0)))
}

func reduceL2X(e *edge) onnx.Value {
	return e.Mul(e.X(0), e.kept(e.Div(e.DY(), e.Y(0))))
}

// reduceLogSumX: 1/sum(x) = exp(-Y).
func reduceLogSumX(e *edge) onnx.Value { return e.kept(e.Mul(e.DY(), e.Exp(e.Neg(e.Y(0))))) }

// reduceLogSumExpX: softmax(x) = exp(x - Y).
func reduceLogSumExpX(e *edge) onnx.Value {
	return e.Mul(e.kept(e.DY()), e.Exp(e.Sub(e.X(0), e.kept(e.Y(0)))))
}

func reduceSumSquareX(e *edge) onnx.Value {
	return e.Mul(e.X(0), e.Times(e.kept(e.DY()), 2))
}

// reduceExtremeX is the rule of ReduceMax and ReduceMin: the elements that
// attain the extreme share its gradient equally.
func reduceExtremeX(e *edge) onnx.Value {
	hit := e.Mask(e.X(0), e.kept(e.Y(0)))
	axes := e.reducedAxes()
	if len(axes) == 0 {
		return e.DY()
	}
	return e.Div(e.Mul(e.kept(e.DY()), hit), e.SumOver(hit, axes...))
}
