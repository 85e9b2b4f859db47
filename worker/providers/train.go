package providers

import (
	"context"
	"fmt"

	"orchestrator/trainer"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/rng"
)

const (
	threads  = 2
	classes  = 3
	pictures = 96
	side     = 32
	batch    = 32
	epochs   = 4
)

// Networks are small builtin ones: with convolutions, pools, dropout and a fully
// connected layer, and with batch normalisation besides, which not every provider can
// train.
var Networks = []string{"tinynet", "smallnet"}

// train trains networks on generated pictures: all that is compared are the
// losses, which every device should share. What goes wrong with one of them is said of
// that one.
func (a *Answer) train(ctx context.Context, rt *ort.Runtime, networks []string) {
	for _, network := range networks {
		trained := Trained{Network: network}
		if err := trained.train(ctx, rt); err != nil {
			trained.Losses, trained.Error = nil, err.Error()
		}
		a.Trained = append(a.Trained, trained)
	}
}

func (t *Trained) train(ctx context.Context, rt *ort.Runtime) error {
	model, err := builtin.Model(t.Network, classes, 1)
	if err != nil {
		return err
	}
	all := make([]int, pictures)
	for i := range all {
		all[i] = i
	}
	job := trainer.Job{
		Model: model, Classes: []string{"red", "green", "blue"}, Data: tints{},
		Train: all[:pictures-batch], Test: all[pictures-batch:],
		LearningRate: 0.01, Momentum: 0.9, Epochs: epochs, BatchSize: batch, Seed: 1,
		Target: trainer.TargetOf(rt.Device()), Deterministic: true,
	}
	steps, seconds := 0, 0.0
	result, err := trainer.Run(ctx, job, trainer.RuntimeOf(rt), none{}, nil, func(p trainer.Progress) {
		if p.Epoch > 1 && p.Evaluated == nil {
			seconds += p.StepSeconds - p.DataSeconds
			steps++
		}
	})
	if err != nil {
		return err
	}
	for _, e := range result.History {
		t.Losses = append(t.Losses, e.TrainLoss, e.Scores["loss"])
	}
	t.StepSeconds = seconds / float64(max(steps, 1))
	return nil
}

// tints are pictures in memory, in which one of the three colours is brighter, under
// noise. They implement trainer.Data.
type tints struct{}

// Label is the colour.
func (tints) Label(sample int) int { return sample % classes }

// File is a name for messages.
func (tints) File(sample int) string { return fmt.Sprintf("generated picture %d", sample) }

// Geometry is that of all of them.
func (tints) Geometry() (channels, height, width, crop int) { return 3, side, side, 0 }

// Normalisation brings bytes to the neighbourhood of 0.
func (tints) Normalisation() (mean, scale []float32) {
	return []float32{100, 100, 100}, []float32{0.01, 0.01, 0.01}
}

// Window draws the picture; there is no crop to take, and mirrored it is none the
// different to a network.
func (tints) Window(dst []uint8, sample, _, _ int, _ bool) error {
	r := rng.New(1, fmt.Sprintf("tint %d", sample))
	for i := range dst {
		dst[i] = uint8(r.IntN(150))
		if i/(side*side) == sample%classes {
			dst[i] += 60
		}
	}
	return nil
}

// none keeps no checkpoints.
type none struct{}

// Save forgets it.
func (none) Save(trainer.Checkpoint) error { return nil }

// Latest is none.
func (none) Latest() (*trainer.Checkpoint, error) { return nil, nil }
