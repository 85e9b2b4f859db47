package autodiff

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// reshapeX undoes any change of shape that keeps the order of the elements.
func reshapeX(e *edge) onnx.Value { return e.Reshape(e.DY(), e.X(0).Shape...) }

func transposeX(e *edge) onnx.Value {
	rank := e.X(0).Rank()
	perm := e.node.Ints("perm")
	inverse := make([]int, rank)
	for i := range rank {
		if perm == nil {
			inverse[i] = rank - 1 - i
		} else {
			inverse[perm[i]] = i
		}
	}
	return e.Transpose(e.DY(), inverse...)
}

// axis is the node's axis attribute, not negative.
func (e *edge) axis(def int) int {
	a := e.node.Int("axis", def)
	if a < 0 {
		a += e.X(0).Rank()
	}
	return a
}

// concatX cuts the input's part out of dY.
func concatX(e *edge) onnx.Value {
	axis, start := e.axis(0), 0
	for k := range e.I() {
		start += e.X(k).Shape[axis]
	}
	return e.Op("Slice", nil, e.DY(), e.Ints(start), e.Ints(start+e.X(e.I()).Shape[axis]), e.Ints(axis))
}

// splitX joins the gradients of the parts, zeros for those nobody used.
func splitX(e *edge) onnx.Value {
	parts := slices.Clone(e.dys)
	for k, dy := range parts {
		if dy.Absent() {
			parts[k] = fit(e.Builder, e.Zero(), e.Y(k).Shape)
		}
	}
	return e.Op("Concat", onnx.Attrs{"axis": int64(e.axis(0))}, parts...)
}

// sliceX puts dY back where it was cut out: by padding with zeros where the
// slice is contiguous, else by the same slice of the elements' numbers.
func sliceX(e *edge) onnx.Value {
	x := e.X(0)
	if before, ok := e.contiguousStarts(); ok {
		pads := make([]int, 2*x.Rank())
		for a, start := range before {
			pads[a] = start
			pads[x.Rank()+a] = x.Shape[a] - start - e.DY().Shape[a]
		}
		return e.Op("Pad", onnx.Attrs{"mode": "constant"}, e.DY(), e.Ints(pads...), e.Zero())
	}
	numbers := onnx.NewTensor(onnx.Int64, x.Shape...)
	for i := range numbers.I64() {
		numbers.I64()[i] = int64(i)
	}
	in := []onnx.Value{e.Const(numbers)}
	for k := 1; k < len(e.node.Inputs); k++ {
		in = append(in, e.X(k))
	}
	return e.scatterFlat(e.Op("Slice", nil, in...), e.DY(), x.Shape)
}

// contiguousStarts are the first elements that a Slice of unit steps takes, per
// dimension; ok is false for other slices and for starts that are not constant.
func (e *edge) contiguousStarts() (starts []int, ok bool) {
	x := e.X(0)
	from := e.ConstOf(e.X(1))
	if from == nil || !e.X(3).Absent() && e.ConstOf(e.X(3)) == nil || !e.X(4).Absent() && e.ConstOf(e.X(4)) == nil {
		return nil, false
	}
	first, _ := e.ConstInts(1)
	axes := make([]int, len(first))
	for i := range axes {
		axes[i] = i
	}
	if !e.X(3).Absent() {
		axes, _ = e.ConstInts(3)
	}
	if !e.X(4).Absent() {
		steps, _ := e.ConstInts(4)
		if slices.ContainsFunc(steps, func(s int) bool { return s != 1 }) {
			return nil, false
		}
	}
	starts = make([]int, x.Rank())
	for i, a := range axes {
		if a < 0 {
			a += x.Rank()
		}
		s := first[i]
		if s < 0 {
			s += x.Shape[a]
		}
		starts[a] = min(max(s, 0), x.Shape[a])
	}
	return starts, true
}

// scatterFlat adds dy into zeros of the given shape; positions are flat
// (row-major) indices into it, of dy's shape.
func (e *edge) scatterFlat(positions, dy onnx.Value, shape []int) onnx.Value {
	n := onnx.NumElements(shape)
	flat := e.Op("ScatterElements", onnx.Attrs{"axis": int64(0), "reduction": "add"},
		e.zeros(n), e.Reshape(positions, dy.Size()), e.Reshape(dy, dy.Size()))
	return e.Reshape(flat, shape...)
}

// zeros are written anew in each step. As a constant, ONNX Runtime would keep
// them from the opening of the graph on: 240 MB for CaffeNet at batch 128. So the
// zero is picked by a comparison of an element of dY, from zero and zero.
func (e *edge) zeros(shape ...int) onnx.Value {
	dy := e.Reshape(e.DY(), e.DY().Size())
	first := e.Op("Slice", nil, dy, e.Ints(0), e.Ints(1), e.Ints(0))
	return fit(e.Builder, e.Where(e.Above(first, 0), e.Zero(), e.Zero()), shape)
}

