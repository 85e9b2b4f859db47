package worker

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

func TestAttemptIsCompletedAndRecorded(t *testing.T) {
	b := newBench(t)
	b.submit("noise.quick")
	b.do("noise.quick", Completed)
	o := b.outcome("noise.quick")
	if o.Job != "noise.quick" || o.Sweep != "sweep" || o.Host != "here" || o.Device != "cpu" || o.Attempts != 1 ||
		o.Finished == "" || o.Metrics["accuracy"] != 0.75 || len(o.History) != 1 {
		t.Errorf("the outcome is %+v", o)
	}
	a := b.attempts("noise.quick")
	if len(a) != 1 || a[0].Number != 1 || a[0].End != "completed" || a[0].Host != "here" || a[0].Started == "" || a[0].Ended == "" {
		t.Errorf("the attempts are %+v", a)
	}

	b.do("noise.quick", Completed)
	if got := b.ends("noise.quick"); got != "completed" {
		t.Errorf("a job with an outcome was attempted again: %s", got)
	}
}

func TestProgressReachesTheBoard(t *testing.T) {
	b := newBench(t)
	b.submit("train")
	ended := b.start(t.Context(), "train")
	eventually(t, "progress is on the board", func() bool {
		p, ok := b.board.of("train")
		return ok && p.Job == "train" && p.Attempt == 1 && p.Host == "here" && p.Device == "cpu" &&
			p.Step == 10 && p.Steps == 30 && p.Epochs == 3 && p.Loss == 0.5 && p.Updated != ""
	})
	b.daemon.Stop()
	if end := <-ended; end != Interrupted {
		t.Errorf("ended %s", end)
	}
}

func TestBoardThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Board = &fakeBoard{wait: make(chan struct{})} })
	b.submit("quick")
	b.do("quick", Completed)
}

func TestCrashIsRetried(t *testing.T) {
	for _, c := range []struct{ job, says string }{
		{"crash", "exited with status 3; it said last:\nfirst line\nlast words"},
		{"segfault", "SIGSEGV: segmentation violation"},
		{"transient", "the store is away"},
	} {
		t.Run(c.job, func(t *testing.T) {
			b := newBench(t)
			b.submit(c.job)
			if err := b.do(c.job, Retry); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want it to say %q", err, c.says)
			}
			a := b.attempts(c.job)
			if len(a) != 1 || a[0].End != "failed" || !strings.Contains(a[0].Detail, c.says) {
				t.Errorf("the attempts are %+v", a)
			}
		})
	}
}

func TestJobThatCrashedTwiceCompletes(t *testing.T) {
	b := newBench(t)
	b.submit("crashtwice")
	b.do("crashtwice", Retry)
	b.do("crashtwice", Retry)
	b.do("crashtwice", Completed)
	if got := b.ends("crashtwice"); got != "failed failed completed" {
		t.Errorf("the attempts ended %s", got)
	}
	if got := b.outcome("crashtwice").Attempts; got != 3 {
		t.Errorf("the outcome counts %d attempts", got)
	}
}

