package metrics

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/worker"
)

// scrape is what a scraper gets.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// has fails where a line of the metrics is missing.
func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%q is not among the metrics", line)
		}
	}
}

func TestWorkersAreMeasured(t *testing.T) {
	m := New("v1", "e1")
	m.Slots(func() []worker.SlotStatus {
		return []worker.SlotStatus{{Device: "cpu", Taken: true, PID: os.Getpid(), Done: 0.25}, {Device: "cpu", Resting: true}, {Device: "cuda"}}
	})
	w := m.Worker()
	w.Attempt("memory", 61)
	w.Job(worker.Completed, true)
	w.Job(worker.Completed, false)
	x := worker.Measures{CheckpointBytes: 100, Epochs: 2, Store: map[string]*worker.StoreUse{"get": {Bytes: 7, Errors: map[string]uint64{"denied": 3}}}}
	for _, seconds := range []float64{0.00005, 0.03, 0.04, 1000} {
		x.Steps.Add(seconds)
		x.DataWaits.Add(seconds / 10)
	}
	w.Measured(x)
	w.Measured(x)
	text := scrape(t, m)
	has(t, text,
		`orchestrator_attempts_total{cause="memory"} 1`, `orchestrator_attempts_total{cause="crash"} 0`,
		`orchestrator_attempt_duration_seconds_bucket{le="60"} 0`, `orchestrator_attempt_duration_seconds_bucket{le="300"} 1`,
		`orchestrator_jobs_total{end="completed"} 1`, `orchestrator_jobs_total{end="cached"} 1`,
		`orchestrator_step_duration_seconds_bucket{le="0.0001"} 2`, `orchestrator_step_duration_seconds_bucket{le="0.05"} 6`,
		`orchestrator_step_duration_seconds_bucket{le="100"} 6`, `orchestrator_step_duration_seconds_bucket{le="+Inf"} 8`,
		`orchestrator_step_data_wait_seconds_count 8`, `orchestrator_checkpoint_written_bytes_total 200`, `orchestrator_epochs_total 4`,
		`orchestrator_store_bytes_total{operation="get"} 14`, `orchestrator_store_errors_total{error="denied",operation="get"} 6`,
		`orchestrator_slots{device="cpu",state="running"} 1`, `orchestrator_slots{device="cpu",state="resting"} 1`,
		`orchestrator_slots{device="cuda",state="free"} 1`, `orchestrator_slots{device="cuda",state="running"} 0`,
		`orchestrator_slot_progress_ratio{slot="0"} 0.25`, `orchestrator_build_info{engine="e1",version="v1"} 1`)
	if !strings.Contains(text, `orchestrator_trainer_resident_memory_bytes{slot="0"} `) {
		t.Error("the memory of a trainer process is not measured")
	}
	if strings.Contains(text, `slot="1"`) {
		t.Error("an idle slot has a progress")
	}
}

func TestStoresAreMeasured(t *testing.T) {
	m := New("v1", "e1")
	s := m.Store(artifacts.Mem())
	if err := s.Put(t.Context(), "a", strings.NewReader("123"), 3); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Stat(t.Context(), "missing")
	m.used("put", worker.StoreUse{Errors: map[string]uint64{worker.StoreError(fmt.Errorf("x: %w", artifacts.ErrNoSpace)): 1}})
	m.used("put", worker.StoreUse{Errors: map[string]uint64{worker.StoreError(errors.New("x")): 1}})
	has(t, scrape(t, m), `orchestrator_store_operation_duration_seconds_count{operation="put"} 1`, `orchestrator_store_bytes_total{operation="put"} 3`,
		`orchestrator_store_operation_duration_seconds_count{operation="stat"} 1`, `orchestrator_store_errors_total{error="unavailable",operation="stat"} 0`,
		`orchestrator_store_errors_total{error="full",operation="put"} 1`, `orchestrator_store_errors_total{error="other",operation="put"} 1`)
}

func TestSweepsAreMeasured(t *testing.T) {
	m := New("v1", "e1")
	s := m.Scheduler()
	s.Reconciled("a", scheduler.Report{State: plan.Running, Jobs: 10, Completed: 3, Failed: 1}, time.Millisecond, nil)
	s.Reconciled("a", scheduler.Report{State: plan.Running, Jobs: 10, Completed: 4, Failed: 1}, time.Second, nil)
	s.Reconciled("b", scheduler.Report{State: plan.Completed, Jobs: 7, Completed: 7}, time.Second, nil)
	s.Reconciled("b", scheduler.Report{}, time.Second, errors.New("away"))
	s.Proposed()
	s.Stopped(plan.Stop{Epoch: 3})
	s.OutcomesRead(1, 0)
	has(t, scrape(t, m), `orchestrator_sweeps{state="running"} 1`, `orchestrator_sweeps{state="completed"} 1`, `orchestrator_sweeps{state="paused"} 0`,
		`orchestrator_sweep_jobs{state="completed"} 4`, `orchestrator_sweep_jobs{state="open"} 5`, `orchestrator_sweep_jobs{state="failed"} 1`,
		`orchestrator_reconcile_duration_seconds_count 4`, `orchestrator_reconcile_errors_total 1`, `orchestrator_trials_proposed_total 1`,
		`orchestrator_trials_stopped_total{by="rung"} 1`, `orchestrator_trials_stopped_total{by="folds"} 0`,
		`orchestrator_outcome_reads_total{cache="hit"} 1`, `orchestrator_outcome_reads_total{cache="miss"} 0`)
}

func TestDevicesAreMeasured(t *testing.T) {
	answer, at := [][]string{{"0", "NVIDIA H100 80GB HBM3", "4", "81559", "97"}, {"1", "A, B", "[N/A]", "100", "[N/A]"}, {"2", "", "nan", "-1", "inf"}}, time.Unix(0, 0)
	asked := 0
	m := New("v1", "e1")
	m.Register(&deviceCollector{now: func() time.Time { return at }, query: func() ([][]string, error) {
		asked++
		if asked > 1 {
			return nil, errors.New("the driver does not answer")
		}
		return answer, nil
	}})
	at = at.Add(time.Hour)
	for range 2 {
		text := scrape(t, m)
		has(t, text, `orchestrator_device_memory_used_bytes{index="0",name="NVIDIA H100 80GB HBM3"} 4.194304e+06`,
			`orchestrator_device_utilization_ratio{index="0",name="NVIDIA H100 80GB HBM3"} 0.97`,
			`orchestrator_device_memory_total_bytes{index="1",name="A, B"} 1.048576e+08`)
		if strings.Contains(text, `memory_total_bytes{index="2"`) {
			t.Error("a negative size is told")
		}
	}
	if asked != 1 {
		t.Errorf("nvidia-smi ran %d times for two scrapes at once", asked)
	}
	at = at.Add(smiEvery)
	if text := scrape(t, m); strings.Contains(text, "orchestrator_device") {
		t.Error("what a driver said long ago is still told")
	}
}

// The names follow Prometheus's conventions, and all have a help text.
func TestNamesFollowConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(full(t).registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "orchestrator_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if lint, err := promlint.New(strings.NewReader("# TYPE orchestrator_bad counter\norchestrator_bad 1\n")).Lint(); err != nil || len(lint) == 0 {
		t.Error("the check would find nothing")
	}
}
