package autodiff

import "orchestrator/trainer/onnx"

func (e *edge) convWindow() window {
	return e.window(e.X(1).Shape[2:], e.X(0).Shape[2:], e.Y(0).Shape[2:])
}

// convX is the convolution backwards: a Conv with the weights flipped and
// transposed where that is the faster form, or the only one in a fixed order, else
// a ConvTranspose with the weights as they are.
func convX(e *edge) onnx.Value {
	w, x := e.convWindow(), e.X(0)
	if back, ok := w.reversed(x.Shape[2:], e.DY().Shape[2:]); ok && e.flipPays(w) {
		return e.Op("Conv", back.attrs(), e.DY(), e.flipped(e.X(1), w.group))
	}
	if e.byConv(w) {
		if dx, ok := e.phaseConvX(e.DY(), e.X(1), w, x.Shape[2:]); ok {
			return dx
		}
	}
	return e.convTranspose(e.DY(), e.X(1), w, x.Shape[2:])
}

// flipPays is the cost model of convX. A Conv spreads dY into the columns of a
// product, a ConvTranspose adds the columns of a product up in dX, on one thread:
// so what counts is which of them has more channels. Measured with two threads,
// time of the Conv by time of the ConvTranspose: 64 to 64 channels, 3×3, 56²
// elements: 0.75; 128 to 128: 0.65; 64 to 128: 0.68; 128 to 64: 0.82; 256 to 64,
// 28²: 1.09; 128 to 32, 27²: 1.26.
func (e *edge) flipPays(w window) bool {
	if e.Graphics {
		return e.byConv(w)
	}
	return !w.pointwise() && 2*e.X(0).Shape[1] >= e.DY().Shape[1] || w.pointwise() && w.group == 1
}

// byConv tells whether a graphics processor should compute a convolution backwards
// by one forwards: for the order of its sums, or because a ConvTranspose with another
// padding before than after is nothing that the CUDA provider takes.
func (e *edge) byConv(w window) bool {
	return e.Ordered() || e.Graphics && !equalShape(w.before, w.after)
}

// reversed is the geometry of a stride-1 convolution that goes from the output's
// spatial dimensions back to the input's; false where there is none.
func (w window) reversed(in, out []int) (window, bool) {
	r := w
	r.before, r.after = make([]int, len(in)), make([]int, len(in))
	for i := range in {
		r.before[i] = w.extent(i) - 1 - w.before[i]
		r.after[i] = in[i] - out[i] + w.before[i]
		if w.strides[i] != 1 || r.before[i] < 0 || r.after[i] < 0 {
			return window{}, false
		}
	}
	return r, true
}

// flipped is a kernel [O, C/g, k...] as one [C, O/g, k...] that reads its taps
// from the last to the first.
func (e *edge) flipped(kernel onnx.Value, group int) onnx.Value {
	o, c, spatial := kernel.Shape[0], kernel.Shape[1], kernel.Shape[2:]
	taps := onnx.NumElements(spatial)
	v := e.Reshape(kernel, group, o/group, c, taps)
	if taps > 1 {
		v = e.Op("Slice", nil, v, e.Ints(taps-1), e.Ints(-taps-1), e.Ints(3), e.Ints(-1))
	}
	return e.Reshape(e.Transpose(v, 0, 2, 1, 3), concat([]int{group * c, o / group}, spatial)...)
}

// convTranspose spreads dy over a tensor with the given spatial dimensions.
func (e *edge) convTranspose(dy, weights onnx.Value, w window, spatial []int) onnx.Value {
	missing := make([]int, len(spatial)) // elements at the end that no window covered
	for i, size := range spatial {
		missing[i] = size - ((dy.Shape[2+i]-1)*w.strides[i] + w.extent(i) - w.before[i] - w.after[i])
	}
	attrs := w.attrs()
	attrs["output_padding"] = ints(missing...)
	return e.Op("ConvTranspose", attrs, dy, weights)
}

func convW(e *edge) onnx.Value {
	return e.kernelGradient(e.X(0), e.DY(), e.convWindow(), e.X(1).Shape)
}

// convB sums over everything but the channels.
func convB(e *edge) onnx.Value {
	dy := e.DY()
	return e.vector(e.SumOver(dy, append([]int{0}, upTo(2, dy.Rank())...)...))
}

// transposeWindow is the geometry of the convolution that a ConvTranspose is
// the reverse of.
func (e *edge) transposeWindow() window {
	x, y := e.X(0).Shape[2:], e.Y(0).Shape[2:]
	w := e.window(e.X(1).Shape[2:], y, x)
	auto := e.node.Str("auto_pad", "NOTSET")
	if auto == "VALID" || e.node.Ints("output_shape") == nil && (auto == "NOTSET" || auto == "") {
		return w
	}
	extra := e.node.Ints("output_padding", filled(len(x), 0)...)
	for i := range x {
		total := (x[i]-1)*w.strides[i] + extra[i] + w.extent(i) - y[i]
		w.before[i], w.after[i] = halves(total, auto != "SAME_UPPER")
	}
	return w
}

