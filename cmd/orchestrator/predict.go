package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort"
)

type predictOptions struct {
	model string
	sweep string
	trial int
	crops int
	maps  mapOptions
}

func newPredictCommand(a *app) *cobra.Command {
	var o predictOptions
	cmd := &cobra.Command{
		Use:   "predict (--model FILE | --sweep SWEEP) PICTURE...",
		Short: "Classify pictures with a trained network",
		Long: `Classifies pictures with one model.onnx that a sweep exported, or with all folds'
networks of a sweep's best trial, whose probabilities are averaged. The classes
and the preprocessing are read from the model's metadata.

--map also applies the networks to every place of the pictures, enlarged to twice what
they were trained on, and draws the probability of a class over each: half picture, half
map. It needs a network whose last layers are fully connected, convolutions or averages.` + "\n" + exitHelp,
		Example: "  orchestrator predict --sweep latest photo.jpg\n  orchestrator predict --model model.onnx *.jpg --output json\n" +
			"  orchestrator predict --sweep latest --map maps photo.jpg",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPredict(cmd.Context(), a, o, args)
		},
	}
	cmd.Flags().StringVar(&o.model, "model", "", "an exported model.onnx")
	cmd.Flags().StringVar(&o.sweep, "sweep", "", "a sweep: its best trial, or the one of --trial")
	cmd.Flags().IntVar(&o.trial, "trial", -1, "a trial's number (default: the best)")
	cmd.Flags().IntVar(&o.crops, "oversample", 1, "crops of each picture to average: 1, 5 (corners and centre) or 10 (mirrored, too)")
	cmd.Flags().StringVar(&o.maps.folder, "map", "", "a folder for pictures of where the networks see the class")
	cmd.Flags().StringVar(&o.maps.class, "map-class", "", "with --map: the class (default: the second of two, or the answer)")
	cmd.Flags().IntVar(&o.maps.size, "map-size", 0, "with --map: side of the enlarged pictures, in pixels (default: twice what the network sees)")
	cmd.Flags().StringVar(&o.maps.colors, "map-colors", "blue-orange", "with --map: blue-orange, which colour-blind people can tell apart, or green-red")
	cmd.MarkFlagsMutuallyExclusive("model", "sweep")
	cmd.MarkFlagsOneRequired("model", "sweep")
	return cmd
}

// picturePrediction is the averaged answer for one picture.
type picturePrediction struct {
	File          string             `json:"file"`
	Class         string             `json:"class"`
	Probability   float64            `json:"probability"`
	Probabilities map[string]float64 `json:"probabilities"`
}

func runPredict(ctx context.Context, a *app, o predictOptions, pictures []string) error {
	if o.crops != 1 && o.crops != 5 && o.crops != 10 {
		return usagef("--oversample 10", "--oversample is %d; it may be 1, 5 or 10", o.crops)
	}
	if err := o.maps.check(); err != nil {
		return err
	}
	models, err := predictModels(ctx, a, o)
	if err != nil {
		return err
	}
	rt, err := a.openRuntime()
	if err != nil {
		return err
	}
	defer rt.Close()
	sums := make([]map[string]float64, len(pictures))
	for i := range sums {
		sums[i] = map[string]float64{}
	}
	for _, data := range models {
		if err := addAnswers(ctx, sums, data, rt, pictures, o.crops, 1/float64(len(models))); err != nil {
			return err
		}
	}
	answers := answersOf(pictures, sums)
	if o.maps.folder != "" {
		if err := a.drawMaps(ctx, o.maps, models, rt, pictures, answers); err != nil {
			return err
		}
	}
	return printPredictions(a, answers)
}

// addAnswers runs one network on all pictures and adds its probabilities, times
// share, to sums.
func addAnswers(ctx context.Context, sums []map[string]float64, model []byte, rt *ort.Runtime, pictures []string, crops int, share float64) error {
	g, err := onnximport.Read(model)
	if err != nil {
		return err
	}
	classes, geometry, err := modelMetadata(g)
	if err != nil {
		return err
	}
	data, err := dataset.Load(pictures, readPicture, geometry)
	if err != nil {
		return err
	}
	samples := make([]int, len(pictures))
	for i := range samples {
		samples[i] = i
	}
	answers, err := trainer.Evaluate(ctx, trainer.Evaluation{
		Model: g, Classes: len(classes), Data: data, Samples: samples, Batch: predictBatch, Oversample: crops,
	}, trainer.RuntimeOf(rt))
	if err != nil {
		return err
	}
	for _, p := range answers {
		for c, x := range p.Probabilities {
			sums[p.Sample][classes[c]] += share * float64(x)
		}
	}
	return nil
}

