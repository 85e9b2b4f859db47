package scheduler_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// A loop over some sweeps leaves the others alone.
func TestReconcileLoopOfOneSweep(t *testing.T) {
	w := newWorld(t)
	own, uploads := aPlan("own-111111", "a", 1, 2)
	other, _ := aPlan("other-222222", "b", 1, 2)
	submit(t, w.healthy(), own, uploads)
	submit(t, w.healthy(), other, uploads)
	w.flush()
	loop, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	s := w.healthy()
	go func() { ended <- s.ReconcileLoop(loop, time.Millisecond, own.ID) }()
	deadline := time.After(time.Minute)
	for w.pending() != "a00 a01" {
		select {
		case <-deadline:
			t.Fatalf("in the queue are %q", w.pending())
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	<-ended
	if got := w.pending(); got != "a00 a01" {
		t.Errorf("in the queue are %q", got)
	}
}

// Queues that work on one store see each other, those that are gone are forgotten.
func TestQueuesSeeEachOther(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	s := &scheduler.Scheduler{Store: w.store, Now: func() time.Time { return now }}
	for _, m := range []plan.QueueMark{{Queue: "b", Name: "run", Since: "2"}, {Queue: "a", Name: "redis://a", Since: "3"}, {Queue: "c", Name: "run", Since: "1", Waits: true}} {
		if err := s.PutQueueMark(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	others := func(but string) string {
		t.Helper()
		all, err := s.OtherQueues(ctx, but)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range all {
			names = append(names, m.Queue)
		}
		return strings.Join(names, " ")
	}
	expect(t, "beside a", others("a"), "c b")
	expect(t, "beside none", others(""), "c b a")
	now = now.Add(40 * time.Second)
	expect(t, "those that have said nothing since", others(""), "")
	now = now.Add(2 * time.Hour)
	expect(t, "later", others(""), "")
	for key := range w.store.List(ctx, plan.QueuePrefix) {
		t.Errorf("%s is still there", key.Key)
	}
}

func TestKeptMarkWarnsOfOthers(t *testing.T) {
	w := newWorld(t)
	var log lockedBuffer
	s := &scheduler.Scheduler{Store: w.store, Log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := s.PutQueueMark(ctx, plan.QueueMark{Queue: "other", Name: "redis://other:6379/0"}); err != nil {
		t.Fatal(err)
	}
	loop, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- s.KeepQueueMark(loop, plan.QueueMark{Queue: "own", Name: "redis://own:6379/0"}) }()
	deadline := time.After(time.Minute)
	for !strings.Contains(log.String(), "queue=redis://other:6379/0") {
		select {
		case <-deadline:
			t.Fatalf("it says:\n%s", log.String())
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	<-ended
	if _, err := w.store.Stat(ctx, plan.QueueKey("own")); err != nil {
		t.Error(err)
	}
}

// lockedBuffer is written and read by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
