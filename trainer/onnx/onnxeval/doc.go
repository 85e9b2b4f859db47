// Package onnxeval runs graphs slowly and readably in float64. It is the
// definition of every operator that the rest of the program uses: the gradient
// rules are checked against it by finite differences, and the graphs that a
// real runtime executes are checked against it in float32.
//
// Each operator is one function that follows the text of its page at
// https://onnx.ai/onnx/operators/ for the operator-set version onnx.Opset; the
// functions are grouped by kind in the files of this package and named in one
// table (table.go). Clarity wins over speed everywhere, but a forward pass of
// an ordinary network still takes seconds, not minutes.
//
// Values of the types of two bytes, float16 and bfloat16, are rounded to them by
// Cast and by every operator that has operands of theirs.
//
// Inside the package a function that meets inputs that do not fit calls check,
// which panics; Node turns that into an error that names the node. That keeps
// the functions as short as the formulas they stand for.
package onnxeval
