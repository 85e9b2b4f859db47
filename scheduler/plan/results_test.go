package plan

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// resultsPlan is a plan of n trials on three folds with readable job IDs.
func resultsPlan(n int) *Plan {
	p := &Plan{ID: "s-1a2b3c", Metric: Metric{"accuracy", "maximize"}}
	for k := range 3 {
		p.Folds = append(p.Folds, Fold{Number: k, Name: string(rune('0' + k))})
	}
	for i := range n {
		p.Trials = append(p.Trials, Trial{Number: i, Parameters: map[string]any{"training.learning_rate": 0.1 / float64(i+1)}})
		for k := range 3 {
			p.Jobs = append(p.Jobs, Job{ID: string(rune('a'+i)) + string(rune('0'+k)), Trial: i, Fold: k})
		}
	}
	return p
}

func done(accuracy float64) JobView {
	return JobView{State: Completed, Attempts: 1, Outcome: &Outcome{
		Sweep: "s-1a2b3c", Metrics: Metrics{"accuracy": accuracy, "loss": 1 - accuracy}, Epochs: 1, Attempts: 1, Seconds: 2.5,
		History: []Epoch{{Epoch: 1, TrainLoss: 0.7, Metrics: Metrics{"accuracy": accuracy, "loss": 1 - accuracy}}},
	}}
}

// The JSON of results is a contract with scripts: testdata/results.json.
func TestResultsJSON(t *testing.T) {
	views := map[string]JobView{"a0": done(0.5), "a1": done(0.75), "a2": done(1), "b0": done(0.9)}
	cached := done(0.25)
	cached.Outcome.Sweep = "another-000000"
	views["b1"] = cached
	views["b2"] = JobView{State: Failed, Attempts: 3, Failure: &Failure{Job: "b2", Reason: "out of memory", Hint: "lower training.batch_size", Attempts: 3, Finished: "2025-01-01T00:00:00Z"}}
	views["c0"] = JobView{State: Running, Attempts: 2, Progress: &Progress{Job: "c0", Epoch: 4, Epochs: 8, Seconds: 9}}
	got, err := json.MarshalIndent(Summarize(resultsPlan(3), views), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/results.json"
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	var back Results
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.MarshalIndent(back, "", "  "); string(again) != string(got) {
		t.Errorf("results read back as %s", again)
	}
}

func TestSummaryIsMeanAndSampleDeviation(t *testing.T) {
	// The five folds of the reference run on the photographs of ants and bees:
	// 0.899 ± 0.052.
	s := stat([]float64{0.925, 0.937, 0.810, 0.924, 0.899})
	if math.Abs(s.Mean-0.899) > 1e-12 || math.Abs(s.Std-0.0516382) > 1e-6 {
		t.Errorf("stat = %+v", s)
	}
	if s := stat([]float64{0.5}); s.Mean != 0.5 || !math.IsNaN(s.Std) {
		t.Errorf("one value: %+v", s)
	}
	if s := stat([]float64{0.5, 0.5, 0.5}); s.Mean != 0.5 || s.Std != 0 {
		t.Errorf("equal values: %+v", s)
	}
}

// The mean is over the folds in which a metric is defined, and results say of how
// many that is; where there are none, why no trial is the best.
func TestSummaryIsOverFoldsWithTheMetric(t *testing.T) {
	p := resultsPlan(1)
	p.Metric.Name = "auc"
	p.Jobs = p.Jobs[:2]
	p.Trials[0].Config.Evaluation.Metrics = []string{"accuracy", "auc"}
	views := map[string]JobView{"a0": done(0.5), "a1": done(0.5)}
	r := Summarize(p, views)
	if _, there := r.Trials[0].Summary["auc"]; there || r.Best != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "in every completed fold") || !strings.Contains(r.Warnings[0], "no trial is the best") {
		t.Errorf("undefined everywhere: summary %v, best %v, warnings %q", r.Trials[0].Summary, r.Best, r.Warnings)
	}
	views["a0"].Outcome.Metrics["auc"] = 0.75
	r = Summarize(p, views)
	if s := r.Trials[0].Summary["auc"]; s.Mean != 0.75 || r.Best == nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "in 1 of 2 completed folds") {
		t.Errorf("undefined in one fold: auc %v, best %v, warnings %q", s, r.Best, r.Warnings)
	}
	views["a1"].Outcome.Metrics["auc"] = 0.25
	if r = Summarize(p, views); r.Trials[0].Summary["auc"].Mean != 0.5 || len(r.Warnings) > 0 {
		t.Errorf("defined everywhere: %v, warnings %q", r.Trials[0].Summary, r.Warnings)
	}
}

