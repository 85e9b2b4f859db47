package scoremap

import (
	"context"
	"fmt"

	"orchestrator/trainer"
	"orchestrator/trainer/features"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/surgery"
)

// Map is a network's probabilities at each place of a picture.
type Map struct {
	Rows, Columns int
	// Probabilities are of each class, row by row; the classes of a place sum to 1.
	Probabilities [][]float32
}

// Compute applies a trained network to every place of the pictures of data, whose
// geometry may be larger than what the network was trained on. Intermediate
// results go to the folder dir.
func Compute(ctx context.Context, model *onnx.Graph, classes, pictures int, data trainer.Data, rt trainer.Runtime, dir string) ([]Map, error) {
	g, _, err := surgery.Apply(model, []surgery.Step{{ToFullyConvolutional: true}}, 0)
	if err != nil {
		return nil, err
	}
	value := g.Outputs[0].Name
	set, err := features.Open(ctx, features.Spec{Model: g, Values: []string{value}, Data: data, Pictures: pictures},
		features.Options{Runtime: rt, CacheDir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { _ = set.Close() }() // only memory is given back
	shape := set.Values()[0].Shape
	if len(shape) != 3 || shape[0] != classes {
		return nil, fmt.Errorf("the network answers with the shape %v at every place, not with %d classes", shape, classes)
	}
	maps := make([]Map, pictures)
	places := shape[1] * shape[2]
	for i := range maps {
		maps[i] = Map{Rows: shape[1], Columns: shape[2]}
		row := set.Row(0, i)
		for c := range classes {
			maps[i].Probabilities = append(maps[i].Probabilities, append([]float32{}, row[c*places:(c+1)*places]...))
		}
	}
	return maps, nil
}

// Average is the mean of several networks' maps of one picture.
func Average(maps []Map) (Map, error) {
	out := Map{Rows: maps[0].Rows, Columns: maps[0].Columns}
	for _, p := range maps[0].Probabilities {
		out.Probabilities = append(out.Probabilities, make([]float32, len(p)))
	}
	for _, m := range maps {
		if m.Rows != out.Rows || m.Columns != out.Columns || len(m.Probabilities) != len(out.Probabilities) {
			return out, fmt.Errorf("the networks' maps are %d×%d and %d×%d; they cannot be averaged", out.Rows, out.Columns, m.Rows, m.Columns)
		}
		for c, p := range m.Probabilities {
			for i, x := range p {
				out.Probabilities[c][i] += x / float32(len(maps))
			}
		}
	}
	return out, nil
}
