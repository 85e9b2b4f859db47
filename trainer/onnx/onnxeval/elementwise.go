package onnxeval

import (
	"math"

	"orchestrator/trainer/onnx"
)

type operator func(n *onnx.Node, in []*Array) []*Array

// apply maps every element; the type stays.
func apply(x *Array, f func(float64) float64) *Array {
	y := New(x.Shape...).of(x.Type)
	for i, v := range x.Data {
		y.Data[i] = f(v)
	}
	return y
}

// zip combines two arrays element by element after broadcasting; the type is
// that of the first.
func zip(a, b *Array, f func(a, b float64) float64) *Array {
	shape := commonShape(a.Shape, b.Shape)
	ea, eb := expand(a, shape), expand(b, shape)
	y := New(shape...).of(a.Type)
	for i := range y.Data {
		y.Data[i] = f(ea.Data[i], eb.Data[i])
	}
	return y
}

// unary is an operator of one input without attributes.
func unary(f func(x float64) float64) operator {
	return func(_ *onnx.Node, in []*Array) []*Array { return one(apply(in[0], f)) }
}

// unaryAlpha is an operator of one input with the float attribute alpha.
func unaryAlpha(def float64, f func(x, alpha float64) float64) operator {
	return func(n *onnx.Node, in []*Array) []*Array {
		a := n.Float("alpha", def)
		return one(apply(in[0], func(x float64) float64 { return f(x, a) }))
	}
}

// unary2 is an operator of one input with two float attributes.
func unary2(name1 string, def1 float64, name2 string, def2 float64, f func(x, a, b float64) float64) operator {
	return func(n *onnx.Node, in []*Array) []*Array {
		a, b := n.Float(name1, def1), n.Float(name2, def2)
		return one(apply(in[0], func(x float64) float64 { return f(x, a, b) }))
	}
}

// binary is an operator of two inputs that broadcast.
func binary(f func(a, b float64) float64) operator {
	return func(_ *onnx.Node, in []*Array) []*Array { return one(zip(in[0], in[1], f)) }
}

// predicate is a binary operator whose result is boolean.
func predicate(f func(a, b float64) bool) operator {
	return func(_ *onnx.Node, in []*Array) []*Array {
		y := zip(in[0], in[1], func(a, b float64) float64 { return truth(f(a, b)) })
		return one(y.of(onnx.Bool))
	}
}

// test is a unary operator whose result is boolean.
func test(f func(x float64) bool) operator {
	return func(_ *onnx.Node, in []*Array) []*Array {
		y := apply(in[0], func(x float64) float64 { return truth(f(x)) })
		return one(y.of(onnx.Bool))
	}
}

// variadic folds any number of inputs that broadcast.
func variadic(f func(a, b float64) float64) operator {
	return func(_ *onnx.Node, in []*Array) []*Array {
		y := apply(in[0], func(x float64) float64 { return x })
		for _, x := range in[1:] {
			y = zip(y, x, f)
		}
		return one(y)
	}
}

func add(a, b float64) float64 { return a + b }
func sub(a, b float64) float64 { return a - b }
func mul(a, b float64) float64 { return a * b }

// mean is the sum of the inputs divided by their number.
func mean(n *onnx.Node, in []*Array) []*Array {
	y := variadic(add)(n, in)[0]
	return one(apply(y, func(x float64) float64 { return x / float64(len(in)) }))
}

// div truncates towards zero where both inputs are integers.
func div(_ *onnx.Node, in []*Array) []*Array {
	if !in[0].isInt() || !in[1].isInt() {
		return one(zip(in[0], in[1], func(a, b float64) float64 { return a / b }))
	}
	return one(zip(in[0], in[1], func(a, b float64) float64 {
		check(b != 0, "integer division by zero")
		return math.Trunc(a / b)
	}))
}

// mod follows the sign of the divisor, or of the dividend with fmod=1.
func mod(n *onnx.Node, in []*Array) []*Array {
	fmod := n.Int("fmod", 0) != 0
	return one(zip(in[0], in[1], func(a, b float64) float64 {
		check(b != 0 || !in[0].isInt(), "integer division by zero")
		r := math.Mod(a, b)
		if !fmod && r != 0 && (r < 0) != (b < 0) {
			r += b
		}
		return r
	}))
}

// pow has the type of the base; a result of integers is truncated.
func pow(_ *onnx.Node, in []*Array) []*Array {
	y := zip(in[0], in[1], math.Pow)
	if y.isInt() {
		y = apply(y, math.Trunc)
	}
	return one(y)
}

// where picks from X where the condition holds and from Y elsewhere.
func where(_ *onnx.Node, in []*Array) []*Array {
	shape := commonShape(in[0].Shape, in[1].Shape, in[2].Shape)
	c, x, y := expand(in[0], shape), expand(in[1], shape), expand(in[2], shape)
	out := New(shape...).of(in[1].Type)
	for i := range out.Data {
		if c.Data[i] != 0 {
			out.Data[i] = x.Data[i]
		} else {
			out.Data[i] = y.Data[i]
		}
	}
	return one(out)
}

// clip bounds the elements by two optional scalars; the upper one wins.
func clip(_ *onnx.Node, in []*Array) []*Array {
	lo, hi := math.Inf(-1), math.Inf(1)
	if a := optional(in, 1); a != nil {
		lo = a.item()
	}
	if a := optional(in, 2); a != nil {
		hi = a.item()
	}
	return one(apply(in[0], func(x float64) float64 { return min(max(x, lo), hi) }))
}

// cast converts the element type. Floats of every width are the same here.
func cast(n *onnx.Node, in []*Array) []*Array {
	to := onnx.DType(n.Int("to", int(onnx.Float)))
	y := apply(in[0], func(x float64) float64 { return x }).of(to)
	switch {
	case to == onnx.Bool:
		y = apply(y, func(x float64) float64 { return truth(x != 0) })
	case y.isInt():
		y = apply(y, math.Trunc)
	case to.Half():
		y = apply(y, to.Round)
	}
	return one(y)
}

// castLike converts to the element type of the second input.
func castLike(_ *onnx.Node, in []*Array) []*Array {
	to := in[1].Type
	if to == 0 {
		to = onnx.Float
	}
	return cast(&onnx.Node{Attrs: onnx.Attrs{"to": int64(to)}}, in[:1])
}

func identity(_ *onnx.Node, in []*Array) []*Array { return one(in[0]) }

// dropout is the identity; in training mode its randomness cannot be evaluated,
// unless nothing is dropped. The second output is the mask of what was kept.
func dropout(_ *onnx.Node, in []*Array) []*Array {
	ratio, training := optional(in, 1), optional(in, 2)
	random := training != nil && training.item() != 0 && (ratio == nil || ratio.item() != 0)
	check(!random, "Dropout in training mode is random")
	mask := apply(in[0], func(float64) float64 { return 1 })
	return []*Array{in[0], mask.of(onnx.Bool)}
}
