package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/tools/testenv"
)

// Every message about a job has the ids of its sweep, trial, fold and job, and that
// of a running one its attempt, whoever it comes from.
// And what the worker did shows in its metrics, trainer processes included.
func TestLogsHaveIDsAndMetricsCount(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	c := newCluster(t)
	file := c.tiny()
	worker := c.start("worker", "--slots", "1", "--reconcile-every", "1s", "--log-format", "json", "--log-level", "debug", "--metrics-listen", "127.0.0.1:0")
	c.run("submit", "--watch", file, "--set", "training.epochs=2", "--set", "checkpoints.every_epochs=1")
	page, url := "", metricsOf(t, worker)
	eventually(t, 20*time.Second, "the worker has seen the sweep completed", func() bool {
		page = get(t, url)
		return strings.Contains(page, "\norchestrator_sweeps{state=\"completed\"} 1\n")
	})
	for name, want := range map[string]float64{
		`orchestrator_attempts_total{cause="completed"}`:                       4,
		`orchestrator_jobs_total{end="completed"}`:                             4,
		"orchestrator_epochs_total":                                            8,
		"orchestrator_step_duration_seconds_count":                             4 * 2 * 3,
		"orchestrator_step_data_wait_seconds_count":                            4 * 2 * 3,
		"orchestrator_checkpoint_write_duration_seconds_count":                 8,
		`orchestrator_slots{device="cpu",state="free"}`:                        1,
		`orchestrator_sweep_jobs{state="open"}`:                                0,
		`orchestrator_sweeps{state="completed"}`:                               1,
		`orchestrator_store_errors_total{error="unavailable",operation="put"}`: 0,
		"orchestrator_queue_up":                                                1,
		"orchestrator_queue_workers":                                           1,
		`asynq_tasks_processed_total{queue="any"}`:                             4,
	} {
		if got := value(t, page, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// Each job reads its data set, network and spec, and writes checkpoints and results.
	for _, name := range []string{`orchestrator_store_operation_duration_seconds_count{operation="get"}`,
		`orchestrator_store_operation_duration_seconds_count{operation="put"}`, `orchestrator_store_bytes_total{operation="put"}`,
		"orchestrator_checkpoint_written_bytes_total"} {
		if got := value(t, page, name); got < 8 {
			t.Errorf("%s is %v", name, got)
		}
	}
	worker.signal(syscall.SIGTERM)
	worker.wait(time.Minute)

	seen, jobs := map[string]int{}, map[string]bool{}
	for line := range strings.Lines(worker.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("not JSON: %s", line)
		}
		message := m["msg"].(string)
		seen[message]++
		if general(message) {
			continue
		}
		for _, id := range []string{"sweep", "trial", "fold", "job", "attempt"} {
			if _, there := m[id]; !there {
				t.Errorf("no %s in %s", id, line)
			}
		}
		jobs[m["job"].(string)] = true
	}
	if len(jobs) != 4 {
		t.Errorf("messages are about %d jobs, not 4", len(jobs))
	}
	for message, times := range map[string]int{ // the last but one is the trainer process's
		"worker ready": 1, "attempt started": 4, "epoch done": 8, "checkpoint written": 8, "training is done": 4, "attempt ended": 4,
	} {
		if seen[message] != times {
			t.Errorf("%q was said %d times, not %d", message, seen[message], times)
		}
	}
	if secret := c.secret(); strings.Contains(worker.log.String(), secret) {
		t.Errorf("the secret key %q is in the log", secret)
	}
}

// metricsOf is where a worker says it serves its metrics.
func metricsOf(t *testing.T, p *process) string {
	t.Helper()
	_, rest, found := strings.Cut(p.log.String(), `"metrics are served","url":"`)
	url, _, ended := strings.Cut(rest, `"`)
	if !found || !ended {
		t.Fatalf("the worker does not say where its metrics are:\n%s", p.log.String())
	}
	return url
}

// value is that of one series.
func value(t *testing.T, page, name string) float64 {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+name+" ")
	number, _, _ := strings.Cut(rest, "\n")
	x, err := strconv.ParseFloat(number, 64)
	if !found || err != nil {
		t.Errorf("%s is not among the metrics", name)
	}
	return x
}

// general messages are about no job.
func general(message string) bool {
	for _, m := range []string{"worker ready", "metrics are served", "queue: ", "reconcile", "list the sweeps", "arrange the queue", "look for jobs of dead workers"} {
		if strings.HasPrefix(message, m) {
			return true
		}
	}
	return false
}

// secret is the secret key of the cluster's store.
func (c *cluster) secret() string {
	for _, e := range c.env {
		if key, ok := strings.CutPrefix(e, "ORCHESTRATOR_S3_SECRET_KEY="); ok {
			return key
		}
	}
	c.t.Fatal("the store has no secret key")
	return ""
}
