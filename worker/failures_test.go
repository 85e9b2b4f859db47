package worker

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// A process that somebody kills has not failed: it is tried again as often as it
// takes, sooner or later, and max_restarts counts what failed by itself.
func TestKilledAttemptsAreNotCounted(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Host = "here" })
	b.daemon.oomKills = func() int64 { return 0 }
	b.submit("train", func(s *plan.Spec) { s.Resources.MaxRestarts = 0 })
	for n := range 5 {
		ended := b.start(t.Context(), "train")
		pid := 0
		eventually(t, "the next child runs", func() bool {
			all := pids(b.folder)
			if len(all) == n+1 {
				pid = all[n]
			}
			return pid != 0
		})
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if end := <-ended; end != Retry {
			t.Fatalf("ended %s", end)
		}
	}
	if got := b.ends("train"); got != "lost lost lost lost lost" {
		t.Errorf("the attempts ended %s", got)
	}
}

// What was lost counts from the newest checkpoint on.
func TestLostAttemptsCountFromTheNewestCheckpoint(t *testing.T) {
	b := newBench(t)
	for n := range maxLost + 5 {
		if _, err := b.daemon.register(t.Context(), "quick", "cpu", n+1); err != nil {
			t.Fatal(err)
		}
	}
	name := plan.CheckpointPrefix("quick") + "000003-00000002-0010"
	if err := artifacts.PutJSON(t.Context(), b.store, name+plan.PointerSuffix, pointer{Epoch: 3, Step: 2}); err != nil {
		t.Fatal(err)
	}
	h, err := b.daemon.history(t.Context(), "quick")
	if err != nil || h.checkpointed != 10 || h.lost() != maxLost-5 || h.crashes() != 0 {
		t.Errorf("%d lost since attempt %d, %d crashes, %v", h.lost(), h.checkpointed, h.crashes(), err)
	}
	if _, over := h.exhausted(); over {
		t.Error("given up although it comes further")
	}
}

func TestStoreThatIsAwayIsNoFailureOfTheJob(t *testing.T) {
	b := newBench(t)
	b.submit("away", func(s *plan.Spec) { s.Resources.MaxRestarts = 0 })
	err := b.do("away", Retry)
	var later *TryAgainError
	if !errors.As(err, &later) || later.After != 2*time.Second || b.ends("away") != Lost {
		t.Errorf("%v, ended %s", err, b.ends("away"))
	}
	if err := b.do("away", Retry); !errors.As(err, &later) || later.After != 4*time.Second {
		t.Errorf("the second time: %v", err)
	}
}

func TestPausesGrow(t *testing.T) {
	last := time.Duration(0)
	for n := 1; n < 30; n++ {
		var later *TryAgainError
		if !errors.As(again(n, "x"), &later) || later.After < last || later.After > 2*time.Minute || n < 7 && later.After <= last {
			t.Errorf("after failure %d: %v, before %v", n, later.After, last)
		}
		last = later.After
	}
}

// A slot in which different jobs fail one after the other rests, longer each time,
// and jobs that wait for it are handed back.
func TestSlotThatKeepsFailingRests(t *testing.T) {
	now := time.Now()
	b := newBench(t, func(o *Options) { o.Now = func() time.Time { return now } })
	fail := func(jobs ...string) {
		for _, job := range jobs {
			b.submit(job)
			b.do(job, Retry)
		}
	}
	resting := func() bool {
		taken, _, err := b.daemon.slots.tryTake(&ticket{"any", 1})
		b.daemon.slots.give(taken...)
		return errors.Is(err, errResting)
	}
	fail("crash.1", "crash.1") // the same job twice says more of the job
	if resting() {
		t.Fatal("rests after one job")
	}
	b.submit("quick")
	b.do("quick", Completed)
	fail("crash.2", "crash.3")
	if resting() {
		t.Fatal("what had succeeded in between is forgotten")
	}
	fail("crash.4")
	if !resting() {
		t.Fatal("does not rest after three jobs in a row")
	}
	now = now.Add(firstRest)
	fail("crash.5", "crash.6", "crash.7")
	now = now.Add(firstRest)
	if !resting() {
		t.Error("the second rest is no longer than the first")
	}
	now = now.Add(firstRest)
	if resting() {
		t.Error("rests for ever")
	}
	b.submit("permanent.1")
	b.submit("permanent.2")
	b.submit("permanent.3")
	for _, job := range []string{"permanent.1", "permanent.2", "permanent.3"} {
		b.do(job, Failed)
	}
	if resting() {
		t.Error("rests for jobs whose input was at fault")
	}
	if got := strings.Join(b.traces(), "\n"); !strings.Contains(got, "crash.7") {
		t.Errorf("traces:\n%s", got)
	}
}

// A job of many slots gets them although jobs of one slot keep coming.
func TestManySlotsAtOnce(t *testing.T) {
	s := newSlots([]Slot{{Device: "cpu"}, {Device: "cpu"}, {Device: "cuda"}}, time.Now)
	one, err := s.take(t.Context(), "cpu", 1)
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string)
	take := func(name, device string, n int) {
		taken, err := s.take(t.Context(), device, n)
		if err != nil || len(taken) != n {
			t.Errorf("%s: %d slots, %v", name, len(taken), err)
		}
		order <- name
		s.give(taken...)
	}
	waiting := func(n int) func() bool {
		return func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.line) == n
		}
	}
	go take("both", "cpu", 2)
	eventually(t, "the job of two slots waits", waiting(1))
	go take("small", "cpu", 1)
	eventually(t, "the job of one slot waits behind it", waiting(2))
	go take("elsewhere", "cuda", 1)
	if got := <-order; got != "elsewhere" {
		t.Errorf("%s came first, but another device was free", got)
	}
	s.give(one...)
	for _, want := range []string{"both", "small"} {
		if got := <-order; got != want {
			t.Errorf("%s came before %s", got, want)
		}
	}
	if _, err := s.take(t.Context(), "cuda", 2); err == nil || !strings.Contains(err.Error(), "needs 2 slots") {
		t.Errorf("more slots than there are: %v", err)
	}
}
