package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/artifacts/artifactstest"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
	"orchestrator/worker"
)

// tinySweep trains long enough to be killed in the middle of a fold, and short
// enough to be run many times.
const tinySweep = `
name: tiny
dataset: {path: pictures}
model: {base: "builtin:tinynet"}
preprocessing: {resize: [36, 36], crop: 32, mirror: true, channels: rgb, mean: [128, 128, 128], scale: 0.01}
training: {learning_rate: 0.01, momentum: 0.9, epochs: 300, batch_size: 8, threads: 1}
checkpoints: {every_epochs: 10}
cross_validation: {folds: 2}
parameters:
  training.learning_rate: {values: [0.01, 0.003]}
`

// cluster is Redis, MinIO and as many workers as a test starts.
type cluster struct {
	*workspace
	redis *queuetest.Redis
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	redis, minio := queuetest.StartRedis(t), sharedMinIO(t)
	w := newWorkspace(t,
		"ORCHESTRATOR_REDIS="+redis.Options().Addr,
		"ORCHESTRATOR_STORE=s3://"+bucketOf(t),
		"ORCHESTRATOR_S3_ENDPOINT="+minio.Endpoint,
		"ORCHESTRATOR_S3_ACCESS_KEY="+minio.AccessKey,
		"ORCHESTRATOR_S3_SECRET_KEY="+minio.SecretKey,
	)
	return &cluster{w, redis}
}

// sharedMinIO is the server of all tests that do not stop it; each has a bucket of its
// own.
var sharedMinIO = func() func(t *testing.T) *artifactstest.MinIO {
	var mu sync.Mutex
	var server *artifactstest.MinIO
	return func(t *testing.T) *artifactstest.MinIO {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if server == nil {
			server = artifactstest.StartMinIO(testenv.ForPackage(t))
		}
		return server
	}
}()

// bucketOf is a bucket's name for a test, which is that of no other.
func bucketOf(t *testing.T) string {
	sum := sha256.Sum256([]byte(t.Name()))
	return fmt.Sprintf("test-%x", sum[:8])
}

func (w *workspace) tiny() string {
	w.t.Helper()
	w.run("dataset", "example", "pictures", "--pictures", "48", "--size", "36")
	return w.write("tiny.yaml", tinySweep)
}

func (c *cluster) worker() *process {
	c.t.Helper()
	return c.start("worker", "--slots", "1", "--reconcile-every", "1s")
}

// undisturbed is what the tiny sweep ends with when nothing happens to it. It is
// run once for all tests.
func undisturbed(t *testing.T) map[string]string {
	t.Helper()
	calm.Do(func() {
		w := newWorkspace(t)
		file := w.tiny()
		w.run("run", file)
		calmFigures = figures(t, w.results())
	})
	if len(calmFigures) != 4 {
		t.Fatalf("the tiny sweep ends with %d jobs, not 4", len(calmFigures))
	}
	return calmFigures
}

var (
	calm        sync.Once
	calmFigures map[string]string
)

func (w *workspace) finish(limit time.Duration) *plan.Results {
	w.t.Helper()
	var r *plan.Results
	eventually(w.t, limit, "the sweep is completed", func() bool {
		r = w.results()
		return r.State == plan.Completed
	})
	return r
}

// whileTraining waits until a job that is not over has a checkpoint.
func (w *workspace) whileTraining() plan.FoldResult {
	w.t.Helper()
	var found plan.FoldResult
	eventually(w.t, time.Minute, "a job is in the middle of its epochs", func() bool {
		out, _, code := w.try("status", "--output", "json")
		if code != exitOK {
			return false // the sweep is not submitted yet
		}
		ok := false
		eachFold(parseResults(w.t, out), func(_ plan.TrialResult, f plan.FoldResult) {
			if f.State == plan.Running && f.Progress != nil && f.Progress.Epoch >= 20 && f.Progress.Epoch < f.Progress.Epochs/2 {
				found, ok = f, true
			}
		})
		return ok
	})
	return found
}

