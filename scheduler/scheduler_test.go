package scheduler_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func submit(t testing.TB, s *scheduler.Scheduler, p *plan.Plan, u []scheduler.Upload) *scheduler.Submitted {
	t.Helper()
	done, err := s.Submit(ctx, p, u)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func reconcile(t testing.TB, s *scheduler.Scheduler, sweep string) scheduler.Report {
	t.Helper()
	r, err := s.Reconcile(ctx, sweep)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func expect[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSubmit(t *testing.T) {
	w := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 2, 2)
	first := submit(t, w.healthy(), p, uploads)
	expect(t, "submitted", *first, scheduler.Submitted{Sweep: "s-111111", Uploaded: 15, Report: scheduler.Report{State: plan.Pending, Jobs: 4, Enqueued: 4}})
	expect(t, "queue", w.pending(), "j00 j01 j10 j11")
	expect(t, "store", w.keys(), []string{
		"jobs/j00/spec.json", "jobs/j01/spec.json", "jobs/j10/spec.json", "jobs/j11/spec.json",
		uploads[1].Ref.Key, uploads[0].Ref.Key, "sweeps/s-111111/plan.json"})
	var spec plan.Spec
	if err := artifacts.GetJSON(ctx, w.store, plan.SpecKey("j10"), &spec); err != nil {
		t.Fatal(err)
	}
	expect(t, "spec", spec, p.Spec(p.Jobs[2]))

	again := submit(t, w.healthy(), p, uploads)
	expect(t, "submitted again", *again, scheduler.Submitted{Sweep: "s-111111", Existed: true, Report: scheduler.Report{State: plan.Pending, Jobs: 4}})
}

func TestSubmitRefusesAFileThatChanged(t *testing.T) {
	for _, content := range []string{"weightS", "weight", "weights and more", ""} {
		w := newWorld(t)
		p, uploads := aPlan("s-111111", "j", 1, 2)
		uploads[1].Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(content))), nil }
		if _, err := w.healthy().Submit(ctx, p, uploads); err == nil || !strings.Contains(err.Error(), "changed since the plan") {
			t.Errorf("%q: %v", content, err)
		}
		if keys := w.keys(); slices.Contains(keys, uploads[1].Ref.Key) || slices.Contains(keys, plan.PlanKey(p.ID)) {
			t.Errorf("%q was stored: %v", content, keys)
		}
		expect(t, "queue", w.pending(), "")
	}
}

func TestSubmitRefusesATakenID(t *testing.T) {
	w := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 1, 2)
	submit(t, w.healthy(), p, uploads)
	other, _ := aPlan("s-111111", "k", 1, 2)
	if _, err := w.healthy().Submit(ctx, other, uploads); err == nil || !strings.Contains(err.Error(), "another sweep has the ID") {
		t.Errorf("%v", err)
	}
	expect(t, "queue", w.pending(), "j00 j01")
}

// Whatever is killed wherever, and however many do the same at once: who runs
// it again ends where an undisturbed submission ends, and before that the sweep
// is there with all that it needs or not at all.
func TestSubmitKilledAnywhere(t *testing.T) {
	calm := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 3, 2)
	submit(t, calm.healthy(), p, uploads)

	for _, after := range []bool{false, true} {
		crashed := true
		for n := 1; crashed; n++ {
			w := newWorld(t)
			_, err := w.process(n, after).Submit(ctx, p, uploads)
			crashed = errors.Is(err, errCrash)
			if err != nil && !crashed {
				t.Fatalf("killed at step %d: %v", n, err)
			}
			if keys := w.keys(); slices.Contains(keys, plan.PlanKey(p.ID)) {
				expect(t, fmt.Sprintf("objects of a sweep that exists, killed at step %d", n), keys, calm.keys())
			} else {
				expect(t, fmt.Sprintf("queue before the sweep exists, killed at step %d", n), w.pending(), "")
			}
			submit(t, w.healthy(), p, uploads)
			expect(t, "store", w.keys(), calm.keys())
			expect(t, "queue", w.pending(), calm.pending())
		}
	}
}

// Random histories: processes that submit, reconcile, cancel, resume, retry and
// are killed in the middle, workers that complete and fail jobs, a queue that
// is flushed. In the end one healthy reconciliation restores what must be.
func TestRandomHistories(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		history(t, random)
		if t.Failed() {
			return
		}
	}
}

