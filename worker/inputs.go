package worker

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

// inputs are a job's base model and pictures.
type inputs struct {
	base     *onnx.Graph
	data     trainer.Data
	pictures int // in data
	close    func()
}

// openInputs brings what the job needs into the machine's cache, under names
// that say the content, and opens it. The processes of all slots share the
// cache; what one of them is fetching the others wait for.
func (j *jobProcess) openInputs(ctx context.Context, spec plan.Spec) (inputs, error) {
	model, err := j.fetch(ctx, spec.Base, "models", ".onnx")
	if err != nil {
		return inputs{}, fmt.Errorf("fetch the base model %s: %w", spec.Base.Name, err)
	}
	pack, err := j.fetch(ctx, spec.Pack, "packs", ".tar")
	if err != nil {
		return inputs{}, fmt.Errorf("fetch the data set %s: %w", spec.Pack.Name, err)
	}
	base, err := onnximport.Load(model)
	if err != nil {
		return inputs{}, fmt.Errorf("base model %s: %w", spec.Base.Name, err)
	}
	pixels, err := j.openPixels(ctx, pack, spec)
	if err != nil {
		return inputs{}, fmt.Errorf("data set %s: %w", spec.Pack.Name, err)
	}
	return inputs{base: base, data: pixels, pictures: pixels.Len(), close: func() { _ = pixels.Close() }}, nil // only memory is given back
}

// fetch returns where the object is in the cache.
func (j *jobProcess) fetch(ctx context.Context, ref plan.Ref, folder, suffix string) (path string, err error) {
	path = filepath.Join(j.CacheDir, folder, ref.Digest+suffix)
	return path, patiently(ctx, j.StorePatience, j.Log, func() error {
		return artifacts.Fetch(ctx, j.Store, ref.Key, path, ref.Digest)
	})
}

func (j *jobProcess) openPixels(ctx context.Context, path string, spec plan.Spec) (*dataset.Pixels, error) {
	pack, err := dataset.OpenPack(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = pack.Close() }() // it was only read
	return dataset.OpenPixels(ctx, pack, geometry(spec.Config.Preprocessing), spec.Pack.Digest, j.CacheDir, runtime.NumCPU())
}
