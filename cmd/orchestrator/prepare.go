package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/worker"
)

// prepared is a sweep file that has been checked against its data and its
// networks, and is ready to be submitted.
type prepared struct {
	sweep    *plan.Sweep
	plan     *plan.Plan
	index    *dataset.Index
	uploads  []scheduler.Upload
	features []featureSummary
}

// prepare does all that can go wrong before anything is queued: it parses and
// expands the file, decodes every picture, and compiles every network that a
// trial uses. Nothing is written.
func (a *app) prepare(ctx context.Context, file string, set []string) (*prepared, error) {
	var stage atomic.Value
	stage.Store("drawing the trials")
	defer a.busy(func() string { return stage.Load().(string) })()
	sweep, err := parseSweep(file, set)
	if err != nil {
		return nil, err
	}
	stage.Store("reading the pictures")
	in := func(field, path string) string { return resolve(sweep, file, field, path) }
	index, folds, err := readData(ctx, sweep, in)
	if err != nil {
		return nil, err
	}
	for _, warning := range sweep.Warnings {
		fmt.Fprintf(a.err, "Warning: %s\n", warning)
	}
	pack, err := packRef(ctx, index, sweep.Dataset.Path)
	if err != nil {
		return nil, err
	}
	stage.Store(fmt.Sprintf("checking the networks of %d trials", len(sweep.Trials)))
	p := &prepared{sweep: sweep, index: index, uploads: []scheduler.Upload{{Ref: pack, Open: openPack(ctx, index)}}}
	bases, models, err := a.readBases(ctx, sweep, p, pack, folds, in)
	if err != nil {
		return nil, err
	}
	labels := make([]int, len(index.Samples))
	for i, s := range index.Samples {
		labels[i] = s.Label
	}
	if err := fitMemory(sweep, index.Classes, folds, len(labels), models); err != nil {
		return nil, err
	}
	p.plan, err = plan.Expand(sweep, plan.Data{Pack: pack, Classes: index.Classes, Labels: labels, Notes: index.Notes}, folds, bases)
	if err != nil {
		return nil, err
	}
	trials := p.plan.Trials
	for _, corner := range sweep.Corners { // trials that a search may propose later
		t, err := p.plan.Next(corner)
		if err != nil {
			return nil, err
		}
		trials = append(trials[:len(trials):len(trials)], t)
	}
	if err := checkTrials(p.plan.Data, trials, models); err != nil {
		return nil, err
	}
	p.features, err = frozenParts(p.plan, models)
	return p, err
}

// readBases reads the networks that the trials start from, and notes those to be
// uploaded.
func (a *app) readBases(ctx context.Context, sweep *plan.Sweep, p *prepared, pack plan.Ref, folds []plan.Fold, in func(field, path string) string) (map[string]plan.Ref, *baseNetworks, error) {
	bases, models := map[string]plan.Ref{}, newBaseNetworks()
	for _, name := range sweep.Bases() {
		var data []byte
		var err error
		if from, ok := strings.CutPrefix(name, sweepPrefix); ok {
			data, err = a.trainedBases(ctx, sweep, name, from, pack, folds)
		} else if data, err = baseModel(name, in("model.base", name), len(p.index.Classes), sweep.Seed); err == nil {
			digest := sha256.Sum256(data)
			ref := plan.Ref{Name: name, Digest: hex.EncodeToString(digest[:]), Size: int64(len(data))}
			ref.Key = plan.BaseKey(ref.Digest)
			bases[name] = ref
			p.uploads = append(p.uploads, scheduler.Upload{Ref: ref, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }})
		}
		if err != nil {
			return nil, nil, err
		}
		models.encoded[name] = data
	}
	return bases, models, nil
}

func parseSweep(file string, set []string) (*plan.Sweep, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("give the path of a sweep file; examples/quickstart.yaml is one", "reading the sweep: %w", err)
	}
	overrides := make([]plan.Override, len(set))
	for i, text := range set {
		if overrides[i], err = plan.ParseOverride(text); err != nil {
			return nil, err
		}
	}
	return plan.Parse(file, data, overrides...)
}

// readData scans the pictures and makes the folds.
func readData(ctx context.Context, s *plan.Sweep, in func(field, path string) string) (*dataset.Index, []plan.Fold, error) {
	index, err := dataset.Scan(ctx, dataset.Options{
		Path: in("dataset.path", s.Dataset.Path), Root: in("dataset.root", s.Dataset.Root),
		Folds: in("dataset.folds", s.Dataset.Folds), ClassLevel: s.Dataset.ClassLevel,
		Include: s.Dataset.Include, Exclude: s.Dataset.Exclude, OnBad: s.Dataset.OnBad,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("dataset.path: %w", err)
	}
	if s.Dataset.Folds != "" {
		files, err := dataset.ReadFolds(in("dataset.folds", s.Dataset.Folds), index)
		if err != nil {
			return nil, nil, fmt.Errorf("dataset.folds: %w", err)
		}
		folds := make([]plan.Fold, len(files))
		for i, f := range files {
			folds[i] = plan.Fold{Number: i, Name: f.Name, Train: f.Train, Test: f.Test}
		}
		return index, folds, nil
	}
	labels := make([]int, len(index.Samples))
	for i, p := range index.Samples {
		labels[i] = p.Label
	}
	folds, err := s.Folds(labels, index.Classes, index.Copies())
	return index, folds, err
}

// resolve makes a path of the sweep file relative to the file's folder; one that
// was given on the command line is relative to where the user is.
func resolve(s *plan.Sweep, file, field, path string) string {
	if path == "" || filepath.IsAbs(path) || s.Overridden(field) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

func packRef(ctx context.Context, index *dataset.Index, name string) (plan.Ref, error) {
	digest, size, err := dataset.WritePack(ctx, index, io.Discard)
	if err != nil {
		return plan.Ref{}, err
	}
	return plan.Ref{Name: name, Digest: digest, Key: plan.PackKey(digest), Size: size}, nil
}

// openPack streams the pack without ever holding it: it is written afresh each
// time it is opened, always with the same bytes.
func openPack(ctx context.Context, index *dataset.Index) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() {
			_, _, err := dataset.WritePack(ctx, index, w)
			w.CloseWithError(err)
		}()
		return r, nil
	}
}

