package worker

import (
	"context"
	"fmt"
	"runtime"

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
	model, release, err := j.fetch(ctx, spec.Base, "models", ".onnx")
	if err != nil {
		return inputs{}, fmt.Errorf("fetch the base model %s: %w", spec.Base.Name, err)
	}
	options, err := ImportOptions(spec.Config)
	if err != nil {
		release()
		return inputs{}, err
	}
	base, err := onnximport.LoadWith(model, options)
	release()
	if err != nil {
		return inputs{}, fmt.Errorf("base model %s: %w", spec.Base.Name, err)
	}
	pixels, err := j.openPixels(ctx, spec)
	if err != nil {
		return inputs{}, fmt.Errorf("data set %s: %w", spec.Pack.Name, err)
	}
	return inputs{base: base, data: pixels, pictures: pixels.Len(), close: func() { _ = pixels.Close() }}, nil // only memory is given back
}

func (j *jobProcess) openPixels(ctx context.Context, spec plan.Spec) (pixels *dataset.Pixels, err error) {
	pack, err := j.openPack(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() { _ = pack.Close() }() // it was only read
	err = j.inCache(ctx, func() error {
		pixels, err = dataset.OpenPixels(ctx, pack, geometry(spec.Config.Preprocessing), spec.Pack.Digest, j.CacheDir, runtime.NumCPU())
		return err
	})
	return pixels, err
}

// openPack fetches and opens the job's data set. An open file stays readable, whoever
// removes it.
func (j *jobProcess) openPack(ctx context.Context, spec plan.Spec) (*dataset.Pack, error) {
	path, release, err := j.fetch(ctx, spec.Pack, "packs", ".tar")
	if err != nil {
		return nil, fmt.Errorf("fetch it: %w", err)
	}
	defer release()
	return dataset.OpenPack(path)
}
