package onnximport

import (
	"fmt"
	"math"

	"orchestrator/trainer/onnx"
)

// resize brings Resize to one form: a scale for every dimension. Version 10 had
// no roi and one way to map coordinates; from 11 on sizes may be given instead,
// which would hold the batch; from 18 on, both for some axes only.
func (im *importer) resize(n *onnx.Node) error {
	if im.version < 11 {
		return im.upsample(n)
	}
	if n.Str("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" {
		return fmt.Errorf("cropping while resizing (tf_crop_and_resize) is not supported")
	}
	if p := n.Str("keep_aspect_ratio_policy", "stretch"); p != "stretch" {
		return fmt.Errorf("keep_aspect_ratio_policy %s is not supported", p)
	}
	shape := im.types[n.Inputs[0]].Shape
	scales, err := im.resizeScales(n, shape)
	if err != nil {
		return err
	}
	full := make([]float32, len(shape))
	for i := range full {
		full[i] = 1
	}
	axes := n.Ints("axes")
	if axes == nil {
		for i := range shape {
			axes = append(axes, i)
		}
	}
	if len(axes) != len(scales) {
		return fmt.Errorf("%d scales or sizes for %d axes", len(scales), len(axes))
	}
	for i, a := range axes {
		if a < 0 {
			a += len(shape)
		}
		if a < 0 || a >= len(shape) {
			return fmt.Errorf("axis %d is outside of %v", axes[i], shape)
		}
		full[a] = scales[i]
	}
	delete(n.Attrs, "axes")
	delete(n.Attrs, "keep_aspect_ratio_policy")
	n.Inputs = []string{n.Inputs[0], "", im.constant(onnx.Floats(full, len(full)))}
	return nil
}

// resizeScales are the node's scales, or those that give its sizes.
func (im *importer) resizeScales(n *onnx.Node, shape []int) ([]float32, error) {
	if len(n.Inputs) < 4 || n.Inputs[3] == "" {
		if len(n.Inputs) < 3 || im.consts[n.Inputs[2]] == nil || im.consts[n.Inputs[2]].Type != onnx.Float {
			return nil, fmt.Errorf("its scales are not constant floats")
		}
		return im.consts[n.Inputs[2]].F32(), nil
	}
	sizes := intsOf(im.consts[n.Inputs[3]])
	if sizes == nil {
		return nil, fmt.Errorf("its sizes are not constant")
	}
	axes := n.Ints("axes")
	scales := make([]float32, len(sizes))
	for i, size := range sizes {
		a := i
		if axes != nil && i < len(axes) {
			a = axes[i]
		}
		if a < 0 {
			a += len(shape)
		}
		if a < 0 || a >= len(shape) || shape[a] < 1 || size < 1 {
			return nil, fmt.Errorf("sizes %v do not fit %v", sizes, shape)
		}
		if batched(shape[a]) && size == im.fileBatch {
			size = shape[a]
		}
		scales[i] = scaleTo(shape[a], size)
	}
	return scales, nil
}

// scaleTo is the scale that brings from to exactly to, as Resize rounds down.
func scaleTo(from, to int) float32 {
	s := float32(float64(to) / float64(from))
	if int(math.Floor(float64(from)*float64(s))) < to {
		s = math.Nextafter32(s, float32(math.Inf(1)))
	}
	return s
}
