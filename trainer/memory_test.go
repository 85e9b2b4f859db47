//go:build !race

// The race detector's own memory is several times what is measured here.

package trainer

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/builtin"
)

// stripes are pictures that take no memory.
type stripes struct{ size int }

func (s stripes) Label(i int) int               { return i % 2 }
func (s stripes) File(i int) string             { return fmt.Sprintf("%d.png", i) }
func (s stripes) Geometry() (c, h, w, crop int) { return 3, s.size, s.size, 0 }
func (s stripes) Normalisation() (mean, scale []float32) {
	return []float32{128, 128, 128}, []float32{0.01, 0.01, 0.01}
}

func (s stripes) Window(dst []uint8, sample, _, _ int, _ bool) error {
	for i := range dst {
		dst[i] = uint8(7*i + sample)
	}
	return nil
}

// large is a job of two steps that takes far more memory than the program.
func large(t *testing.T, network string, size, batch, micro int) Job {
	t.Helper()
	model, err := builtin.Model(network, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	job := Job{
		Model: model, Classes: []string{"a", "b"}, Data: stripes{size}, LearningRate: 1e-6, Momentum: 0.9, WeightDecay: 1e-4,
		Epochs: 1, BatchSize: batch, MicroBatch: micro,
	}
	for i := range 2 * batch {
		job.Train = append(job.Train, i)
	}
	job.Test = job.Train[:batch]
	return job
}

const memoryEnv = "TRAINER_TEST_MEMORY" // network size batch micro: be the process that is measured

// The margin that docs/engine.md names.
const margin = 1.5

// Real steps, each in a process of its own, take no more than is predicted, and
// not much less.
func TestPredictedMemoryIsWhatStepsTake(t *testing.T) {
	if words := os.Getenv(memoryEnv); words != "" {
		measure(t, words)
		return
	}
	testenv.Daily(t)
	for _, words := range []string{"smallnet 128 64 64", "smallnet 128 64 16", "caffenet 227 8 8", "caffenet 227 8 2"} {
		var network string
		var size, batch, micro int
		if _, err := fmt.Sscan(words, &network, &size, &batch, &micro); err != nil {
			t.Fatal(err)
		}
		job := large(t, network, size, batch, micro)
		m, err := job.Memory()
		if err != nil {
			t.Fatal(err)
		}
		m.Export = 0 // the process does not get that far
		cmd := exec.Command(testenv.Binary(t), "-test.run=^TestPredictedMemoryIsWhatStepsTake$")
		cmd.Env = append(os.Environ(), memoryEnv+"="+words)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", words, err, out)
		}
		_, after, _ := strings.Cut(string(out), "peak of the steps: ")
		line, _, _ := strings.Cut(after, "\n")
		measured, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v\n%s", words, err, out)
		}
		t.Logf("%s: %d MB measured, %d MB predicted: %.2f times that", words, measured>>20, m.Peak()>>20, float64(m.Peak())/float64(measured))
		if m.Peak() < measured || float64(m.Peak()) > margin*float64(measured) {
			t.Errorf("%s: %d MB measured, %d MB predicted: %+v", words, measured>>20, m.Peak()>>20, m)
		}
	}
}

// measure runs a job and prints the most memory that its steps and its evaluation
// took.
func measure(t *testing.T, words string) {
	var network string
	var size, batch, micro int
	if _, err := fmt.Sscan(words, &network, &size, &batch, &micro); err != nil {
		t.Fatal(err)
	}
	peak := int64(0)
	_, err := Run(context.Background(), large(t, network, size, batch, micro), newRuntime(t), &memory{}, nil, func(p Progress) {
		if p.Evaluated != nil {
			peak = highWater(t)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("peak of the steps: %d\n", peak)
}

// highWater is the most memory that this process ever had.
func highWater(t *testing.T) int64 {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skipf("this system does not say how much memory a process had: %v", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kilobytes int64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	t.Fatal("/proc/self/status has no VmHWM")
	return 0
}

func TestSmallerMicroBatchesTakeLess(t *testing.T) {
	last := int64(0)
	for _, micro := range []int{1, 2, 4, 8, 16} {
		job := large(t, "smallnet", 64, 32, micro)
		m, err := job.Memory()
		if err != nil {
			t.Fatal(err)
		}
		if m.Peak() <= last {
			t.Errorf("micro-batches of %d take %d bytes, smaller ones %d", micro, m.Peak(), last)
		}
		last = m.Peak()
	}
}
