package onnxeval

import "orchestrator/trainer/onnx"

// conv: Y[n,m,p] = B[m] + Σ_{c,k} X[n, g·C/G + c, p·stride - pad + k·dilation] · W[m,c,k],
// where g is the group of output channel m.
func conv(n *onnx.Node, in []*Array) []*Array {
	x, weight, bias := in[0], in[1], optional(in, 2)
	groups := n.Int("group", 1)
	check(len(x.Shape) == len(weight.Shape) && len(x.Shape) >= 3, "X has rank %d and W has rank %d", len(x.Shape), len(weight.Shape))
	batch, channels, maps, perGroup := x.Shape[0], x.Shape[1], weight.Shape[0], weight.Shape[1]
	check(channels == perGroup*groups && maps%groups == 0, "%d channels do not fit weights %v in %d groups", channels, weight.Shape, groups)
	w := newWindow(n, x.Shape[2:], n.Ints("kernel_shape", weight.Shape[2:]...))
	y := New(append([]int{batch, maps}, w.out...)...).of(x.Type)
	xs, ks, ys := product(w.in), product(w.kernel), product(w.out)
	each(w.out, func(p int, at []int) {
		taps, _ := w.taps(at)
		for b := range batch {
			for m := range maps {
				sum := 0.
				if bias != nil {
					sum = bias.Data[m]
				}
				first := m / (maps / groups) * perGroup
				for c := range perGroup {
					px := x.Data[(b*channels+first+c)*xs:]
					pw := weight.Data[(m*perGroup+c)*ks:]
					for _, t := range taps {
						sum += px[t.in] * pw[t.kernel]
					}
				}
				y.Data[(b*maps+m)*ys+p] = sum
			}
		}
	})
	return one(y)
}

// convTranspose is the transpose of conv: what conv reads from the input at
// X's position, this adds to the output. W is [C, M/G, k...].
func convTranspose(n *onnx.Node, in []*Array) []*Array {
	x, weight, bias := in[0], in[1], optional(in, 2)
	groups := n.Int("group", 1)
	check(len(x.Shape) == len(weight.Shape) && len(x.Shape) >= 3, "X has rank %d and W has rank %d", len(x.Shape), len(weight.Shape))
	batch, channels, perGroup := x.Shape[0], x.Shape[1], weight.Shape[1]
	check(channels == weight.Shape[0] && channels%groups == 0, "%d channels do not fit weights %v in %d groups", channels, weight.Shape, groups)
	maps := perGroup * groups
	w := transposedWindow(n, x.Shape[2:], n.Ints("kernel_shape", weight.Shape[2:]...))
	y := New(append([]int{batch, maps}, w.in...)...).of(x.Type)
	xs, ks, ys := product(w.out), product(w.kernel), product(w.in)
	if bias != nil {
		for i := range y.Data {
			y.Data[i] = bias.Data[i/ys%maps]
		}
	}
	each(w.out, func(p int, at []int) {
		taps, _ := w.taps(at)
		for b := range batch {
			for c := range channels {
				v := x.Data[(b*channels+c)*xs+p]
				first := c / (channels / groups) * perGroup
				for m := range perGroup {
					py := y.Data[(b*maps+first+m)*ys:]
					pw := weight.Data[(c*perGroup+m)*ks:]
					for _, t := range taps {
						py[t.in] += v * pw[t.kernel]
					}
				}
			}
		}
	})
	return one(y)
}

// transposedWindow is the window of the convolution that this one transposes:
// its output is our input x, its input our output.
func transposedWindow(n *onnx.Node, x, kernel []int) *window {
	w := windowOf(n, make([]int, len(x)), kernel)
	w.out = x
	extra := n.Ints("output_padding", make([]int, len(x))...)
	shape := n.Ints("output_shape")
	autoPad := n.Str("auto_pad", "NOTSET")
	for i := range x {
		full := w.strides[i]*(x[i]-1) + extra[i] + (kernel[i]-1)*w.dilations[i] + 1
		switch {
		case len(shape) > 0:
			w.in[i] = shape[len(shape)-len(x)+i]
		case autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER":
			w.in[i] = x[i] * w.strides[i]
		default:
			if autoPad == "VALID" {
				w.padBegin[i], w.padEnd[i] = 0, 0
			}
			w.in[i] = full - w.padBegin[i] - w.padEnd[i]
			continue
		}
		w.padBegin[i], w.padEnd[i] = halves(max(full-w.in[i], 0), autoPad)
	}
	w.inStep = strides(w.in)
	return w
}
