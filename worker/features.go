package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/features"
	"orchestrator/trainer/onnx"
)

// maxFeatures bounds what the features of a frozen part may take, in bytes: a
// disk is not to be filled to save a small layer's work.
const maxFeatures = 16 << 30

// FrozenPart is the part of a trial's network that answers to each picture once
// for all jobs.
type FrozenPart struct {
	Layers int      `json:"layers"` // how many there are
	UpTo   []string `json:"up_to"`  // those whose answers the rest of the network takes
	Bytes  int64    `json:"bytes"`  // of the answers to all pictures
}

// FindFrozenPart says what a trial with these settings computes beforehand; nil
// where that is nothing. It is a function of its arguments alone: that a job
// trains on features is part of its identity by them.
func FindFrozenPart(base *onnx.Graph, c plan.Config, classes []string, pictures int) (*FrozenPart, error) {
	job, err := plannedJob(base, c, classes, 1, pictures)
	if err != nil {
		return nil, err
	}
	f, err := frozenPart(job, c, pictures)
	if f == nil || err != nil {
		return nil, err
	}
	if _, err := job.Memory(); err != nil { // it compiles what is trained on features
		return nil, err
	}
	part := &FrozenPart{Layers: len(f.Layers), Bytes: featureBytes(f, pictures)}
	for _, value := range f.Values {
		part.UpTo = append(part.UpTo, layerOf(job.Model, value))
	}
	return part, nil
}

// frozenPart is what of the job's network is computed beforehand, or nil.
func frozenPart(job trainer.Job, c plan.Config, pictures int) (*compile.Frozen, error) {
	if c.Training.CacheFeatures == "off" {
		return nil, nil
	}
	f, err := job.Frozen()
	if f == nil || err != nil || featureBytes(f, pictures) > maxFeatures {
		return nil, err
	}
	return f, nil
}

func featureBytes(f *compile.Frozen, pictures int) int64 {
	return 4 * int64(f.Floats()) * int64(pictures)
}

// layerOf is the name of the layer that computes a value, or the value's own.
func layerOf(g *onnx.Graph, value string) string {
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			if out == value {
				return n.Name
			}
		}
	}
	return value
}

// openFeatures gives the job the features of its frozen part, if it has one: from
// the machine's cache, from the store, or computed now. The daemon hears how far
// that is.
func (j *jobProcess) openFeatures(ctx context.Context, spec plan.Spec, job *trainer.Job, in inputs, rt trainer.Runtime, stop <-chan struct{}) (close func(), err error) {
	close = func() {}
	f, err := frozenPart(*job, spec.Config, in.pictures)
	if f == nil || err != nil {
		return close, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := j.whilePreparing(stop, cancel)
	defer quiet()
	set, err := j.featuresOf(ctx, spec, job.Model, f.Values, in, rt)
	select {
	case <-stop: // what is stored stays; there is nothing to write a checkpoint of
		if err != nil {
			return close, trainer.ErrInterrupted
		}
	default:
	}
	if err != nil {
		return close, err
	}
	job.Features = set
	return func() { _ = set.Close() }, nil // only memory is given back
}

// featuresOf opens the features of a network's values for a job, and leaves a mark that
// it uses them, by which `orchestrator gc` knows what may go.
func (j *jobProcess) featuresOf(ctx context.Context, spec plan.Spec, model *onnx.Graph, values []string, in inputs, rt trainer.Runtime) (*features.Set, error) {
	pass := features.Spec{
		Model: model, Values: values, Data: in.data, Pictures: in.pictures,
		Pack: spec.Pack.Digest, Preprocessing: fmt.Sprintf("%+v", geometry(spec.Config.Preprocessing)),
		Engine: spec.Engine, Device: j.arithmetic(spec), Threads: spec.Config.Training.Threads,
	}
	key, err := pass.Key()
	if err != nil {
		return nil, err
	}
	err = patiently(ctx, j.StorePatience, j.Log, func() error {
		return artifacts.CreateJSON(ctx, j.Store, plan.FeatureUseKey(key, spec.Job), featureUse{Job: spec.Job, Since: time.Now().UTC().Format(time.RFC3339)})
	})
	if err != nil && !errors.Is(err, artifacts.ErrExists) {
		return nil, fmt.Errorf("note the use of features: %w", err)
	}
	var set *features.Set
	err = j.inCache(ctx, func() (err error) {
		set, err = features.Open(ctx, pass, features.Options{
			Runtime: rt, CacheDir: j.CacheDir, Store: featureStore{j.Store, j.StorePatience, j.Log},
			Report: j.featuresReporter(), Log: j.Log,
		})
		return err
	})
	return set, err
}

// arithmetic is what decides the bits of features: the device, and the format of its
// products where the job does not ask for all of float32.
func (j *jobProcess) arithmetic(spec plan.Spec) string {
	if spec.Config.Training.Precision == "tf32" {
		return j.order.Device + " tf32"
	}
	return j.order.Device
}

// featureUse is the content of the mark; that it exists is what counts.
type featureUse struct {
	Job   string `json:"job"`
	Since string `json:"since"` // RFC 3339, UTC
}

// featuresReporter turns the progress of a pass into events.
func (j *jobProcess) featuresReporter() func(done, total int) {
	var last time.Time
	began := time.Now()
	return func(done, total int) {
		now := time.Now()
		if done < total && now.Sub(last) < progressEvery {
			return
		}
		last = now
		p := plan.Progress{Stage: plan.FeaturesStage, Step: done, Steps: total}
		p.ETA = now.Sub(began).Seconds() / float64(done) * float64(total-done)
		_ = j.out.write(event{Kind: eventProgress, Progress: &p}) // the end of stdin tells if nobody reads it
	}
}

// featureStore keeps features in the artifact store. It implements
// features.Store.
type featureStore struct {
	store    artifacts.Store
	patience time.Duration
	log      *slog.Logger
}

// Read has use read an object.
func (s featureStore) Read(ctx context.Context, key string, use func(io.Reader) error) (found bool, err error) {
	err = patiently(ctx, s.patience, s.log, func() error {
		r, _, err := s.store.Get(ctx, key)
		if found = !errors.Is(err, artifacts.ErrNotFound); !found {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		return use(r)
	})
	return found && err == nil, err
}

// Create writes an object unless it is there.
func (s featureStore) Create(ctx context.Context, key string, data io.ReaderAt, size int64) (created bool, err error) {
	err = patiently(ctx, s.patience, s.log, func() error {
		return s.store.Create(ctx, key, io.NewSectionReader(data, 0, size), size)
	})
	if errors.Is(err, artifacts.ErrExists) {
		return false, nil
	}
	return err == nil, err
}
