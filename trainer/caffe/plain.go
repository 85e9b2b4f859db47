package caffe

import (
	"fmt"

	"orchestrator/trainer/onnx"
)

// pooling keeps Caffe's arithmetic: sizes round up, unless the last window would
// begin in the padding; averages count the padding, but not what rounding up adds.
func (c *converter) pooling(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	param := l.child("pooling_param")
	kind := param.word("pool", "MAX")
	if kind == "0" || kind == "1" {
		kind = map[string]string{"0": "MAX", "1": "AVE"}[kind]
	}
	if kind != "MAX" && kind != "AVE" {
		return l.bad("", "%s pooling is not supported", kind)
	}
	if x.Rank() != 4 {
		return l.bad("", "values of shape %v are no maps", x.Shape)
	}
	if param.is("global_pooling", false) {
		c.top(l, c.emit(l.name, map[string]string{"MAX": "GlobalMaxPool", "AVE": "GlobalAveragePool"}[kind], nil, 1, x)[0])
		return nil
	}
	w, err := l.window(param)
	if err != nil {
		return err
	}
	if w.kernel[0] < 1 || w.kernel[1] < 1 || w.pad[0] >= w.kernel[0] || w.pad[1] >= w.kernel[1] {
		return l.bad("", "a kernel of %v with a pad of %v", w.kernel, w.pad)
	}
	up := param.word("round_mode", "CEIL") == "CEIL"
	if kind == "AVE" {
		c.top(l, c.average(l.name, x, w, up))
		return nil
	}
	attrs := w.attrs()
	if up {
		attrs["ceil_mode"] = int64(1)
	}
	c.top(l, c.emit(l.name, "MaxPool", attrs, 1, x)[0])
	return nil
}

// average writes Caffe's average over windows. Its padding is written out, as the
// divisor counts it; ONNX's rounding up does not know it then as padding, so that
// a window that begins in it is cut off behind.
func (c *converter) average(name string, x onnx.Value, w window, up bool) onnx.Value {
	var want [2]int
	for i := range 2 {
		size := x.Shape[2+i]
		room := size + 2*w.pad[i] - w.kernel[i]
		if up {
			room += w.stride[i] - 1
		}
		want[i] = room/w.stride[i] + 1
		if w.pad[i] > 0 && (want[i]-1)*w.stride[i] >= size+w.pad[i] {
			want[i]--
		}
	}
	if w.pad != [2]int{} {
		pads := c.ints(name+".pads", 0, 0, int64(w.pad[0]), int64(w.pad[1]), 0, 0, int64(w.pad[0]), int64(w.pad[1]))
		x = c.emit(name+"_pad", "Pad", nil, 1, x, pads)[0]
		w.pad = [2]int{}
	}
	attrs := w.attrs()
	if up {
		attrs["ceil_mode"] = int64(1)
	}
	y := c.emit(name, "AveragePool", attrs, 1, x)[0]
	if c.shadow.Err() == nil && (y.Shape[2] > want[0] || y.Shape[3] > want[1]) {
		y = c.emit(name+"_cut", "Slice", nil, 1, y, c.ints(name+".from", 0, 0), c.ints(name+".to", int64(want[0]), int64(want[1])), c.ints(name+".axes", 2, 3))[0]
	}
	return y
}

// lrn divides alpha by the number of values, across channels as ONNX does; within
// a channel by their square: x · (1 + alpha · average(x²))^-beta.
func (c *converter) lrn(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	p := l.child("lrn_param")
	size, alpha, beta := p.integer("local_size", 5), p.float("alpha", 1), p.float("beta", 0.75)
	if size < 1 || size%2 == 0 || size > 1<<14 {
		return l.bad("", "its local_size is %d, not an odd number", size)
	}
	switch region := p.word("norm_region", "ACROSS_CHANNELS"); region {
	case "ACROSS_CHANNELS", "0":
		c.top(l, c.emit(l.name, "LRN", onnx.Attrs{
			"size": int64(size), "alpha": float32(alpha), "beta": float32(beta), "bias": float32(p.float("k", 1)),
		}, 1, x)[0])
	case "WITHIN_CHANNEL", "1":
		if x.Rank() != 4 {
			return l.bad("", "values of shape %v are no maps", x.Shape)
		}
		square := c.emit(l.name+"_square", "Mul", nil, 1, x, x)[0]
		half := [2]int{(size - 1) / 2, (size - 1) / 2}
		mean := c.average(l.name+"_mean", square, window{kernel: [2]int{size, size}, stride: [2]int{1, 1}, pad: half}, true)
		scaled := c.emit(l.name+"_scale", "Mul", nil, 1, mean, c.number(l.name+".alpha", alpha))[0]
		sum := c.emit(l.name+"_sum", "Add", nil, 1, scaled, c.number(l.name+".one", 1))[0]
		divisor := c.emit(l.name+"_power", "Pow", nil, 1, sum, c.number(l.name+".beta", -beta))[0]
		c.top(l, c.emit(l.name, "Mul", nil, 1, x, divisor)[0])
	default:
		return l.bad("", "normalisation over %s is not known", region)
	}
	return nil
}

func (c *converter) dropout(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	ratio := l.child("dropout_param").float("dropout_ratio", 0.5)
	if !(ratio >= 0 && ratio < 1) {
		return l.bad("", "a ratio of %v cannot be dropped", ratio)
	}
	c.top(l, c.emit(l.name, "Dropout", nil, 1, x, c.number(l.name+".ratio", ratio))[0])
	return nil
}

