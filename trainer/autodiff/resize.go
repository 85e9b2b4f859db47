package autodiff

import "orchestrator/trainer/onnx"

// resizeX: whatever the mode, resizing is a matrix along each axis, Y = X·M, so
// dX = dY·Mᵀ along each. M is the same node applied to the unit matrix, which
// ONNX Runtime computes once, when it opens the graph.
func resizeX(e *edge) onnx.Value {
	x, dx := e.X(0), e.DY()
	if e.node.Str("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" || e.node.Ints("axes") != nil ||
		e.node.Str("keep_aspect_ratio_policy", "stretch") != "stretch" {
		return e.Fail("Resize by a region, along named axes or with the aspect ratio kept has no gradient rule")
	}
	for axis := range x.Shape {
		if e.resizes(axis) {
			dx = e.alongAxis(dx, axis, e.resizeMatrix(axis))
		}
	}
	return dx
}

// resizes tells whether the node does anything along an axis.
func (e *edge) resizes(axis int) bool {
	if e.bySizes() {
		return e.X(0).Shape[axis] != e.Y(0).Shape[axis]
	}
	t := e.ConstOf(e.X(2))
	return t != nil && t.F32()[axis] != 1 // shapes are static: the scales are constant
}

func (e *edge) bySizes() bool { return !e.X(3).Absent() }

// resizeMatrix is M [in, out] of an axis.
func (e *edge) resizeMatrix(axis int) onnx.Value {
	in, out := e.X(0).Shape[axis], e.Y(0).Shape[axis]
	to := []onnx.Value{e.Reshape(e.unit(in), 1, 1, in, in), {}}
	if e.bySizes() {
		to = append(to, onnx.Value{}, e.Ints(1, 1, in, out))
	} else {
		to = append(to, e.Const(onnx.Floats([]float32{1, 1, 1, e.ConstOf(e.X(2)).F32()[axis]}, 4)))
	}
	return e.Reshape(e.Op("Resize", e.node.Attrs, to...), in, out)
}

// alongAxis is v·mᵀ along one of v's axes, for m [n, v.Shape[axis]].
func (e *edge) alongAxis(v onnx.Value, axis int, m onnx.Value) onnx.Value {
	if e.Err() != nil {
		return v
	}
	last := v.Rank() - 1
	if axis == last-1 {
		return e.Op("MatMul", nil, m, v)
	}
	perm := upTo(0, v.Rank())
	perm[axis], perm[last] = last, axis // its own inverse
	v = e.Op("MatMul", nil, e.Transpose(v, perm...), e.Transpose(m, 1, 0))
	return e.Transpose(v, perm...)
}
