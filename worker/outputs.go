package worker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
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
	objects, err := j.storePredictions(ctx, spec, job.Data.File, r.Predictions)
	if err != nil {
		return nil, err
	}
	objects["model"], err = j.storeObject(ctx, plan.ModelKey(spec.Job), bytes.NewReader(model))
	return objects, err
}

// storePredictions writes the answers for the test pictures, by way of a file: of
// many classes they are larger than the network.
func (j *jobProcess) storePredictions(ctx context.Context, spec plan.Spec, file func(int) string, predictions []trainer.Prediction) (map[string]plan.Ref, error) {
	f, err := os.CreateTemp(j.CacheDir, "predictions-*")
	if err != nil {
		return nil, fmt.Errorf("write the predictions: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := os.Remove(f.Name()); err != nil { // it lives on until it is closed, and no longer if we are killed
		return nil, fmt.Errorf("write the predictions: %w", err)
	}
	to := bufio.NewWriter(f)
	err = trainer.WritePredictions(to, spec.Classes, file, predictions)
	if err = errors.Join(err, to.Flush()); err != nil {
		return nil, fmt.Errorf("write the predictions: %w", err)
	}
	ref, err := j.storeObject(ctx, plan.PredictionsKey(spec.Job), f)
	return map[string]plan.Ref{"predictions": ref}, err
}

func (j *jobProcess) storeObject(ctx context.Context, key string, from io.ReadSeeker) (plan.Ref, error) {
	digest := sha256.New()
	_, err := from.Seek(0, io.SeekStart)
	if err != nil {
		return plan.Ref{}, err
	}
	size, err := io.Copy(digest, from)
	if err != nil {
		return plan.Ref{}, err
	}
	err = patiently(ctx, j.StorePatience, j.Log, func() error {
		if _, err := from.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return j.Store.Put(ctx, key, from, size)
	})
	return plan.Ref{Name: path.Base(key), Key: key, Digest: hex.EncodeToString(digest.Sum(nil)), Size: size}, err
}