func history(t *testing.T, random *rand.Rand) {
	w := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 3, 2)
	submit(t, w.healthy(), p, uploads)
	for range random.IntN(30) {
		job := p.Jobs[random.IntN(len(p.Jobs))].ID
		process := w.process(1+random.IntN(25), random.IntN(2) == 0)
		var err error
		switch random.IntN(9) {
		case 0:
			_, err = process.Submit(ctx, p, uploads)
		case 1, 2:
			_, err = process.Reconcile(ctx, p.ID)
		case 3:
			_, err = process.Cancel(ctx, p.ID)
		case 4:
			_, err = process.Resume(ctx, p.ID)
		case 5:
			_, _, err = process.Retry(ctx, p.ID)
		case 6:
			w.flush()
		case 7:
			w.work(job, random)
		case 8:
			var wait sync.WaitGroup
			for range 3 {
				wait.Go(func() { process.Reconcile(ctx, p.ID) })
			}
			wait.Wait()
		}
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
	reconcile(t, w.healthy(), p.ID)
	w.checkSins()
	_, err := w.store.Stat(ctx, plan.CancelKey(p.ID))
	canceled := err == nil
	for _, job := range p.Jobs {
		_, done := w.store.Stat(ctx, plan.OutcomeKey(job.ID))
		_, failed := w.store.Stat(ctx, plan.FailureKey(job.ID))
		wanted := done != nil && failed != nil && !canceled
		s := w.queue.states[job.ID]
		if queued := s == plan.Pending || s == plan.Running; s != plan.Running && queued != wanted {
			t.Errorf("job %s: outcome %t, failure %t, canceled %t, queue %q", job.ID, done == nil, failed == nil, canceled, s)
		}
	}
}

// work moves a job on by one step of a worker, if it is in the queue.
func (w *world) work(job string, random *rand.Rand) {
	switch w.queue.states[job] {
	case plan.Pending:
		w.set(job, plan.Running)
	case plan.Running:
		if random.IntN(3) == 0 {
			w.fail(job)
		} else {
			w.complete("s-111111", job, 0.5)
		}
	}
}

func TestReconcile(t *testing.T) {
	w := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 2, 3)
	submit(t, w.healthy(), p, uploads)
	w.complete(p.ID, "j00", 0.5)
	w.fail("j01")
	w.set("j02", plan.Running)
	w.set("j10", plan.Completed) // its worker found the sweep canceled, say: there is no outcome
	w.set("j11", plan.Failed)    // archived by hand in asynqmon: there is no failure

	r := reconcile(t, w.healthy(), p.ID)
	expect(t, "report", r, scheduler.Report{State: plan.Running, Jobs: 6, Completed: 1, Failed: 1, Enqueued: 2})
	expect(t, "queue", w.pending(), "j10 j11 j12")
	r = reconcile(t, w.healthy(), p.ID)
	expect(t, "the second time", r, scheduler.Report{State: plan.Running, Jobs: 6, Completed: 1, Failed: 1})
	w.checkSins()
}

func TestFlushBringsBackWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 2, 3)
	submit(t, w.healthy(), p, uploads)
	w.complete(p.ID, "j00", 0.5)
	w.complete(p.ID, "j12", 0.5)
	w.fail("j01")
	w.flush()
	if _, err := w.healthy().Resume(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	expect(t, "queue", w.pending(), "j02 j10 j11")
	w.checkSins()
}

func TestCancelResumeRetry(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	p, uploads := aPlan("s-111111", "j", 2, 2)
	submit(t, s, p, uploads)
	w.complete(p.ID, "j00", 0.5)
	w.set("j01", plan.Running)
	w.fail("j10")
	for range 2 { // twice is fine
		r, err := s.Cancel(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "state", r.State, plan.Canceled)
		expect(t, "queue", w.pending(), "")
	}
	r := submit(t, s, p, uploads)
	expect(t, "state of a canceled sweep that is submitted again", r.State, plan.Canceled)
	expect(t, "queue", w.pending(), "")

	report, err := s.Resume(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "resumed", report, scheduler.Report{State: plan.Running, Jobs: 4, Completed: 1, Failed: 1, Enqueued: 1})
	expect(t, "queue", w.pending(), "j11")

	n, _, err := s.Retry(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "retried", n, 1)
	expect(t, "queue", w.pending(), "j10 j11")
	w.checkSins()
}

