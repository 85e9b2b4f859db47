package scheduler_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// searches are sweep files whose trials depend on the outcomes of others.
var searches = map[string]string{
	"tpe":      "method: tpe\nrun_cap: 14",
	"cma-es":   "method: cma-es\nrun_cap: 12\nmax_concurrent_trials: 3",
	"asha":     "method: random\nrun_cap: 16\nmax_concurrent_trials: 2\nearly_terminate: {type: asha, min_iter: 1, eta: 2}",
	"tpe+all":  "method: tpe\nrun_cap: 14\nmax_concurrent_trials: 3\nearly_terminate: {type: hyperband, min_iter: 1, eta: 2, brackets: 2, folds: {min: 2, alpha: 0.2}}",
	"folds":    "method: sobol\nrun_cap: 16\nearly_terminate: {folds: {min: 1, alpha: 0.3}}",
	"halving":  "method: random\nrun_cap: 13\nearly_terminate: {type: successive_halving, eta: 2}",
	"median":   "method: random\nrun_cap: 12\nearly_terminate: {type: median, min_iter: 2}",
	"no order": "method: random\nrun_cap: 6\nmax_concurrent_trials: 2",
}

const searchFile = `name: learn
dataset: {path: data}
model: {base: builtin:tinynet}
training: {epochs: 8, learning_rate: 0.1}
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.0001, max: 1}
  training.momentum: {min: 0, max: 0.99}
  training.batch_size: {values: [8, 16, 32]}
`

