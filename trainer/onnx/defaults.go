package onnx

import (
	"reflect"
	"slices"
)

// Given are the attributes of a node that say something: those that are not as
// the operator's specification has them where they are left out.
func (n *Node) Given() Attrs {
	given := Attrs{}
	for name, value := range n.Attrs {
		if !n.isDefault(name, value) {
			given[name] = value
		}
	}
	return given
}

func (n *Node) isDefault(name string, value any) bool {
	switch name {
	case "strides", "dilations":
		return all(value, 1)
	case "pads", "output_padding":
		return all(value, 0)
	case "kernel_shape":
		return n.Op == "Conv" || n.Op == "ConvTranspose" // the weights say it
	}
	if own, ok := ownDefaults[n.Op][name]; ok {
		return reflect.DeepEqual(value, own)
	}
	usual, ok := usualDefaults[name]
	return ok && reflect.DeepEqual(value, usual)
}

// all reports whether a list of integers is of x alone.
func all(value any, x int64) bool {
	list, ok := value.([]int64)
	return ok && !slices.ContainsFunc(list, func(v int64) bool { return v != x })
}

// usualDefaults are what an attribute is where it is left out, with most of the
// operators that have it; ownDefaults are those of operators that differ.
var usualDefaults = Attrs{
	"allowzero": int64(0), "alpha": float32(1), "antialias": int64(0), "approximate": "none", "auto_pad": "NOTSET",
	"batch_dims": int64(0), "beta": float32(1), "ceil_mode": int64(0), "count_include_pad": int64(0), "epsilon": float32(1e-5),
	"exclusive": int64(0), "fmod": int64(0), "group": int64(1), "keepdims": int64(1), "momentum": float32(0.9),
	"noop_with_empty_axes": int64(0), "p": int64(2), "reduction": "none", "reverse": int64(0), "select_last_index": int64(0),
	"stash_type": int64(1), "storage_order": int64(0), "training_mode": int64(0), "transA": int64(0), "transB": int64(0),
	"transBatchA": int64(0), "transBatchB": int64(0),
}

var ownDefaults = map[string]Attrs{
	"ArgMax":             {"axis": int64(0)},
	"ArgMin":             {"axis": int64(0)},
	"DepthToSpace":       {"mode": "DCR"},
	"Flatten":            {"axis": int64(1)},
	"Gather":             {"axis": int64(0)},
	"GatherElements":     {"axis": int64(0)},
	"HardSigmoid":        {"alpha": float32(0.2), "beta": float32(0.5)},
	"LRN":                {"alpha": float32(1e-4), "beta": float32(0.75), "bias": float32(1)},
	"LayerNormalization": {"axis": int64(-1)},
	"LeakyRelu":          {"alpha": float32(0.01)},
	"LogSoftmax":         {"axis": int64(-1)},
	"LpNormalization":    {"axis": int64(-1)},
	"OneHot":             {"axis": int64(-1)},
	"Pad":                {"mode": "constant"},
	"Resize":             {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor", "cubic_coeff_a": float32(-0.75), "extrapolation_value": float32(0), "exclude_outside": int64(0), "keep_aspect_ratio_policy": "stretch"},
	"ScatterElements":    {"axis": int64(0)},
	"Selu":               {"alpha": float32(1.6732632), "gamma": float32(1.050701)},
	"Shape":              {"start": int64(0)},
	"Softmax":            {"axis": int64(-1)},
	"Split":              {"axis": int64(0)},
	"Trilu":              {"upper": int64(1)},
}
