package autodiff

import "orchestrator/trainer/onnx"

// maxPoolX adds each element of dY where its maximum came from. Windows may
// overlap, so that one element may receive several. The positions are the
// node's second output, or that of a second MaxPool where it has none.
func maxPoolX(e *edge) onnx.Value {
	if e.node.Int("storage_order", 0) != 0 {
		return e.Fail("column-major MaxPool indices have no gradient rule")
	}
	if e.Ordered() {
		return e.maxPoolSpread()
	}
	positions := e.Y(1)
	if positions.Absent() {
		positions = e.OpN("MaxPool", e.node.Attrs, 2, e.X(0))[1]
	}
	return e.scatterFlat(positions, e.DY(), e.X(0).Shape)
}

// averagePoolX spreads dY, divided by the number of elements averaged, evenly
// over each window: a ConvTranspose with a kernel of ones, channel by channel.
func averagePoolX(e *edge) onnx.Value {
	x, dy := e.X(0), e.DY()
	spatial := x.Shape[2:]
	w := e.window(e.node.Ints("kernel_shape"), spatial, dy.Shape[2:])
	w.group = 1
	if e.Graphics && equalShape(w.kernel, spatial) && allAre(w.before, 0) && allAre(w.after, 0) {
		return globalAveragePoolX(e) // which it is
	}
	share := e.Div(dy, e.counts(w, spatial, dy.Shape[2:]))
	w.after = append([]int{}, w.after...)
	for i := range spatial { // windows of ceil_mode may end beyond the padding
		covered := (dy.Shape[2+i]-1)*w.strides[i] + w.extent(i)
		w.after[i] = max(0, covered-w.before[i]-spatial[i])
	}
	if e.byConv(w) {
		return e.spread(w, spatial, dy.Shape[2:], func([]int) onnx.Value { return share })
	}
	images := e.Reshape(share, concat([]int{dy.Shape[0] * dy.Shape[1], 1}, dy.Shape[2:])...)
	return e.Reshape(e.convTranspose(images, e.ones(concat([]int{1, 1}, w.kernel)), w, spatial), x.Shape...)
}

// counts are the numbers of elements in each window: those of the input, and with
// count_include_pad those of the padding too.
func (e *edge) counts(w window, in, out []int) onnx.Value {
	withPad := e.node.Int("count_include_pad", 0) == 1
	counts := []float32{1}
	for i := range in {
		from, to := 0, in[i]
		if withPad {
			from, to = -w.before[i], in[i]+w.after[i]
		}
		var next []float32
		for _, outer := range counts {
			for p := range out[i] {
				start := p*w.strides[i] - w.before[i]
				next = append(next, outer*float32(inside(start, w.kernel[i], w.dilations[i], from, to)))
			}
		}
		counts = next
	}
	return e.Const(onnx.Floats(counts, out...))
}

// inside counts the taps start, start+step, ... of a window within [from, to).
func inside(start, taps, step, from, to int) int {
	n := 0
	for k := range taps {
		if at := start + k*step; at >= from && at < to {
			n++
		}
	}
	return n
}

func (e *edge) ones(shape []int) onnx.Value {
	t := onnx.NewTensor(onnx.Float, shape...)
	for i := range t.F32() {
		t.F32()[i] = 1
	}
	return e.Const(t)
}

// globalAveragePoolX: the walk expands over the pooled dimensions.
func globalAveragePoolX(e *edge) onnx.Value {
	return e.Over(e.DY(), e.X(0).Size()/e.DY().Size())
}

// globalMaxPoolX: the elements that attain the maximum share its gradient.
func globalMaxPoolX(e *edge) onnx.Value {
	hit := e.Mask(e.X(0), e.Y(0))
	return e.Div(e.Mul(e.DY(), hit), e.SumOver(hit, upTo(2, e.X(0).Rank())...))
}