func searchPlan(t testing.TB, more string) (*plan.Plan, []scheduler.Upload) {
	t.Helper()
	s, err := plan.Parse("learn.yaml", []byte(searchFile+more+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	pack, u1 := upload("packs", "pictures")
	base, u2 := upload("models", "weights")
	data := plan.Data{Pack: pack, Classes: []string{"a", "b"}}
	var folds []plan.Fold
	for f := range 4 {
		data.Labels = append(data.Labels, f%2)
		folds = append(folds, plan.Fold{Number: f, Name: fmt.Sprint(f), Train: []int{(f + 1) % 4}, Test: []int{f}})
	}
	p, err := plan.Expand(s, data, folds, map[string]plan.Ref{"builtin:tinynet": base})
	if err != nil {
		t.Fatal(err)
	}
	return p, []scheduler.Upload{u1, u2}
}

// trained is what training comes to: a curve that depends on the settings and the
// fold alone, with its best at a learning rate of 0.03 and a momentum of 0.9.
func trained(spec plan.Spec) plan.Outcome {
	c := spec.Config.Training
	quality := math.Exp(-math.Pow(math.Log(c.LearningRate/0.03), 2)/8 - (c.Momentum-0.9)*(c.Momentum-0.9))
	h := fnv.New32()
	fmt.Fprint(h, c.LearningRate, c.Momentum, c.BatchSize, spec.Fold)
	noise := float64(h.Sum32()%1000)/1000 - 0.5
	o := plan.Outcome{Job: spec.Job, Sweep: spec.Sweep, Attempts: 1, Epochs: c.Epochs}
	if spec.Until > 0 {
		o.Epochs = spec.Until
	}
	for e := range o.Epochs {
		score := quality*(1-math.Exp(-float64(e+1)/2)) + 0.02*noise + 0.01*float64(spec.Fold)
		o.History = append(o.History, plan.Epoch{Epoch: e + 1, Metrics: plan.Metrics{"accuracy": score}})
		o.Metrics = plan.Metrics{"accuracy": score}
	}
	return o
}

// train completes one of the jobs that wait, chosen by pick, or fails it; false:
// none waits.
func (w *world) train(pick func(n int) int, fails func(plan.Spec) bool) bool {
	w.t.Helper()
	waiting := strings.Fields(w.pending())
	if len(waiting) == 0 {
		return false
	}
	job := waiting[pick(len(waiting))]
	var spec plan.Spec
	if err := artifacts.GetJSON(ctx, w.store, plan.SpecKey(job), &spec); err != nil {
		w.t.Fatalf("a job was enqueued before its spec was stored: %v", err)
	}
	if fails(spec) {
		w.fail(job)
		return true
	}
	w.put(plan.OutcomeKey(job), trained(spec))
	w.set(job, plan.Completed)
	return true
}

// finish brings a sweep to its end with processes that are killed at random, a
// queue that is flushed, and jobs that end in any order.
func (w *world) finish(sweep string, r *rand.Rand, fails func(plan.Spec) bool) *plan.Results {
	w.t.Helper()
	for steps := 0; steps < 5000; steps++ {
		s := w.healthy()
		if r.IntN(3) == 0 {
			s = w.process(r.IntN(40), r.IntN(2) == 0)
		}
		_, err := s.Reconcile(ctx, sweep)
		switch {
		case err != nil && !strings.Contains(err.Error(), errCrash.Error()):
			w.t.Fatal(err)
		case r.IntN(25) == 0:
			w.flush()
		}
		for range 1 + r.IntN(6) {
			if !w.train(r.IntN, fails) {
				break
			}
		}
		results, err := w.healthy().Load(ctx, sweep)
		if err != nil {
			w.t.Fatal(err)
		}
		if scheduler.Over(results.State) {
			return results
		}
	}
	w.t.Fatal("the sweep does not come to its end")
	return nil
}

// What a search proposes and whom it stops depends on the file alone: not on which
// job is done first, on how many there are to decide it, or on who was killed.
func TestSearchesAreFunctionsOfTheFile(t *testing.T) {
	testenv.Daily(t)
	seed := time.Now().UnixNano()
	never := func(plan.Spec) bool { return false }
	unlucky := func(s plan.Spec) bool { return s.Trial%5 == 3 && s.Fold == 1 }
	for name, more := range searches {
		for kind, fails := range map[string]func(plan.Spec) bool{"": never, " with failures": unlucky} {
			t.Run(name+kind, func(t *testing.T) {
				p, uploads := searchPlan(t, more)
				run := func(seed uint64) *plan.Results {
					w := newWorld(t)
					if _, err := w.healthy().Submit(ctx, p, uploads); err != nil {
						t.Fatal(err)
					}
					results := w.finish(p.ID, rand.New(rand.NewPCG(seed, 1)), fails)
					w.checkSins()
					return results
				}
				want := run(1)
				for i := range testenv.Size(1, 2, 5) {
					got := run(uint64(seed) + uint64(i))
					if d := cmp.Diff(decisions(want), decisions(got)); d != "" {
						t.Fatalf("seed %d:\n%s", seed+int64(i), d)
					}
				}
				check(t, name, p, want)
			})
		}
	}
}

// decision is what a search decided of a trial.
type decision struct {
	Parameters string
	State      plan.State
	Stopped    plan.Stop
	Mean       float64
}

func decisions(r *plan.Results) []decision {
	var all []decision
	for _, t := range r.Trials {
		d := decision{Parameters: plan.ParametersKey(t.Parameters), State: t.State}
		if t.Stopped != nil {
			d.Stopped = *t.Stopped
		}
		if t.State == plan.Completed { // of others there may be a fold more or less
			d.Mean = t.Summary["accuracy"].Mean
		}
		all = append(all, d)
	}
	return all
}

func check(t *testing.T, name string, p *plan.Plan, r *plan.Results) {
	t.Helper()
	if len(r.Trials) != p.Search.Trials || r.State != plan.Completed && r.State != plan.Failed || r.Best == nil {
		t.Errorf("%d trials, %s, best %v", len(r.Trials), r.State, r.Best)
	}
	seen := map[string]bool{}
	stopped := 0
	for _, trial := range r.Trials {
		key := plan.ParametersKey(trial.Parameters)
		if seen[key] {
			t.Errorf("trial %d repeats %s", trial.Trial, key)
		}
		seen[key] = true
		if trial.State == plan.Pruned {
			stopped++
			if trial.Stopped == nil || trial.Stopped.Reason == "" {
				t.Errorf("trial %d does not say why it stopped", trial.Trial)
			}
		}
	}
	if prunes := p.Search.EarlyTerminate != (plan.EarlyTerminate{}); prunes != (stopped > 0) {
		t.Errorf("%s stopped %d trials", name, stopped)
	}
}

// A trial that fails and is tried again goes on where it was, and what the search
// decided meanwhile stands.
func TestRetryOfASearch(t *testing.T) {
	p, uploads := searchPlan(t, searches["tpe+all"])
	w := newWorld(t)
	s := w.healthy()
	if _, err := s.Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	before := w.finish(p.ID, r, func(s plan.Spec) bool { return s.Trial == 2 })
	if before.State != plan.Failed || before.Trials[2].State != plan.Failed {
		t.Fatalf("%s, trial 2 %s", before.State, before.Trials[2].State)
	}
	if n, _, err := w.healthy().Retry(ctx, p.ID); n == 0 || err != nil {
		t.Fatal(n, err)
	}
	after := w.finish(p.ID, r, func(plan.Spec) bool { return false })
	if after.State != plan.Completed {
		t.Errorf("%s after the retry", after.State)
	}
	for i, trial := range after.Trials {
		if plan.ParametersKey(trial.Parameters) != plan.ParametersKey(before.Trials[i].Parameters) {
			t.Errorf("trial %d is another one after the retry", i)
		}
	}
}

// At most max_concurrent_trials trials have jobs in the queue.
func TestMaxConcurrentTrials(t *testing.T) {
	for name, more := range searches {
		p, uploads := searchPlan(t, more)
		if p.Search.Concurrent == 0 {
			continue
		}
		w := newWorld(t)
		s := w.healthy()
		if _, err := s.Submit(ctx, p, uploads); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 3))
		for w.train(r.IntN, func(plan.Spec) bool { return false }) {
			if _, err := s.Reconcile(ctx, p.ID); err != nil {
				t.Fatal(err)
			}
			var trials []int
			for job := range strings.FieldsSeq(w.pending()) {
				var spec plan.Spec
				if err := artifacts.GetJSON(ctx, w.store, plan.SpecKey(job), &spec); err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(trials, spec.Trial) {
					trials = append(trials, spec.Trial)
				}
			}
			if len(trials) > p.Search.Concurrent {
				t.Fatalf("%s: the trials %v are under way at once, and %d may be", name, trials, p.Search.Concurrent)
			}
		}
	}
}

func TestPause(t *testing.T) {
	w := newWorld(t)
	s := w.healthy()
	p, uploads := aPlan("s-1", "j", 2, 2)
	if _, err := s.Submit(ctx, p, uploads); err != nil {
		t.Fatal(err)
	}
	w.set("j00", plan.Running)
	w.complete("s-1", "j01", 0.5)
	report, err := s.Pause(ctx, "s-1")
	if err != nil || report.State != plan.Paused || report.Withdrawn != 2 || w.pending() != "" {
		t.Fatalf("%+v %v, pending %q", report, err, w.pending())
	}
	results, err := s.Load(ctx, "s-1")
	if err != nil || results.State != plan.Paused || results.Trials[0].Folds[0].State != plan.Running || results.Trials[1].Folds[0].State != plan.Paused {
		t.Fatalf("%+v %v", results, err)
	}
	if list, err := s.List(ctx); err != nil || list[0].State != plan.Paused {
		t.Errorf("%+v %v", list, err)
	}
	w.set("j00", plan.Completed) // it has written a checkpoint and stopped
	if report, err = s.Resume(ctx, "s-1"); err != nil || report.Enqueued != 3 || report.State != plan.Running {
		t.Errorf("%+v %v", report, err)
	}
}
