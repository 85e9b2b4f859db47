package scheduler_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/gc"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// collector looks at the world's store a long time later.
func (w *world) collector() *gc.Collector {
	return &gc.Collector{Store: w.store, OlderThan: gc.DefaultAge, Now: func() time.Time { return time.Now().Add(48 * time.Hour) }}
}

func (w *world) collect(c *gc.Collector, scope gc.Scope) *gc.Waste {
	w.t.Helper()
	waste, err := c.Find(ctx, scope)
	if err == nil {
		_, err = c.Remove(ctx, waste)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return waste
}

func (w *world) text(key string) {
	w.t.Helper()
	if err := w.store.Put(ctx, key, strings.NewReader("text"), 4); err != nil {
		w.t.Fatal(err)
	}
}

// checkpoint writes one of a job's, with its pointer.
func (w *world) checkpoint(job string, epoch int) string {
	key := plan.CheckpointID{Job: job, Epoch: epoch, Attempt: 1}.Key()
	w.text(key + plan.TensorsSuffix)
	w.text(key + plan.PointerSuffix)
	return key
}

// objects is what the store holds but for marks of gcs.
func (w *world) objects() string {
	var kept []string
	for _, key := range w.keys() {
		if !strings.HasPrefix(key, plan.CollectionPrefix) {
			kept = append(kept, key)
		}
	}
	return strings.Join(kept, "\n")
}

// A store with waste of all kinds: it is found, nothing else is, and nothing is removed
// before it is asked for or while it is young.
func TestCollect(t *testing.T) {
	w := newWorld(t)
	p, uploads := aPlan("kept-1", "k", 1, 2)
	p.Checkpoints = plan.Checkpoints{EveryEpochs: 1, SaveTrialBest: 1, SaveTrialLatest: 1}
	p.Engine = plan.Engine
	other, _ := upload("models", "of another sweep")
	other.Key = plan.ModelKey("trained")
	p.Trials[0].FoldBases = []plan.Ref{p.Trials[0].Base, other}
	if _, err := w.healthy().Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	for e := 1; e <= 4; e++ {
		w.checkpoint("k00", e)
		w.checkpoint("k01", e) // has no outcome
	}
	o := plan.Outcome{Job: "k00"}
	for e, accuracy := range []float64{0.5, 0.9, 0.6, 0.7} {
		o.History = append(o.History, plan.Epoch{Epoch: e + 1, Metrics: plan.Metrics{"accuracy": accuracy}})
	}
	w.put(plan.OutcomeKey("k00"), o)
	w.text(plan.ModelKey("k00"))
	w.text(plan.ModelKey("trained"))
	w.text(plan.OutcomeKey("trained"))
	w.text("features/used/000000.json")
	w.text("features/used/abc.f32")
	w.text(plan.FeatureUseKey("used", "k01"))
	w.text("notes/of-somebody.txt") // not ours
	want := w.objects()

	for _, waste := range []string{
		plan.CheckpointID{Job: "k00", Epoch: 1, Attempt: 1}.Key() + plan.TensorsSuffix, plan.CheckpointID{Job: "k00", Epoch: 3, Attempt: 1}.Key() + plan.PointerSuffix,
	} {
		want = strings.Replace(want, waste+"\n", "", 1)
	}
	for _, epoch := range []int{1, 3} {
		for _, suffix := range []string{plan.TensorsSuffix, plan.PointerSuffix} {
			want = strings.Replace(want, plan.CheckpointID{Job: "k00", Epoch: epoch, Attempt: 1}.Key()+suffix+"\n", "", 1)
		}
	}
	for _, key := range []string{
		plan.CheckpointID{Job: "k01", Epoch: 5, Attempt: 2}.Key() + plan.TensorsSuffix, plan.ModelKey("k01"), plan.PredictionsKey("k01"),
		"features/unused/000000.json", "features/unused/abc.f32", plan.FeatureUseKey("unused", "nobody"),
		plan.SpecKey("nobody"), plan.OutcomeKey("nobody"), plan.ModelKey("nobody"), plan.SpecKey("trained"),
		plan.PackKey("nobody"), plan.BaseKey("nobody"), plan.TrialKey("deleted-1", 3), plan.CollectionPrefix + "killed.json", "probes/killed",
	} {
		w.text(key)
	}
	full := w.keys()
	young := w.collector()
	young.Now = nil
	found, err := young.Find(ctx, gc.Scope{})
	if n, _ := found.Size(""); err != nil || n != 4 { // checkpoints have no grace: whoever recorded the outcome wanted them gone
		t.Errorf("%d objects are waste at once, %v: %+v", n, err, found.Items)
	}
	if found, err = w.collector().Find(ctx, gc.Scope{}); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, kind := range gc.Kinds() {
		count[kind], _ = found.Size(kind)
	}
	wanted := map[string]int{gc.Sweeps: 1, gc.Checkpoints: 4, gc.Unfinished: 3, gc.Features: 3, gc.Jobs: 4, gc.Models: 1, gc.Packs: 1, gc.Marks: 2}
	if diff := cmp.Diff(wanted, count); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(full, w.keys()); diff != "" {
		t.Errorf("looking changed the store:\n%s", diff)
	}
	if some, err := w.collector().Find(ctx, gc.Scope{Of: []string{"kept-1"}}); err != nil || len(some.Items) != 2 {
		t.Errorf("of one sweep: %+v, %v", some, err)
	}
	removed, err := w.collector().Remove(ctx, found)
	if err != nil || removed.Objects[gc.Jobs] != 4 || removed.Bytes[gc.Packs] != 4 {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(w.objects(), "\n")); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if again := w.collect(w.collector(), gc.Scope{}); len(again.Items) != 0 {
		t.Errorf("found once more: %+v", again.Items)
	}
}

// Whatever a gc removes, and wherever it is killed, every sweep ends as it would have:
// searches with rungs, canceled ones, and such that share all their jobs with one that
// is deleted.
func TestCollectedSweepsEndTheSame(t *testing.T) {
	testenv.Daily(t)
	seed := uint64(time.Now().UnixNano())
	never := func(plan.Spec) bool { return false }
	for name, more := range searches {
		t.Run(name, func(t *testing.T) {
			if name != "tpe" && name != "halving" {
				testenv.Full(t, "a search that learns, and one that stops trials")
			}
			p, uploads := searchPlan(t, more)
			undisturbed := newWorld(t)
			if _, err := undisturbed.healthy().Submit(ctx, p, uploads); err != nil {
				t.Fatal(err)
			}
			want := undisturbed.finish(p.ID, rand.New(rand.NewPCG(1, 1)), never)

			for i := range uint64(testenv.Size(1, 1, 2)) {
				r := rand.New(rand.NewPCG(seed+i, 1))
				w := newWorld(t)
				twin, more := aPlan("twin-1", "t", 2, 2)
				twin.Engine = plan.Engine
				for _, one := range []struct {
					p *plan.Plan
					u []scheduler.Upload
				}{{p, uploads}, {twin, more}} {
					if _, err := w.healthy().Submit(ctx, one.p, one.u); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := w.healthy().Cancel(ctx, "twin-1"); err != nil {
					t.Fatal(err)
				}
				got := w.finish(p.ID, r, func(spec plan.Spec) bool { // before each job ends
					w.history(spec, r)
					w.checkpoint("t00", 1+r.IntN(3))
					if r.IntN(2) == 0 {
						w.collectAnyhow(r)
						w.checkInputs(p.ID)
					}
					return false
				})
				if d := cmp.Diff(decisions(want), decisions(got)); d != "" {
					t.Fatalf("seed %d:\n%s", seed+i, d)
				}
				w.collectAnyhow(r)
				again, err := w.healthy().Load(ctx, p.ID)
				if d := cmp.Diff(decisions(want), decisions(again)); err != nil || d != "" {
					t.Fatalf("seed %d: reported afterwards: %v\n%s", seed+i, err, d)
				}
				if report, err := w.healthy().Resume(ctx, "twin-1"); err != nil || report.Enqueued != 4 {
					t.Fatalf("seed %d: the canceled sweep is resumed with %+v, %v", seed+i, report, err)
				}
				w.checkInputs("twin-1")
			}
		})
	}
}

// history writes what attempts of a job leave, some of which were killed.
func (w *world) history(spec plan.Spec, r *rand.Rand) {
	for e := 1; e <= 1+r.IntN(4); e++ {
		w.checkpoint(spec.Job, e)
	}
	w.text(plan.CheckpointID{Job: spec.Job, Epoch: r.IntN(9), Step: 1, Attempt: 9}.Key() + plan.TensorsSuffix)
	w.text(plan.ModelKey(spec.Job))
	w.text(plan.ModelKey(fmt.Sprint("nobody", r.IntN(3))))
}

// collectAnyhow runs one gc or two at once, without a grace age, some of which are
// killed.
func (w *world) collectAnyhow(r *rand.Rand) {
	w.t.Helper()
	before := map[string]bool{}
	for _, key := range w.keys() {
		before[key] = true
	}
	var group sync.WaitGroup
	for range 1 + r.IntN(2) {
		left := -1
		if r.IntN(2) == 0 {
			left = r.IntN(60)
		}
		c := &gc.Collector{Store: &store{Store: w.store, crasher: &crasher{left: left, after: r.IntN(2) == 0}}}
		group.Go(func() {
			waste, err := c.Find(ctx, gc.Scope{})
			if err == nil {
				_, err = c.Remove(ctx, waste)
			}
			if err != nil && !strings.Contains(err.Error(), errCrash.Error()) {
				w.t.Error(err)
			}
		})
	}
	group.Wait()
	w.checkResumable(before)
}

// checkResumable holds that of a job without an outcome every checkpoint that was
// complete still is, and that outcomes stay with their networks.
func (w *world) checkResumable(before map[string]bool) {
	w.t.Helper()
	now := map[string]bool{}
	for _, key := range w.keys() {
		now[key] = true
	}
	for key := range before {
		_, rest, isJob := strings.Cut(key, "jobs/")
		job, _, _ := strings.Cut(rest, "/")
		if !isJob || strings.HasPrefix(job, "nobody") || now[key] {
			continue
		}
		id, suffix, isCheckpoint := plan.ParseCheckpoint(job, key)
		switch complete := before[id.Key()+plan.PointerSuffix] && before[id.Key()+plan.TensorsSuffix]; {
		case isCheckpoint && !complete && suffix == plan.TensorsSuffix:
		case isCheckpoint && before[plan.OutcomeKey(job)]:
		case key == plan.ModelKey(job) && !before[plan.OutcomeKey(job)]:
		default:
			w.t.Errorf("%s is gone", key)
		}
	}
}

// checkInputs holds that all is there that a sweep refers to.
func (w *world) checkInputs(sweep string) {
	w.t.Helper()
	p, err := w.healthy().Plan(ctx, sweep)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, key := range []string{p.Data.Pack.Key, p.Trials[0].Base.Key} {
		if there, err := artifacts.Exists(ctx, w.store, key); err != nil || !there {
			w.t.Errorf("%s of %s is gone: %v", key, sweep, err)
		}
	}
	for job := range strings.FieldsSeq(w.pending()) {
		if there, err := artifacts.Exists(ctx, w.store, plan.SpecKey(job)); err != nil || !there {
			w.t.Errorf("the spec of %s is gone: %v", job, err)
		}
	}
}

// leftovers are the objects of a sweep that was deleted half-way: what a submission of
// it finds and relies on.
func leftovers(t *testing.T) (*world, *plan.Plan, []scheduler.Upload) {
	t.Helper()
	w := newWorld(t)
	p, uploads := aPlan("old-1", "j", 2, 2)
	p.Engine = plan.Engine
	if _, err := w.healthy().Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	w.flush()
	if err := w.store.Delete(ctx, plan.PlanKey("old-1")); err != nil {
		t.Fatal(err)
	}
	return w, p, uploads
}

// A whole gc runs in each step of a submission, whose every object is old and was
// nobody's until then.
func TestCollectionInEveryStepOfASubmission(t *testing.T) {
	for step := range 1000 {
		w, p, uploads := leftovers(t)
		at := &interjected{Store: w.store, at: step, do: func() { w.collect(&gc.Collector{Store: w.store}, gc.Scope{}) }}
		s := &scheduler.Scheduler{Store: at, Queue: connection{w.queue, &crasher{left: -1}}}
		if _, err := s.Submit(ctx, p, uploads); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		w.checkInputs(p.ID)
		if n := len(strings.Fields(w.pending())); n != 4 {
			t.Errorf("step %d: %d jobs are in the queue", step, n)
		}
		if t.Failed() {
			t.Fatalf("step %d", step)
		}
		if at.at >= 0 { // the submission had fewer steps
			return
		}
	}
}

// A submission begins in each step of a gc and goes on until it has stored its plan and
// waits for that gc, or is done.
func TestSubmissionInEveryStepOfACollection(t *testing.T) {
	for step := range 1000 {
		w, p, uploads := leftovers(t)
		submitted := make(chan error, 1)
		at := &interjected{Store: w.store, at: step}
		at.do = func() {
			waits, done := make(chan struct{}), make(chan struct{})
			s := &scheduler.Scheduler{
				Store: &watched{Store: w.store, prefix: plan.CollectionPrefix, second: waits}, Queue: connection{w.queue, &crasher{left: -1}},
				CollectionPause: 30 * time.Millisecond, // by then the gc is over
			}
			go func() {
				_, err := s.Submit(ctx, p, uploads)
				submitted <- err
				close(done)
			}()
			select {
			case <-waits:
			case <-done:
			}
		}
		c := &gc.Collector{Store: at, LookEvery: time.Nanosecond}
		waste, err := c.Find(ctx, gc.Scope{})
		if err == nil {
			_, err = c.Remove(ctx, waste)
		}
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if at.at >= 0 {
			return
		}
		if err := <-submitted; err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		w.checkInputs(p.ID)
		if t.Failed() {
			t.Fatalf("step %d", step)
		}
	}
}

// interjected is a store that does something else before one of its calls.
type interjected struct {
	artifacts.Store
	mu sync.Mutex
	at int
	do func()
}

func (s *interjected) step() {
	s.mu.Lock()
	s.at--
	now := s.at == -1
	s.mu.Unlock()
	if now {
		s.do()
	}
}

func (s *interjected) Get(ctx context.Context, key string) (io.ReadCloser, artifacts.Info, error) {
	s.step()
	return s.Store.Get(ctx, key)
}

func (s *interjected) Stat(ctx context.Context, key string) (artifacts.Info, error) {
	s.step()
	return s.Store.Stat(ctx, key)
}

func (s *interjected) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	s.step()
	return s.Store.Create(ctx, key, r, size)
}

func (s *interjected) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	s.step()
	return s.Store.Put(ctx, key, r, size)
}

