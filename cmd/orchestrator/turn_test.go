package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

// Two runs in one folder train every job once; the second says that it waits.
func TestSecondRunWaitsForTheFirst(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	file := w.tiny()
	first := w.start("run", file, "--slots", "1")
	w.whileTraining()
	second := w.start("run", file, "--slots", "1")
	eventually(t, time.Minute, "the second run says that it waits", func() bool {
		return strings.Contains(second.log.String(), "Another run works on this store, on sweep tiny-")
	})
	for _, p := range []*process{first, second} {
		if code := p.wait(3 * time.Minute); code != exitOK {
			t.Errorf("exit code %d:\n%s", code, p.log.String())
		}
	}
	eachFold(w.results(), func(trial plan.TrialResult, f plan.FoldResult) {
		if f.Attempts != 1 {
			t.Errorf("trial %d fold %d has %d attempts", trial.Trial, f.Fold, f.Attempts)
		}
	})
}

// A run works on its own sweep, also where the store has another that is not over, and
// begins at once where one was killed.
func TestRunLeavesOtherSweepsAlone(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	file := w.tiny()
	p := w.start("run", file, "--slots", "1", "--set", "training.epochs=20000")
	w.whileTraining()
	p.signal(os.Kill)
	p.wait(time.Minute)
	w.run("run", file, "--set", "name=own", "--set", "training.epochs=2", "--set", "parameters={}")
	if r := parseResults(t, w.run("results", "tiny", "--output", "json")); r.State != plan.Pending {
		t.Errorf("the other sweep is %s", r.State)
	}
	out := w.run("logs", "tiny", "--output", "json")
	if n := strings.Count(out, `"attempt":`); n != 1 {
		t.Errorf("the jobs of the other sweep have %d attempts:\n%s", n, out)
	}
}

// Two queues on one store are found by their workers and by doctor, and a run beside
// them is refused.
func TestTwoQueuesOnOneStoreAreFound(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	c := newCluster(t)
	file := c.tiny()
	first := c.worker()
	c.run("submit", file, "--set", "training.epochs=1", "--watch")
	if out := c.run("doctor"); !strings.Contains(out, "works on the store") {
		t.Errorf("one queue:\n%s", out)
	}
	if _, said, code := c.try("run", file); code != exitUsage || !strings.Contains(said, "beside them run would train their jobs a second time") {
		t.Errorf("run beside workers ends with %d:\n%s", code, said)
	}
	second := c.start("worker", "--redis", queuetest.StartRedis(t).Options().Addr)
	eventually(t, time.Minute, "the second worker warns", func() bool {
		return strings.Contains(second.log.String(), "another queue works on this store")
	})
	out, _, code := c.try("doctor")
	if code != exitFailed || !strings.Contains(out, "2 queues work on the store") {
		t.Errorf("doctor ends with %d:\n%s", code, out)
	}
	for _, p := range []*process{first, second} {
		p.signal(os.Interrupt)
		p.wait(time.Minute)
	}
	if out := c.run("doctor"); !strings.Contains(out, "none works on the store now") {
		t.Errorf("when the workers are gone:\n%s", out)
	}
}