func TestStatesOfWholes(t *testing.T) {
	for _, c := range []struct {
		parts []State
		want  State
	}{
		{[]State{Pending, Pending}, Pending},
		{[]State{Pending, Running}, Running},
		{[]State{Completed, Pending}, Running},
		{[]State{Failed, Pending}, Running},
		{[]State{Canceled, Running}, Running},
		{[]State{Completed, Completed}, Completed},
		{[]State{Completed, Failed}, Failed},
		{[]State{Canceled, Failed}, Failed},
		{[]State{Completed, Canceled}, Canceled},
		{[]State{Paused, Completed}, Paused},
		{[]State{Paused, Pending}, Paused},
		{[]State{Paused, Running}, Running},
		{[]State{Pruned, Completed}, Completed},
	} {
		parts := map[State]int{}
		for _, state := range c.parts {
			parts[state]++
		}
		if got := combine(parts); got != c.want {
			t.Errorf("%v together are %s, want %s", c.parts, got, c.want)
		}
	}
	if got := TrialState(map[State]int{Completed: 1, Pruned: 1}); got != Pruned {
		t.Errorf("a trial with a pruned fold is %s", got)
	}
}

func TestBest(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		goal   string
		scores [][]float64 // per trial, of its three folds; fewer: not all are done
		want   int         // -1: none
	}{
		"largest":             {"maximize", [][]float64{{.1, .1, .1}, {.3, .3, .3}, {.2, .2, .2}}, 1},
		"smallest":            {"minimize", [][]float64{{.2, .2, .2}, {.3, .3, .3}, {.1, .1, .1}}, 2},
		"first of equals":     {"maximize", [][]float64{{.2, .2, .2}, {.2, .2, .2}}, 0},
		"only whole trials":   {"maximize", [][]float64{{.1, .1, .1}, {.9, .9}}, 0},
		"never what diverged": {"maximize", [][]float64{{nan, .9, .9}, {.1, .1, .1}}, 1},
		"below zero":          {"maximize", [][]float64{{-.2, -.2, -.2}, {-.1, -.1, -.1}}, 1},
		"none yet":            {"maximize", [][]float64{{.1}, {}}, -1},
		"all diverged":        {"minimize", [][]float64{{nan, nan, nan}}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			p := resultsPlan(len(c.scores))
			p.Metric.Goal = c.goal
			views := map[string]JobView{}
			for i, scores := range c.scores {
				for k, score := range scores {
					views[p.Jobs[3*i+k].ID] = done(score)
				}
			}
			got := -1
			if r := Summarize(p, views); r.Best != nil {
				got = r.Best.Trial
			}
			if got != c.want {
				t.Errorf("best is %d, want %d", got, c.want)
			}
		})
	}
}

// One job may stand for several places of a plan: then all show its outcome.
func TestAJobThatAppearsTwice(t *testing.T) {
	p := resultsPlan(2)
	for i := range p.Jobs {
		p.Jobs[i].ID = p.Jobs[i%3].ID
	}
	r := Summarize(p, map[string]JobView{"a0": done(0.5), "a1": done(0.5), "a2": done(0.5)})
	if r.State != Completed || r.Trials[1].Summary["accuracy"].Mean != 0.5 {
		t.Errorf("results %+v", r)
	}
}
