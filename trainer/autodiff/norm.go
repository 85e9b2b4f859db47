package autodiff

import "orchestrator/trainer/onnx"

// batchNorm is what the formulas of BatchNormalization share: the statistics
// that the forward pass used and the normalised input, all with the rank of X.
type batchNorm struct {
	mean, invStd, xhat onnx.Value
	off                onnx.Value // X less its mean
	training           bool
	axes               []int // all but the channel
	count              int   // elements per channel
}

func (e *edge) batchNorm() batchNorm {
	x := e.X(0)
	n := batchNorm{training: e.node.Int("training_mode", 0) == 1, count: x.Size() / x.Shape[1], axes: e.allButChannels()}
	var variance onnx.Value
	n.mean, variance = e.statistics(n)
	epsilon := e.Scalar(e.node.Float("epsilon", 1e-5))
	n.invStd = e.Op("Reciprocal", nil, e.Op("Sqrt", nil, e.Add(variance, epsilon)))
	n.off = e.Sub(x, n.mean)
	n.xhat = e.Mul(n.off, n.invStd)
	return n
}

// statistics are the mean and (biased) variance that the node normalised with.
// A training node with momentum 0 hands those of the batch out as its running
// statistics; otherwise they are computed again.
func (e *edge) statistics(n batchNorm) (mean, variance onnx.Value) {
	switch {
	case !n.training:
		return e.perChannel(e.X(3)), e.perChannel(e.X(4))
	case e.node.Float("momentum", 0.9) == 0 && !e.Y(1).Absent() && !e.Y(2).Absent():
		return e.perChannel(e.Y(1)), e.perChannel(e.Y(2))
	}
	keep := onnx.Attrs{"keepdims": int64(1)}
	mean = e.Op("ReduceMean", keep, e.X(0), e.Ints(n.axes...))
	off := e.Sub(e.X(0), mean)
	return mean, e.Op("ReduceMean", keep, e.Mul(off, off), e.Ints(n.axes...))
}

// perChannel gives a vector over channels the rank of X, to broadcast.
func (e *edge) perChannel(v onnx.Value) onnx.Value {
	shape := make([]int, e.X(0).Rank())
	for i := range shape {
		shape[i] = 1
	}
	if len(shape) > 1 {
		shape[1] = v.Size()
	}
	return e.Reshape(v, shape...)
}

// vector is the other way round.
func (e *edge) vector(v onnx.Value) onnx.Value { return e.Reshape(v, v.Size()) }

// batchNormX follows Ioffe and Szegedy, 2015, section 3: in training the batch's
// mean and variance depend on X too, which takes the parts of dY that are
// constant over the batch, and along xhat, out of the gradient.
func batchNormX(e *edge) onnx.Value {
	n := e.batchNorm()
	factor := e.Mul(e.perChannel(e.X(1)), n.invStd)
	if !n.training {
		return e.Mul(e.DY(), factor)
	}
	if e.Graphics {
		// The same with what is constant in a channel put together first, so that fewer
		// values of dY's size are written and read again, which is what takes the time.
		share := e.Neg(e.Over(factor, n.count))
		along := e.Mul(e.Mul(share, e.Mul(n.invStd, n.invStd)), e.alongOff(n))
		constant := e.Mul(share, e.SumOver(e.DY(), n.axes...))
		return e.Add(e.Mul(e.DY(), factor), e.Add(e.Mul(n.off, along), constant))
	}
	constant := e.Over(e.SumOver(e.DY(), n.axes...), n.count)
	along := e.Over(e.SumOver(e.Mul(e.DY(), n.xhat), n.axes...), n.count)
	return e.Mul(factor, e.Sub(e.Sub(e.DY(), constant), e.Mul(n.xhat, along)))
}

// alongOff is what dY and X less its mean have in common, by channel.
func (e *edge) alongOff(n batchNorm) onnx.Value { return e.SumOver(e.Mul(e.DY(), n.off), n.axes...) }

func batchNormScale(e *edge) onnx.Value {
	n := e.batchNorm()
	if e.Graphics && n.training {
		return e.vector(e.Mul(n.invStd, e.alongOff(n)))
	}
	return e.vector(e.SumOver(e.Mul(e.DY(), n.xhat), n.axes...))
}

func batchNormBias(e *edge) onnx.Value {
	n := e.batchNorm()
	return e.vector(e.SumOver(e.DY(), n.axes...))
}

// batchNormMean: only outside training does Y depend on the running statistics.
func batchNormMean(e *edge) onnx.Value {
	n := e.batchNorm()
	if n.training {
		return e.Zero()
	}
	factor := e.Mul(e.perChannel(e.X(1)), n.invStd)
	return e.vector(e.Neg(e.Mul(factor, e.SumOver(e.DY(), n.axes...))))
}