func TestJobIsGivenUpAfterMaxRestarts(t *testing.T) {
	b := newBench(t)
	b.submit("crash")
	for range 2 { // as often as the user retries
		b.do("crash", Retry)
		b.do("crash", Retry)
		err := b.do("crash", Failed)
		var given *GivenUpError
		if !errors.As(err, &given) || !strings.Contains(err.Error(), "last words") || !strings.Contains(err.Error(), "after 2 restarts") {
			t.Errorf("given up with %v", err)
		}
		before := len(b.attempts("crash"))
		b.do("crash", Failed) // delivered once more
		if after := len(b.attempts("crash")); after != before {
			t.Errorf("a job that was given up was attempted again")
		}
		var f plan.Failure
		if err := artifacts.GetJSON(t.Context(), b.store, plan.FailureKey("crash"), &f); err != nil || f.Attempts != before || f.Job != "crash" || f.Finished == "" {
			t.Errorf("the failure is %+v, %v", f, err)
		}
		if err := b.store.Delete(t.Context(), plan.FailureKey("crash")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPermanentFailureIsNotRetried(t *testing.T) {
	b := newBench(t)
	b.submit("permanent")
	err := b.do("permanent", Failed)
	var given *GivenUpError
	if !errors.As(err, &given) || given.Failure.Reason != "a bad picture" || given.Hint() != "remove it" {
		t.Errorf("given up with %v", err)
	}
	if got := b.ends("permanent"); got != "failed" {
		t.Errorf("the attempts ended %s", got)
	}
}

// Attempts that were lost count only where they lead nowhere.
func TestAttemptsThatAreLostEndSomewhere(t *testing.T) {
	b := newBench(t)
	b.submit("quick")
	for n := range maxLost {
		if _, err := b.daemon.register(t.Context(), "quick", "cpu", n+1); err != nil {
			t.Fatal(err)
		}
	}
	err := b.do("quick", Failed)
	if err == nil || !strings.Contains(err.Error(), "20 attempts in a row were killed") {
		t.Errorf("given up with %v", err)
	}
	if err := b.store.Delete(t.Context(), plan.FailureKey("quick")); err != nil {
		t.Fatal(err)
	}
	b.do("quick", Completed)
}

func TestInterruptionsAreNotCounted(t *testing.T) {
	b := newBench(t)
	b.submit("train")
	for range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := b.start(ctx, "train")
		eventually(t, "the attempt is under way", func() bool { return strings.HasSuffix(b.ends("train")+" ", " ") && b.childrenAlive() == 1 })
		cancel()
		if end := <-ended; end != Interrupted {
			t.Fatalf("ended %s", end)
		}
	}
	if got := b.ends("train"); got != "interrupted interrupted interrupted interrupted" {
		t.Errorf("the attempts ended %s", got)
	}
}

func (b *bench) childrenAlive() int {
	n := 0
	for _, pid := range pids(b.folder) {
		if alive(pid) {
			n++
		}
	}
	return n
}

func TestKilledChildIsRetried(t *testing.T) {
	b := newBench(t)
	b.submit("train")
	ended := b.start(t.Context(), "train")
	if err := syscall.Kill(b.whenRunning("train"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if end := <-ended; end != Retry {
		t.Errorf("ended %s", end)
	}
	if a := b.attempts("train"); !strings.Contains(a[0].Detail, "killed (signal 9)") {
		t.Errorf("the attempts are %+v", a)
	}
}

func TestResultCountsHoweverTheChildWentDown(t *testing.T) {
	b := newBench(t)
	b.submit("crashlate")
	b.do("crashlate", Completed)
	if b.outcome("crashlate").Metrics["accuracy"] != 0.75 {
		t.Error("the outcome is lost")
	}
}

func TestCancelMarkStopsTheAttempt(t *testing.T) {
	b := newBench(t)
	b.submit("train")
	ended := b.start(t.Context(), "train")
	b.whenRunning("train")
	b.mark("another-sweep")
	b.mark("sweep")
	if end := <-ended; end != Canceled {
		t.Errorf("ended %s", end)
	}
	if got := b.ends("train"); got != "canceled" {
		t.Errorf("the attempts ended %s", got)
	}
	if got := b.traces(); got[len(got)-1] != "train 1 ended" {
		t.Errorf("the child was not allowed to write its checkpoint: %q", got)
	}

	b.do("train", Canceled)
	if n := len(b.attempts("train")); n != 1 {
		t.Errorf("a job of a canceled sweep was attempted: %d attempts", n)
	}
}

func TestDrainInterruptsAndWaits(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Slots = []Slot{{Device: "cpu"}, {Device: "cpu"}} })
	var ended []<-chan End
	for _, job := range []string{"train.a", "train.b", "train.c"} { // the third waits for a slot
		b.submit(job)
		ended = append(ended, b.start(t.Context(), job))
	}
	eventually(t, "both slots are taken", func() bool { return b.childrenAlive() == 2 })
	if err := b.daemon.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	for _, e := range ended {
		if end := <-e; end != Interrupted {
			t.Errorf("ended %s", end)
		}
	}
	all := b.ends("train.a") + " " + b.ends("train.b") + " " + b.ends("train.c")
	if strings.Count(all, "interrupted") != 2 || len(strings.Fields(all)) != 2 {
		t.Errorf("the attempts ended %q", all)
	}
	b.submit("quick")
	b.do("quick", Interrupted)
	if err := b.daemon.Drain(t.Context()); err != nil {
		t.Errorf("a second Drain: %v", err)
	}
}

func TestChildThatDoesNotStopIsKilled(t *testing.T) {
	b := newBench(t, func(o *Options) { o.StopGrace = 50 * time.Millisecond })
	b.submit("hang")
	ended := b.start(t.Context(), "hang")
	b.whenRunning("hang")
	b.daemon.Stop()
	if end := <-ended; end != Interrupted {
		t.Errorf("ended %s", end)
	}
	if a := b.attempts("hang"); a[0].End != "interrupted" || !strings.Contains(a[0].Detail, "did not stop") {
		t.Errorf("the attempt is %+v", a)
	}
}

func TestDrainThatTakesTooLongKills(t *testing.T) {
	b := newBench(t)
	b.submit("hang")
	ended := b.start(t.Context(), "hang")
	b.whenRunning("hang")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.daemon.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain = %v", err)
	}
	if end := <-ended; end != Interrupted {
		t.Errorf("ended %s", end)
	}
}

func TestChildThatHangsIsKilled(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Stall = 100 * time.Millisecond })
	b.submit("hang")
	err := b.do("hang", Retry)
	if err == nil || !strings.Contains(err.Error(), "no sign of life") {
		t.Errorf("the error is %v", err)
	}
}

