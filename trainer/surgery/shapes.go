package surgery

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// inferShapes finds type and shape of every value of a template. Inference
// needs static shapes, so it runs for two batch sizes; a first dimension that
// follows them is the open batch. A value that has the batch elsewhere, as
// attention that moves it behind the heads or joins it with windows, has no shape
// of a template and is not in the result.
func inferShapes(g *onnx.Graph) (map[string]onnx.Value, error) {
	const small, large = 2, 3
	a, err := inferAt(g, small)
	if err != nil {
		return nil, err
	}
	b, err := inferAt(g, large)
	if err != nil {
		return nil, err
	}
	values := map[string]onnx.Value{}
	for name, v := range a {
		shape, other := slices.Clone(v.Shape), slices.Clone(b[name].Shape)
		if len(shape) > 0 && shape[0] == small && other[0] == large {
			shape[0], other[0] = onnx.Batch, onnx.Batch
		}
		if slices.Equal(shape, other) {
			values[name] = onnx.Value{Name: name, Type: v.Type, Shape: shape}
		}
	}
	return values, nil
}

func inferAt(g *onnx.Graph, batch int) (map[string]onnx.Value, error) {
	b := onnx.NewBuilder(g.Name)
	bind := map[string]onnx.Value{}
	for _, in := range g.Inputs {
		shape := slices.Clone(in.Shape)
		if len(shape) > 0 && shape[0] == onnx.Batch {
			shape[0] = batch
		}
		bind[in.Name] = b.Input(in.Name, in.Type, shape...)
	}
	b.Replay(g, bind)
	if err := b.Err(); err != nil {
		return nil, err
	}
	values := map[string]onnx.Value{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			if out != "" {
				values[out] = b.Named(out)
			}
		}
	}
	for _, in := range g.Inputs {
		values[in.Name] = bind[in.Name]
	}
	return values, nil
}

// Resize returns a copy of g whose picture is declared with another height and
// width, in pixels. It fails where layers rely on the old ones.
func Resize(g *onnx.Graph, height, width int) (*onnx.Graph, error) {
	o := &operation{g: g.Clone()}
	in := &o.g.Inputs[0]
	in.Shape = []int{in.Shape[0], in.Shape[1], height, width}
	if err := o.refreshOutputs(); err != nil {
		return nil, err
	}
	return o.g, onnx.Check(o.g)
}
