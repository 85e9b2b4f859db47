package autodiff

import "orchestrator/trainer/onnx"

// formula writes the gradient by one input of one node.
type formula func(e *edge) onnx.Value

// edge is one input of one node, as a formula sees it.
type edge struct {
	*onnx.Builder
	Lowering
	node *onnx.Node
	i    int
	dys  []onnx.Value // gradients of the outputs; absent where the loss does not depend on one
}

// X is the node's k-th input, absent where an optional one was left out.
func (e *edge) X(k int) onnx.Value {
	if k >= len(e.node.Inputs) {
		return onnx.Value{}
	}
	return e.Named(e.node.Inputs[k])
}

// Y is the node's k-th output, absent where nobody reads it.
func (e *edge) Y(k int) onnx.Value {
	if k >= len(e.node.Outputs) {
		return onnx.Value{}
	}
	return e.Named(e.node.Outputs[k])
}

// I is the position of the input that the gradient is asked for.
func (e *edge) I() int { return e.i }

// DY is the gradient by the first output.
func (e *edge) DY() onnx.Value { return e.dys[0] }

// Fail records why this node cannot be differentiated.
func (e *edge) Fail(format string, args ...any) onnx.Value {
	e.Builder.Fail(format, args...)
	return onnx.Value{}
}

func (e *edge) Add(a, b onnx.Value) onnx.Value { return e.Op("Add", nil, a, b) }
func (e *edge) Sub(a, b onnx.Value) onnx.Value { return e.Op("Sub", nil, a, b) }
func (e *edge) Mul(a, b onnx.Value) onnx.Value { return e.Op("Mul", nil, a, b) }
func (e *edge) Div(a, b onnx.Value) onnx.Value { return e.Op("Div", nil, a, b) }
func (e *edge) Neg(a onnx.Value) onnx.Value    { return e.Op("Neg", nil, a) }
func (e *edge) Exp(a onnx.Value) onnx.Value    { return e.Op("Exp", nil, a) }
func (e *edge) Log(a onnx.Value) onnx.Value    { return e.Op("Log", nil, a) }

// Times multiplies by a constant.
func (e *edge) Times(a onnx.Value, x float64) onnx.Value {
	if x == 1 {
		return a
	}
	return e.Mul(a, e.Scalar(x))
}

// Over divides by a whole number, which is exact as a constant, as its inverse
// is not.
func (e *edge) Over(a onnx.Value, n int) onnx.Value {
	if n == 1 {
		return a
	}
	return e.Div(a, e.Scalar(float64(n)))
}

// Zero is the scalar 0.
func (e *edge) Zero() onnx.Value { return e.Scalar(0) }

// Where picks from a where cond holds, else from b.
func (e *edge) Where(cond, a, b onnx.Value) onnx.Value { return e.Op("Where", nil, cond, a, b) }

// Above is the condition a > x.
func (e *edge) Above(a onnx.Value, x float64) onnx.Value {
	return e.Op("Greater", nil, a, e.Scalar(x))
}

// Truth is 1 where cond holds and 0 elsewhere.
func (e *edge) Truth(cond onnx.Value) onnx.Value {
	return e.Op("Cast", onnx.Attrs{"to": int64(onnx.Float)}, cond)
}

// Mask is 1 where a and b are equal and 0 elsewhere.
func (e *edge) Mask(a, b onnx.Value) onnx.Value { return e.Truth(e.Op("Equal", nil, a, b)) }

// Reshape gives a another shape of as many elements.
func (e *edge) Reshape(a onnx.Value, shape ...int) onnx.Value { return reshape(e.Builder, a, shape...) }

// Transpose permutes a's dimensions.
func (e *edge) Transpose(a onnx.Value, perm ...int) onnx.Value {
	return transpose(e.Builder, a, perm...)
}

// SumOver adds up along axes, which stay with length one.
func (e *edge) SumOver(a onnx.Value, axes ...int) onnx.Value {
	return e.Op("ReduceSum", onnx.Attrs{"keepdims": int64(1)}, a, e.Ints(axes...))
}

// ints is a list of integers in the form of an attribute.
func ints(xs ...int) []int64 {
	out := make([]int64, len(xs))
	for i, x := range xs {
		out[i] = int64(x)
	}
	return out
}

// ConstInts are the elements of an input that must be known now, such as a
// shape; ok is false, and the error recorded, where they are not.
func (e *edge) ConstInts(k int) (xs []int, ok bool) {
	t := e.ConstOf(e.X(k))
	if t == nil {
		e.Fail("input %d (%q) must be constant for a gradient", k, e.X(k).Name)
		return nil, false
	}
	switch data := t.Data.(type) {
	case []int64:
		for _, x := range data {
			xs = append(xs, int(x))
		}
	case []int32:
		for _, x := range data {
			xs = append(xs, int(x))
		}
	default:
		e.Fail("input %d (%q) must hold integers, not %s", k, t.Name, t.Type)
		return nil, false
	}
	return xs, true
}

func reshape(b *onnx.Builder, a onnx.Value, shape ...int) onnx.Value {
	if equalShape(a.Shape, shape) {
		return a
	}
	return b.Op("Reshape", nil, a, b.Ints(shape...))
}

// transpose is a Reshape, which moves nothing, where no dimension longer than
// one changes its place among the others.
func transpose(b *onnx.Builder, a onnx.Value, perm ...int) onnx.Value {
	if b.Err() != nil {
		return onnx.Value{}
	}
	shape := make([]int, len(perm))
	last, moves := -1, false
	for i, p := range perm {
		shape[i] = a.Shape[p]
		if shape[i] == 1 {
			continue
		}
		moves = moves || p < last
		last = p
	}
	if !moves {
		return reshape(b, a, shape...)
	}
	return b.Op("Transpose", onnx.Attrs{"perm": ints(perm...)}, a)
}

func equalShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