func (s *interjected) Delete(ctx context.Context, key string) error {
	s.step()
	return s.Store.Delete(ctx, key)
}

func (s *interjected) List(ctx context.Context, prefix string) iter.Seq2[artifacts.Info, error] {
	s.step()
	return s.Store.List(ctx, prefix)
}

// watched is a store that tells when a prefix was listed for the second time.
type watched struct {
	artifacts.Store
	prefix string
	lists  atomic.Int32
	second chan struct{}
}

func (s *watched) List(ctx context.Context, prefix string) iter.Seq2[artifacts.Info, error] {
	return func(yield func(artifacts.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix) {
			if !yield(info, err) {
				return
			}
		}
		if prefix == s.prefix && s.lists.Add(1) == 2 {
			close(s.second)
		}
	}
}

// A sweep that is named goes with all that no other needs, wherever that is cut off.
func TestDelete(t *testing.T) {
	build := func() *world {
		w := newWorld(t)
		stays, uploads := aPlan("stays-1", "s", 1, 2)
		goes, more := aPlan("goes-1", "g", 2, 2)
		goes.Data.Pack, more[0] = upload("packs", "other pictures")
		goes.Jobs[3] = plan.Job{ID: "s01", Trial: 1, Fold: 1} // shared
		trained := stays.Trials[0].Base
		trained.Key = plan.ModelKey("g00") // stays begins where goes ended
		stays.Trials[0].FoldBases = []plan.Ref{trained, trained}
		for _, one := range []struct {
			p *plan.Plan
			u []scheduler.Upload
		}{{stays, uploads}, {goes, more}} {
			one.p.Engine = plan.Engine
			if _, err := w.healthy().Submit(ctx, one.p, one.u); err != nil {
				t.Fatal(err)
			}
		}
		return w
	}
	w := build()
	if _, err := w.collector().Find(ctx, gc.Scope{Delete: []string{"goes-1"}}); err == nil || !strings.Contains(err.Error(), "pending") {
		t.Errorf("a sweep that is not over is deleted: %v", err)
	}
	if _, err := w.collector().Find(ctx, gc.Scope{Delete: []string{"none-1"}}); err == nil {
		t.Error("a sweep that does not exist is deleted")
	}
	finish := func(w *world) {
		for _, job := range []string{"g00", "g01", "g10", "s01"} {
			w.text(plan.ModelKey(job))
			w.complete("goes-1", job, 0.5)
		}
		w.text(plan.FeatureUseKey("pass", "g00"))
		w.text("features/pass/000000.json")
	}
	finish(w)
	c := &gc.Collector{Store: w.store, OlderThan: gc.DefaultAge} // all is young
	w.collect(c, gc.Scope{Delete: []string{"goes-1"}})
	want := []string{
		"jobs/g00/model.onnx", "jobs/g00/outcome.json", "jobs/s00/spec.json", "jobs/s01/model.onnx", "jobs/s01/outcome.json", "jobs/s01/spec.json",
		"models/", "packs/", "sweeps/stays-1/plan.json",
	}
	var got []string
	for key := range strings.SplitSeq(w.objects(), "\n") {
		if folder, _, _ := strings.Cut(key, "/"); folder == "packs" || folder == "models" {
			key = folder + "/"
		}
		got = append(got, key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}

	kept := w.objects()
	for step := range 200 {
		w := build()
		finish(w)
		died := &crasher{left: step}
		dying := &gc.Collector{Store: &store{Store: w.store, crasher: died}}
		waste, err := dying.Find(ctx, gc.Scope{Delete: []string{"goes-1"}})
		if err == nil {
			_, err = dying.Remove(ctx, waste)
		}
		if err != nil && !strings.Contains(err.Error(), errCrash.Error()) {
			t.Fatal(err)
		}
		if there, _ := artifacts.Exists(ctx, w.store, plan.PlanKey("goes-1")); there {
			w.collect(&gc.Collector{Store: w.store}, gc.Scope{Delete: []string{"goes-1"}})
		}
		w.collect(w.collector(), gc.Scope{})
		if diff := cmp.Diff(kept, w.objects()); diff != "" {
			t.Fatalf("killed in step %d (-want +got):\n%s", step, diff)
		}
		if err == nil {
			return
		}
	}
}

// A process that goes on while a sweep is deleted and submitted again does not take it
// for the one that it knew.
func TestDeletedAndSubmittedAgain(t *testing.T) {
	w := newWorld(t)
	p, uploads := searchPlan(t, searches["tpe"])
	old := w.healthy()
	if _, err := old.Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	loop, end := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = old.ReconcileLoop(loop, time.Millisecond)
	}()
	defer func() { end(); <-over }()
	r := rand.New(rand.NewPCG(1, 1))
	never := func(plan.Spec) bool { return false }
	want := w.finish(p.ID, r, never)
	if _, err := old.Load(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	w.collect(&gc.Collector{Store: w.store}, gc.Scope{Delete: []string{p.ID}})
	if _, err := w.healthy().Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C { // until the old process has noticed
		results, err := old.Load(ctx, p.ID)
		if err == nil && results.State != plan.Completed {
			break
		}
	}
	w.flush()
	for range tick.C { // only the old process can enqueue them
		if w.pending() != "" {
			break
		}
	}
	if d := cmp.Diff(decisions(want), decisions(w.finish(p.ID, r, never))); d != "" {
		t.Error(d)
	}
}

func TestRestoreSpec(t *testing.T) {
	w := newWorld(t)
	p, uploads := searchPlan(t, searches["asha"])
	s := w.healthy()
	if _, err := s.Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	for job := range strings.FieldsSeq(w.pending()) { // of the first rung
		var want, got plan.Spec
		if err := artifacts.GetJSON(ctx, w.store, plan.SpecKey(job), &want); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Delete(ctx, plan.SpecKey(job)); err != nil {
			t.Fatal(err)
		}
		if err := s.RestoreSpec(ctx, p.ID, job); err != nil {
			t.Fatal(err)
		}
		if err := artifacts.GetJSON(ctx, w.store, plan.SpecKey(job), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || want.Until == 0 {
			t.Errorf("the spec (-want +got):\n%s", diff)
		}
	}
	if err := s.RestoreSpec(ctx, p.ID, "another"); err == nil {
		t.Error("a job of no sweep has a spec")
	}
}