func batchNormVariance(e *edge) onnx.Value {
	n := e.batchNorm()
	if n.training {
		return e.Zero()
	}
	factor := e.Mul(e.perChannel(e.X(1)), e.Mul(n.invStd, n.invStd))
	return e.vector(e.Times(e.Mul(factor, e.SumOver(e.Mul(e.DY(), n.xhat), n.axes...)), -0.5))
}

// standardised is x less its mean and divided by its standard deviation along
// axes, which is invStd's inverse.
func (e *edge) standardised(axes []int) (xhat, invStd onnx.Value) {
	keep := onnx.Attrs{"keepdims": int64(1)}
	off := e.Sub(e.X(0), e.Op("ReduceMean", keep, e.X(0), e.Ints(axes...)))
	variance := e.Op("ReduceMean", keep, e.Mul(off, off), e.Ints(axes...))
	invStd = e.Op("Reciprocal", nil, e.Op("Sqrt", nil, e.Add(variance, e.Scalar(e.node.Float("epsilon", 1e-5)))))
	return e.Mul(off, invStd), invStd
}

// throughStandardised is the gradient by x where dxhat is that by xhat.
func (e *edge) throughStandardised(dxhat onnx.Value, axes []int) onnx.Value {
	keep := onnx.Attrs{"keepdims": int64(1)}
	xhat, invStd := e.standardised(axes)
	constant := e.Op("ReduceMean", keep, dxhat, e.Ints(axes...))
	along := e.Op("ReduceMean", keep, e.Mul(dxhat, xhat), e.Ints(axes...))
	return e.Mul(invStd, e.Sub(e.Sub(dxhat, constant), e.Mul(xhat, along)))
}

// normalisedAxes are those from LayerNormalization's axis on.
func (e *edge) normalisedAxes() []int { return upTo(e.axis(-1), e.X(0).Rank()) }

func layerNormX(e *edge) onnx.Value {
	return e.throughStandardised(e.Mul(e.DY(), e.X(1)), e.normalisedAxes())
}

func layerNormScale(e *edge) onnx.Value {
	xhat, _ := e.standardised(e.normalisedAxes())
	return e.Mul(e.DY(), xhat)
}

func instanceNormX(e *edge) onnx.Value {
	return e.throughStandardised(e.Mul(e.DY(), e.perChannel(e.X(1))), upTo(2, e.X(0).Rank()))
}

func instanceNormScale(e *edge) onnx.Value {
	xhat, _ := e.standardised(upTo(2, e.X(0).Rank()))
	return e.vector(e.SumOver(e.Mul(e.DY(), xhat), e.allButChannels()...))
}

func instanceNormBias(e *edge) onnx.Value {
	return e.vector(e.SumOver(e.DY(), e.allButChannels()...))
}

// allButChannels are the axes of X other than 1.
func (e *edge) allButChannels() []int {
	return append([]int{0}, upTo(2, e.X(0).Rank())...)
}

// lrnX: with D = bias + alpha/size·sum(x²) over a window of channels, Y = x·D^-beta and
//
//	dX = dY·D^-beta - 2·alpha·beta/size·x·sum'(dY·Y/D)
//
// where sum' runs over the mirrored window. Both sums are an AveragePool over
// the channel axis, which divides by size. D^-beta goes through Exp and Log,
// which ONNX Runtime vectorises, as it does not do Pow; the forward node then
// becomes a product with it, which takes 40 ms from 700 of CaffeNet's step.
func lrnX(e *edge) onnx.Value {
	x, size := e.X(0), e.node.Int("size", 1)
	alpha, beta := e.node.Float("alpha", 1e-4), e.node.Float("beta", 0.75)
	before, after := (size-1)/2, size/2
	d := e.Add(e.Times(e.windowMean(e.Mul(x, x), size, before, after), alpha), e.Scalar(e.node.Float("bias", 1)))
	power := e.Exp(e.Times(e.Log(d), -beta))
	others := e.windowMean(e.Div(e.Mul(e.DY(), e.Y(0)), d), size, after, before)
	e.Rewrite(e.node, "Mul", nil, x, power)
	return e.Sub(e.Mul(e.DY(), power), e.Mul(e.Times(x, 2*alpha*beta), others))
}

// windowMean averages over a window of channels that begins `before` below and
// ends `after` above each; channels beyond the ends count as zeros.
func (e *edge) windowMean(v onnx.Value, size, before, after int) onnx.Value {
	n, c := v.Shape[0], v.Shape[1]
	flat := e.Reshape(v, n, 1, c, v.Size()/(n*c))
	mean := e.Op("AveragePool", onnx.Attrs{
		"kernel_shape": ints(size, 1), "pads": ints(before, 0, after, 0), "count_include_pad": int64(1),
	}, flat)
	return e.Reshape(mean, v.Shape...)
}