func TestPipesHeldOpenDoNotHoldTheSlot(t *testing.T) {
	b := newBench(t)
	b.submit("orphan")
	b.do("orphan", Completed)
}

func TestChildThatCannotBeStarted(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Command = func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "/no/such/program") }
	})
	b.submit("quick")
	if err := b.do("quick", Retry); err == nil || !strings.Contains(err.Error(), "could not be started") {
		t.Errorf("the error is %v", err)
	}
}

func TestSecondDoJoinsTheFirst(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Slots = []Slot{{Device: "cpu"}, {Device: "cpu"}} })
	b.submit("train")
	first := b.start(t.Context(), "train")
	b.whenRunning("train")
	second := b.start(t.Context(), "train")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if end := <-b.start(gone, "train"); end != Interrupted {
		t.Errorf("a Do that gave up waiting ended %s", end)
	}
	b.daemon.Stop()
	if a, c := <-first, <-second; a != Interrupted || c != Interrupted {
		t.Errorf("ended %s and %s", a, c)
	}
	if n := len(b.attempts("train")); n != 1 {
		t.Errorf("%d attempts", n)
	}
}

func TestTwoDaemonsRecordOneOutcome(t *testing.T) {
	b := newBench(t)
	other := New(b.daemon.Options)
	b.submit("quick")
	ended := make(chan End, 2)
	for _, d := range []*Daemon{b.daemon, other} {
		go func() {
			end, _ := d.Do(t.Context(), Task{Sweep: "sweep", Job: "quick"})
			ended <- end
		}()
	}
	if x, y := <-ended, <-ended; x != Completed || y != Completed {
		t.Errorf("ended %s and %s", x, y)
	}
	a := b.attempts("quick")
	if o := b.outcome("quick"); o.Attempts < 1 || o.Attempts > len(a) {
		t.Errorf("the outcome counts %d of %d attempts", o.Attempts, len(a))
	}
}