// predictBatch is how many pictures run at a time.
const predictBatch = 16

// modelMetadata reads what an exported model says of its classes and of the
// preprocessing that it was trained with.
func modelMetadata(g *onnx.Graph) (classes []string, geometry dataset.Geometry, err error) {
	var p plan.Preprocessing
	for key, into := range map[string]any{"classes": &classes, "preprocessing": &p} {
		text, ok := g.Metadata[key]
		if !ok {
			return nil, geometry, usagef("give a model.onnx that a sweep exported", "the model's metadata have no %s", key)
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return nil, geometry, usagef("give a model.onnx that a sweep exported", "the model's metadata: %s: %w", key, err)
		}
	}
	return classes, dataset.Geometry{
		Resize: p.Resize, Crop: p.Crop, Channels: p.Channels, Mean: p.Mean, Std: p.Std, Scale: p.Scale,
	}, nil
}

// predictModels reads the encoded networks that take part.
func predictModels(ctx context.Context, a *app, o predictOptions) ([][]byte, error) {
	if o.model != "" {
		data, err := os.ReadFile(o.model)
		if err != nil {
			return nil, usagef("give the path of a model.onnx", "reading the model: %w", err)
		}
		return [][]byte{data}, nil
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	results, err := a.loadResults(ctx, store, o.sweep)
	if err != nil {
		return nil, err
	}
	_, folds, err := completedFolds(results, o.trial)
	if err != nil {
		return nil, err
	}
	var models [][]byte
	for _, f := range folds {
		data, err := readModel(ctx, store, results.Sweep, f.Job)
		if err != nil {
			return nil, err
		}
		models = append(models, data)
	}
	return models, nil
}

// readModel reads the network that a job of a sweep trained.
func readModel(ctx context.Context, store artifacts.Store, sweep, job string) ([]byte, error) {
	data, err := readObject(ctx, store, plan.ModelKey(job))
	if errors.Is(err, artifacts.ErrNotFound) {
		return nil, usagef("name a sweep that trains networks", "sweep %s has no network: it is a probe, or its networks were deleted", sweep)
	}
	return data, err
}

// completedFolds lists what is completed of a trial, whose number it returns; -1
// means the best one.
func completedFolds(r *plan.Results, trial int) (int, []plan.FoldResult, error) {
	if trial < 0 {
		if r.Best == nil {
			return 0, nil, usagef("orchestrator status "+r.Sweep, "sweep %s has no completed trial yet", r.Sweep)
		}
		trial = r.Best.Trial
	}
	if trial >= len(r.Trials) {
		return 0, nil, usagef(fmt.Sprintf("trials are numbered 0 to %d", len(r.Trials)-1), "sweep %s has no trial %d", r.Sweep, trial)
	}
	folds := slices.DeleteFunc(slices.Clone(r.Trials[trial].Folds), func(f plan.FoldResult) bool { return f.State != plan.Completed })
	if len(folds) == 0 {
		return 0, nil, usagef("orchestrator status "+r.Sweep, "no fold of trial %d is completed", trial)
	}
	return trial, folds, nil
}

func readObject(ctx context.Context, store artifacts.Store, key string) ([]byte, error) {
	r, _, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return data, nil
}

func readPicture(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("give the paths of pictures", "reading the picture: %w", err)
	}
	return data, nil
}

// answersOf finds each picture's most probable class, the first of equals.
func answersOf(pictures []string, sums []map[string]float64) []picturePrediction {
	all := make([]picturePrediction, len(pictures))
	for i, probabilities := range sums {
		all[i] = picturePrediction{File: pictures[i], Probabilities: probabilities}
		classes := make([]string, 0, len(probabilities))
		for c := range probabilities {
			classes = append(classes, c)
		}
		sort.Strings(classes)
		for _, c := range classes {
			if probabilities[c] > all[i].Probability {
				all[i].Class, all[i].Probability = c, probabilities[c]
			}
		}
	}
	return all
}

func printPredictions(a *app, all []picturePrediction) error {
	if a.config.Output == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	t := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "PICTURE\tCLASS\tPROBABILITY\n")
	for _, p := range all {
		fmt.Fprintf(t, "%s\t%s\t%.4f\n", filepath.Base(p.File), p.Class, p.Probability)
	}
	return t.Flush()
}
