package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/onnx"
)

// storeResults writes the trained network and the predictions. They are stored
// before the outcome that points at them; an attempt that dies in between is
// repeated and writes the same again.
func (j *jobProcess) storeResults(ctx context.Context, spec plan.Spec, job trainer.Job, r *trainer.Result) (map[string]plan.Ref, error) {
	model, err := onnx.Encode(r.Model)
	if err != nil {
		return nil, fmt.Errorf("encode the trained network: %w", err)
	}
	predictions, err := predictionsCSV(spec.Classes, job.Data.File, r.Predictions)
	if err != nil {
		return nil, fmt.Errorf("write the predictions: %w", err)
	}
	objects := map[string]plan.Ref{}
	for name, o := range map[string]struct {
		key  string
		data []byte
	}{
		"model":       {plan.ModelKey(spec.Job), model},
		"predictions": {plan.PredictionsKey(spec.Job), predictions},
	} {
		if objects[name], err = j.storeObject(ctx, o.key, o.data); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func (j *jobProcess) storeObject(ctx context.Context, key string, data []byte) (plan.Ref, error) {
	err := patiently(ctx, j.StorePatience, j.Log, func() error {
		return j.Store.Put(ctx, key, bytes.NewReader(data), int64(len(data)))
	})
	digest := sha256.Sum256(data)
	return plan.Ref{Name: path.Base(key), Key: key, Digest: hex.EncodeToString(digest[:]), Size: int64(len(data))}, err
}

// predictionsCSV has a line for each test picture: its file, its class, the
// predicted class, and each class's probability in the fewest digits that give
// the same float32.
func predictionsCSV(classes []string, file func(sample int) string, predictions []trainer.Prediction) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	header := []string{"file", "label", "predicted"}
	for _, c := range classes {
		header = append(header, "probability:"+c)
	}
	if err := w.Write(header); err != nil {
		return nil, err
	}
	for _, p := range predictions {
		record := []string{file(p.Sample), classes[p.Label], classes[p.Predicted]}
		for _, x := range p.Probabilities {
			record = append(record, strconv.FormatFloat(float64(x), 'g', -1, 32))
		}
		if err := w.Write(record); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
