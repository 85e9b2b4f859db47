package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"time"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/features"
	"orchestrator/trainer/linear"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/probe"
	"orchestrator/trainer/surgery"
)

// probe does a job that fits a linear classifier to a layer's features. What it
// takes of the features, a row for each picture, is computed by the first such
// job of this machine and mapped by the others, which open neither the network nor
// the runtime.
func (j *jobProcess) probe(ctx context.Context, spec plan.Spec, stop <-chan struct{}) error {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := j.whilePreparing(stop, cancel)
	defer quiet()
	library := ""
	result, in, err := j.fit(ctx, spec, func(version string) { library = version })
	if err != nil {
		return orInterrupted(stop, err)
	}
	objects, err := j.storePredictions(ctx, spec, in.files, result.Predictions)
	if err != nil {
		return err
	}
	o := j.probeOutcome(spec, result, in.features)
	o.Objects, o.Seconds = objects, time.Since(began).Seconds()
	if library != "" {
		o.Versions["onnxruntime"] = library
	}
	return j.out.write(event{Kind: eventResult, Outcome: o})
}

// probed is what a probe knows of the data set and the layer.
type probed struct {
	files    func(picture int) string
	features int
}

// fit opens the inputs and fits the classifier.
func (j *jobProcess) fit(ctx context.Context, spec plan.Spec, usedRuntime func(version string)) (*probe.Result, probed, error) {
	pack, err := j.openPack(ctx, spec)
	if err != nil {
		return nil, probed{}, fmt.Errorf("data set %s: %w", spec.Pack.Name, err)
	}
	defer func() { _ = pack.Close() }() // it was only read
	samples := pack.Index.Samples
	labels, n := make([]int, len(samples)), len(samples)
	for i, s := range samples {
		labels[i] = s.Label
	}
	key, err := j.probeKey(spec)
	if err != nil {
		return nil, probed{}, err
	}
	var in *probe.Inputs
	err = j.inCache(ctx, func() (err error) {
		in, err = probe.Open(ctx, j.CacheDir, key, n, func(ctx context.Context) (*probe.Rows, error) { return j.layerRows(ctx, spec, usedRuntime) })
		return err
	})
	if err != nil {
		return nil, probed{}, err
	}
	defer func() { _ = in.Close() }() // only memory is given back
	p := spec.Config.Probe
	result, err := probe.Run(in, probe.Job{
		Labels: labels, Classes: len(spec.Classes), Train: spec.Train, Test: spec.Test,
		Classifier: linear.Classifier(p.Classifier), Grid: linear.PowersOfTwo(p.PowersOfTwo[0], p.PowersOfTwo[1]),
		InnerFolds: p.InnerFolds, Seed: spec.Config.Training.Seed,
	})
	return result, probed{files: func(i int) string { return samples[i].File }, features: in.Features}, err
}

// probeKey stands for all that a layer's features depend on.
func (j *jobProcess) probeKey(spec plan.Spec) (string, error) {
	key, err := json.Marshal([]any{
		spec.Engine, spec.Base.Digest, spec.Config.Model.Surgery, spec.Config.Training.Seed, spec.Pack.Digest, fmt.Sprintf("%+v", geometry(spec.Config.Preprocessing)),
		spec.Config.Probe.Layers, spec.Config.Probe.Layer, j.arithmetic(spec), spec.Config.Training.Threads,
	})
	return string(key), err
}

// layerRows computes, or fetches, the features of all layers of the sweep and
// returns those of the job's.
func (j *jobProcess) layerRows(ctx context.Context, spec plan.Spec, usedRuntime func(version string)) (*probe.Rows, error) {
	in, err := j.openInputs(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer in.close()
	model, values, err := probedNetwork(in.base, spec.Config)
	if err != nil {
		return nil, err
	}
	rt, err := j.openRuntime(spec)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rt.Close() }()
	usedRuntime(rt.Version())
	set, err := j.featuresOf(ctx, spec, model, values, in, trainer.RuntimeOf(rt))
	if err != nil {
		return nil, err
	}
	i := slices.Index(spec.Config.Probe.Layers, spec.Config.Probe.Layer)
	return &probe.Rows{
		Features: onnx.NumElements(set.Values()[i].Shape),
		Row:      func(picture int) []float32 { return set.Row(i, picture) },
		Close:    func() { _ = set.Close() }, // only memory is given back
	}, nil
}

// probedNetwork is the network after surgery, and the names of the values of its
// probed layers.
func probedNetwork(base *onnx.Graph, c plan.Config) (*onnx.Graph, []string, error) {
	model, _, err := surgery.Apply(base, SurgerySteps(c.Model.Surgery), c.Training.Seed)
	if err != nil {
		return nil, nil, fmt.Errorf("model.surgery: %w", err)
	}
	var values []string
	for _, layer := range c.Probe.Layers {
		value, err := features.ValueOf(model, layer)
		if err != nil {
			return nil, nil, fmt.Errorf("probe.layers: %w", err)
		}
		values = append(values, value)
	}
	return model, values, nil
}

// checkProbe finds what would make every job of a probe fail.
func checkProbe(base *onnx.Graph, c plan.Config) error {
	model, values, err := probedNetwork(base, c)
	if err != nil {
		return err
	}
	none, err := dataset.Load(nil, nil, geometry(c.Preprocessing))
	if err != nil {
		return fmt.Errorf("preprocessing: %w", err)
	}
	o := compile.Options{Batch: 1}
	o.Channels, o.Height, o.Width = pictureSize(none)
	_, err = compile.Features(model, values, o)
	return err
}

func (j *jobProcess) probeOutcome(spec plan.Spec, r *probe.Result, features int) *plan.Outcome {
	p := spec.Config.Probe
	o := &plan.Outcome{
		Metrics: scores(r.Scores, spec.Config.Evaluation.Metrics), History: []plan.Epoch{}, Classes: spec.Classes,
		Probe: &plan.ProbeOutcome{
			Features: features, C: r.Fit.C, Grid: linear.PowersOfTwo(p.PowersOfTwo[0], p.PowersOfTwo[1]), Inner: r.Inner, Test: r.Test,
			Objective: r.Fit.Objective, Gap: r.Fit.Gap, Iterations: r.Fit.Iterations, Converged: r.Converged,
		},
		Versions: map[string]string{"engine": plan.Engine, "go": runtime.Version()},
	}
	o.SetConfusion(r.Confusion)
	j.versions(o.Versions)
	return o
}
