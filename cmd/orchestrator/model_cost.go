package main

import (
	"orchestrator/trainer/compile"
	"orchestrator/trainer/footprint"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

// stepCost is what a step of training takes, as it is compiled: FLOPs of its
// arithmetic, and bytes of what is alive at once. A runtime needs some more, for its
// own working space.
type stepCost struct {
	PictureFLOPs int64 `json:"picture_flops"` // forward, loss and backward
	UpdateFLOPs  int64 `json:"update_flops"`  // once for each mini-batch
	StateBytes   int64 `json:"state_bytes"`   // parameters, statistics, optimizer
	StepBytes    int64 `json:"step_bytes"`    // for a mini-batch of any size
	PictureBytes int64 `json:"picture_bytes"` // for each of its pictures
}

// costOf compiles a step for two sizes of a mini-batch: the difference is what the
// pictures take.
func costOf(g *onnx.Graph) (stepCost, error) {
	const small, large = 8, 16
	flops, bytes := [2]int64{}, [2]int64{}
	c := stepCost{}
	for i, batch := range []int{small, large} {
		p, err := compile.Train(g, stepOptions(g, batch))
		if err != nil {
			return c, err
		}
		if flops[i], err = onnx.FLOPs(p.Graph); err != nil {
			return c, err
		}
		f, err := footprint.Of(p.Graph)
		if err != nil {
			return c, err
		}
		bytes[i], c.StateBytes = f.Values, 0
		for _, s := range p.State {
			c.StateBytes += 4 * int64(onnx.NumElements(s.Shape))
		}
	}
	c.PictureFLOPs, c.UpdateFLOPs = perPicture(flops, small, large)
	c.PictureBytes, c.StepBytes = perPicture(bytes, small, large)
	return c, nil
}

// perPicture takes what grows with the size of a mini-batch from two sizes.
func perPicture(of [2]int64, small, large int64) (picture, rest int64) {
	picture = max(0, of[1]-of[0]) / (large - small)
	return picture, max(0, of[0]-small*picture)
}

// stepOptions compile a network as it comes: pictures of the size that it has,
// used as they are, SGD with momentum.
func stepOptions(g *onnx.Graph, batch int) compile.Options {
	o := compile.Options{
		Batch: batch, FloatInput: true, Loss: "softmax", Optimizer: "sgd", Momentum: 0.9, FocalGamma: 2,
		Hyper: optim.Hyper{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, RMSDecay: 0.99, Trust: 0.001},
	}
	if len(g.Inputs) == 1 && len(g.Inputs[0].Shape) == 4 {
		shape := g.Inputs[0].Shape
		o.Channels, o.Height, o.Width = shape[1], shape[2], shape[3]
	}
	return o
}