func (c *converter) relu(l layer) error {
	if slope := l.child("relu_param").float("negative_slope", 0); slope != 0 {
		return c.unary(l, "LeakyRelu", onnx.Attrs{"alpha": float32(slope)})
	}
	return c.unary(l, "Relu", nil)
}

func (c *converter) elu(l layer) error {
	return c.unary(l, "Elu", onnx.Attrs{"alpha": float32(l.child("elu_param").float("alpha", 1))})
}

func (c *converter) clip(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	p := l.child("clip_param")
	c.top(l, c.emit(l.name, "Clip", nil, 1, x, c.number(l.name+".min", p.float("min", 0)), c.number(l.name+".max", p.float("max", 0)))[0])
	return nil
}

func (c *converter) concat(l layer) error {
	all, err := c.inputs(l)
	if err != nil {
		return err
	}
	axis, err := l.axisOf(l.child("concat_param"), all[0].Rank(), "concat_dim")
	if err != nil {
		return err
	}
	c.top(l, c.emit(l.name, "Concat", onnx.Attrs{"axis": int64(axis)}, 1, all...)[0])
	return nil
}

func (c *converter) slice(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	p := l.child("slice_param")
	axis, err := l.axisOf(p, x.Rank(), "slice_dim")
	if err != nil {
		return err
	}
	points, last := p.all("slice_point"), 0
	if len(points) == 0 && len(l.tops) > 0 && x.Shape[axis]%len(l.tops) == 0 {
		for i := 1; i < len(l.tops); i++ {
			points = append(points, float64(i*x.Shape[axis]/len(l.tops)))
		}
	}
	var sizes []int64
	for _, p := range append(points, float64(x.Shape[axis])) {
		sizes = append(sizes, int64(p)-int64(last))
		last = int(p)
	}
	if len(sizes) != len(l.tops) || axis == 0 {
		return l.bad("", "%d parts of axis %d for %d tops", len(sizes), axis, len(l.tops))
	}
	parts := c.emit(l.name, "Split", onnx.Attrs{"axis": int64(axis)}, len(sizes), x, c.ints(l.name+".sizes", sizes...))
	for i, top := range l.tops {
		c.values[top] = parts[i]
	}
	return nil
}

// split gives a value several names.
func (c *converter) split(l layer) error {
	x, err := c.input(l, 0)
	for _, top := range l.tops {
		c.values[top] = x
	}
	return err
}

// eltwise adds, multiplies, or takes the largest of its bottoms.
func (c *converter) eltwise(l layer) error {
	all, err := c.inputs(l)
	if err != nil {
		return err
	}
	p := l.child("eltwise_param")
	operation := p.word("operation", "SUM")
	op, known := map[string]string{"SUM": "Add", "1": "Add", "PROD": "Mul", "0": "Mul", "MAX": "Max", "2": "Max"}[operation]
	if !known {
		return l.bad("", "the operation %s is not known", operation)
	}
	if factors := p.all("coeff"); len(factors) > 0 {
		if op != "Add" || len(factors) != len(all) {
			return l.bad("", "%d coefficients for %s of %d bottoms", len(factors), operation, len(all))
		}
		for i, f := range factors {
			if f != 1 {
				all[i] = c.emit(fmt.Sprintf("%s_coeff%d", l.name, i), "Mul", nil, 1, all[i], c.number(fmt.Sprintf("%s.coeff%d", l.name, i), f))[0]
			}
		}
	}
	v := all[0]
	for i, other := range all[1:] {
		name := l.name
		if i < len(all)-2 {
			name = fmt.Sprintf("%s_part%d", l.name, i)
		}
		v = c.emit(name, op, nil, 1, v, other)[0]
	}
	c.top(l, v)
	return nil
}

func (c *converter) flatten(l layer) error {
	p := l.child("flatten_param")
	if p.integer("axis", 1) != 1 || p.integer("end_axis", -1) != -1 {
		return l.bad("", "it flattens other axes than all behind the pictures'")
	}
	return c.unary(l, "Flatten", onnx.Attrs{"axis": int64(1)})
}

// reshape keeps the pictures; a 0 is the dimension that is there, -1 what remains.
func (c *converter) reshape(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	p := l.child("reshape_param")
	var target []int64
	for _, d := range p.child("shape").all("dim") {
		target = append(target, int64(d))
	}
	if p.integer("axis", 0) != 0 || p.integer("num_axes", -1) != -1 || len(target) == 0 || target[0] != 0 && target[0] != -1 && target[0] != int64(x.Shape[0]) {
		return l.bad("write the shape as 0 (the pictures) and then the rest", "its shape %v does not keep the pictures", target)
	}
	target[0] = 0
	c.top(l, c.emit(l.name, "Reshape", nil, 1, x, c.ints(l.name+".shape", target...))[0])
	return nil
}

// softmax is of Softmax, and of SoftmaxWithLoss without the loss.
func (c *converter) softmax(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	axis, err := l.axisOf(l.child("softmax_param"), x.Rank())
	if err != nil {
		return err
	}
	c.top(l, c.emit(l.name, "Softmax", onnx.Attrs{"axis": int64(axis)}, 1, x)[0])
	return nil
}
