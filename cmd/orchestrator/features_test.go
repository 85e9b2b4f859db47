package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/tools/testenv"

	"github.com/google/go-cmp/cmp"
)

// headSweep trains the last layer alone: what lies below is computed once, which
// takes long enough to be killed meanwhile.
const headSweep = `
name: head
dataset: {path: pictures}
model: {base: "builtin:smallnet"}
preprocessing: {resize: [128, 128], channels: rgb, mean: [128, 128, 128], scale: 0.01}
training: {learning_rate: 0.1, epochs: 2, batch_size: 32, threads: 1, lr_mult: {"*": 0, fc: 1}}
cross_validation: {folds: 2}
parameters:
  training.learning_rate: {values: [0.1, 0.03]}
`

// One worker, two workers, and a daemon that is killed with kill -9 while it
// computes features: the sweep ends with the same figures.
func TestFeaturesSurviveTheirWorkers(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	w.run("dataset", "example", "pictures", "--pictures", "300", "--size", "128")
	w.run("run", w.write("head.yaml", headSweep), "--slots", "1")
	want := figures(t, w.results())
	if len(want) != 4 {
		t.Fatalf("the sweep ends with %d jobs", len(want))
	}

	c := newCluster(t)
	c.run("dataset", "example", "pictures", "--pictures", "300", "--size", "128")
	file := c.write("head.yaml", headSweep)
	first := c.worker()
	c.run("submit", file)
	// Its trainer process prepares its inputs, then computes for seconds. Asking status
	// may take as long as that where the machine is busy.
	eventually(t, time.Minute, "a job computes features", func() bool {
		for _, pid := range children(t, first.cmd.Process.Pid) {
			if busy(pid) > time.Second {
				return true
			}
		}
		return false
	})
	first.signal(syscall.SIGKILL)
	first.wait(10 * time.Second)
	c.worker()
	c.worker()
	if diff := cmp.Diff(want, figures(t, c.finish(2*time.Minute))); diff != "" {
		t.Errorf("after kill -9, with two workers (-one worker +killed):\n%s", diff)
	}
}

// busy is the processor time that a process has had.
func busy(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks, 100 a second on Linux
}
