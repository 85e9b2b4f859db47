package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"orchestrator/trainer"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/ort"
)

// whole is one side's training steps in one precision, as its process prints them.
type whole struct {
	Precision string    `json:"precision"`
	Seconds   []float64 `json:"seconds"`        // of each step, until the device has done it
	Data      []float64 `json:"data,omitempty"` // of which waiting for pictures
	// Stream is the time of a step where nobody waits for one before the next is
	// begun; PyTorch alone.
	Stream float64   `json:"stream,omitempty"`
	Losses []float64 `json:"losses"`
	// Skipped are the steps without an update, counted from 0: float16 looks for its
	// loss scale in the first ones.
	Skipped []int `json:"skipped,omitempty"`
	Memory  int64 `json:"memory_bytes,omitempty"` // of the device, taken by this process
	// What a step sends to the device's memory and fetches, and the pictures and labels
	// of its mini-batch.
	ToDevice  int64           `json:"to_device_bytes"`
	ToHost    int64           `json:"to_host_bytes"`
	Batch     int64           `json:"batch_bytes"`
	LeftToCPU []ort.Placement `json:"left_to_cpu,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// order is what a process of ours trains.
type order struct {
	models, network string
	batch, steps    int
	device          string
	precisions      []string
	// deterministic is the default of sweep files.
	deterministic bool
	// own keeps the state as on a device with a memory of its own, and with graphs that
	// are written for one: it is how a processor stands in for a GPU.
	own bool
}

// wholes trains the order in each precision and prints the results.
func wholes(o order) error {
	var all []whole
	for _, precision := range o.precisions {
		w, err := o.train(precision)
		if err != nil {
			w = &whole{Error: err.Error()}
		}
		w.Precision = precision
		all = append(all, *w)
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func (o order) train(precision string) (*whole, error) {
	job, pictures, err := o.job(precision)
	if err != nil {
		return nil, err
	}
	before := deviceMemory(o.device)
	rt, err := ort.New(ort.Options{Threads: threads(), Device: o.device, OwnMemory: o.own, Tuning: ort.Tuning{TF32: precision == "tf32", Deterministic: o.deterministic}})
	if err != nil {
		return nil, err
	}
	defer rt.Close()
	w := &whole{Batch: int64(o.batch * (pictures.bytes() + 8))}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var first ort.Traffic
	sum := 0.0
	_, err = trainer.Run(ctx, job, trainer.RuntimeOf(rt), nowhere{}, nil, func(p trainer.Progress) {
		w.Seconds, w.Data = append(w.Seconds, p.StepSeconds), append(w.Data, p.DataSeconds)
		total := p.TrainLoss * float64(p.Step)
		w.Losses = append(w.Losses, total-sum)
		sum = total
		if p.Skipped {
			w.Skipped = append(w.Skipped, p.Step-1)
		}
		switch t := rt.Traffic(); p.Step {
		case 1:
			first = t // with the state, which is sent once
		case o.steps:
			w.ToDevice, w.ToHost = (t.ToDevice-first.ToDevice)/int64(o.steps-1), (t.ToHost-first.ToHost)/int64(o.steps-1)
			w.Memory = deviceMemory(o.device) - before
			cancel()
		}
	})
	w.LeftToCPU = rt.Placement()
	if !errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("training ended with %w", err)
	}
	return w, nil
}

// job is a mini-batch of noise, trained on again and again, in more steps than will
// be done. What Dropout draws is the same on all devices. The rate is low: from new
// weights, BatchNormalization over a few pictures magnifies a difference in the last
// bits from step to step, and faster steps would magnify it more.
func (o order) job(precision string) (trainer.Job, *noise, error) {
	model, size, err := load(o.models, o.network)
	if err != nil {
		return trainer.Job{}, nil, err
	}
	begin(model)
	pictures := newNoise(size, o.batch)
	job := trainer.Job{
		Model: model, Classes: make([]string, 1000), Data: pictures,
		Optimizer: "sgd", LearningRate: 3e-4, Momentum: 0.9, WeightDecay: 5e-4,
		Epochs: 1, BatchSize: o.batch, Precision: precision, Target: "cpu", Deterministic: o.deterministic, Seed: 1,
	}
	if o.own || o.device != "cpu" {
		job.Target = "cuda" // as for all graphics processors
	}
	for i := range job.Classes {
		job.Classes[i] = strconv.Itoa(i)
	}
	for i := range o.batch * (o.steps + 1) {
		job.Train = append(job.Train, i)
	}
	job.Test = job.Train[:o.batch]
	return job, pictures, nil
}

// begin gives the layers new weights, with which losses move: the light models have
// none, or all the same.
func begin(model *onnx.Graph) {
	ones, last := map[string]bool{}, ""
	for _, n := range model.Nodes {
		switch n.Op {
		case "BatchNormalization":
			ones[n.Inputs[1]], ones[n.Inputs[4]] = true, true
		case "Conv", "Gemm":
			last = n.Inputs[1]
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, w := range model.Initializers {
		if w.Type != onnx.Float {
			continue
		}
		values := w.F32()
		deviation := 0.0
		if len(w.Shape) > 1 {
			deviation = math.Sqrt(2 * float64(w.Shape[0]) / float64(len(values))) // He et al. 2015
		}
		if w.Name == last {
			deviation /= 20 // as of a new head: scores that say little yet
		}
		for i := range values {
			values[i] = float32(deviation * random.NormFloat64())
			if ones[w.Name] {
				values[i] = 1
			}
		}
	}
}

// noise is a data set of as many random pictures as a mini-batch has, under any number.
type noise struct {
	size, count int
	pixels      []uint8
}

func newNoise(size, count int) *noise {
	n := &noise{size: size, count: count, pixels: make([]uint8, count*3*size*size)}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range n.pixels {
		n.pixels[i] = uint8(random.Uint32())
	}
	return n
}

func (n *noise) bytes() int { return 3 * n.size * n.size }

func (n *noise) Label(sample int) int { return sample % n.count * 3 % 10 }

func (n *noise) File(sample int) string { return strconv.Itoa(sample % n.count) }

func (n *noise) Geometry() (channels, height, width, crop int) { return 3, n.size, n.size, 0 }

func (n *noise) Window(dst []uint8, sample, _, _ int, _ bool) error {
	at := sample % n.count * n.bytes()
	copy(dst, n.pixels[at:at+n.bytes()])
	return nil
}

func (n *noise) Normalisation() (mean, scale []float32) {
	return []float32{128, 128, 128}, []float32{1. / 64, 1. / 64, 1. / 64}
}

// nowhere keeps no checkpoint: a benchmark has none to go on from.
type nowhere struct{}

func (nowhere) Save(trainer.Checkpoint) error { return nil }

func (nowhere) Latest() (*trainer.Checkpoint, error) { return nil, nil }

// deviceMemory is what is taken of the first GPU's memory, by anyone; 0 on the CPU.
func deviceMemory(device string) int64 {
	if device != "cuda" {
		return 0
	}
	out, err := exec.Command("nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits").Output()
	if err != nil {
		return 0 // the table says that it is not known
	}
	megabytes, _ := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return megabytes << 20
}
