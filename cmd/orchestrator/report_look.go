package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/artifacts/report/page"
	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/features"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/scoremap"
)

// lookOptions say what of a network is looked into.
type lookOptions struct {
	embed string
	units []string // LAYER:NUMBER
}

func (o lookOptions) wanted() bool { return o.embed != "" || len(o.units) > 0 }

// layers are those that the options name, each once.
func (o lookOptions) layers() ([]string, error) {
	var layers []string
	if o.embed != "" {
		layers = append(layers, o.embed)
	}
	for _, unit := range o.units {
		layer, _, err := parseUnit(unit)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(layers, layer) {
			layers = append(layers, layer)
		}
	}
	return layers, nil
}

func parseUnit(unit string) (layer string, number int, err error) {
	i := strings.LastIndexByte(unit, ':')
	if i > 0 {
		number, err = strconv.Atoi(unit[i+1:])
	}
	if i <= 0 || err != nil || number < 0 {
		return "", 0, usagef("as --unit relu5:12", "--unit %q is not LAYER:NUMBER", unit)
	}
	return unit[:i], number, nil
}

// looked is a trained network's answers to the test pictures of its fold.
type looked struct {
	fold    string
	model   *onnx.Graph
	answers []stats.Answer
	data    *dataset.Pictures
	order   string // of the channels
	layers  []string
	set     *features.Set
}

// look computes what layers of the shown trial's network of the first completed
// fold answer to that fold's test pictures.
func (a *app) look(ctx context.Context, store artifacts.Store, o lookOptions, s *page.Study, pictures *pictureSource) error {
	l := &looked{}
	var err error
	if l.layers, err = o.layers(); err != nil {
		return err
	}
	folds := s.Results.Trials[s.Trial].Folds
	fold := folds[slices.IndexFunc(folds, func(f plan.FoldResult) bool { return f.State == plan.Completed })]
	if err := l.open(ctx, store, s, fold, pictures); err != nil {
		return err
	}
	closeSet, err := l.compute(ctx, a)
	if err != nil {
		return err
	}
	defer closeSet()
	if o.embed != "" {
		if err := l.embed(s, o.embed); err != nil {
			return err
		}
	}
	for _, unit := range o.units {
		if err := l.unit(s, unit); err != nil {
			return err
		}
	}
	return nil
}

// open reads a fold's network and test pictures.
func (l *looked) open(ctx context.Context, store artifacts.Store, s *page.Study, fold plan.FoldResult, pictures *pictureSource) error {
	l.fold = fold.Name
	encoded, err := readObject(ctx, store, plan.ModelKey(fold.Job))
	if errors.Is(err, artifacts.ErrNotFound) {
		return usagef("name a sweep that trains networks", "sweep %s has no network to look into: it is a probe, or its networks were deleted", s.Results.Sweep)
	}
	if err != nil {
		return err
	}
	if l.model, err = onnximport.Read(encoded); err != nil {
		return err
	}
	_, geometry, err := modelMetadata(l.model)
	if err != nil {
		return err
	}
	var files []string
	for _, answer := range s.Answers {
		if answer.Fold == fold.Fold {
			l.answers = append(l.answers, answer)
			files = append(files, answer.File)
		}
	}
	l.order = geometry.Channels
	l.data, err = dataset.Load(files, pictures.read, geometry)
	return err
}

