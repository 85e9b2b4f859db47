package trainer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// Evaluation asks for a network's answers to some samples.
type Evaluation struct {
	Model   *onnx.Graph // template, trained
	Classes int
	Data    Data
	Samples []int
	Batch   int // pictures per run
	// Oversample is 5 or 10 to average over so many crops of each picture (see
	// Crops); 0 or 1: the central one.
	Oversample int
}

// Evaluate runs the network on the crops of each sample, in order.
func Evaluate(ctx context.Context, e Evaluation, rt Runtime) (_ []Prediction, err error) {
	if len(e.Samples) == 0 {
		return nil, nil
	}
	if err := checkOversample(e.Oversample, e.Data); err != nil {
		return nil, err
	}
	crops := max(e.Oversample, 1)
	rows := min(max(e.Batch, 1), crops*len(e.Samples))
	p, err := compile.Eval(e.Model, evalOptions(e.Data, rows, e.Classes))
	if err != nil {
		return nil, &CompileError{What: "evaluation", Err: err}
	}
	opened, err := openProgram(rt, p)
	if err != nil {
		return nil, err
	}
	ev := newEvaluator(opened)
	defer ev.close()
	st, err := newState(rt, e.Model, p)
	if err != nil {
		return nil, err
	}
	defer st.close()
	batches := prefetch(evalPlan(e.Samples, rows, 0, crops),
		func(content) (*batch, error) { return newBatch(rt, rows, 1, pictureInput(e.Data), nil) },
		func(b *batch, s batchSpec) error { return b.fill(s, source{data: e.Data}) })
	defer batches.close()
	var out []Prediction
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, _, err := batches.next()
		if b == nil || err != nil {
			return averaged(out, crops), err
		}
		if out, err = ev.run(b, st, e.Data, out); err != nil {
			return nil, err
		}
		batches.release(b)
	}
}

// pictureInput is what programs take of a picture.
func pictureInput(d Data) []onnx.Value {
	return []onnx.Value{{Name: "images", Type: onnx.Uint8, Shape: pictureShape(d)}}
}

// pictureShape is channels, height and width of the pictures that the network
// sees.
func pictureShape(d Data) []int {
	channels, height, width, crop := d.Geometry()
	if crop > 0 {
		height, width = crop, crop
	}
	return []int{channels, height, width}
}

func evalOptions(d Data, rows, classes int) compile.Options {
	shape := pictureShape(d)
	mean, scale := d.Normalisation()
	return compile.Options{
		Batch: rows, Channels: shape[0], Height: shape[1], Width: shape[2],
		Mean: mean, Scale: scale, Classes: classes,
	}
}

// evaluator is an opened evaluation program with room for its outputs.
type evaluator struct {
	*program
	logits, probabilities *onnx.Tensor
}

func newEvaluator(p *program) *evaluator {
	e := &evaluator{program: p}
	for _, out := range p.Graph.Outputs {
		t := onnx.NewTensor(out.Type, out.Shape...)
		if out.Name == "logits" {
			e.logits = t
		} else {
			e.probabilities = t
		}
	}
	return e
}

// run evaluates one mini-batch and appends its predictions to out.
func (e *evaluator) run(b *batch, st *state, data Data, out []Prediction) ([]Prediction, error) {
	f := maps.Clone(b.views[0])
	f["logits"], f["probabilities"] = e.logits, e.probabilities
	if err := e.program.run(f, st); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	classes := e.logits.Shape[1]
	for i, sample := range b.samples {
		p := Prediction{Sample: sample, Label: data.Label(sample)}
		p.Probabilities = slices.Clone(e.probabilities.F32()[i*classes : (i+1)*classes])
		for c, x := range p.Probabilities {
			if x > p.Probabilities[p.Predicted] {
				p.Predicted = c
			}
		}
		if p.Label >= 0 && p.Label < classes {
			p.Loss = negLogLikelihood(e.logits.F32()[i*classes:(i+1)*classes], p.Label)
		}
		out = append(out, p)
	}
	return out, nil
}
