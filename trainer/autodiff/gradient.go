package autodiff

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// Gradient writes the gradients of loss, a value of one element, by each of the
// values wrt, and returns them in order, each of the shape of its value (zero
// where the loss does not depend on it).
//
// Only what lies between wrt and loss is differentiated: nothing is computed
// for, or asked of, a frozen prefix of the network. A node in between whose
// operator has no rule is an *UnsupportedError.
func Gradient(b *onnx.Builder, loss onnx.Value, wrt []onnx.Value) ([]onnx.Value, error) {
	all, err := Gradients(b, loss, wrt)
	if err != nil {
		return nil, err
	}
	out := make([]onnx.Value, len(wrt))
	for i, v := range wrt {
		out[i] = all[v.Name]
	}
	return out, nil
}

// Gradients is Gradient with the result by the values' names, which has the
// gradients by the values in between too.
func Gradients(b *onnx.Builder, loss onnx.Value, wrt []onnx.Value) (map[string]onnx.Value, error) {
	return gradients(b, loss, wrt, Lowering{})
}

func gradients(b *onnx.Builder, loss onnx.Value, wrt []onnx.Value, l Lowering) (map[string]onnx.Value, error) {
	if b.Err() != nil {
		return nil, b.Err()
	}
	if loss.Size() != 1 {
		return nil, fmt.Errorf("gradient of %q: a loss has one element, this has shape %v", loss.Name, loss.Shape)
	}
	tape := slices.Clone(b.Nodes())
	w := &walk{Builder: b, lowering: l, needed: neededValues(b, tape, wrt), grads: map[string]onnx.Value{}}
	w.grads[loss.Name] = fit(b, b.Scalar(1), loss.Shape)
	for _, n := range slices.Backward(tape) {
		if err := w.visit(n); err != nil {
			return nil, err
		}
	}
	for _, v := range wrt {
		if w.grads[v.Name].Absent() {
			w.grads[v.Name] = fit(b, b.Scalar(0), v.Shape)
		}
	}
	return w.grads, b.Err()
}

// HasRule reports whether an operator can be differentiated; operators of other
// domains are written "domain.Op".
func HasRule(op string) bool {
	_, ok := rules[op]
	return ok
}

// UnsupportedError says that a node on the way from the trained parameters to
// the loss has no gradient rule.
type UnsupportedError struct{ Node, Op string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("node %q: there is no gradient rule for the operator %s", e.Node, e.Op)
}

// Hint says what a user can do about it.
func (e *UnsupportedError) Hint() string {
	return fmt.Sprintf("freeze the layers up to and including %q (lr_mult 0), cut the network below it, or replace the layer", e.Node)
}

// ExitCode marks the error as one of the input.
func (e *UnsupportedError) ExitCode() int { return 2 }

// walk is the state of one reverse pass.
type walk struct {
	*onnx.Builder
	lowering Lowering
	needed   map[string]bool       // values between wrt and anything
	grads    map[string]onnx.Value // accumulated so far, by value name
}

// visit passes the gradients of a node's outputs on to its inputs.
func (w *walk) visit(n *onnx.Node) error {
	dys := make([]onnx.Value, len(n.Outputs))
	reached := false
	for i, out := range n.Outputs {
		dys[i] = w.grads[out]
		reached = reached || !dys[i].Absent()
	}
	if !reached || !slices.ContainsFunc(n.Inputs, func(in string) bool { return w.needed[in] }) {
		return nil
	}
	row, ok := rules[n.FullOp()]
	if !ok {
		return &UnsupportedError{Node: n.Name, Op: n.FullOp()}
	}
	defer w.Scope("grad/" + n.Name)()
	for i, in := range n.Inputs {
		f := formulaFor(n.Op, row, i)
		if !w.needed[in] || f == nil {
			continue
		}
		dx := f(&edge{Builder: w.Builder, Lowering: w.lowering, node: n, i: i, dys: dys})
		if err := w.Err(); err != nil {
			return fmt.Errorf("gradient of %s %q by input %d: %w", n.Op, n.Name, i, err)
		}
		w.accumulate(w.Named(in), dx)
	}
	return w.Err()
}

// accumulate adds dx, brought to v's shape, to the gradient of v.
func (w *walk) accumulate(v, dx onnx.Value) {
	dx = fit(w.Builder, dx, v.Shape)
	if old := w.grads[v.Name]; !old.Absent() {
		dx = w.Op("Add", nil, old, dx)
	}
	w.grads[v.Name] = dx
}

// neededValues are the floating-point values that depend on wrt in a way that
// has a gradient. An operator without a rule counts as depending on all its
// inputs, so that the walk meets it and says so.
func neededValues(b *onnx.Builder, tape []*onnx.Node, wrt []onnx.Value) map[string]bool {
	needed := map[string]bool{}
	for _, v := range wrt {
		needed[v.Name] = true
	}
	for _, n := range tape {
		row, known := rules[n.FullOp()]
		for i, in := range n.Inputs {
			if !needed[in] || known && formulaFor(n.Op, row, i) == nil {
				continue
			}
			for _, out := range n.Outputs {
				if t := b.Named(out).Type; out != "" && (t == onnx.Float || t == onnx.Double) {
					needed[out] = true
				}
			}
			break
		}
	}
	return needed
}

// fit brings a gradient to the shape of the value it belongs to: sums over the
// dimensions along which that value was broadcast, and expands those that the
// rule left at one.
func fit(b *onnx.Builder, g onnx.Value, shape []int) onnx.Value {
	if b.Err() != nil || slices.Equal(g.Shape, shape) {
		return g
	}
	lead := max(0, g.Rank()-len(shape))
	var axes []int
	for i, d := range g.Shape {
		if i < lead || d != 1 && i-g.Rank()+len(shape) >= 0 && shape[i-g.Rank()+len(shape)] == 1 {
			axes = append(axes, i)
		}
	}
	if len(axes) > 0 {
		g = b.Op("ReduceSum", onnx.Attrs{"keepdims": int64(1)}, g, b.Ints(axes...))
	}
	if lead > 0 && b.Err() == nil {
		g = b.Op("Reshape", nil, g, b.Ints(g.Shape[lead:]...))
	}
	if b.Err() == nil && !slices.Equal(g.Shape, shape) {
		g = b.Op("Expand", nil, g, b.Ints(shape...))
	}
	return g
}
