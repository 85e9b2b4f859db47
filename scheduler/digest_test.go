package scheduler_test

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/schedulertest"
	"orchestrator/tools/testenv"
)

// digested is a store with a finished sweep and the digests of it.
func digested(t *testing.T) (artifacts.Store, *plan.Plan) {
	t.Helper()
	mem := artifacts.Mem()
	p, err := schedulertest.Fill(ctx, mem, schedulertest.Shape{Trials: 30, Folds: 2, Epochs: 3, Done: schedulertest.All, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&scheduler.Scheduler{Store: mem}).Reconcile(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	return mem, p
}

// counted is a store that counts reads, and a scheduler that has seen nothing of it.
func counted(s artifacts.Store) (*store, *scheduler.Scheduler, *bytes.Buffer) {
	counting := &store{Store: s, crasher: &crasher{left: -1}}
	log := new(bytes.Buffer)
	return counting, &scheduler.Scheduler{Store: counting, Log: slog.New(slog.NewTextHandler(log, nil))}, log
}

func outcomeReads(s *store) int {
	n := 0
	for key, count := range s.reads {
		if strings.HasSuffix(key, "/outcome.json") {
			n += count
		}
	}
	return n
}

// What a process sees through digests is what it sees without, and takes no outcome.
func TestDigests(t *testing.T) {
	mem, p := digested(t)
	counting, s, _ := counted(mem)
	got, err := s.Load(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List(ctx)
	if err != nil || list[0].Completed != 60 || list[0].State != plan.Completed {
		t.Errorf("%+v %v", list, err)
	}
	if n := outcomeReads(counting); n > 0 {
		t.Errorf("%d outcomes were asked for although a digest tells of them", n)
	}
	for _, key := range []string{plan.DigestKey(p.ID, 0), plan.HistoriesKey(p.ID, 0)} {
		if err := mem.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	_, s, _ = counted(mem)
	want, err := s.Load(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("without and with digests:\n%s", d)
	}
	if _, err := s.Reconcile(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	if there, err := artifacts.Exists(ctx, mem, plan.DigestKey(p.ID, 0)); !there || err != nil {
		t.Errorf("a digest that was deleted is not made again: %v", err)
	}
}

// A damaged digest is named in the log, and what it tells is read from the outcomes.
func TestDamagedDigests(t *testing.T) {
	for name, key := range map[string]func(string, int) string{"digest": plan.DigestKey, "histories": plan.HistoriesKey} {
		mem, p := digested(t)
		want, err := (&scheduler.Scheduler{Store: mem}).Load(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		whole := object(t, mem, key(p.ID, 0))
		damaged := whole[:len(whole)/2]
		if err := mem.Put(ctx, key(p.ID, 0), bytes.NewReader(damaged), int64(len(damaged))); err != nil {
			t.Fatal(err)
		}
		counting, s, log := counted(mem)
		got, err := s.Load(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%s: with a damaged one:\n%s", name, d)
		}
		if outcomeReads(counting) == 0 || !strings.Contains(log.String(), "digest=0") {
			t.Errorf("%s: %d outcomes read, log %q", name, outcomeReads(counting), log)
		}
	}
}

// A digest that was left behind when its sweep was deleted says nothing of one that is
// submitted again.
func TestDigestsOfADeletedSweep(t *testing.T) {
	mem, p := digested(t)
	stored := object(t, mem, plan.PlanKey(p.ID))
	for info, err := range mem.List(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(info.Key, plan.DigestPrefix(p.ID)) {
			if err := mem.Delete(ctx, info.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := mem.Put(ctx, plan.PlanKey(p.ID), bytes.NewReader(stored), int64(len(stored))); err != nil {
		t.Fatal(err)
	}
	_, s, _ := counted(mem)
	if r, err := s.Reconcile(ctx, p.ID); err != nil || r.State != plan.Pending {
		t.Errorf("a sweep none of whose jobs has an outcome is %s: %v", r.State, err)
	}
}

// Any number of processes write digests at once, and each job is in one.
func TestDigestsOfManyProcesses(t *testing.T) {
	mem := artifacts.Mem()
	p, err := schedulertest.Fill(ctx, mem, schedulertest.Shape{Trials: 300, Folds: 4, Epochs: 1, Done: schedulertest.All, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		s := &scheduler.Scheduler{Store: mem}
		for range 2 {
			wg.Go(func() {
				for range 3 {
					if _, err := s.Reconcile(ctx, p.ID); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	told := map[string]bool{}
	for n := 0; ; n++ {
		var d plan.Digest
		if artifacts.GetJSON(ctx, mem, plan.DigestKey(p.ID, n), &d) != nil {
			break
		}
		for _, g := range d.Outcomes {
			told[g.Job] = true
		}
	}
	if len(told) < 1200-16 {
		t.Errorf("the digests tell of %d jobs of 1200", len(told))
	}
	counting, s, _ := counted(mem)
	if r, err := s.Glance(ctx, p.ID); err != nil || r.State != plan.Completed || outcomeReads(counting) > 64 {
		t.Errorf("%v, and %d requests for outcomes", err, outcomeReads(counting))
	}
}

// A search goes on the same way in a process that knows it from digests.
func TestDigestsOfASearch(t *testing.T) {
	p, uploads := searchPlan(t, "method: tpe\nrun_cap: "+strconv.Itoa(testenv.Size(12, 20, 60))+"\nmax_concurrent_trials: 3\nearly_terminate: {type: asha, min_iter: 1, eta: 2}")
	run := func(processes func(w *world) func() *scheduler.Scheduler) []decision {
		w := newWorld(t)
		if _, err := w.healthy().Submit(ctx, p, uploads); err != nil {
			t.Fatal(err)
		}
		next := processes(w)
		for {
			s := next()
			if _, err := s.Reconcile(ctx, p.ID); err != nil {
				t.Fatal(err)
			}
			if !w.train(func(n int) int { return n - 1 }, func(plan.Spec) bool { return false }) {
				r, err := s.Load(ctx, p.ID)
				if err != nil {
					t.Fatal(err)
				}
				if there, err := artifacts.Exists(ctx, w.store, plan.DigestKey(p.ID, 0)); !there || err != nil {
					t.Errorf("no digest was written: %v", err)
				}
				for _, trial := range r.Trials {
					for _, f := range trial.Folds {
						if len(f.History) != f.Epochs {
							t.Fatalf("job %s: %d epochs and %d lines of history", f.Job, f.Epochs, len(f.History))
						}
					}
				}
				return decisions(r)
			}
		}
	}
	one := run(func(w *world) func() *scheduler.Scheduler {
		s := w.healthy()
		return func() *scheduler.Scheduler { return s }
	})
	many := run(func(w *world) func() *scheduler.Scheduler { return w.healthy })
	if d := cmp.Diff(one, many); d != "" {
		t.Errorf("one process, and a new one each time:\n%s", d)
	}
}

func object(t *testing.T, s artifacts.Store, key string) []byte {
	t.Helper()
	r, info, err := s.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := bytes.NewBuffer(make([]byte, 0, info.Size))
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
