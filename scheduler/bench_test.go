package scheduler_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// BenchmarkNextTrial is what a search costs from the outcome of a trial to the next
// one in the queue, on a folder, after so many trials.
func BenchmarkNextTrial(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, uploads := searchPlan(b, fmt.Sprintf("method: tpe\nrun_cap: %d\nmax_concurrent_trials: 1", 10_000))
			w := newWorld(b)
			folder := b.TempDir()
			store, err := artifacts.Dir(folder)
			if err != nil {
				b.Fatal(err)
			}
			plant := func(key string, v any) { // without the sync that a store owes its users
				text, err := json.Marshal(v)
				file := filepath.Join(folder, key)
				if err := errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, text, 0o666)); err != nil {
					b.Fatal(err)
				}
			}
			w.store, w.queue.store = store, store
			s := &scheduler.Scheduler{Store: store, Queue: connection{w.queue, &crasher{left: -1}}}
			if _, err := s.Submit(ctx, p, uploads); err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 1))
			trial := p.Trials[0]
			for trial.Number = 1; trial.Number < n-b.N-1; trial.Number++ { // as if they had been proposed
				trial.Point = []float64{r.Float64(), r.Float64(), float64(r.IntN(3))}
				trial.Parameters = map[string]any{"training.learning_rate": r.Float64()}
				trial.Config.Training.LearningRate = r.Float64()
				plant(plan.TrialKey(p.ID, trial.Number), trial)
			}
			grown, err := s.Plan(ctx, p.ID)
			if err != nil {
				b.Fatal(err)
			}
			for _, job := range grown.Jobs {
				plant(plan.OutcomeKey(job.ID), trained(grown.Spec(job)))
			}
			for range 30 { // the first times there are digests to write
				if _, err := s.Reconcile(ctx, p.ID); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				for w.train(func(int) int { return 0 }, func(plan.Spec) bool { return false }) {
				}
				b.StartTimer()
				if _, err := s.Reconcile(ctx, p.ID); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "trials/s")
		})
	}
}