func convTransposeX(e *edge) onnx.Value {
	return e.Op("Conv", e.transposeWindow().attrs(), e.DY(), e.X(1))
}

// convTransposeW is a kernel gradient with the roles of X and dY exchanged.
func convTransposeW(e *edge) onnx.Value {
	return e.kernelGradient(e.DY(), e.X(0), e.transposeWindow(), e.X(1).Shape)
}

// kernelGradient is the gradient by the kernel, of the given shape
// [O, C/group, k...], of a convolution of x [N, C, ...] whose output has the
// gradient dy [N, O, ...].
//
// Which of three lowerings is used follows from the shapes alone, so that a
// network trains with the same bits every time. A step of CaffeNet (batch 32,
// two cores) takes 1.29 s with them, 1.31 s with im2col picture by picture and a
// sum over the pictures, 1.39 s with swapped axes everywhere, and 1.63 s with one
// product per kernel tap.
func (e *edge) kernelGradient(x, dy onnx.Value, w window, shape []int) onnx.Value {
	switch {
	case e.Err() != nil:
		return onnx.Value{}
	case w.pointwise():
		return e.pointwiseGradient(x, dy, w, shape)
	case e.Graphics:
		return e.phaseGradient(x, dy, w, shape)
	case allAre(w.strides, 1):
		return e.flatShiftGradient(x, dy, w, shape)
	}
	return e.swappedAxesGradient(x, dy, w, shape)
}

// pointwiseGradient is dY·Xᵀ, for kernels of one element: either per picture and
// then summed over the mini-batch, or as one product over all pictures, which
// needs x and dy transposed first. The one that moves fewer elements is taken.
func (e *edge) pointwiseGradient(x, dy onnx.Value, w window, shape []int) onnx.Value {
	x = e.everyNth(x, w.strides, dy.Shape[2:])
	n, c, o, g := x.Shape[0], x.Shape[1], dy.Shape[1], w.group
	area := dy.Size() / (n * o)
	if partial, moved := n*o*c/g, n*area*(c+o); partial < moved {
		dw := e.Op("MatMul", nil, e.Reshape(dy, n, g, o/g, area), e.Transpose(e.Reshape(x, n, g, c/g, area), 0, 1, 3, 2))
		return e.Reshape(e.Op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, dw, e.Ints(0)), shape...)
	}
	return e.Reshape(e.groupProduct(e.channelsFirst(dy, n*area), e.channelsFirst(x, n*area), g), shape...)
}

// everyNth keeps the elements of x's spatial dimensions that a strided kernel
// of one element reads.
func (e *edge) everyNth(x onnx.Value, strides, out []int) onnx.Value {
	if allAre(strides, 1) {
		return x
	}
	var ends []int
	for i, s := range strides {
		ends = append(ends, (out[i]-1)*s+1)
	}
	return e.Op("Slice", nil, x, e.Ints(filled(len(out), 0)...), e.Ints(ends...), e.Ints(upTo(2, x.Rank())...), e.Ints(strides...))
}

// channelsFirst is v [N, C, ...] as a matrix [C, N·...].
func (e *edge) channelsFirst(v onnx.Value, columns int) onnx.Value {
	perm := append([]int{1, 0}, upTo(2, v.Rank())...)
	return e.Reshape(e.Transpose(v, perm...), v.Shape[1], columns)
}

// groupProduct is dY·Xᵀ of two matrices, apart for each group of rows:
// [O, L], [C, L] -> [O, C/group]. An ungrouped one is a Gemm, which transposes
// for free.
func (e *edge) groupProduct(dy, x onnx.Value, group int) onnx.Value {
	if group == 1 {
		return e.gemm(dy, 0, x, 1, 1)
	}
	o, c, l := dy.Shape[0], x.Shape[0], x.Shape[1]
	product := e.Op("MatMul", nil, e.Reshape(dy, group, o/group, l), e.Transpose(e.Reshape(x, group, c/group, l), 0, 2, 1))
	return e.Reshape(product, o, c/group)
}

