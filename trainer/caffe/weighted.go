package caffe

import (
	"math"
	"slices"

	"orchestrator/trainer/onnx"
)

// convolution is of Convolution and Deconvolution; ONNX lays both weights out as
// Caffe does.
func (c *converter) convolution(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	param := l.child("convolution_param")
	w, err := l.window(param)
	if err != nil {
		return err
	}
	if w.kernel[0] < 1 || w.kernel[1] < 1 || x.Rank() != 4 {
		return l.bad("", "a kernel of %v on values of shape %v is no convolution of pictures", w.kernel, x.Shape)
	}
	outputs, group := param.integer("num_output", 0), param.integer("group", 1)
	if outputs < 1 || group < 1 || outputs%group != 0 || x.Shape[1]%group != 0 {
		return l.bad("", "%d inputs and %d outputs in %d groups", x.Shape[1], outputs, group)
	}
	attrs := w.attrs()
	attrs["group"], attrs["dilations"] = int64(group), []int64{int64(w.dilation[0]), int64(w.dilation[1])}
	op, shape := "Conv", []int{outputs, x.Shape[1] / group, w.kernel[0], w.kernel[1]}
	if l.kind == "Deconvolution" {
		op, shape = "ConvTranspose", []int{x.Shape[1], outputs / group, w.kernel[0], w.kernel[1]}
	}
	return c.weighted(l, param, op, attrs, x, shape, outputs)
}

// weighted writes a node with a weight and perhaps a bias.
func (c *converter) weighted(l layer, param *message, op string, attrs onnx.Attrs, x onnx.Value, shape []int, outputs int) error {
	weight, err := l.blob(0, shape...)
	if err != nil {
		return err
	}
	inputs := []onnx.Value{x, c.constant(l.name+".weight", true, weight, shape...)}
	if param.is("bias_term", true) {
		bias, err := l.blob(1, outputs)
		if err != nil {
			return err
		}
		inputs = append(inputs, c.constant(l.name+".bias", true, bias, outputs))
	}
	c.top(l, c.emit(l.name, op, attrs, 1, inputs...)[0])
	return nil
}

func (c *converter) innerProduct(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	param := l.child("inner_product_param")
	if axis, err := l.axisOf(param, x.Rank()); err != nil || axis != 1 {
		return l.bad("", "it keeps another axis than the pictures'")
	}
	if x.Rank() > 2 {
		x = c.emit(l.name+"_flatten", "Flatten", onnx.Attrs{"axis": int64(1)}, 1, x)[0]
	}
	outputs := param.integer("num_output", 0)
	if outputs < 1 || c.shadow.Err() != nil {
		return l.bad("", "it has %d outputs", outputs)
	}
	shape, transB := []int{outputs, x.Shape[1]}, 1
	if param.is("transpose", false) {
		shape, transB = []int{x.Shape[1], outputs}, 0
	}
	return c.weighted(l, param, "Gemm", onnx.Attrs{"transB": int64(transB)}, x, shape, outputs)
}

// batchNorm divides the sums that Caffe keeps by its third blob. A Scale behind it
// completes it; without one, the factor is 1 and the shift 0.
func (c *converter) batchNorm(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	if x.Rank() < 2 {
		return l.bad("", "values of shape %v have no channels", x.Shape)
	}
	channels := x.Shape[1]
	mean, err := l.blob(0, channels)
	if err != nil {
		return err
	}
	variance, err := l.blob(1, channels)
	if err != nil {
		return err
	}
	sums, err := l.blob(2, 1)
	if err != nil {
		return err
	}
	divided := func(values []float32) []float32 {
		out := make([]float32, len(values))
		for i, v := range values {
			if sums[0] != 0 {
				out[i] = v / sums[0]
			}
		}
		return out
	}
	ones := make([]float32, channels)
	for i := range ones {
		ones[i] = 1
	}
	param := l.child("batch_norm_param")
	y := c.emit(l.name, "BatchNormalization", onnx.Attrs{
		"epsilon": float32(param.float("eps", 1e-5)), "momentum": float32(param.float("moving_average_fraction", 0.999)),
	}, 1, x, c.constant(l.name+".scale", false, ones, channels), c.constant(l.name+".bias", false, make([]float32, channels), channels),
		c.constant(l.name+".mean", false, divided(mean), channels), c.constant(l.name+".variance", false, divided(variance), channels))[0]
	if c.onlyScaled(l) {
		c.norms[y.Name] = c.g.Nodes[len(c.g.Nodes)-1]
	}
	c.top(l, y)
	return nil
}

// onlyScaled tells whether nothing reads what a layer answers but one Scale.
func (c *converter) onlyScaled(l layer) bool {
	if len(l.tops) != 1 {
		return false
	}
	top, readers, scaled := l.tops[0], 0, false
	at := slices.IndexFunc(c.layers, func(other layer) bool { return other.message == l.message })
	for _, later := range c.layers[at+1:] {
		for _, bottom := range later.bottom {
			if bottom == top {
				readers++
				scaled = later.kind == "Scale" && len(later.bottom) == 1
			}
		}
		if slices.Contains(later.tops, top) { // from here on it is another value
			break
		}
	}
	return readers == 1 && scaled
}

