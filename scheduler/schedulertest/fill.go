// Package schedulertest fills stores with believable sweeps, finished or not, in
// which nothing was trained: for the tests and benchmarks of whatever reads sweeps.
package schedulertest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/onnx"
)

// All is for Shape.Done: all jobs but those that failed or run.
const All = -1

// Shape is what sweep a store is filled with: the same shape gives the same sweep,
// byte by byte. Zeros are defaults.
type Shape struct {
	Name     string // of the sweep; "example"
	Trials   int    // 6
	Folds    int    // 3
	Epochs   int    // 10
	Pictures int    // 60, of three classes
	Done     int    // jobs that have an outcome, from the first on; All
	Failed   int    // jobs that were given up, behind those
	Running  int    // jobs with an attempt that has no end, behind those
	Seed     int64
	// Bare leaves out all that is not needed to draw up results: the data set, the
	// attempts and the predictions. A sweep of ten thousand jobs is filled in seconds.
	Bare bool
}

const sweepFile = `name: %s
dataset: {path: example-data}
model: {base: "builtin:tinynet"}
preprocessing: {resize: 32, mean: [128, 128, 128], scale: 0.01}
training: {epochs: %d, batch_size: 8, momentum: 0.9, seed: %d}
cross_validation: {folds: %d, seed: %[3]d}
method: random
run_cap: %[5]d
metric: {name: accuracy, goal: maximize}
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.0001, max: 1}
  training.momentum: {min: 0, max: 0.99}
  training.batch_size: {values: [4, 8, 16]}
`

// Fill submits a sweep to the store as submit does, and writes what workers would
// have written by now. It returns the sweep's plan.
func Fill(ctx context.Context, store artifacts.Store, shape Shape) (*plan.Plan, error) {
	shape = shape.withDefaults()
	p, uploads, files, err := shape.prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("make a sweep up: %w", err)
	}
	s := &scheduler.Scheduler{Store: store}
	if _, err := s.Submit(ctx, p, uploads); err != nil {
		return nil, fmt.Errorf("make a sweep up: %w", err)
	}
	f := &filler{store: store, shape: shape, plan: p, files: files}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, job := range p.Jobs {
		g.Go(func() error { return f.job(ctx, i, job) })
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("make a sweep up: %w", err)
	}
	return p, nil
}

func (s Shape) withDefaults() Shape {
	s.Name = cmp.Or(s.Name, "example")
	s.Trials, s.Folds, s.Epochs = cmp.Or(s.Trials, 6), cmp.Or(s.Folds, 3), cmp.Or(s.Epochs, 10)
	s.Pictures = cmp.Or(s.Pictures, 60)
	if s.Done == All {
		s.Done = s.Trials*s.Folds - s.Failed - s.Running
	}
	return s
}

// prepare plans the sweep. files are the names of the pictures.
func (s Shape) prepare(ctx context.Context) (*plan.Plan, []scheduler.Upload, []string, error) {
	file := fmt.Sprintf(sweepFile, s.Name, s.Epochs, s.Seed, s.Folds, s.Trials)
	sweep, err := plan.Parse(s.Name+".yaml", []byte(file))
	if err != nil {
		return nil, nil, nil, err
	}
	data, files, pack, err := s.pictures(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	base, model, err := network(sweep.Bases()[0], len(data.Classes), s.Seed)
	if err != nil {
		return nil, nil, nil, err
	}
	folds, err := sweep.Folds(data.Labels, data.Classes, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := plan.Expand(sweep, data, folds, map[string]plan.Ref{base.Name: base})
	uploads := []scheduler.Upload{{Ref: base, Open: reader(model)}}
	if pack != nil {
		uploads = append(uploads, scheduler.Upload{Ref: data.Pack, Open: reader(pack)})
	}
	return p, uploads, files, err
}

// pictures draws the data set and packs it, or of a bare sweep makes up what the
// plan says of it.
func (s Shape) pictures(ctx context.Context) (data plan.Data, files []string, pack []byte, err error) {
	if s.Bare {
		data = plan.Data{Pack: ref("example-data", plan.PackKey, fmt.Append(nil, s.Pictures)), Classes: []string{"checks", "rings", "stripes"}}
		for i := range s.Pictures {
			data.Labels, files = append(data.Labels, i%3), append(files, fmt.Sprintf("%s/%04d.png", data.Classes[i%3], i))
		}
		return data, files, nil, nil
	}
	dir, err := os.MkdirTemp("", "example-data-")
	if err != nil {
		return data, nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := dataset.Example(dir, s.Pictures, 48, s.Seed); err != nil {
		return data, nil, nil, err
	}
	index, err := dataset.Scan(ctx, dataset.Options{Path: dir})
	if err != nil {
		return data, nil, nil, err
	}
	var b bytes.Buffer
	if _, _, err := dataset.WritePack(ctx, index, &b); err != nil {
		return data, nil, nil, err
	}
	data = plan.Data{Pack: ref("example-data", plan.PackKey, b.Bytes()), Classes: index.Classes}
	for _, sample := range index.Samples {
		data.Labels, files = append(data.Labels, sample.Label), append(files, sample.File)
	}
	return data, files, b.Bytes(), nil
}

// network is a model that comes with the program.
func network(name string, classes int, seed int64) (plan.Ref, []byte, error) {
	g, err := builtin.Model(name[len("builtin:"):], classes, seed)
	if err != nil {
		return plan.Ref{}, nil, err
	}
	model, err := onnx.Encode(g)
	return ref(name, plan.BaseKey, model), model, err
}

func ref(name string, key func(digest string) string, content []byte) plan.Ref {
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	return plan.Ref{Name: name, Digest: digest, Key: key(digest), Size: int64(len(content))}
}

func reader(content []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
}