// flatShiftGradient is for stride 1. With the channels first, X and dY become
// matrices [C, L] and [O, L] that have all pictures in one row, each line of a
// picture followed by so many zeros that a kernel which leaves it reads those and
// not the next line; the zeros behind one line serve the next as well. Kernel tap
// (i, j) then reads X shifted by i·pitch + j columns: a slice of long rows, and
// the gradient is one product per tap, with no sum over the mini-batch left to do
// and no copy that holds every element as often as the kernel has taps.
func (e *edge) flatShiftGradient(x, dy onnx.Value, w window, shape []int) onnx.Value {
	n, c, o, g := x.Shape[0], x.Shape[1], dy.Shape[1], w.group
	pitch := w.pitch(x.Shape[2:], dy.Shape[2:])
	area := onnx.NumElements(pitch)
	length := n * area
	// A picture of zeros in front and one behind, for taps that leave the first and the last.
	rows := e.Reshape(e.channelRows(x, pitch, 1), g, c/g, length+2*area)
	dyRows := e.channelRows(dy, pitch, 0)
	first := area - offset(pitch, w.before)
	var products []onnx.Value
	for _, shift := range w.shifts(pitch) {
		tap := e.Op("Slice", nil, rows, e.Ints(first+shift), e.Ints(first+shift+length), e.Ints(2)) // [g, C/g, L]
		products = append(products, e.groupProduct(dyRows, e.Reshape(tap, c, length), g))
	}
	dw := e.Op("Concat", onnx.Attrs{"axis": int64(1)}, products...) // [O, taps·C/g]
	return e.Reshape(e.Transpose(e.Reshape(dw, o, len(products), c/g), 0, 2, 1), shape...)
}

// pitch is, per dimension, the distance of lines that keeps the taps of one line
// from reading the next, of an input and an output of the given sizes.
func (w window) pitch(in, out []int) []int {
	pitch := make([]int, len(in))
	for i := range pitch {
		pitch[i] = max(in[i]+max(w.before[i], w.after[i]), out[i])
	}
	return pitch
}

// channelRows is v [N, C, ...], its spatial dimensions filled up with zeros to
// pitch, as rows [C, (N+2·extra)·...] with so many extra pictures of zeros at both
// ends.
func (e *edge) channelRows(v onnx.Value, pitch []int, extra int) onnx.Value {
	v = e.Transpose(v, append([]int{1, 0}, upTo(2, v.Rank())...)...)
	if e.Err() != nil {
		return v
	}
	before, after := filled(v.Rank(), 0), filled(v.Rank(), 0)
	before[1], after[1] = extra, extra
	for i, p := range pitch {
		after[2+i] = p - v.Shape[2+i]
	}
	if !allAre(after, 0) {
		v = e.Op("Pad", onnx.Attrs{"mode": "constant"}, v, e.Ints(concat(before, after)...), e.Zero())
	}
	return e.Reshape(v, v.Shape[0], v.Size()/v.Shape[0])
}

// offset is how far an element of a row-major array of the given dimensions is
// from the first.
func offset(dims, at []int) int {
	d := 0
	for i, n := range dims {
		d = d*n + at[i]
	}
	return d
}

// shifts are the distances in a row-major array of the given dimensions between
// the first tap of the kernel and each of them, ascending.
func (w window) shifts(spatial []int) []int {
	shifts := []int{0}
	for i, size := range spatial {
		var finer []int
		for _, s := range shifts {
			for k := range w.kernel[i] {
				finer = append(finer, s*size+k*w.dilations[i])
			}
		}
		shifts = finer
	}
	return shifts
}

// swappedAxesGradient is for strides: a convolution of X with dY as its kernel,
// channels and pictures having changed places, and stride and dilation too.
func (e *edge) swappedAxesGradient(x, dy onnx.Value, w window, shape []int) onnx.Value {
	n, c, g := x.Shape[0], x.Shape[1], w.group
	spatial := upTo(2, x.Rank())
	grouped := e.Reshape(x, concat([]int{n, g, c / g}, x.Shape[2:])...)
	perm := concat([]int{2, 1, 0}, upTo(3, x.Rank()+1))
	in := e.Reshape(e.Transpose(grouped, perm...), concat([]int{c / g, g * n}, x.Shape[2:])...)
	kernel := e.Transpose(dy, concat([]int{1, 0}, spatial)...)
	swapped := window{kernel: dy.Shape[2:], strides: w.dilations, dilations: w.strides, before: w.before, after: w.after, group: g}
	dw := e.Op("Conv", swapped.attrs(), in, kernel) // [C/g, O, at least k...]
	if e.Err() == nil && !equalShape(dw.Shape[2:], shape[2:]) {
		dw = e.Op("Slice", nil, dw, e.Ints(filled(len(spatial), 0)...), e.Ints(shape[2:]...), e.Ints(spatial...))
	}
	return e.Transpose(dw, concat([]int{1, 0}, spatial)...)
}

// upTo is from, from+1, ..., to-1.
func upTo(from, to int) []int {
	var xs []int
	for i := from; i < to; i++ {
		xs = append(xs, i)
	}
	return xs
}
