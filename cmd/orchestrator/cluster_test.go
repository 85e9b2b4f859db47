package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// TestRealPhotographs is a short form of examples/hymenoptera.yaml: a part of
// the photographs, small, two epochs, two folds; through run, and through Redis and
// MinIO with two workers, with the same figures.
func TestRealPhotographs(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	data := testenv.Data(t)
	sweep := []string{
		filepath.Join(testenv.Root(t), "examples", "hymenoptera.yaml"),
		"--set", "dataset.path=" + filepath.Join(data, "hymenoptera"),
		"--set", "model.base=" + filepath.Join(data, "models", "squeezenet1.1-7.onnx"),
		"--set", `dataset.include=["val/*.jpg"]`,
		"--set", "preprocessing.resize=[128,128]", "--set", "preprocessing.crop=112",
		"--set", "training.epochs=2", "--set", "cross_validation.folds=2", "--set", "training.lr_policy={policy: fixed}",
	}
	w := newWorkspace(t)
	out := w.run(append([]string{"run", "--output", "json"}, sweep...)...)
	r := parseResults(t, out)
	if accuracy := r.Trials[0].Summary["accuracy"].Mean; accuracy < 0.7 {
		t.Errorf("two epochs on the pretrained network reach an accuracy of %.3f, not 0.7", accuracy)
	}
	photo := filepath.Join(data, "hymenoptera", "train", "bees", "2467959963_a7831e9ff0.jpg")
	if answer := w.run("predict", "--sweep", "latest", photo); !strings.Contains(answer, "bees") {
		t.Errorf("a photograph of a bee is taken for something else:\n%s", answer)
	}
	c := newCluster(t)
	c.worker()
	c.worker()
	c.run(append([]string{"submit", "--watch"}, sweep...)...)
	if diff := cmp.Diff(figures(t, r), figures(t, c.results())); diff != "" {
		t.Errorf("through Redis and MinIO (-run +cluster):\n%s", diff)
	}
}

// TestMonitorShowsReadableJobs asks asynqmon what a browser would ask.
func TestMonitorShowsReadableJobs(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	c := newCluster(t)
	file := c.tiny()
	c.worker()
	c.run("submit", "--watch", file, "--set", "training.epochs=1")
	url := c.monitor()
	page := get(t, url)
	if !strings.Contains(page, "<title>Asynq") {
		t.Errorf("the monitor's page is:\n%.500s", page)
	}
	tasks := get(t, url+"api/queues/any/completed_tasks")
	job := c.results().Trials[0].Folds[0].Job
	for _, want := range []string{job, `\"trial\":0`, `\"fold\":0`, `\"sweep\":\"tiny-`, "completed"} {
		if !strings.Contains(tasks, want) {
			t.Errorf("the monitor's list of completed jobs has no %s:\n%s", want, tasks)
		}
	}
}

// monitor starts the monitor on a free port and returns its address.
func (c *cluster) monitor() string {
	c.t.Helper()
	cmd := c.command("monitor", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	return line[strings.Index(line, "http://") : len(line)-1]
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v\n%s", url, resp.Status, err, text)
	}
	return string(text)
}

// TestFailedJobSaysWhy: a loss that is not a number fails the job at once, with
// the reason, exit code 3, and a retry that fails again.
func TestFailedJobSaysWhy(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	file := w.tiny()
	args := []string{"run", file, "--set", "preprocessing.scale=1e30", "--set", "parameters={}", "--set", "training.epochs=30"}
	out, errOut, code := w.try(args...)
	if code != exitJobFailed {
		t.Errorf("exit code %d, want %d:\n%s", code, exitJobFailed, errOut)
	}
	if !strings.Contains(out, "lower training.learning_rate") {
		t.Errorf("the table does not say what to try:\n%s", out)
	}
	eachFold(w.results(), func(_ plan.TrialResult, f plan.FoldResult) {
		if f.State != plan.Failed || f.Attempts != 1 {
			t.Errorf("fold %d: %s after %d attempts; a mistake that repeats is not tried again", f.Fold, f.State, f.Attempts)
		}
	})
	if out := w.run("retry", "--failed"); !strings.Contains(out, "retried; 2 jobs, 0 completed, 0 failed") {
		t.Errorf("retry says %q", out)
	}
}

// TestInterruptedRunGoesOn: Ctrl-C checkpoints, says so with exit code 130, and
// the same command ends with the figures of a run that was left alone.
func TestInterruptedRunGoesOn(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	want := undisturbed(t)
	w := newWorkspace(t)
	file := w.tiny()
	p := w.start("run", file, "--slots", "1")
	w.whileTraining()
	p.signal(os.Interrupt)
	if code := p.wait(time.Minute); code != exitInterrupted {
		t.Errorf("exit code %d, want %d:\n%s", code, exitInterrupted, p.log.String())
	}
	w.run("run", file)
	if diff := cmp.Diff(want, figures(t, w.results())); diff != "" {
		t.Errorf("after Ctrl-C (-undisturbed +resumed):\n%s", diff)
	}
}

// TestCollectedOnMinIO: gc removes what is waste in a bucket, by what its listing said.
func TestCollectedOnMinIO(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	c := newCluster(t)
	store := sharedMinIO(t).Store(t, bucketOf(t), "")
	waste := []string{plan.PackKey("nobody"), plan.BaseKey("nobody"), plan.SpecKey("nobody"), plan.OutcomeKey("nobody")}
	for _, key := range waste {
		if err := store.Put(t.Context(), key, strings.NewReader("text"), 4); err != nil {
			t.Fatal(err)
		}
	}
	if out := c.run("gc", "--older-than", "0", "--yes"); !strings.Contains(out, "Removed 4 objects") {
		t.Errorf("gc says:\n%s", out)
	}
	for _, key := range waste {
		if _, err := store.Stat(t.Context(), key); !errors.Is(err, artifacts.ErrNotFound) {
			t.Errorf("%s is still there: %v", key, err)
		}
	}
}

// TestSpentBudgetIsNoSuccess: a run whose sweep is canceled before its end says why, what
// to try, and ends with a code of its own.
func TestSpentBudgetIsNoSuccess(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	file := w.tiny()
	out, errOut, code := w.try("run", file, "--set", "training.epochs=100000", "--set", "budget.time=1s")
	if code != exitIncomplete || !strings.Contains(out, "canceled") {
		t.Errorf("exit code %d, want %d:\n%s", code, exitIncomplete, out)
	}
	for _, want := range []string{"its time budget of 1s is spent", "--budget-time", "then the same run"} {
		if !strings.Contains(errOut, want) {
			t.Errorf("it does not say %q:\n%s", want, errOut)
		}
	}
}
