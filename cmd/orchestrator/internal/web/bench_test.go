package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/schedulertest"
)

// BenchmarkTenThousandJobs is a server that has just started, with a store of 1,000
// trials on 10 folds of 100 epochs in a folder: the list and the page of the sweep, and
// the memory that is held after.
func BenchmarkTenThousandJobs(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "store")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		b.Fatal(err)
	}
	store, err := artifacts.Open(b.Context(), dir, artifacts.S3Options{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := schedulertest.Fill(b.Context(), store, schedulertest.Shape{Trials: 1000, Folds: 10, Epochs: 100, Done: schedulertest.All, Bare: true})
	if err != nil {
		b.Fatal(err)
	}
	workers := &scheduler.Scheduler{Store: store}
	for range 10 { // as workers do while a sweep runs: until all outcomes are in digests
		if _, err := workers.Reconcile(b.Context(), p.ID); err != nil {
			b.Fatal(err)
		}
	}
	for _, target := range []string{"/api/v1/sweeps", "/api/v1/sweeps/" + p.ID} {
		b.Run(strings.TrimPrefix(strings.TrimSuffix(target, p.ID), "/api/v1/"), func(b *testing.B) {
			for range b.N {
				s, err := New(Options{Store: store, Scheduler: &scheduler.Scheduler{Store: store}, CacheDir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				r := httptest.NewRequest("GET", "http://127.0.0.1"+target, nil)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB-held")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
