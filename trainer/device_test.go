package trainer

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/optim"
	"orchestrator/trainer/ort/orttest"
)

// deviceJobs are jobs with all that a state can hold, written for a device.
func deviceJobs() map[string]Job {
	jobs := map[string]Job{}
	for name, change := range map[string]func(*Job){
		"whole mini-batches": func(*Job) {},
		"adam": func(j *Job) {
			j.Optimizer, j.Hyper = "adam", optim.Hyper{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
		},
		"micro-batches": func(j *Job) { j.MicroBatch = 2 },
		"an average":    func(j *Job) { j.Average = 0.5 },
		"batch norm":    func(j *Job) { j.Model = network(2, layers{batchNorm: true, dropout: true}) },
		"float16": func(j *Job) { // its first step is skipped
			j.Precision, j.ClassWeights, j.LearningRate = "float16", []float64{64, 64}, 1e-3
			j.Model = network(2, layers{batchNorm: true, dropout: true})
		},
		"frozen below": func(j *Job) { j.Rates = map[string]Rates{"conv_w": {}, "conv_b": {}} },
	} {
		job := smallJob(layers{dropout: true})
		job.Target, job.Deterministic = compile.CUDA, true
		change(&job)
		jobs[name] = job
	}
	return jobs
}

// A device with a memory of its own computes the same bits as the same device
// would in the host's: only where the state lies differs.
func TestStateInADevicesMemory(t *testing.T) {
	host, device := newRuntime(t), orttest.OwnMemory(t, 2)
	for name, job := range deviceJobs() {
		t.Run(name, func(t *testing.T) {
			want := mustRun(t, job, host, &memory{})
			kept := &memory{}
			job.CheckpointEveryEpochs = 1
			if d := diff(want, mustRun(t, job, RuntimeOf(device), kept)); d != "" {
				t.Errorf("in its own memory it differs:\n%s", d)
			}
			if len(kept.positions) == 0 {
				t.Error("no checkpoint was written")
			}
		})
	}
}

// The weights go to the device once, and come back in checkpoints and at the end: in
// between there are only mini-batches and losses.
func TestTrafficOfAStep(t *testing.T) {
	rt := orttest.OwnMemory(t, 1)
	job := smallJob(layers{})
	job.Target, job.Epochs, job.Policy = "cuda", 1, Policy{}
	var at []int64
	_, err := Run(context.Background(), job, RuntimeOf(rt), &memory{}, nil, func(p Progress) {
		if p.Evaluated == nil {
			at = append(at, rt.Traffic().ToDevice+rt.Traffic().ToHost)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// Pictures, labels, weights in the loss; the learning rate and the loss.
	const batch, scalars = 4 * (2*6*6 + 8 + 4), 4 + 4
	for i := 1; i < len(at); i++ {
		if got := at[i] - at[i-1]; got != batch+scalars {
			t.Errorf("step %d moved %d bytes; its mini-batch has %d", i+1, got, batch)
		}
	}
	if len(at) != 3 {
		t.Errorf("%d steps", len(at))
	}
}

// Interrupted after any run of a graph, a job on a device ends with the bits of the
// unbroken run.
func TestInterruptedOnADevice(t *testing.T) {
	testenv.Daily(t)
	device := RuntimeOf(orttest.OwnMemory(t, 2))
	for name, job := range deviceJobs() {
		t.Run(name, func(t *testing.T) {
			runs := 0
			whole, err := Run(context.Background(), job, counting{device, func() { runs++ }}, &memory{}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			for at := range runs {
				ck := &memory{}
				if err := interrupted(job, device, ck, at); !errors.Is(err, ErrInterrupted) {
					t.Fatalf("interrupted after %d of %d runs: %v", at, runs, err)
				}
				if d := diff(whole, mustRun(t, job, device, ck)); d != "" {
					t.Errorf("interrupted after %d of %d runs, at %v:\n%s", at, runs, ck.positions, d)
				}
			}
		})
	}
}

// A real graphics processor in software, with other kernels than the CPU's, a
// memory that the host cannot read, and no updates in place.
func TestTrainingOnAGraphicsProcessor(t *testing.T) {
	testenv.Daily(t)
	graphics := orttest.Graphics(t)
	job := deviceJobs()["micro-batches"]
	job.Target = compile.WebGPU
	want := mustRun(t, job, newRuntime(t), &memory{})
	got := mustRun(t, job, RuntimeOf(graphics), &memory{})
	for i, line := range got.History {
		if off := math.Abs(line.TrainLoss - want.History[i].TrainLoss); off > 1e-4*want.History[i].TrainLoss {
			t.Errorf("epoch %d: loss %v, on the CPU %v", i+1, line.TrainLoss, want.History[i].TrainLoss)
		}
	}
	t.Logf("losses %v, on the CPU %v; left to the CPU: %v", got.History, want.History, graphics.Placement())
}

func TestGraphsForTheCPUOnADevice(t *testing.T) {
	blocks := &compile.Program{State: []compile.Slot{{Name: "param:fc_w", Param: "fc_w", Shape: []int{2, 36}, Rows: 1}}}
	_, err := newState(RuntimeOf(orttest.OwnMemory(t, 1)), network(2, layers{}), blocks)
	if err == nil || !strings.Contains(err.Error(), "updated in blocks") {
		t.Errorf("got %v", err)
	}
}
