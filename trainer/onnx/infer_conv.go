package onnx

import (
	"fmt"
	"slices"
)

// Window is the geometry of a convolution or pool over the spatial dimensions,
// with every default and auto_pad resolved.
type Window struct {
	Kernel, Strides, Dilations, Begin, End []int // Begin and End are the pads
	Out                                    []int // output size
}

// WindowOf resolves a Conv's or pool's attributes for an input of the given
// spatial size. With ceil_mode the last window may reach beyond the padded
// input, but it begins inside the input or its leading pad, as in ONNX Runtime.
func WindowOf(n *Node, kernel, input []int) (Window, error) {
	k := len(input)
	w := Window{Kernel: kernel, Strides: n.Ints("strides"), Dilations: n.Ints("dilations"), Out: make([]int, k)}
	if w.Strides == nil {
		w.Strides = ones(k)
	}
	if w.Dilations == nil {
		w.Dilations = ones(k)
	}
	pads := n.Ints("pads")
	if pads == nil {
		pads = make([]int, 2*k)
	}
	if len(kernel) != k || len(w.Strides) != k || len(w.Dilations) != k || len(pads) != 2*k {
		return w, fmt.Errorf("kernel %v, strides %v, dilations %v and pads %v do not fit %d spatial dimensions", kernel, w.Strides, w.Dilations, pads, k)
	}
	w.Begin, w.End = append([]int{}, pads[:k]...), append([]int{}, pads[k:]...)
	for i := range k {
		if kernel[i] < 1 || w.Strides[i] < 1 || w.Dilations[i] < 1 || w.Begin[i] < 0 || w.End[i] < 0 {
			return w, fmt.Errorf("kernel %v, strides %v, dilations %v or pads %v out of range", kernel, w.Strides, w.Dilations, pads)
		}
		w.resolveAuto(n.Str("auto_pad", "NOTSET"), i, input[i])
		extent := (kernel[i]-1)*w.Dilations[i] + 1
		room := input[i] + w.Begin[i] + w.End[i] - extent
		if room < 0 {
			return w, fmt.Errorf("the window %d is larger than the padded input %d", extent, input[i]+w.Begin[i]+w.End[i])
		}
		w.Out[i] = room/w.Strides[i] + 1
		if n.Int("ceil_mode", 0) != 0 && room%w.Strides[i] != 0 && w.Out[i]*w.Strides[i] < input[i]+w.Begin[i] {
			w.Out[i]++
		}
	}
	return w, nil
}

func (w *Window) resolveAuto(mode string, i, input int) {
	if mode != "SAME_UPPER" && mode != "SAME_LOWER" {
		if mode == "VALID" {
			w.Begin[i], w.End[i] = 0, 0
		}
		return
	}
	out := (input + w.Strides[i] - 1) / w.Strides[i]
	total := max(0, (out-1)*w.Strides[i]+(w.Kernel[i]-1)*w.Dilations[i]+1-input)
	w.Begin[i] = total / 2
	if mode == "SAME_LOWER" {
		w.Begin[i] = total - total/2
	}
	w.End[i] = total - w.Begin[i]
}

