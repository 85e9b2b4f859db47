package autodiff

import "orchestrator/trainer/onnx"

// window is the geometry that convolutions and poolings share, per spatial
// dimension, with auto_pad resolved.
type window struct {
	kernel, strides, dilations []int
	before, after              []int // padding
	group                      int
}

// window reads a node whose input has spatial dimensions `in` and whose output
// has `out`.
func (e *edge) window(kernel, in, out []int) window {
	n := len(kernel)
	w := window{kernel: kernel, group: e.node.Int("group", 1)}
	w.strides = e.node.Ints("strides", filled(n, 1)...)
	w.dilations = e.node.Ints("dilations", filled(n, 1)...)
	pads := e.node.Ints("pads", filled(2*n, 0)...)
	w.before, w.after = pads[:n:n], pads[n:]
	auto := e.node.Str("auto_pad", "NOTSET")
	switch auto {
	case "NOTSET", "":
		return w
	case "VALID":
		w.before, w.after = filled(n, 0), filled(n, 0)
		return w
	}
	w.before, w.after = make([]int, n), make([]int, n)
	for i := range n {
		total := max(0, (out[i]-1)*w.strides[i]+w.extent(i)-in[i])
		w.before[i], w.after[i] = halves(total, auto == "SAME_LOWER")
	}
	return w
}

// halves splits a padding in two; an odd one is larger before or after.
func halves(total int, largerFirst bool) (before, after int) {
	if largerFirst {
		return total - total/2, total / 2
	}
	return total / 2, total - total/2
}

// extent is the number of elements that a dilated kernel spans.
func (w window) extent(i int) int { return (w.kernel[i]-1)*w.dilations[i] + 1 }

// pads are the attribute of that name.
func (w window) pads() []int64 { return append(ints(w.before...), ints(w.after...)...) }

// attrs are the attributes of a convolution with this geometry.
func (w window) attrs() onnx.Attrs {
	return onnx.Attrs{
		"kernel_shape": ints(w.kernel...), "strides": ints(w.strides...), "dilations": ints(w.dilations...),
		"pads": w.pads(), "group": int64(w.group),
	}
}

// pointwise tells a kernel of one element without padding.
func (w window) pointwise() bool {
	return allAre(w.kernel, 1) && allAre(w.before, 0) && allAre(w.after, 0)
}

func allAre(xs []int, x int) bool {
	for _, v := range xs {
		if v != x {
			return false
		}
	}
	return true
}

func filled(n, x int) []int {
	xs := make([]int, n)
	for i := range xs {
		xs[i] = x
	}
	return xs
}

// concat joins shapes.
func concat(parts ...[]int) []int {
	var out []int
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
