package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"

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
	var predictions bytes.Buffer
	if err := trainer.WritePredictions(&predictions, spec.Classes, job.Data.File, r.Predictions); err != nil {
		return nil, fmt.Errorf("write the predictions: %w", err)
	}
	objects := map[string]plan.Ref{}
	for name, o := range map[string]struct {
		key  string
		data []byte
	}{
		"model":       {plan.ModelKey(spec.Job), model},
		"predictions": {plan.PredictionsKey(spec.Job), predictions.Bytes()},
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
