package onnxeval

import "orchestrator/trainer/onnx"

// window is the geometry that convolutions and pools share: a kernel that
// slides over the spatial axes of a padded input.
type window struct {
	in, kernel, out    []int // spatial sizes
	strides, dilations []int
	padBegin, padEnd   []int
	inStep             []int
}

// tap is one kernel position that lies inside the input: flat spatial positions.
type tap struct{ in, kernel int }

// newWindow reads strides, dilations, pads, auto_pad and ceil_mode.
func newWindow(n *onnx.Node, in, kernel []int) *window {
	w := windowOf(n, in, kernel)
	autoPad, ceil := n.Str("auto_pad", "NOTSET"), n.Int("ceil_mode", 0) != 0
	for i := range in {
		extent := (kernel[i]-1)*w.dilations[i] + 1
		stride := w.strides[i]
		switch autoPad {
		case "SAME_UPPER", "SAME_LOWER":
			w.out[i] = (in[i] + stride - 1) / stride
			total := max((w.out[i]-1)*stride+extent-in[i], 0)
			w.padBegin[i], w.padEnd[i] = halves(total, autoPad)
			continue
		case "VALID":
			w.padBegin[i], w.padEnd[i] = 0, 0
		}
		room := in[i] + w.padBegin[i] + w.padEnd[i] - extent
		check(room >= 0, "the kernel %v is larger than the padded input %v", kernel, in)
		w.out[i] = room/stride + 1
		// Rounding up may add a window, but only one that begins inside the
		// input or the padding before it.
		if ceil && room%stride != 0 && w.out[i]*stride < in[i]+w.padBegin[i] {
			w.out[i]++
		}
	}
	return w
}

// windowOf reads the attributes that need no arithmetic.
func windowOf(n *onnx.Node, in, kernel []int) *window {
	rank := len(in)
	check(rank > 0 && len(kernel) == rank, "kernel %v does not fit the spatial axes %v", kernel, in)
	pads := n.Ints("pads", make([]int, 2*rank)...)
	check(len(pads) == 2*rank, "pads %v do not fit %d spatial axes", pads, rank)
	w := &window{
		in: in, kernel: kernel, out: make([]int, rank),
		strides: n.Ints("strides", ones(rank)...), dilations: n.Ints("dilations", ones(rank)...),
		padBegin: pads[:rank:rank], padEnd: pads[rank:],
		inStep: strides(in),
	}
	check(len(w.strides) == rank && len(w.dilations) == rank, "strides %v and dilations %v do not fit %d spatial axes", w.strides, w.dilations, rank)
	for i := range rank {
		check(w.strides[i] > 0 && w.dilations[i] > 0 && kernel[i] > 0, "strides, dilations and kernel must be positive")
	}
	return w
}

// halves splits padding; the odd one goes to the end with SAME_UPPER.
func halves(total int, autoPad string) (begin, end int) {
	if autoPad == "SAME_UPPER" {
		return total / 2, total - total/2
	}
	return total - total/2, total / 2
}

// taps lists the kernel positions that lie inside the input for the window at
// an output position. padded counts those inside the input or its padding.
func (w *window) taps(out []int) (taps []tap, padded int) {
	each(w.kernel, func(k int, at []int) {
		pos, inside, inPadding := 0, true, true
		for i, a := range at {
			x := out[i]*w.strides[i] - w.padBegin[i] + a*w.dilations[i]
			inside = inside && x >= 0 && x < w.in[i]
			inPadding = inPadding && x < w.in[i]+w.padEnd[i]
			pos += x * w.inStep[i]
		}
		if inside {
			taps = append(taps, tap{in: pos, kernel: k})
		}
		if inPadding {
			padded++
		}
	})
	return taps, padded
}

func ones(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