func TestClusterEndsWithTheFiguresOfRun(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	want := undisturbed(t)
	c := newCluster(t)
	file := c.tiny()
	c.worker()
	c.worker()
	out := c.run("submit", "--watch", file)
	if !strings.Contains(out, "±") {
		t.Errorf("submit --watch ends without a table:\n%s", out)
	}
	if diff := cmp.Diff(want, figures(t, c.results())); diff != "" {
		t.Errorf("through Redis and MinIO (-run +cluster):\n%s", diff)
	}
}

func TestKilledDaemonLosesNothing(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	want := undisturbed(t)
	c := newCluster(t)
	file := c.tiny()
	first := c.worker()
	c.run("submit", file)
	killed := c.whileTraining()
	first.signal(syscall.SIGKILL)
	first.wait(10 * time.Second)
	c.worker()
	r := c.finish(3 * time.Minute)
	if diff := cmp.Diff(want, figures(t, r)); diff != "" {
		t.Errorf("after kill -9 of the daemon (-undisturbed +killed):\n%s", diff)
	}
	eachFold(r, func(_ plan.TrialResult, f plan.FoldResult) {
		if f.Job == killed.Job && f.Attempts < 2 {
			t.Errorf("the killed job has %d attempts: it was not killed in the middle", f.Attempts)
		}
	})
}

// A job whose daemon was killed trains elsewhere soon (the log says
// when) and has lost no more than the work since its last checkpoint.
func TestKilledDaemonIsReplacedSoon(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	const interval = 10 // epochs between checkpoints, as in tinySweep
	c := newCluster(t)
	file := c.tiny()
	first := c.worker()
	c.run("submit", file, "--set", "parameters={}", "--set", "training.epochs=20000")
	c.whileTraining()
	c.start("worker", "--slots", "2", "--reconcile-every", "1s")
	running := func() map[string]*plan.Progress {
		all := map[string]*plan.Progress{}
		eachFold(parseResults(t, c.run("status", "--output", "json")), func(_ plan.TrialResult, f plan.FoldResult) {
			if f.State == plan.Running && f.Progress != nil && f.Progress.Epoch > 2*interval {
				all[f.Job] = f.Progress
			}
		})
		return all
	}
	var before map[string]*plan.Progress
	eventually(t, time.Minute, "the second worker trains and has a slot left", func() bool {
		before = running()
		return len(before) == 2
	})
	first.signal(syscall.SIGKILL)
	killed := time.Now()
	var job string
	var after *plan.Progress
	eventually(t, time.Minute, "the job trains again", func() bool {
		for id, p := range running() {
			if p.Attempt > 1 {
				job, after = id, p
			}
		}
		return after != nil
	})
	took := time.Since(killed)
	t.Logf("from kill -9 to training again: %.1f s; epoch %d before, %d when it was seen again", took.Seconds(), before[job].Epoch, after.Epoch)
	if after.Epoch < before[job].Epoch-interval {
		t.Errorf("the job was in epoch %d when its daemon was killed, and went on from epoch %d", before[job].Epoch, after.Epoch)
	}
}

