package onnxeval

import (
	"math"

	"orchestrator/trainer/onnx"
)

// batchNormalization: Y = (X - mean) / sqrt(var + epsilon) · scale + B per
// channel. With training_mode=1 mean and (population) variance are those of the
// batch, and the running statistics become
// running·momentum + batch·(1 - momentum).
func batchNormalization(n *onnx.Node, in []*Array) []*Array {
	x, scale, bias := in[0], in[1], in[2]
	mu, variance := in[3], in[4]
	epsilon, momentum := n.Float("epsilon", 1e-5), n.Float("momentum", 0.9)
	channels, inner := x.Shape[1], product(x.Shape[2:])
	out := []*Array{nil}
	if n.Int("training_mode", 0) != 0 {
		blend := func(running, batch float64) float64 { return running*momentum + batch*(1-momentum) }
		m, v := channelMoments(x)
		out = append(out, zip(mu, m, blend), zip(variance, v, blend))
		mu, variance = m, v
	}
	y := New(x.Shape...).of(x.Type)
	for i, v := range x.Data {
		c := i / inner % channels
		y.Data[i] = (v-mu.Data[c])/math.Sqrt(variance.Data[c]+epsilon)*scale.Data[c] + bias.Data[c]
	}
	out[0] = y
	return out
}

// channelMoments are mean and population variance over all axes but the second.
func channelMoments(x *Array) (mu, variance *Array) {
	channels, inner := x.Shape[1], product(x.Shape[2:])
	groups := make([][]float64, channels)
	for i, v := range x.Data {
		c := i / inner % channels
		groups[c] = append(groups[c], v)
	}
	mu, variance = New(channels).of(x.Type), New(channels).of(x.Type)
	for c, g := range groups {
		mu.Data[c], variance.Data[c] = moments(g)
	}
	return mu, variance
}

// moments are mean and population variance.
func moments(xs []float64) (mu, variance float64) {
	mu = average(xs)
	for _, x := range xs {
		variance += (x - mu) * (x - mu) / float64(len(xs))
	}
	return mu, variance
}

// instanceNormalization normalises each plane [n, c] by its own moments.
func instanceNormalization(n *onnx.Node, in []*Array) []*Array {
	x, scale, bias := in[0], in[1], in[2]
	epsilon := n.Float("epsilon", 1e-5)
	channels, size := x.Shape[1], product(x.Shape[2:])
	y := New(x.Shape...).of(x.Type)
	for p := range x.Shape[0] * channels {
		plane := x.Data[p*size : (p+1)*size]
		mu, variance := moments(plane)
		for i, v := range plane {
			y.Data[p*size+i] = (v-mu)/math.Sqrt(variance+epsilon)*scale.Data[p%channels] + bias.Data[p%channels]
		}
	}
	return one(y)
}

// layerNormalization normalises over all axes from axis on. The further outputs
// are the mean and the inverse standard deviation.
func layerNormalization(n *onnx.Node, in []*Array) []*Array {
	x, scale, bias := in[0], in[1], optional(in, 2)
	epsilon := n.Float("epsilon", 1e-5)
	ax := axis(n.Int("axis", -1), len(x.Shape))
	scale = expand(scale, x.Shape)
	if bias == nil {
		bias = scalar(0)
	}
	bias = expand(bias, x.Shape)
	y := New(x.Shape...).of(x.Type)
	kept := append(append([]int{}, x.Shape[:ax]...), ones(len(x.Shape)-ax)...)
	mean, inverse := New(kept...).of(x.Type), New(kept...).of(x.Type)
	size := product(x.Shape[ax:])
	for p := range mean.Data {
		mu, variance := moments(x.Data[p*size : (p+1)*size])
		mean.Data[p], inverse.Data[p] = mu, 1/math.Sqrt(variance+epsilon)
		for i := p * size; i < (p+1)*size; i++ {
			y.Data[i] = (x.Data[i]-mu)*inverse.Data[p]*scale.Data[i] + bias.Data[i]
		}
	}
	return []*Array{y, mean, inverse}
}

// lrn: Y[n,c] = X[n,c] / (bias + alpha/size · Σ X[n,i]²)^beta, the sum over the
// size channels around c.
func lrn(n *onnx.Node, in []*Array) []*Array {
	x, size := in[0], n.Int("size", 1)
	alpha, beta, bias := n.Float("alpha", 1e-4), n.Float("beta", 0.75), n.Float("bias", 1)
	y := New(x.Shape...).of(x.Type)
	lines(x.Shape, 1, func(start, stride, channels int) {
		for c := range channels {
			sum := 0.
			for i := max(0, c-(size-1)/2); i <= min(channels-1, c+size/2); i++ {
				v := x.Data[start+i*stride]
				sum += v * v
			}
			at := start + c*stride
			y.Data[at] = x.Data[at] / math.Pow(bias+alpha/float64(size)*sum, beta)
		}
	})
	return one(y)
}

// lpNormalization divides by the 1- or 2-norm along an axis.
func lpNormalization(n *onnx.Node, in []*Array) []*Array {
	x, p := in[0], n.Int("p", 2)
	y := New(x.Shape...).of(x.Type)
	lines(x.Shape, axis(n.Int("axis", -1), len(x.Shape)), func(start, stride, n int) {
		norm := 0.
		for i := range n {
			norm += math.Pow(math.Abs(x.Data[start+i*stride]), float64(p))
		}
		norm = math.Pow(norm, 1/float64(p))
		for i := range n {
			if norm != 0 {
				y.Data[start+i*stride] = x.Data[start+i*stride] / norm
			}
		}
	})
	return one(y)
}
