package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/onnx"
)

func newCheckpoints(t *testing.T, s artifacts.Store) *checkpoints {
	return &checkpoints{
		ctx: t.Context(), store: s, job: "job", attempt: 1, saved: func(string) {},
		log: slog.New(slog.NewTextHandler(testWriter{t}, nil)), patience: time.Second,
	}
}

// checkpointAt is one whose content tells where it was made.
func checkpointAt(epoch, step int) trainer.Checkpoint {
	w := onnx.Floats([]float32{float32(epoch), float32(step), 0.1, -1e-30, 3e38, 7}, 2, 3)
	w.Name = "param:w"
	c := trainer.Checkpoint{Epoch: epoch, Step: step, LossSum: 0.1 + float64(step), LossCount: step, Seconds: 1.5, Tensors: []*onnx.Tensor{w}}
	for e := range epoch {
		c.History = append(c.History, trainer.EpochResult{Epoch: e + 1, TrainLoss: 0.3, Scores: trainer.Scores{"accuracy": 1.0 / 3}})
	}
	return c
}

func (c *checkpoints) mustSave(t *testing.T, all ...trainer.Checkpoint) {
	t.Helper()
	for _, ck := range all {
		if err := c.Save(ck); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *checkpoints) wantLatest(t *testing.T, want *trainer.Checkpoint) {
	t.Helper()
	got, err := c.Latest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Latest (-want +got):\n%s", diff)
	}
}

func keysOf(t *testing.T, s artifacts.Store, prefix string) []string {
	t.Helper()
	var keys []string
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, strings.TrimPrefix(info.Key, prefix))
	}
	return keys
}

