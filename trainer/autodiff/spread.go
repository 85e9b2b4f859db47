package autodiff

import (
	"math"

	"orchestrator/trainer/onnx"
)

// A pooling backwards in a fixed order: for each tap of the window its share of dY,
// one element per window, is put where that tap read, and these are added up tap by
// tap. What comes to one phase of the input (see phases) is moved as a whole.

// spread adds up, over the taps of the window, what share gives for each, at the
// elements of the input that the tap reads: [N, C, in...].
func (e *edge) spread(w window, in, out []int, share func(tap []int) onnx.Value) onnx.Value {
	p := w.phases(in, out)
	sums := make([]onnx.Value, p.count())
	for _, tap := range everyIndex(w.kernel) {
		phase, before := 0, filled(len(in), 0)
		for i, k := range tap {
			at := k * w.dilations[i]
			phase = phase*w.strides[i] + at%w.strides[i]
			before[i] = at / w.strides[i]
		}
		behind := make([]int, len(in))
		for i := range behind {
			behind[i] = p.length[i] - before[i]
		}
		moved := e.resized(share(tap), 0, before, behind, e.Zero())
		if !sums[phase].Absent() {
			moved = e.Add(sums[phase], moved)
		}
		sums[phase] = moved
	}
	return e.together(sums, p)
}

// together brings phases, [N, C, length...] each (absent: zeros), together to
// [N, C, in...].
func (e *edge) together(sums []onnx.Value, p phases) onnx.Value {
	n, c := e.X(0).Shape[0], e.X(0).Shape[1]
	for i, s := range sums {
		if s.Absent() {
			sums[i] = e.zeros(concat([]int{n, c}, p.length)...)
		}
	}
	if len(sums) == 1 {
		return e.cropped(sums[0], p)
	}
	all := e.Op("Concat", onnx.Attrs{"axis": int64(1)}, sums...) // [N, phases·C, ...]
	return e.interleaved(all, p, 1, c)
}

// everyIndex lists the indices of an array of the given shape, the last changing
// fastest.
func everyIndex(shape []int) [][]int {
	all := [][]int{{}}
	for _, size := range shape {
		var finer [][]int
		for _, index := range all {
			for i := range size {
				finer = append(finer, concat(index, []int{i}))
			}
		}
		all = finer
	}
	return all
}

// maxPoolSpread gives each window's dY to the first tap whose element is the
// window's maximum; what was given is not given again.
func (e *edge) maxPoolSpread() onnx.Value {
	x, y, left := e.X(0), e.Y(0), e.DY()
	w := e.window(e.node.Ints("kernel_shape"), x.Shape[2:], y.Shape[2:])
	w.group = 1
	p := w.phases(x.Shape[2:], y.Shape[2:])
	lowest := e.Scalar(math.Inf(-1))
	padded := e.padded(x, 0, p, lowest)
	return e.spread(w, p.in, p.out, func(tap []int) onnx.Value {
		hit := e.Op("Equal", nil, e.readBy(padded, p, tap), y)
		given := e.Where(hit, left, e.Zero())
		left = e.Where(hit, e.Zero(), left)
		return given
	})
}

// readBy are the elements of a padded input that a tap reads, one per window.
func (e *edge) readBy(padded onnx.Value, p phases, tap []int) onnx.Value {
	from, to := make([]int, len(tap)), make([]int, len(tap))
	for i, k := range tap {
		from[i] = k * p.dilations[i]
		to[i] = from[i] + (p.out[i]-1)*p.strides[i] + 1
	}
	return e.Op("Slice", nil, padded, e.Ints(from...), e.Ints(to...), e.Ints(upTo(2, 2+len(tap))...), e.Ints(p.strides...))
}