func TestSlotIsFreeOnlyAfterTheChildsExit(t *testing.T) {
	b := newBench(t)
	jobs := []string{"quick.a", "quick.b", "quick.c", "quick.d"}
	var ended []<-chan End
	for _, job := range jobs {
		b.submit(job)
		ended = append(ended, b.start(t.Context(), job))
	}
	for _, e := range ended {
		if end := <-e; end != Completed {
			t.Errorf("ended %s", end)
		}
	}
	running := 0
	for _, line := range b.traces() {
		switch {
		case strings.HasSuffix(line, "started"):
			running++
		case strings.HasSuffix(line, "ended"):
			running--
		}
		if running > 1 {
			t.Fatalf("two children ran in one slot: %q", b.traces())
		}
	}
}

func TestDeviceIsRespected(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Slots = []Slot{{Device: "cpu"}, {Device: "cuda"}} })
	b.submit("quick", func(s *plan.Spec) { s.Resources.Device = "cuda" })
	b.do("quick", Completed)
	if got := b.outcome("quick").Device; got != "cuda" {
		t.Errorf("a job for cuda ran on %s", got)
	}
	b = newBench(t)
	b.submit("quick", func(s *plan.Spec) { s.Resources.Device = "cuda" })
	if err := b.do("quick", Retry); !strings.Contains(err.Error(), "cuda") {
		t.Errorf("the error is %v", err)
	}
}

// A job that any device would do for runs on the kind that it was fetched for, and its
// trainer process sees the slot's device alone.
func TestTrainerSeesItsDeviceAlone(t *testing.T) {
	t.Setenv("CUDA_VISIBLE_DEVICES", "0,1")
	b := newBench(t, func(o *Options) {
		o.Slots = []Slot{
			{Device: "cuda", Env: []string{"CUDA_VISIBLE_DEVICES=GPU-1"}, About: "cuda:0 (A100)", Versions: map[string]string{"gpu": "A100"}},
			{Device: "cpu", Env: []string{"CUDA_VISIBLE_DEVICES="}},
		}
	})
	for kind, want := range map[string]string{"cpu": "shown-cpu--", "cuda": "shown-cuda-GPU-1-A100"} {
		job := "shown." + kind
		b.submit(job)
		if end, err := b.daemon.Do(t.Context(), Task{Sweep: "sweep", Job: job, Device: kind}); end != Completed {
			t.Fatalf("%s ended %s: %v", job, end, err)
		}
		if !slices.Contains(b.traces(), job+" 1 "+want) {
			t.Errorf("%s: no %q among %q", job, want, b.traces())
		}
		if o := b.outcome(job); o.Device != kind || b.attempts(job)[0].Device != kind {
			t.Errorf("a job for %s ran on %s", kind, o.Device)
		}
	}
}

func TestJobOfAnotherEngineIsLeftToOthers(t *testing.T) {
	b := newBench(t)
	b.submit("quick", func(s *plan.Spec) { s.Engine = "0" })
	if err := b.do("quick", Retry); !strings.Contains(err.Error(), "engine 0") {
		t.Errorf("the error is %v", err)
	}
	if n := len(b.attempts("quick")); n != 0 {
		t.Errorf("%d attempts", n)
	}
}

func TestJobWithoutSpec(t *testing.T) {
	b := newBench(t)
	if err := b.do("unknown", Retry); !errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("the error is %v", err)
	}
}

func TestEndIsRecordedWhenTheStoreComesBack(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Store = &flaky{Store: o.Store, left: map[string]int{plan.OutcomeKey("quick"): 2, plan.FailureKey("permanent"): 2}}
	})
	b.submit("quick")
	b.do("quick", Completed)
	b.outcome("quick")
	b.submit("permanent")
	b.do("permanent", Failed)
}

func TestEndThatCannotBeRecordedIsRetried(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Patience = 150 * time.Millisecond
		o.Store = &flaky{Store: o.Store, left: map[string]int{plan.OutcomeKey("quick"): 1000}}
	})
	b.submit("quick")
	if err := b.do("quick", Retry); !errors.Is(err, artifacts.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
}

