package onnximport

import (
	"fmt"
	"math"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

// What folding may make, in elements: VGG's largest weight has 103 million, and
// files that hold only the shapes of weights unfold to the whole network. The
// bounds keep a small file from asking for all memory.
const (
	maxFolded    = 1 << 27 // of one constant
	maxFoldedAll = 1 << 28 // of all, beyond twice what the file itself holds
)

// views only rearrange a parameter, which stays one.
var views = map[string]bool{"Identity": true, "Reshape": true, "Flatten": true, "Squeeze": true, "Unsqueeze": true, "Transpose": true}

// fold computes a node whose inputs are all known, and reports whether it did.
// The shape of a value that depends on the data is known too; where it holds the
// batch, openNode frees what is made of it. What is computed from parameters is
// left to the graph, so that training goes through it; so is a view of one that
// other nodes read as well.
func (im *importer) fold(n *onnx.Node) (bool, error) {
	inputs := make([]*onnx.Tensor, len(n.Inputs))
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		if inputs[i] = im.consts[name]; inputs[i] == nil && n.Op != "Shape" && n.Op != "Size" {
			return false, nil
		}
		if t := inputs[i]; t != nil && t.Param && !im.foldsParameter(n) {
			return false, nil
		}
	}
	outs, err := im.compute(n, inputs)
	if err != nil {
		return false, err
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		if _, taken := im.types[name]; taken {
			return false, fmt.Errorf("%q is defined twice", name)
		}
		outs[i].Name = name
		outs[i].Param = (n.Op == "ConstantOfShape" && !im.patterns[name] || views[n.Op] && inputs[0] != nil && inputs[0].Param) && im.trainable(outs[i])
		im.addConstant(outs[i])
		im.derived[name] = n.Op != "Constant"
	}
	return true, nil
}

// foldsParameter reports whether a node that reads a parameter may be folded.
// Exporters write Identity where parameters happen to be equal, which says
// nothing about tying them; other views of one parameter by several nodes do.
func (im *importer) foldsParameter(n *onnx.Node) bool {
	switch n.Op {
	case "Identity", "Shape", "Size":
		return true
	}
	return views[n.Op] && im.reads[n.Inputs[0]] < 2
}

// compute evaluates a node on tensors.
func (im *importer) compute(n *onnx.Node, inputs []*onnx.Tensor) ([]*onnx.Tensor, error) {
	values := make([]onnx.Value, len(inputs))
	for i, name := range n.Inputs {
		values[i] = im.types[name]
	}
	types, err := onnx.InferNode(n, values, func(v onnx.Value) *onnx.Tensor { return im.consts[v.Name] })
	if err != nil {
		return nil, err
	}
	if n.Op == "Constant" {
		t := *n.Attrs["value"].(*onnx.Tensor)
		return []*onnx.Tensor{&t}, nil
	}
	for _, t := range types {
		if err := im.spend(t.Shape); err != nil {
			return nil, err
		}
	}
	if n.Op == "ConstantOfShape" { // may be as large as a weight: no detour over float64
		return []*onnx.Tensor{filled(n, types[0])}, nil
	}
	arrays := make([]*onnxeval.Array, len(inputs))
	for i, t := range inputs {
		switch {
		case t != nil:
			arrays[i] = onnxeval.FromTensor(t)
		case !values[i].Absent(): // Shape and Size look at the shape only
			arrays[i] = &onnxeval.Array{Shape: values[i].Shape}
		}
	}
	results, err := onnxeval.Node(n, arrays)
	if err != nil {
		return nil, err
	}
	outs := make([]*onnx.Tensor, len(types))
	for i, t := range types {
		if outs[i], err = tensorOf(t, results[i]); err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// spend takes the elements of a constant from what folding may still make.
func (im *importer) spend(shape []int) error {
	n := 1
	for _, d := range shape {
		if d > 0 && n > maxFolded/d {
			return fmt.Errorf("the constant %v is too large", shape)
		}
		n *= d
	}
	if im.budget -= n; im.budget < 0 {
		return fmt.Errorf("with the constant %v all constants together are too large", shape)
	}
	return nil
}

func filled(n *onnx.Node, v onnx.Value) *onnx.Tensor {
	t := onnx.NewTensor(v.Type, v.Shape...)
	value, _ := n.Attrs["value"].(*onnx.Tensor)
	if value == nil {
		return t
	}
	switch data := t.Data.(type) {
	case []float32:
		fill(data, value.Data.([]float32))
	case []float64:
		fill(data, value.Data.([]float64))
	case []int64:
		fill(data, value.Data.([]int64))
	case []int32:
		fill(data, value.Data.([]int32))
	case []bool:
		fill(data, value.Data.([]bool))
	case []uint8:
		fill(data, value.Data.([]uint8))
	case []int8:
		fill(data, value.Data.([]int8))
	}
	return t
}

func fill[T any](data, value []T) {
	for i := range data {
		if len(value) > 0 {
			data[i] = value[0]
		}
	}
}

// tensorOf rounds an evaluated array to the type that the graph says. Moved
// data come back exactly; computed ones are correctly rounded.
func tensorOf(v onnx.Value, a *onnxeval.Array) (*onnx.Tensor, error) {
	if a == nil || len(a.Data) != onnx.NumElements(v.Shape) {
		return nil, fmt.Errorf("its value does not have the shape %v", v.Shape)
	}
	t := onnx.NewTensor(v.Type, v.Shape...)
	for i, x := range a.Data {
		switch data := t.Data.(type) {
		case []float32:
			data[i] = float32(x)
		case []float64:
			data[i] = x
		case []int64:
			data[i] = toInt64(x)
		case []int32:
			data[i] = int32(x)
		case []bool:
			data[i] = x != 0
		case []uint8:
			data[i] = uint8(x)
		case []int8:
			data[i] = int8(x)
		}
	}
	return t, nil
}

// toInt64 saturates: exporters write "to the end" as the largest integer, which
// a float64 rounds up beyond it.
func toInt64(x float64) int64 {
	switch {
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	}
	return int64(x)
}