// scale multiplies each channel, and perhaps adds to it. Behind a BatchNorm it
// becomes that layer's factor and shift.
func (c *converter) scale(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	param := l.child("scale_param")
	if len(l.bottom) > 1 {
		return l.bad("", "its factors are computed by another layer, which is not supported")
	}
	channels, err := c.channels(l, param, x)
	if err != nil {
		return err
	}
	factor, err := l.blob(0, channels)
	if err != nil {
		return err
	}
	var shift []float32
	if param.is("bias_term", false) {
		if shift, err = l.blob(1, channels); err != nil {
			return err
		}
	}
	if norm := c.norms[x.Name]; norm != nil {
		delete(c.norms, x.Name)
		c.complete(norm.Inputs[1], factor)
		if shift == nil {
			shift = make([]float32, channels)
		}
		c.complete(norm.Inputs[2], shift)
		c.top(l, x)
		return nil
	}
	y := c.emit(l.name, "Mul", nil, 1, x, c.constant(l.name+".weight", true, factor, perChannel(channels, x.Rank())...))[0]
	if shift != nil {
		y = c.emit(l.name+"_bias", "Add", nil, 1, y, c.constant(l.name+".bias", true, shift, perChannel(channels, x.Rank())...))[0]
	}
	c.top(l, y)
	return nil
}

// complete makes a constant a parameter with these values.
func (c *converter) complete(name string, values []float32) {
	t := c.g.Initializer(name)
	t.Data, t.Param = values, true
}

func (c *converter) bias(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	if len(l.bottom) > 1 {
		return l.bad("", "what it adds is computed by another layer, which is not supported")
	}
	channels, err := c.channels(l, l.child("bias_param"), x)
	if err != nil {
		return err
	}
	shift, err := l.blob(0, channels)
	if err != nil {
		return err
	}
	c.top(l, c.emit(l.name, "Add", nil, 1, x, c.constant(l.name+".bias", true, shift, perChannel(channels, x.Rank())...))[0])
	return nil
}

// channels is the number of channels of a layer that has a number for each.
func (c *converter) channels(l layer, param *message, x onnx.Value) (int, error) {
	axis, err := l.axisOf(param, x.Rank())
	if err != nil {
		return 0, err
	}
	if axis != 1 || param.integer("num_axes", 1) != 1 {
		return 0, l.bad("", "it has numbers for other axes than the channels, which is not supported")
	}
	return x.Shape[1], nil
}

// perChannel is the shape of a number for each channel, for values of that rank.
func perChannel(channels, rank int) []int {
	shape := []int{channels}
	for range max(rank-2, 0) {
		shape = append(shape, 1)
	}
	return shape
}

func (c *converter) prelu(l layer) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	slopes := x.Shape[1]
	if l.child("prelu_param").is("channel_shared", false) {
		slopes = 1
	}
	slope, err := l.blob(0, slopes)
	if err != nil {
		return err
	}
	c.top(l, c.emit(l.name, "PRelu", nil, 1, x, c.constant(l.name+".weight", true, slope, perChannel(slopes, x.Rank())...))[0])
	return nil
}

// power is (shift + scale·x)^power.
func (c *converter) power(l layer) error {
	p := l.child("power_param")
	return c.affine(l, p.float("scale", 1), p.float("shift", 0), func(v onnx.Value, name string) onnx.Value {
		if power := p.float("power", 1); power != 1 {
			v = c.emit(name, "Pow", nil, 1, v, c.number(l.name+".power", power))[0]
		}
		return v
	})
}

// exp is base^(shift + scale·x); a base of -1 is e.
func (c *converter) exp(l layer) error {
	p := l.child("exp_param")
	factor, err := l.logOfBase(p)
	if err != nil {
		return err
	}
	return c.affine(l, p.float("scale", 1)*factor, p.float("shift", 0)*factor, func(v onnx.Value, name string) onnx.Value {
		return c.emit(name, "Exp", nil, 1, v)[0]
	})
}

// log is the logarithm of shift + scale·x to a base; -1 is e.
func (c *converter) log(l layer) error {
	p := l.child("log_param")
	factor, err := l.logOfBase(p)
	if err != nil {
		return err
	}
	return c.affine(l, p.float("scale", 1), p.float("shift", 0), func(v onnx.Value, name string) onnx.Value {
		v = c.emit(name, "Log", nil, 1, v)[0]
		if factor != 1 {
			v = c.emit(name+"_base", "Mul", nil, 1, v, c.number(l.name+".base", 1/factor))[0]
		}
		return v
	})
}

func (l layer) logOfBase(p *message) (float64, error) {
	base := p.float("base", -1)
	if base == -1 {
		return 1, nil
	}
	if !(base > 0) || base == 1 {
		return 0, l.bad("", "its base is %v", base)
	}
	return math.Log(base), nil
}

// affine writes scale·x + shift, as far as it does something, and what then follows.
func (c *converter) affine(l layer, scale, shift float64, then func(v onnx.Value, name string) onnx.Value) error {
	x, err := c.input(l, 0)
	if err != nil {
		return err
	}
	v := x
	if scale != 1 {
		v = c.emit(l.name+"_scale", "Mul", nil, 1, v, c.number(l.name+".scale", scale))[0]
	}
	if shift != 0 {
		v = c.emit(l.name+"_shift", "Add", nil, 1, v, c.number(l.name+".shift", shift))[0]
	}
	if v = then(v, l.name); v.Name == x.Name { // a layer keeps its name even where it does nothing
		v = c.emit(l.name, "Identity", nil, 1, v)[0]
	}
	c.top(l, v)
	return nil
}

func (c *converter) number(name string, x float64) onnx.Value {
	return c.constant(name, false, []float32{float32(x)})
}
