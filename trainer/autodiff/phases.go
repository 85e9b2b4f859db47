package autodiff

import "orchestrator/trainer/onnx"

// Lowerings for graphics processors. A convolution of stride s is one of stride 1
// on the s·s phases of its input, each an input of its own that holds every s-th
// element ("space to depth"): so all that a gradient needs are long matrix products
// and plain convolutions, which such devices are fastest at and whose sums have a
// fixed order. The convolutions backwards of their libraries have neither promise.

// phases divides the spatial dimensions of a window's input.
type phases struct {
	window
	in, out []int
	shifts  []int // per dimension: steps of one phase that the taps of the window span
	length  []int // elements of one phase, so many that no shift leaves it
}

func (w window) phases(in, out []int) phases {
	p := phases{window: w, in: in, out: out, shifts: make([]int, len(in)), length: make([]int, len(in))}
	for i := range in {
		p.shifts[i] = (w.extent(i)-1)/w.strides[i] + 1
		p.length[i] = out[i] + p.shifts[i] - 1
	}
	return p
}

// count is how many phases there are.
func (p phases) count() int { return onnx.NumElements(p.strides) }

// padded is v [A, B, ...] with its spatial dimensions cut or filled up with a number
// to the elements that all phases have together, and with so many more of A.
func (e *edge) padded(v onnx.Value, more int, p phases, with onnx.Value) onnx.Value {
	size := make([]int, len(p.in))
	for i := range size {
		size[i] = p.length[i]*p.strides[i] - p.before[i]
	}
	return e.resized(v, more, p.before, size, with)
}

// resized is v [A, B, ...] with so many numbers put in front of its spatial
// dimensions, which are then cut or filled up to size behind, and with so many more
// of the first dimension.
func (e *edge) resized(v onnx.Value, more int, before, size []int, with onnx.Value) onnx.Value {
	if e.Err() != nil {
		return v
	}
	front, behind, keep := filled(v.Rank(), 0), filled(v.Rank(), 0), append([]int{}, size...)
	behind[0] = more
	for i, have := range v.Shape[2:] {
		front[2+i] = before[i]
		behind[2+i] = max(0, size[i]-have)
		keep[i] = min(size[i], have)
	}
	if !equalShape(keep, v.Shape[2:]) {
		v = e.Op("Slice", nil, v, e.Ints(filled(len(keep), 0)...), e.Ints(keep...), e.Ints(upTo(2, v.Rank())...))
	}
	if allAre(front, 0) && allAre(behind, 0) {
		return v
	}
	return e.Op("Pad", onnx.Attrs{"mode": "constant"}, v, e.Ints(concat(front, behind)...), with)
}

// split is the shape of v [A, B, ...] with every spatial dimension as two: element
// of the phase, phase.
func (p phases) split() []int {
	var shape []int
	for i := range p.in {
		shape = append(shape, p.length[i], p.strides[i])
	}
	return shape
}

// every2nd are the numbers from, from+2, ..., one for each of dims dimensions.
func every2nd(from, dims int) []int {
	var xs []int
	for i := range dims {
		xs = append(xs, from+2*i)
	}
	return xs
}

// phaseRows is x [N, C, ...] as rows [g, phases·C/g, (N+1)·...]: for each group the
// phases of its channels, the elements of all pictures one after the other, and
// those of a picture of zeros, for shifts that leave the last.
func (e *edge) phaseRows(x onnx.Value, p phases) onnx.Value {
	n, c, dims := x.Shape[0], x.Shape[1], len(p.in)
	x = e.padded(x, 1, p, e.Zero())
	x = e.Reshape(x, concat([]int{n + 1, p.group, c / p.group}, p.split())...)
	perm := concat([]int{1}, every2nd(4, dims), []int{2, 0}, every2nd(3, dims))
	return e.Reshape(e.Transpose(x, perm...), p.group, p.count()*c/p.group, (n+1)*onnx.NumElements(p.length))
}

const (
	// productColumns is how many columns a product should have at least: a narrow one
	// leaves most of the device idle.
	productColumns = 512
	// productElements bounds what is laid out for one product, 256 MB.
	productElements = 64 << 20
)

// phaseGradient is the gradient of convW: every shift of the phases' rows against
// dY is one block of columns of a product over all pictures.
func (e *edge) phaseGradient(x, dy onnx.Value, w window, shape []int) onnx.Value {
	p := w.phases(x.Shape[2:], dy.Shape[2:])
	n, o, g := x.Shape[0], dy.Shape[1], w.group
	columns := p.count() * shape[1]
	length := n * onnx.NumElements(p.length)
	rows := e.phaseRows(x, p)
	dyRows := e.channelRows(dy, p.length, 0)
	shifts := window{kernel: p.shifts, dilations: filled(len(p.in), 1)}.shifts(p.length)
	at := min(max(1, (productColumns+columns-1)/columns), max(1, productElements/(g*columns*length)))
	var products []onnx.Value
	for from := 0; from < len(shifts); from += at {
		var taps []onnx.Value
		for _, shift := range shifts[from:min(from+at, len(shifts))] {
			taps = append(taps, e.Op("Slice", nil, rows, e.Ints(shift), e.Ints(shift+length), e.Ints(2)))
		}
		tap := taps[0]
		if len(taps) > 1 {
			tap = e.Op("Concat", onnx.Attrs{"axis": int64(1)}, taps...)
		}
		products = append(products, e.groupProduct(dyRows, e.Reshape(tap, g*len(taps)*columns, length), g))
	}
	dw := products[0]
	if len(products) > 1 {
		dw = e.Op("Concat", onnx.Attrs{"axis": int64(1)}, products...)
	}
	return e.Reshape(e.taps(e.Reshape(dw, concat([]int{o}, p.shifts, p.strides, shape[1:2])...), p), shape...)
}