func TestLatestIsTheNewest(t *testing.T) {
	c := newCheckpoints(t, artifacts.Mem())
	c.wantLatest(t, nil)
	c.mustSave(t, checkpointAt(0, 9), checkpointAt(9, 0), checkpointAt(10, 0), checkpointAt(10, 11))
	want := checkpointAt(10, 11)
	c.wantLatest(t, &want)
	got := keysOf(t, c.store, plan.CheckpointPrefix("job"))
	kept := []string{
		"000010-00000000-0001.json", "000010-00000000-0001.safetensors",
		"000010-00000011-0001.json", "000010-00000011-0001.safetensors",
	}
	if diff := cmp.Diff(kept, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestDamagedCheckpointIsSkipped(t *testing.T) {
	const newest = "000002-00000000-0001"
	replace := func(suffix string, change func(data []byte) []byte) func(t *testing.T, s artifacts.Store) {
		return func(t *testing.T, s artifacts.Store) {
			key := plan.CheckpointPrefix("job") + newest + suffix
			r, _, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			data = change(bytes.Clone(data))
			if err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func(t *testing.T, s artifacts.Store){
		"a bit of a weight":      replace(plan.TensorsSuffix, func(d []byte) []byte { d[len(d)-1] ^= 1; return d }),
		"a bit of the header":    replace(plan.TensorsSuffix, func(d []byte) []byte { d[20] ^= 1; return d }),
		"truncated":              replace(plan.TensorsSuffix, func(d []byte) []byte { return d[:len(d)-4] }),
		"empty":                  replace(plan.TensorsSuffix, func(d []byte) []byte { return nil }),
		"longer":                 replace(plan.TensorsSuffix, func(d []byte) []byte { return append(d, 0, 0, 0, 0) }),
		"a pointer of no JSON":   replace(plan.PointerSuffix, func(d []byte) []byte { return d[:len(d)/2] }),
		"a pointer to something": replace(plan.PointerSuffix, func(d []byte) []byte { return []byte("{}") }),
		"the tensors are gone": func(t *testing.T, s artifacts.Store) {
			if err := s.Delete(t.Context(), plan.CheckpointPrefix("job")+newest+plan.TensorsSuffix); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCheckpoints(t, artifacts.Mem())
			c.mustSave(t, checkpointAt(1, 0), checkpointAt(2, 0))
			damage(t, c.store)
			want := checkpointAt(1, 0)
			c.wantLatest(t, &want)
		})
	}
}

func TestTensorsWithoutPointerAreNoCheckpoint(t *testing.T) {
	s := artifacts.Mem()
	c := newCheckpoints(t, s)
	c.mustSave(t, checkpointAt(1, 0))
	killed := plan.CheckpointPrefix("job") + "000002-00000000-0001.safetensors"
	if err := s.Put(t.Context(), killed, strings.NewReader("half"), 4); err != nil {
		t.Fatal(err)
	}
	want := checkpointAt(1, 0)
	c.wantLatest(t, &want)
	c.mustSave(t, checkpointAt(3, 0), checkpointAt(4, 0))
	for _, key := range keysOf(t, s, plan.CheckpointPrefix("job")) {
		if strings.HasPrefix(key, "000002") {
			t.Errorf("%s is never removed", key)
		}
	}
}

// The write of a new checkpoint fails at every object in turn: an older one must
// be there each time.
func TestOldCheckpointStaysUntilTheNewIsDurable(t *testing.T) {
	for _, suffix := range []string{plan.TensorsSuffix, plan.PointerSuffix} {
		s := &flaky{Store: artifacts.Mem(), left: map[string]int{plan.CheckpointPrefix("job") + "000003-00000000-0001" + suffix: 1000}}
		c := newCheckpoints(t, s)
		c.patience = 50 * time.Millisecond
		c.mustSave(t, checkpointAt(1, 0), checkpointAt(2, 0))
		if err := c.Save(checkpointAt(3, 0)); !errors.Is(err, artifacts.ErrUnavailable) {
			t.Fatalf("Save to a store that is away = %v", err)
		}
		want := checkpointAt(2, 0)
		c.wantLatest(t, &want)
		if n := len(keysOf(t, s, plan.CheckpointPrefix("job")+"000001")); n != 2 {
			t.Errorf("the checkpoint before has %d objects, want 2", n)
		}
	}
}

func TestSaveWaitsForTheStore(t *testing.T) {
	s := &flaky{Store: artifacts.Mem(), left: map[string]int{
		plan.CheckpointPrefix("job") + "000001-00000000-0001" + plan.TensorsSuffix: 1,
		plan.CheckpointPrefix("job") + "000001-00000000-0001" + plan.PointerSuffix: 1,
	}}
	c := newCheckpoints(t, s)
	c.mustSave(t, checkpointAt(1, 0))
	want := checkpointAt(1, 0)
	c.wantLatest(t, &want)
}

// A store that is full is waited for; where it stays so, nothing that was stored is lost
// and the job is not at fault.
func TestFullStore(t *testing.T) {
	name := func(epoch int) string { return plan.CheckpointID{Job: "job", Epoch: epoch, Attempt: 1}.Key() }
	s := &flaky{Store: artifacts.Mem(), err: artifacts.ErrNoSpace, left: map[string]int{
		name(1) + plan.TensorsSuffix: 1, name(1) + plan.PointerSuffix: 1, name(2) + plan.PointerSuffix: 1000,
	}}
	c := newCheckpoints(t, s)
	c.mustSave(t, checkpointAt(1, 0))
	c.patience = 50 * time.Millisecond
	err := c.Save(checkpointAt(2, 0))
	if !errors.Is(err, artifacts.ErrNoSpace) {
		t.Fatalf("Save to a store that stays full = %v", err)
	}
	if e := failure(&artifacts.Error{Op: "write", Store: "a store", Err: err}); !e.Transient || e.Permanent || !strings.Contains(e.Hint, "free some space") {
		t.Errorf("the daemon hears %+v", e)
	}
	want := checkpointAt(1, 0)
	c.wantLatest(t, &want)
}

// away is a store that cannot be read.
type away struct{ artifacts.Store }

func (a away) Get(context.Context, string) (io.ReadCloser, artifacts.Info, error) {
	return nil, artifacts.Info{}, fmt.Errorf("read: %w", artifacts.ErrUnavailable)
}

func TestStoreThatIsAwayIsNotAStoreWithoutCheckpoints(t *testing.T) {
	s := artifacts.Mem()
	newCheckpoints(t, s).mustSave(t, checkpointAt(1, 0))
	c := newCheckpoints(t, away{s})
	c.patience = 50 * time.Millisecond
	if ck, err := c.Latest(); !errors.Is(err, artifacts.ErrUnavailable) {
		t.Errorf("Latest = %v, %v: the job would start from scratch", ck, err)
	}
}

func TestTwoAttemptsDoNotMixTheirHalves(t *testing.T) {
	s := artifacts.Mem()
	first, second := newCheckpoints(t, s), newCheckpoints(t, s)
	second.attempt = 2
	a, b := checkpointAt(1, 0), checkpointAt(1, 0)
	b.Seconds = 99
	first.mustSave(t, a)
	second.mustSave(t, b)
	first.wantLatest(t, &b)
	if n := len(keysOf(t, s, plan.CheckpointPrefix("job"))); n != 4 {
		t.Errorf("%d objects, want two checkpoints of two", n)
	}
}

// A job without a checkpoint goes on from the furthest of those that train alike;
// its own come first.
func TestCheckpointsOfTheSameTraining(t *testing.T) {
	s := artifacts.Mem()
	c, near, far := newCheckpoints(t, s), newCheckpoints(t, s), newCheckpoints(t, s)
	c.alike = []string{"none", "near", "far"}
	near.job, far.job = "near", "far"
	c.wantLatest(t, nil)
	a, b, own := checkpointAt(1, 2), checkpointAt(3, 0), checkpointAt(1, 0)
	near.mustSave(t, a)
	c.wantLatest(t, &a)
	far.mustSave(t, b)
	c.wantLatest(t, &b)
	near.wantLatest(t, &a)
	c.mustSave(t, own)
	c.wantLatest(t, &own)
	if n := len(keysOf(t, s, plan.CheckpointPrefix("far"))); n != 2 {
		t.Errorf("%d objects are left of the other job's checkpoint", n)
	}
}

func TestPruneAfterTheOutcome(t *testing.T) {
	for keep, want := range map[int]int{0: 0, 1: 2, 5: 4} {
		c := newCheckpoints(t, artifacts.Mem())
		c.mustSave(t, checkpointAt(1, 0), checkpointAt(2, 0))
		err := pruneCheckpoints(t.Context(), c.store, "job", nil, func(all []plan.CheckpointID) map[plan.CheckpointID]bool {
			return plan.Checkpoints{}.Retained(plan.Metric{}, "job", keep, nil, all)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := keysOf(t, c.store, plan.CheckpointPrefix("job")); len(got) != want {
			t.Errorf("keeping %d leaves %q", keep, got)
		}
	}
}

// The best epochs of a training keep their checkpoints, also those that are below the
// rung that led to it, and tensors that never got a pointer do not.
func TestTheBestCheckpointsAreKept(t *testing.T) {
	s := artifacts.Mem()
	accuracies := []float64{0.5, 0.9, 0.6, 0.8, 0.7, 0.1}
	at := func(epoch, step int) trainer.Checkpoint {
		ck := checkpointAt(epoch, step)
		for i := range ck.History {
			ck.History[i].Scores = trainer.Scores{"accuracy": accuracies[i]}
		}
		return ck
	}
	job, rung := newCheckpoints(t, s), newCheckpoints(t, s)
	rung.job = "rung"
	for _, c := range []*checkpoints{job, rung} {
		c.keep, c.metric = plan.Checkpoints{SaveTrialBest: 2, SaveTrialLatest: 1}, plan.Metric{Name: "accuracy", Goal: "maximize"}
	}
	epochs := func(job string) (found []int) {
		all, keys, err := listCheckpoints(t.Context(), s, job)
		if err != nil || len(keys) != 2*len(all) {
			t.Errorf("%d checkpoints in %q, %v", len(all), keys, err)
		}
		for _, id := range all {
			found = append(found, id.Epoch)
		}
		return found
	}
	rung.mustSave(t, at(1, 0), at(2, 0), at(3, 0))
	for _, half := range []string{"rung", "job"} {
		key := plan.CheckpointID{Job: half, Epoch: 3, Step: 1, Attempt: 1}.Key() + plan.TensorsSuffix
		if err := s.Put(t.Context(), key, strings.NewReader("half"), 4); err != nil {
			t.Fatal(err)
		}
	}
	job.mustSave(t, at(4, 0), at(5, 0), at(5, 3), at(6, 0))
	if diff := cmp.Diff([]int{4, 5, 5, 6}, epochs("job")); diff != "" {
		t.Errorf("while the job runs (-want +got):\n%s", diff)
	}
	d := New(Options{Store: s, Slots: []Slot{{Device: "cpu"}}})
	var history []plan.Epoch
	for i, x := range accuracies {
		history = append(history, plan.Epoch{Epoch: i + 1, Metrics: plan.Metrics{"accuracy": x}})
	}
	d.pruneAfter(t.Context(), plan.Spec{Job: "job", Rungs: []string{"rung"}, Checkpoints: job.keep, Metric: job.metric}, history, d.Log)
	if diff := cmp.Diff([][]int{{2}, {4, 6}}, [][]int{epochs("rung"), epochs("job")}); diff != "" {
		t.Errorf("after the outcome (-want +got):\n%s", diff)
	}
}
