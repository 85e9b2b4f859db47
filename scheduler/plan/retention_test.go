package plan_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/scheduler/plan"
)

func TestParseCheckpoint(t *testing.T) {
	want := plan.CheckpointID{Job: "j", Epoch: 12, Step: 345, Attempt: 7}
	if got := want.Key(); got != "jobs/j/checkpoints/000012-00000345-0007" {
		t.Errorf("the key is %s", got)
	}
	for _, suffix := range []string{plan.TensorsSuffix, plan.PointerSuffix} {
		got, of, ok := plan.ParseCheckpoint("j", want.Key()+suffix)
		if got != want || of != suffix || !ok {
			t.Errorf("read %+v %s %v", got, of, ok)
		}
	}
	for _, key := range []string{"", "jobs/j/spec.json", "jobs/other/checkpoints/000012-00000345-0007.json", want.Key(), want.Key() + ".txt",
		"jobs/j/checkpoints/12-345-7.json", want.Key() + "x.json", "jobs/j/checkpoints/000012-00000345-00-1.json"} {
		if got, of, ok := plan.ParseCheckpoint("j", key); ok {
			t.Errorf("%q is %+v %s", key, got, of)
		}
	}
}

func TestRetained(t *testing.T) {
	id := func(job string, epoch, step, attempt int) plan.CheckpointID {
		return plan.CheckpointID{Job: job, Epoch: epoch, Step: step, Attempt: attempt}
	}
	all := []plan.CheckpointID{ // after epochs 1 and 2 of a rung, 3 to 6 of the job, which was interrupted in epoch 5 and then did 3 again
		id("rung", 1, 0, 1), id("rung", 2, 0, 1), id("job", 3, 0, 1), id("job", 3, 0, 2), id("job", 4, 0, 1), id("job", 4, 9, 1), id("job", 5, 0, 2), id("job", 6, 0, 2),
	}
	scores := []float64{0.8, 0.7, 0.8, 0.9, math.NaN(), 0.1, 1}
	var history []plan.Epoch
	for i, x := range scores {
		history = append(history, plan.Epoch{Epoch: i + 1, Metrics: plan.Metrics{"accuracy": x}})
	}
	for name, c := range map[string]struct {
		goal         string
		best, latest int
		want         []plan.CheckpointID
	}{
		"nothing":                   {"maximize", 0, 0, nil},
		"the latest":                {"maximize", 0, 2, []plan.CheckpointID{id("job", 5, 0, 2), id("job", 6, 0, 2)}},
		"the best":                  {"maximize", 1, 0, []plan.CheckpointID{id("job", 4, 0, 1)}},
		"the earlier of equals":     {"maximize", 2, 0, []plan.CheckpointID{id("job", 4, 0, 1), id("rung", 1, 0, 1)}},
		"the newest of an epoch":    {"maximize", 3, 1, []plan.CheckpointID{id("job", 3, 0, 2), id("job", 4, 0, 1), id("job", 6, 0, 2), id("rung", 1, 0, 1)}},
		"no number is none of them": {"minimize", 9, 0, []plan.CheckpointID{id("job", 3, 0, 2), id("job", 4, 0, 1), id("job", 6, 0, 2), id("rung", 1, 0, 1), id("rung", 2, 0, 1)}},
	} {
		kept := plan.Checkpoints{SaveTrialBest: c.best}.Retained(plan.Metric{Name: "accuracy", Goal: c.goal}, "job", c.latest, history, all)
		var got []plan.CheckpointID
		for _, one := range all {
			if kept[one] {
				got = append(got, one)
			}
		}
		slices.SortFunc(got, func(a, b plan.CheckpointID) int {
			if a.Job != b.Job {
				return len(a.Job) - len(b.Job)
			}
			return plan.CompareCheckpoints(a, b)
		})
		if diff := cmp.Diff(c.want, got); diff != "" || len(kept) != len(c.want) {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Whoever prunes after every epoch ends with the same checkpoints as whoever prunes
// once, in the end.
func TestRetainedAsOneGoes(t *testing.T) {
	const epochs = 12
	m := plan.Metric{Name: "loss", Goal: "minimize"}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := plan.Checkpoints{SaveTrialBest: r.IntN(4), SaveTrialLatest: 1 + r.IntN(3)}
		var history []plan.Epoch
		var all, left []plan.CheckpointID
		for e := 1; e <= epochs; e++ {
			history = append(history, plan.Epoch{Epoch: e, Metrics: plan.Metrics{"loss": float64(r.IntN(5))}})
			if r.IntN(4) == 0 {
				continue // nothing is written after this epoch
			}
			id := plan.CheckpointID{Job: "job", Epoch: e, Attempt: 1}
			all, left = append(all, id), append(left, id)
			kept := c.Retained(m, "job", c.SaveTrialLatest+1, history, left)
			left = slices.DeleteFunc(left, func(id plan.CheckpointID) bool { return !kept[id] })
		}
		want, got := c.Retained(m, "job", c.SaveTrialLatest, history, all), c.Retained(m, "job", c.SaveTrialLatest, history, left)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d (-at once +step by step):\n%s", seed, diff)
		}
	}
}