// compute runs the network; the answers go to a temporary file.
func (l *looked) compute(ctx context.Context, a *app) (closeSet func(), err error) {
	rt, err := a.openRuntime()
	if err != nil {
		return nil, err
	}
	defer rt.Close()
	dir, err := os.MkdirTemp("", "orchestrator-look-")
	if err != nil {
		return nil, err
	}
	spec := features.Spec{Model: l.model, Data: l.data, Pictures: len(l.answers)}
	for _, layer := range l.layers {
		value, err := features.ValueOf(l.model, layer)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		spec.Values = append(spec.Values, value)
	}
	if l.set, err = features.Open(ctx, spec, features.Options{Runtime: trainer.RuntimeOf(rt), CacheDir: dir}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return func() {
		_ = l.set.Close()     // only memory is given back
		_ = os.RemoveAll(dir) // of the system's temporary files
	}, nil
}

// embed lays the pictures out in the plane by what the layer answers.
func (l *looked) embed(s *page.Study, layer string) error {
	i := slices.Index(l.layers, layer)
	square := func(a, b int) float64 {
		sum := 0.0
		x, y := l.set.Row(i, a), l.set.Row(i, b)
		for k := range x {
			d := float64(x[k]) - float64(y[k])
			sum += d * d
		}
		return sum
	}
	const perplexity = 30
	points, err := stats.TSNE(len(l.answers), square, perplexity, 1)
	if err != nil {
		return fmt.Errorf("--embed %s: %w", layer, err)
	}
	e := &page.Embedding{Points: points, Title: fmt.Sprintf("The answers of layer %s to the test pictures of fold %s, laid out by t-SNE: near ones are alike.", layer, l.fold)}
	for _, a := range l.answers {
		e.Labels = append(e.Labels, a.Label)
	}
	s.Embedding = e
	return nil
}

const patches = 5

// unit finds the pictures that drive a unit most, and in each the part that the
// unit sees where it answers most.
func (l *looked) unit(s *page.Study, unit string) error {
	layer, number, err := parseUnit(unit)
	if err != nil {
		return err
	}
	i := slices.Index(l.layers, layer)
	shape := l.set.Values()[i].Shape
	if number >= shape[0] {
		return usagef(fmt.Sprintf("units of %s are numbered 0 to %d", layer, shape[0]-1), "--unit %s: the layer has no such unit", unit)
	}
	places := onnx.NumElements(shape[1:])
	type driven struct {
		picture, place int
		value          float32
	}
	all := make([]driven, len(l.answers))
	for k := range l.answers {
		row := l.set.Row(i, k)[number*places : (number+1)*places]
		all[k] = driven{picture: k, value: float32(math.Inf(-1))}
		for at, x := range row {
			if x > all[k].value {
				all[k].place, all[k].value = at, x
			}
		}
	}
	slices.SortStableFunc(all, func(a, b driven) int { return cmp.Compare(b.value, a.value) })
	out := page.Unit{Name: fmt.Sprintf("Unit %d of %s, fold %s", number, layer, l.fold)}
	for _, d := range all[:min(patches, len(all))] {
		patch, err := l.patch(layer, shape, d.picture, d.place)
		if err != nil {
			return err
		}
		out.Patches = append(out.Patches, page.Patch{File: l.answers[d.picture].File, Value: float64(d.value), JPEG: patch})
	}
	s.Units = append(s.Units, out)
	return nil
}

// patch is the part of a picture that a place of a layer sees, as a JPEG: all of
// it for a layer that sees it as a whole.
func (l *looked) patch(layer string, shape []int, picture, place int) ([]byte, error) {
	seen, err := scoremap.Picture(l.data, picture, l.order)
	if err != nil {
		return nil, err
	}
	part := seen.Bounds()
	value, err := features.ValueOf(l.model, layer)
	if err != nil {
		return nil, err
	}
	if field, err := onnx.ReceptiveField(l.model, value); err == nil && len(shape) == 3 {
		side, left, top := int(field.Size), int(field.Start+field.Step*float64(place%shape[2])), int(field.Start+field.Step*float64(place/shape[2]))
		part = image.Rect(left, top, left+side, top+side).Intersect(part)
	}
	out := image.NewRGBA(image.Rect(0, 0, part.Dx(), part.Dy()))
	draw.Draw(out, out.Bounds(), seen, part.Min, draw.Src)
	var b bytes.Buffer
	err = jpeg.Encode(&b, out, &jpeg.Options{Quality: 85})
	return b.Bytes(), err
}