// A job that two sweeps want is trained once, and canceling one sweep does not
// take it from the other.
func TestSharedJobs(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	a, uploads := aPlan("a-111111", "j", 1, 2)
	b, _ := aPlan("b-222222", "j", 2, 2)
	submit(t, s, a, uploads)
	done := submit(t, s, b, uploads)
	expect(t, "the second sweep adds what is new", done.Enqueued, 2)
	w.complete(a.ID, "j00", 0.5)
	if _, err := s.Cancel(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	expect(t, "queue", w.pending(), "j01 j10 j11")
	results, err := s.Load(ctx, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	if f := results.Trials[0].Folds[0]; f.State != plan.Completed || !f.Cached {
		t.Errorf("the shared job in the other sweep: %+v", f)
	}
}

func TestLoad(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	p, uploads := aPlan("s-111111", "j", 2, 2)
	submit(t, s, p, uploads)
	w.complete(p.ID, "j00", 0.5)
	w.complete(p.ID, "j01", 0.7)
	w.fail("j10")
	w.set("j11", plan.Running)
	w.queue.progress["j11"] = plan.Progress{Job: "j11", Attempt: 2, Epoch: 3, Epochs: 9}
	got, err := s.Load(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "sweep", got.State, plan.Running)
	expect(t, "best", got.Best, &plan.Best{Trial: 0})
	if mean := got.Trials[0].Summary["accuracy"].Mean; mean < 0.599 || mean > 0.601 {
		t.Errorf("mean %v, want 0.6", mean)
	}
	folds := got.Trials[1].Folds
	if folds[0].State != plan.Failed || folds[0].Failure.Reason != "out of memory" || folds[0].Attempts != 3 {
		t.Errorf("failed job %+v", folds[0])
	}
	if folds[1].State != plan.Running || folds[1].Progress.Epoch != 3 || folds[1].Attempts != 2 {
		t.Errorf("running job %+v", folds[1])
	}
}

// Results are in the store: they can be read where no queue is.
func TestLoadWithoutQueue(t *testing.T) {
	w := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 1, 1)
	submit(t, w.healthy(), p, uploads)
	w.complete(p.ID, "j00", 0.5)
	reader := &scheduler.Scheduler{Store: w.store}
	got, err := reader.Load(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "state", got.State, plan.Completed)
}

// Where no queue is, the store is changed and a process with a queue follows.
func TestSubmitAndCancelWithoutQueue(t *testing.T) {
	w := newWorld(t)
	s := &scheduler.Scheduler{Store: w.store}
	p, uploads := aPlan("s-111111", "j", 1, 2)
	submit(t, s, p, uploads)
	reconcile(t, w.healthy(), p.ID)
	expect(t, "queue", w.pending(), "j00 j01")
	if _, err := s.Cancel(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	reconcile(t, w.healthy(), p.ID)
	expect(t, "queue", w.pending(), "")
}

// Looking again costs little: finished jobs are read once, and waiting ones are
// not asked for as long as the queue says that they wait.
func TestPollingIsCheap(t *testing.T) {
	w := newWorld(t)
	c := &crasher{left: -1}
	counting := &store{Store: w.store, crasher: c}
	s := &scheduler.Scheduler{Store: counting, Queue: connection{w.queue, c}}
	p, uploads := aPlan("s-111111", "j", 2, 2)
	submit(t, s, p, uploads)
	w.complete(p.ID, "j00", 0.5)
	for range 10 {
		if _, err := s.Glance(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	for key, most := range map[string]int{plan.PlanKey(p.ID): 1, plan.OutcomeKey("j00"): 3, plan.OutcomeKey("j10"): 2} {
		if n := counting.reads[key]; n > most {
			t.Errorf("%s was read %d times, want at most %d", key, n, most)
		}
	}
	// Nothing of that hides a change.
	w.set("j10", plan.Running)
	w.complete(p.ID, "j10", 0.9)
	got, err := s.Glance(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "the job that ended", got.Trials[1].Folds[0].State, plan.Completed)
}

func TestWait(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	s.Poll = time.Millisecond
	p, uploads := aPlan("s-111111", "j", 1, 2)
	submit(t, s, p, uploads)
	calls := 0
	last, err := s.Wait(ctx, p.ID, func(r *plan.Results) {
		switch calls++; calls {
		case 1:
			expect(t, "at first", r.State, plan.Pending)
			w.complete(p.ID, "j00", 0.5)
		case 2:
			expect(t, "then", r.State, plan.Running)
			w.fail("j01")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "in the end", last.State, plan.Failed)
	expect(t, "updates", calls, 3)
}

func TestReconcileLoop(t *testing.T) {
	w := newWorld(t)
	p, uploads := aPlan("s-111111", "j", 1, 2)
	submit(t, w.healthy(), p, uploads)
	w.flush()
	loop, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- w.healthy().ReconcileLoop(loop, time.Millisecond) }()
	deadline := time.After(time.Minute)
	for w.pending() != "j00 j01" {
		select {
		case <-deadline:
			t.Fatal("the loop did not bring the jobs back")
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, loop.Err()) {
		t.Errorf("the loop ended with %v", err)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	a, uploads := aPlan("first-111111", "a", 1, 2)
	b, _ := aPlan("second-222222", "b", 2, 2)
	submit(t, s, a, uploads)
	submit(t, s, b, uploads)
	w.complete(a.ID, "a00", 0.5)
	w.complete(a.ID, "a01", 0.5)
	w.fail("b00")
	// What a submission that was killed leaves is no sweep.
	w.put(plan.SweepPrefix("third-333333")+"stray.json", "x")
	list, err := s.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if list[i].Created.IsZero() {
			t.Errorf("%s has no time", list[i].Sweep)
		}
		list[i].Created = time.Time{}
	}
	slices.SortFunc(list, func(a, b scheduler.Overview) int { return strings.Compare(a.Sweep, b.Sweep) })
	expect(t, "list", list, []scheduler.Overview{
		{Sweep: "first-111111", Name: "first", State: plan.Completed, Trials: 1, Jobs: 2, Completed: 2},
		{Sweep: "second-222222", Name: "second", State: plan.Running, Trials: 2, Jobs: 4, Failed: 1},
	})
}

func TestResolve(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	_, err := s.Resolve(ctx, "latest")
	expectHint(t, err, "no sweep yet", "orchestrator list")
	for _, id := range []string{"ants-aaaaaa", "ants-and-bees-bbbbbb", "flowers-123456", "flowers-127777"} {
		p, uploads := aPlan(id, "j", 1, 1)
		submit(t, s, p, uploads)
	}
	for word, want := range map[string]string{
		"ants-aaaaaa": "ants-aaaaaa", "ants": "ants-aaaaaa", "ants-an": "ants-and-bees-bbbbbb",
		"flowers-123": "flowers-123456", "latest": "flowers-127777",
	} {
		got, err := s.Resolve(ctx, word)
		if err != nil {
			t.Errorf("%s: %v", word, err)
		}
		expect(t, word, got, want)
	}
	_, err = s.Resolve(ctx, "flowers")
	expectHint(t, err, `"flowers" may mean flowers-12`, "more of the sweep's ID")
	newest, err := s.ResolveNewest(ctx, "flowers")
	if err != nil {
		t.Error(err)
	}
	expect(t, "the newest of a name", newest, "flowers-127777")
	_, err = s.Resolve(ctx, "flower-123456")
	expectHint(t, err, `no sweep "flower-123456"`, "did you mean flowers-123456?")
	_, err = s.Resolve(ctx, "antz")
	expectHint(t, err, `no sweep "antz"`, "did you mean ants-aaaaaa?")
	_, err = s.Resolve(ctx, "zebra")
	expectHint(t, err, `no sweep "zebra"`, "`orchestrator list` shows")
	_, err = s.Load(ctx, "flowers-123457")
	expectHint(t, err, `no sweep "flowers-123457"`, "did you mean flowers-123456?")
}

func expectHint(t *testing.T, err error, message, hint string) {
	t.Helper()
	var hinted interface {
		Hint() string
		ExitCode() int
	}
	if !errors.As(err, &hinted) {
		t.Errorf("%v has no hint", err)
		return
	}
	if !strings.Contains(err.Error(), message) || !strings.Contains(hinted.Hint(), hint) || hinted.ExitCode() != 2 {
		t.Errorf("%q, hint %q, exit code %d", err, hinted.Hint(), hinted.ExitCode())
	}
}

// In the full tier they are ten thousand.
func TestTenThousandJobs(t *testing.T) {
	jobs := testenv.Size(500, 2000, 10_000)
	w := newWorld(t)
	s := w.healthy()
	p, uploads := aPlan("big-111111", "j", 1, 1)
	p.Jobs = nil
	p.Trials = nil
	for i := range jobs {
		p.Trials = append(p.Trials, plan.Trial{Number: i})
		p.Jobs = append(p.Jobs, plan.Job{ID: fmt.Sprintf("%032x", i), Trial: i})
	}
	start := time.Now()
	submit(t, s, p, uploads)
	for _, job := range p.Jobs[:jobs/2] {
		w.complete(p.ID, job.ID, 0.5)
	}
	r := reconcile(t, s, p.ID)
	expect(t, "completed", r.Completed, jobs/2)
	if _, err := s.Load(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	t.Logf("submitted, half completed, reconciled and loaded in %s", time.Since(start).Round(time.Millisecond))
}
