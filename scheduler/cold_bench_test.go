package scheduler_test

import (
	"runtime"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/artifacts/artifactstest"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/schedulertest"
)

// BenchmarkCold is what a process pays that sees a finished sweep of 1000 trials on 10
// folds over 100 epochs for the first time, and what it keeps.
func BenchmarkCold(b *testing.B) {
	for name, open := range map[string]func() artifacts.Store{
		"folder": func() artifacts.Store {
			store, err := artifacts.Dir(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			return store
		},
		"minio": func() artifacts.Store { return artifactstest.StartMinIO(b).Store(b, "orchestrator", "") },
	} {
		b.Run(name, func(b *testing.B) {
			store := open()
			p, err := schedulertest.Fill(ctx, store, schedulertest.Shape{Trials: 1000, Folds: 10, Epochs: 100, Done: schedulertest.All, Bare: true})
			if err != nil {
				b.Fatal(err)
			}
			writer := &scheduler.Scheduler{Store: store}
			for range 10 { // until all outcomes are in digests
				if _, err := writer.Reconcile(ctx, p.ID); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			var list, glance, histories time.Duration
			for range b.N {
				list += timed(b, func(s *scheduler.Scheduler) error { _, err := s.List(ctx); return err }, store)
				glance += timed(b, func(s *scheduler.Scheduler) error { _, err := s.Glance(ctx, p.ID); return err }, store)
				histories += timed(b, func(s *scheduler.Scheduler) error {
					return s.Histories(ctx, p.ID, jobIDsOf(p), func(string, []plan.Epoch) error { return nil })
				}, store)
			}
			b.ReportMetric(list.Seconds()/float64(b.N), "s/list")
			b.ReportMetric(glance.Seconds()/float64(b.N), "s/glance")
			b.ReportMetric(histories.Seconds()/float64(b.N), "s/histories")
			s := &scheduler.Scheduler{Store: store}
			results, err := s.Glance(ctx, p.ID)
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB-heap")
			runtime.KeepAlive(s)
			runtime.KeepAlive(results)
		})
	}
}

// timed is how long something takes in a process that has seen nothing.
func timed(b *testing.B, do func(*scheduler.Scheduler) error, store artifacts.Store) time.Duration {
	start := time.Now()
	if err := do(&scheduler.Scheduler{Store: store}); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func jobIDsOf(p *plan.Plan) []string {
	ids := make([]string, len(p.Jobs))
	for i, job := range p.Jobs {
		ids[i] = job.ID
	}
	return ids
}