// padX cuts constant padding off: negative pads crop. Padding of other modes is
// made of the input, by a matrix along each axis: the padded unit matrix.
func padX(e *edge) onnx.Value {
	pads, ok := e.ConstInts(1)
	if !ok {
		return onnx.Value{}
	}
	if mode := e.node.Str("mode", "constant"); mode != "constant" {
		return e.padByMatrix(mode, pads)
	}
	for i, p := range pads {
		pads[i] = -p
	}
	in := []onnx.Value{e.DY(), e.Ints(pads...), e.Zero()}
	if axes := e.X(3); !axes.Absent() {
		in = append(in, axes)
	}
	return e.Op("Pad", onnx.Attrs{"mode": "constant"}, in...)
}

func (e *edge) padByMatrix(mode string, pads []int) onnx.Value {
	x, dx := e.X(0), e.DY()
	if !e.X(3).Absent() {
		return e.Fail("padding of mode %q along named axes has no gradient rule", mode)
	}
	for axis, in := range x.Shape {
		before, after := pads[axis], pads[axis+x.Rank()]
		if before != 0 || after != 0 {
			m := e.Op("Pad", onnx.Attrs{"mode": mode}, e.unit(in), e.Ints(0, before, 0, after))
			dx = e.alongAxis(dx, axis, m)
		}
	}
	return dx
}

// unit is the unit matrix [n, n].
func (e *edge) unit(n int) onnx.Value {
	data := make([]float32, n*n)
	for i := range n {
		data[i*n+i] = 1
	}
	return e.Const(onnx.Floats(data, n, n))
}

// tileX sums over the copies.
func tileX(e *edge) onnx.Value {
	repeats, ok := e.ConstInts(1)
	if !ok {
		return onnx.Value{}
	}
	var shape, axes []int
	for a, r := range repeats {
		axes = append(axes, len(shape))
		shape = append(shape, r, e.X(0).Shape[a])
	}
	return e.Reshape(e.SumOver(e.Reshape(e.DY(), shape...), axes...), e.X(0).Shape...)
}

// gatherX adds dY's slices into the rows that they were taken from.
func gatherX(e *edge) onnx.Value {
	x, index, axis := e.X(0), e.X(1), e.axis(0)
	before, after := onnx.NumElements(x.Shape[:axis]), onnx.NumElements(x.Shape[axis+1:])
	n := index.Size()
	rows := []int{before, n, after}
	where := e.Op("Expand", nil, e.Reshape(index, 1, n, 1), e.Ints(rows...))
	zeros := e.zeros(before, x.Shape[axis], after)
	sum := e.Op("ScatterElements", onnx.Attrs{"axis": int64(1), "reduction": "add"}, zeros, where, e.Reshape(e.DY(), rows...))
	return e.Reshape(sum, x.Shape...)
}

func gatherElementsX(e *edge) onnx.Value {
	return e.Op("ScatterElements", onnx.Attrs{"axis": int64(e.axis(0)), "reduction": "add"},
		e.zeros(e.X(0).Shape...), e.X(1), e.DY())
}

// cumSumX sums from the other end.
func cumSumX(e *edge) onnx.Value {
	return e.Op("CumSum", onnx.Attrs{
		"exclusive": int64(e.node.Int("exclusive", 0)), "reverse": int64(1 - e.node.Int("reverse", 0)),
	}, e.DY(), e.X(1))
}

// depthToSpaceX takes the blocks apart again; mode CRD has the channel before
// the place within the block, DCR, which SpaceToDepth speaks, behind it.
func depthToSpaceX(e *edge) onnx.Value {
	dy, b := e.DY(), e.node.Int("blocksize", 1)
	if e.node.Str("mode", "DCR") == "DCR" {
		return e.Op("SpaceToDepth", onnx.Attrs{"blocksize": int64(b)}, dy)
	}
	n, c, h, w := dy.Shape[0], dy.Shape[1], dy.Shape[2]/b, dy.Shape[3]/b
	blocks := e.Transpose(e.Reshape(dy, n, c, h, b, w, b), 0, 1, 3, 5, 2, 4)
	return e.Reshape(blocks, e.X(0).Shape...)
}

func spaceToDepthX(e *edge) onnx.Value {
	return e.Op("DepthToSpace", onnx.Attrs{"blocksize": int64(e.node.Int("blocksize", 1)), "mode": "DCR"}, e.DY())
}

// triluX keeps the same triangle.
func triluX(e *edge) onnx.Value {
	in := []onnx.Value{e.DY()}
	if k := e.X(1); !k.Absent() {
		in = append(in, k)
	}
	return e.Op("Trilu", onnx.Attrs{"upper": int64(e.node.Int("upper", 1))}, in...)
}