func ones(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

func convRule(c *shapeCall) ([]Value, error) {
	x, w := c.in[0], c.in[1]
	if x.Rank() < 3 || w.Rank() != x.Rank() {
		return nil, fmt.Errorf("input %v and weight %v must have one rank of at least 3", x.Shape, w.Shape)
	}
	group := c.n.Int("group", 1)
	if group < 1 || x.Shape[1] != w.Shape[1]*group || w.Shape[0]%group != 0 {
		return nil, fmt.Errorf("input %v, weight %v and %d groups do not fit", x.Shape, w.Shape, group)
	}
	kernel := c.n.Ints("kernel_shape", w.Shape[2:]...)
	if !slices.Equal(kernel, w.Shape[2:]) {
		return nil, fmt.Errorf("kernel_shape %v is not that of weight %v", kernel, w.Shape)
	}
	if c.has(2) && NumElements(c.in[2].Shape) != w.Shape[0] {
		return nil, fmt.Errorf("bias %v does not fit weight %v", c.in[2].Shape, w.Shape)
	}
	win, err := WindowOf(c.n, kernel, x.Shape[2:])
	if err != nil {
		return nil, err
	}
	return c.like(0, append([]int{x.Shape[0], w.Shape[0]}, win.Out...)...)
}

func convTransposeRule(c *shapeCall) ([]Value, error) {
	x, w := c.in[0], c.in[1]
	group := c.n.Int("group", 1)
	if x.Rank() < 3 || w.Rank() != x.Rank() || group < 1 || x.Shape[1] != w.Shape[0] || w.Shape[0]%group != 0 {
		return nil, fmt.Errorf("input %v, weight %v and %d groups do not fit", x.Shape, w.Shape, group)
	}
	k := x.Rank() - 2
	kernel := c.n.Ints("kernel_shape", w.Shape[2:]...)
	strides, dilations := c.n.Ints("strides", ones(k)...), c.n.Ints("dilations", ones(k)...)
	pads, extra := c.n.Ints("pads", make([]int, 2*k)...), c.n.Ints("output_padding", make([]int, k)...)
	fixed := c.n.Ints("output_shape")
	if !slices.Equal(kernel, w.Shape[2:]) || len(strides) != k || len(dilations) != k || len(pads) != 2*k || len(extra) != k || fixed != nil && len(fixed) < k {
		return nil, fmt.Errorf("kernel_shape, strides, dilations, pads, output_padding or output_shape do not fit weight %v", w.Shape)
	}
	out := []int{x.Shape[0], w.Shape[1] * group}
	for i := range k {
		size := (x.Shape[2+i]-1)*strides[i] + extra[i] + (kernel[i]-1)*dilations[i] + 1 - pads[i] - pads[k+i]
		if mode := c.n.Str("auto_pad", "NOTSET"); mode == "SAME_UPPER" || mode == "SAME_LOWER" {
			size = x.Shape[2+i] * strides[i]
		}
		if fixed != nil {
			size = fixed[len(fixed)-k+i]
		}
		if size < 1 {
			return nil, fmt.Errorf("the output would have size %d", size)
		}
		out = append(out, size)
	}
	return c.like(0, out...)
}

func poolRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	if x.Rank() < 3 {
		return nil, fmt.Errorf("input %v has no spatial dimensions", x.Shape)
	}
	win, err := WindowOf(c.n, c.n.Ints("kernel_shape"), x.Shape[2:])
	if err != nil {
		return nil, err
	}
	shape := append([]int{x.Shape[0], x.Shape[1]}, win.Out...)
	out := []Value{{Type: x.Type, Shape: shape}}
	if c.n.Op == "MaxPool" {
		out = append(out, Value{Type: Int64, Shape: shape})
	}
	return out, nil
}

func globalPoolRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	if x.Rank() < 2 {
		return nil, fmt.Errorf("input %v has no channels", x.Shape)
	}
	return c.like(0, append([]int{x.Shape[0], x.Shape[1]}, ones(x.Rank()-2)...)...)
}

func batchNormRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	if x.Rank() < 2 {
		return nil, fmt.Errorf("input %v has no channels", x.Shape)
	}
	for _, v := range c.in[1:5] {
		if NumElements(v.Shape) != x.Shape[1] {
			return nil, fmt.Errorf("%s %v does not fit %d channels", v.Name, v.Shape, x.Shape[1])
		}
	}
	stat := Value{Type: c.in[3].Type, Shape: []int{x.Shape[1]}}
	out := []Value{{Type: x.Type, Shape: x.Shape}}
	if c.n.Int("training_mode", 0) != 0 {
		out = append(out, stat, stat)
	}
	return out, nil
}

func layerNormRule(c *shapeCall) ([]Value, error) {
	x := c.in[0]
	a, err := axis(c.n.Int("axis", -1), x.Rank())
	if err != nil {
		return nil, err
	}
	stat := append(append([]int{}, x.Shape[:a]...), ones(x.Rank()-a)...)
	return []Value{{Type: x.Type, Shape: x.Shape}, {Type: Float, Shape: stat}, {Type: Float, Shape: stat}}, nil
}