// A daemon is killed with kill -9; its child must not live on.
func TestChildDiesWithItsDaemon(t *testing.T) {
	folder := t.TempDir()
	store, err := artifacts.Dir(filepath.Join(folder, "store"))
	if err != nil {
		t.Fatal(err)
	}
	spec := plan.Spec{Job: "train", Engine: plan.Engine, Sweep: "sweep"}
	if err := artifacts.PutJSON(t.Context(), store, plan.SpecKey("train"), spec); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(testenv.Binary(t))
	daemon.Env = append(os.Environ(), playEnv+"=daemon", folderEnv+"="+folder)
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child runs", func() bool { return len(pids(folder)) == 1 })
	child := pids(folder)[0]
	if !alive(child) {
		t.Fatal("the child is gone before its daemon")
	}
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()
	eventually(t, "the child dies with its daemon", func() bool { return !alive(child) })

	var a plan.Attempt
	if err := artifacts.GetJSON(t.Context(), store, plan.AttemptKey("train", 1), &a); err != nil || a.End != "" {
		t.Errorf("the attempt is %+v, %v", a, err)
	}
}

// silent is a store that does not tell whether a key is there, once it is to be so.
type silent struct {
	artifacts.Store
	key   string
	on    atomic.Bool
	asked chan struct{} // gets something for each question
}

func (s *silent) Stat(ctx context.Context, key string) (artifacts.Info, error) {
	if key != s.key || !s.on.Load() {
		return s.Store.Stat(ctx, key)
	}
	select {
	case s.asked <- struct{}{}:
	case <-ctx.Done():
	}
	return artifacts.Info{}, artifacts.ErrUnavailable
}

// A store that does not answer says nothing of the marks of a sweep: the job goes on.
func TestUnansweredQuestionsAreNoMarks(t *testing.T) {
	for _, key := range []string{plan.CancelKey("sweep"), plan.PauseKey("sweep"), plan.OutcomeKey("train")} {
		b := newBench(t)
		b.submit("train")
		store := &silent{Store: b.store, key: key, asked: make(chan struct{})}
		b.daemon.Store = store
		ended := b.start(t.Context(), "train")
		b.whenRunning("train")
		store.on.Store(true)
		for range 3 {
			select {
			case <-store.asked:
			case end := <-ended:
				t.Fatalf("without an answer about %s it ended %s", key, end)
			}
		}
		store.on.Store(false)
		b.daemon.Stop()
		if end := <-ended; end != Interrupted {
			t.Errorf("without an answer about %s it ended %s", key, end)
		}
	}
}

// A job that another worker has completed, or taken over, is not trained to the end.
func TestAttemptEndsWhereAnotherHasTheJob(t *testing.T) {
	t.Run("completed", func(t *testing.T) {
		b := newBench(t)
		b.submit("train")
		ended := b.start(t.Context(), "train")
		b.whenRunning("train")
		if err := artifacts.CreateJSON(t.Context(), b.store, plan.OutcomeKey("train"), plan.Outcome{Job: "train", Host: "elsewhere"}); err != nil {
			t.Fatal(err)
		}
		if end := <-ended; end != Completed {
			t.Errorf("ended %s", end)
		}
		if a := b.attempts("train"); len(a) != 1 || a[0].End != Lost || a[0].Detail != "another attempt has recorded the outcome" {
			t.Errorf("the attempts are %+v", a)
		}
		if o := b.outcome("train"); o.Host != "elsewhere" {
			t.Errorf("the outcome is %+v", o)
		}
	})
	t.Run("taken over", func(t *testing.T) {
		b := newBench(t)
		b.submit("train")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := b.start(ctx, "train")
		b.whenRunning("train")
		cancel(errors.New("taken over by another"))
		if end := <-ended; end != Interrupted {
			t.Errorf("ended %s", end)
		}
		if a := b.attempts("train"); len(a) != 1 || a[0].End != Lost || a[0].Detail != "taken over by another" {
			t.Errorf("the attempts are %+v", a)
		}
	})
}