// baseModel returns the encoded network behind model.base.
func baseModel(name, path string, classes int, seed int64) ([]byte, error) {
	if b, ok := strings.CutPrefix(name, builtinPrefix); ok {
		g, err := builtin.Model(b, classes, seed)
		if err != nil {
			return nil, fmt.Errorf("model.base: %w", err)
		}
		return onnx.Encode(g)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, usagef("paths are relative to the sweep file; networks that come with the program: builtin:"+strings.Join(builtin.Names(), ", builtin:"),
			"model.base: there is no file %s", path)
	}
	data, err := onnximport.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("model.base: %w", err)
	}
	return data, nil
}

// fitMemory holds the trials to resources.memory, and chooses the micro-batches
// that are left to it.
func fitMemory(s *plan.Sweep, classes []string, folds []plan.Fold, pictures int, models *baseNetworks) error {
	if s.Resources.Memory == 0 {
		return nil
	}
	train := 0
	for _, f := range folds {
		train = max(train, len(f.Train))
	}
	known := map[string]int{}
	for i, t := range s.Trials {
		if t.Config.IsProbe() {
			continue
		}
		key, err := sameAs(t.Config)
		if err != nil {
			return err
		}
		size, ok := known[key]
		if !ok {
			base, err := models.of(t.Config)
			if err != nil {
				return err
			}
			size, err = worker.MicroBatch(base, t.Config, classes, train, pictures, s.Resources.Memory)
			if err != nil {
				return fmt.Errorf("trial %d, model %s: %w", i, t.Config.Model.Base, err)
			}
			known[key] = size
		}
		if t.Config.Training.MicroBatchSize == plan.AutoMicroBatch {
			s.SetMicroBatch(i, size)
		}
	}
	return nil
}

// frozenParts are the parts of the trials' networks that are computed beforehand.
func frozenParts(p *plan.Plan, models *baseNetworks) ([]featureSummary, error) {
	var all []featureSummary
	at := map[string]int{} // in all, by what is the same for several trials; -1: none
	for _, t := range p.Trials {
		if t.Config.IsProbe() {
			continue
		}
		key, err := sameAs(t.Base.Digest, t.Config.Model, t.Config.Preprocessing, t.Config.Training.LRMult, t.Config.Training.CacheFeatures)
		if err != nil {
			return nil, err
		}
		i, known := at[key]
		if !known {
			base, err := models.of(t.Config)
			if err != nil {
				return nil, err
			}
			part, err := worker.FindFrozenPart(base, t.Config, p.Data.Classes, len(p.Data.Labels))
			if err != nil {
				return nil, fmt.Errorf("trial %d, model %s: %w", t.Number, t.Config.Model.Base, err)
			}
			if i = -1; part != nil {
				i = len(all)
				all = append(all, featureSummary{FrozenPart: *part, Model: t.Config.Model.Base})
			}
			at[key] = i
		}
		if i >= 0 {
			all[i].Trials = append(all[i].Trials, t.Number)
		}
	}
	return all, nil
}

// sameAs is a text that is the same for the same settings, what they point to
// included.
func sameAs(settings ...any) (string, error) {
	text, err := json.Marshal(settings)
	return string(text), err
}

// checkTrials compiles what the trials will train, so that a wrong layer name
// or an operator without a gradient is found before anything is queued.
func checkTrials(data plan.Data, trials []plan.Trial, models *baseNetworks) error {
	seen := map[string]bool{}
	for _, t := range trials {
		if n := len(data.Labels); t.Config.IsProbe() && n > plan.MaxProbed {
			return usagef("leave pictures out with dataset.include, or train a probe with model.surgery: insert_probe",
				"probe: the data set has %d pictures; linear classifiers are fitted to at most %d", n, plan.MaxProbed)
		}
		key, err := sameAs(t.Base.Digest, t.Config.Model, t.Config.Preprocessing, t.Config.Training, t.Config.Probe.Layers)
		if err != nil {
			return err
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		base, err := models.of(t.Config)
		if err != nil {
			return err
		}
		if err := worker.CheckModel(base, t.Config, data.Classes); err != nil {
			return fmt.Errorf("trial %d, model %s: %w", t.Number, t.Config.Model.Base, err)
		}
	}
	return nil
}