// taps brings [O, shifts..., phases..., C] to the kernel [O, C, taps...]: a tap is at
// shift·stride + phase, and of those only every one that the dilation leaves.
func (e *edge) taps(dw onnx.Value, p phases) onnx.Value {
	dims := len(p.in)
	perm := []int{0, 1 + 2*dims}
	spatial, ends := []int{}, []int{}
	for i := range dims {
		perm = append(perm, 1+i, 1+dims+i)
		spatial = append(spatial, p.shifts[i]*p.strides[i])
		ends = append(ends, p.extent(i))
	}
	if e.Err() != nil {
		return dw
	}
	o, c := dw.Shape[0], dw.Shape[len(dw.Shape)-1]
	dw = e.Reshape(e.Transpose(dw, perm...), concat([]int{o, c}, spatial)...)
	if equalShape(spatial, p.kernel) {
		return dw
	}
	return e.Op("Slice", nil, dw, e.Ints(filled(dims, 0)...), e.Ints(ends...), e.Ints(upTo(2, 2+dims)...), e.Ints(p.dilations...))
}

// phaseConvX is the gradient of convX: each phase of dX is a convolution of stride 1
// of dY with those taps of the kernel, backwards, that reach it. ok is false for
// strides together with dilations, whose taps lie between the phases.
func (e *edge) phaseConvX(dy, kernel onnx.Value, w window, in []int) (dx onnx.Value, ok bool) {
	dims := len(in)
	if !allAre(w.dilations, 1) {
		return onnx.Value{}, false
	}
	p := w.phases(in, dy.Shape[2:])
	o, c, g := kernel.Shape[0], kernel.Shape[1], w.group
	whole := make([]int, dims)
	for i := range whole {
		whole[i] = p.shifts[i] * p.strides[i]
	}
	k := e.resized(kernel, 0, filled(dims, 0), whole, e.Zero())
	if e.Err() != nil {
		return onnx.Value{}, true
	}
	parts := []int{g, o / g, c}
	for i := range dims {
		parts = append(parts, p.shifts[i], p.strides[i])
	}
	perm := concat([]int{0}, every2nd(4, dims), []int{2, 1}, every2nd(3, dims))
	k = e.Transpose(e.Reshape(k, parts...), perm...) // [g, phases..., C/g, O/g, shifts...]
	taps := onnx.NumElements(p.shifts)
	if taps > 1 {
		k = e.Reshape(k, g*p.count()*c, o/g, taps)
		k = e.Op("Slice", nil, k, e.Ints(taps-1), e.Ints(-taps-1), e.Ints(2), e.Ints(-1))
	}
	k = e.Reshape(k, concat([]int{g * p.count() * c, o / g}, p.shifts)...)
	around := window{kernel: p.shifts, strides: filled(dims, 1), dilations: filled(dims, 1), group: g}
	around.before = make([]int, dims)
	for i := range dims {
		around.before[i] = p.shifts[i] - 1
	}
	around.after = around.before
	v := e.Op("Conv", around.attrs(), dy, k) // [N, g·phases·C/g, length...]
	return e.interleaved(v, p, g, c), true
}

// interleaved brings the phases [N, g·phases·C/g, ...] together to [N, C, in...].
func (e *edge) interleaved(v onnx.Value, p phases, g, c int) onnx.Value {
	if e.Err() != nil {
		return v
	}
	n, dims := v.Shape[0], len(p.in)
	v = e.Reshape(v, concat([]int{n, g}, p.strides, []int{c}, p.length)...)
	perm := []int{0, 1, 2 + dims}
	spatial := []int{}
	for i := range dims {
		perm = append(perm, 3+dims+i, 2+i)
		spatial = append(spatial, p.length[i]*p.strides[i])
	}
	v = e.Reshape(e.Transpose(v, perm...), concat([]int{n, g * c}, spatial)...)
	return e.cropped(v, p)
}

// cropped takes the padding off the elements that all phases have together, and
// adds zeros for those of the input that no window reached.
func (e *edge) cropped(v onnx.Value, p phases) onnx.Value {
	if e.Err() != nil {
		return v
	}
	ends := make([]int, len(p.in))
	for i, size := range p.in {
		ends[i] = min(v.Shape[2+i], p.before[i]+size)
	}
	if !allAre(p.before, 0) || !equalShape(ends, v.Shape[2:]) {
		v = e.Op("Slice", nil, v, e.Ints(p.before...), e.Ints(ends...), e.Ints(upTo(2, v.Rank())...))
	}
	return e.resized(v, 0, filled(len(p.in), 0), p.in, e.Zero())
}