// A worker that was stopped, as a laptop is that sleeps, and goes on when another has
// taken its job over, leaves it to that one.
func TestStoppedWorkerLeavesItsJobToItsSuccessor(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	c := newCluster(t)
	file := c.tiny()
	first := c.worker()
	c.run("submit", file, "--set", "parameters={}", "--set", "training.epochs=50000")
	job := c.whileTraining().Job
	asleep := append(children(t, first.cmd.Process.Pid), first.cmd.Process.Pid)
	signal := func(s syscall.Signal) {
		for _, pid := range asleep {
			if err := syscall.Kill(pid, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	c.start("worker", "--slots", "2", "--reconcile-every", "1s")
	store := sharedMinIO(t).Store(t, bucketOf(t), "")
	attempt := func(n int) (a plan.Attempt, err error) {
		err = artifacts.GetJSON(t.Context(), store, plan.AttemptKey(job, n), &a)
		return a, err
	}
	eventually(t, time.Minute, "another worker takes the job over", func() bool {
		_, err := attempt(2)
		return err == nil
	})
	signal(syscall.SIGCONT)
	eventually(t, time.Minute, "the first worker has noticed", func() bool {
		a, err := attempt(1)
		return err == nil && a.End != ""
	})
	one, err := attempt(1)
	if err != nil || one.End != worker.Lost {
		t.Errorf("the first attempt ended %+v, %v", one, err)
	}
	if two, err := attempt(2); err != nil || two.End != "" {
		t.Errorf("the second attempt does not go on: %+v, %v", two, err)
	}
	if three, err := attempt(3); !errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("the job was begun once more: %+v, %v", three, err)
	}
}

func TestKilledTrainerLosesNothing(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	want := undisturbed(t)
	c := newCluster(t)
	file := c.tiny()
	daemon := c.worker()
	c.run("submit", file)
	killed := c.whileTraining()
	for _, pid := range children(t, daemon.cmd.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	r := c.finish(3 * time.Minute)
	if diff := cmp.Diff(want, figures(t, r)); diff != "" {
		t.Errorf("after kill -9 of the trainer (-undisturbed +killed):\n%s", diff)
	}
	eachFold(r, func(_ plan.TrialResult, f plan.FoldResult) {
		if f.Job == killed.Job && f.Attempts < 2 {
			t.Errorf("the killed job has %d attempts: it was not killed in the middle", f.Attempts)
		}
	})
}

func TestDrainedDaemonHandsItsJobBack(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	want := undisturbed(t)
	c := newCluster(t)
	file := c.tiny()
	first := c.worker()
	c.run("submit", file)
	c.whileTraining()
	first.signal(syscall.SIGTERM)
	if code := first.wait(30 * time.Second); code != exitOK {
		t.Errorf("a drained daemon exits with %d:\n%s", code, first.log.String())
	}
	c.worker()
	if diff := cmp.Diff(want, figures(t, c.finish(2*time.Minute))); diff != "" {
		t.Errorf("after SIGTERM (-undisturbed +drained):\n%s", diff)
	}
}

func TestFlushedRedisLosesNoOutcome(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	want := undisturbed(t)
	c := newCluster(t)
	file := c.tiny()
	first := c.worker()
	c.run("submit", file)
	var before map[string]int
	eventually(t, time.Minute, "a job is completed and another runs", func() bool {
		before = map[string]int{}
		eachFold(c.results(), func(_ plan.TrialResult, f plan.FoldResult) {
			if f.State == plan.Completed {
				before[f.Job] = f.Attempts
			}
		})
		return len(before) > 0 && len(before) < 4
	})
	first.signal(syscall.SIGKILL)
	first.wait(10 * time.Second)
	c.redis.Flush()
	c.run("resume", "latest")
	c.worker()
	r := c.finish(2 * time.Minute)
	if diff := cmp.Diff(want, figures(t, r)); diff != "" {
		t.Errorf("after FLUSHALL (-undisturbed +flushed):\n%s", diff)
	}
	eachFold(r, func(_ plan.TrialResult, f plan.FoldResult) {
		if n, done := before[f.Job]; done && f.Attempts != n {
			t.Errorf("job %s had its outcome after %d attempts and was trained again: %d", f.Job, n, f.Attempts)
		}
	})
}

// children lists the living child processes of a process.
func children(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, s := range stats {
		text, err := os.ReadFile(s)
		if err != nil {
			continue // ended meanwhile
		}
		// pid (name) state ppid ...; the name may hold spaces and brackets.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) && fields[0] != "Z" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(s)))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, pid)
		}
	}
	return found
}
