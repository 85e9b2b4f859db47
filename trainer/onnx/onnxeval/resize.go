package onnxeval

import (
	"math"
	"slices"

	"orchestrator/trainer/onnx"
)

// weighted is one input position of an axis and its share in an output position.
type weighted struct {
	at     int
	weight float64
}

// resize samples the input at other sizes: the nearest element, or linear
// interpolation. It works axis by axis, as the interpolation is separable.
func resize(n *onnx.Node, in []*Array) []*Array {
	mode := n.Str("mode", "nearest")
	check(mode == "nearest" || mode == "linear", "Resize mode %q is not supported", mode)
	check(n.Int("antialias", 0) == 0, "Resize with antialias is not supported")
	check(n.Str("keep_aspect_ratio_policy", "stretch") == "stretch", "Resize that keeps the aspect ratio is not supported")
	x := in[0]
	axes := n.Ints("axes")
	if axes == nil {
		for i := range x.Shape {
			axes = append(axes, i)
		}
	}
	axes = axesOf(axes, len(x.Shape))
	sizes, scales := resizeTargets(x, axes, optional(in, 2), optional(in, 3))
	for i, ax := range axes {
		x = resample(x, ax, resizeWeights(n, x.Shape[ax], sizes[i], scales[i]))
	}
	return one(x)
}

// resizeTargets are the sizes and scales along the axes, from whichever of the
// two inputs is given.
func resizeTargets(x *Array, axes []int, scalesInput, sizesInput *Array) (sizes []int, scales []float64) {
	if sizesInput != nil && len(sizesInput.Data) > 0 {
		sizes = sizesInput.ints()
		check(len(sizes) == len(axes), "sizes %v do not fit %d axes", sizes, len(axes))
		for i, ax := range axes {
			scales = append(scales, float64(sizes[i])/float64(x.Shape[ax]))
		}
		return sizes, scales
	}
	check(scalesInput != nil && len(scalesInput.Data) == len(axes), "Resize needs scales or sizes for %d axes", len(axes))
	for i, ax := range axes {
		sizes = append(sizes, int(math.Floor(float64(x.Shape[ax])*scalesInput.Data[i])))
	}
	return sizes, scalesInput.Data
}

// resizeWeights lists for each output position of an axis what it reads.
func resizeWeights(n *onnx.Node, from, to int, scale float64) [][]weighted {
	linear := n.Str("mode", "nearest") == "linear"
	out := make([][]weighted, to)
	for i := range out {
		if from == to && scale == 1 {
			out[i] = []weighted{{i, 1}}
			continue
		}
		x := originalCoordinate(n.Str("coordinate_transformation_mode", "half_pixel"), float64(i), float64(from), float64(to), scale)
		inside := func(p float64) int { return int(min(max(p, 0), float64(from-1))) }
		if !linear {
			out[i] = []weighted{{inside(nearest(n.Str("nearest_mode", "round_prefer_floor"), x)), 1}}
			continue
		}
		low := math.Floor(x)
		out[i] = []weighted{{inside(low), 1 - (x - low)}, {inside(low + 1), x - low}}
	}
	return out
}

// originalCoordinate maps a coordinate of the result to one of the input.
func originalCoordinate(mode string, x, from, to, scale float64) float64 {
	switch mode {
	case "half_pixel":
		return (x+0.5)/scale - 0.5
	case "pytorch_half_pixel":
		if to == 1 {
			return 0
		}
		return (x+0.5)/scale - 0.5
	case "align_corners":
		if to == 1 {
			return 0
		}
		return x * (from - 1) / (to - 1)
	case "asymmetric":
		return x / scale
	}
	check(false, "coordinate_transformation_mode %q is not supported", mode)
	return 0
}

func nearest(mode string, x float64) float64 {
	switch mode {
	case "round_prefer_floor":
		return math.Ceil(x - 0.5)
	case "round_prefer_ceil":
		return math.Floor(x + 0.5)
	case "floor":
		return math.Floor(x)
	case "ceil":
		return math.Ceil(x)
	}
	check(false, "nearest_mode %q is not known", mode)
	return 0
}

// resample replaces an axis by weighted sums of its entries.
func resample(x *Array, ax int, weights [][]weighted) *Array {
	shape, step := slices.Clone(x.Shape), strides(x.Shape)
	shape[ax] = len(weights)
	y := New(shape...).of(x.Type)
	each(shape, func(i int, at []int) {
		base := flat(at, step) - at[ax]*step[ax]
		for _, w := range weights[at[ax]] {
			y.Data[i] += w.weight * x.Data[base+w.at*step[ax]]
		}
	})
	return y
}
