package metrics

import (
	"orchestrator/artifacts"
	"orchestrator/worker"
)

func (m *Metrics) ofJobs() {
	m.jobs = m.counter("jobs_total", "Jobs delivered to this worker, by how they ended here: completed, failed (given up), canceled, interrupted, retry; cached: the outcome was there already.", "end")
	zero(m.jobs, "cached", string(worker.Completed), string(worker.Failed), string(worker.Canceled), string(worker.Interrupted), string(worker.Retry))
	m.attempts = m.counter("attempts_total", "Attempts that ended, by cause: completed, canceled, paused, interrupted and lost are no failures; input fails in every attempt; memory, stall, error and crash count against max_restarts.", "cause")
	zero(m.attempts, worker.Causes...)
	m.attemptSeconds = m.histogram("attempt_duration_seconds", "Time from the start of an attempt to its recorded end.",
		[]float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600})
}

func (m *Metrics) ofTraining() {
	m.steps = m.tally("step_duration_seconds", "Time of a training step, waiting for data included.")
	m.waits = m.tally("step_data_wait_seconds", "Time that a training step waited for data.")
	m.written = m.tally("checkpoint_write_duration_seconds", "Time to encode, hash and store a checkpoint.")
	m.checkpointBytes = m.counter("checkpoint_written_bytes_total", "Bytes of tensors in stored checkpoints.").WithLabelValues()
	m.epochs = m.counter("epochs_total", "Epochs trained and evaluated.").WithLabelValues()
}

func (m *Metrics) ofStore() {
	m.storeTook = newTallies("store_operation_duration_seconds", "Time of an operation of the artifact store, of this process and its trainer processes.", "operation")
	m.registry.MustRegister(m.storeTook)
	m.storeErrors = m.counter("store_errors_total", "Operations of the artifact store that failed, by error: unavailable, denied, full or other. That there is no such object is no error.", "operation", "error")
	m.storeBytes = m.counter("store_bytes_total", "Bytes read from the artifact store (get) and written to it (put, create).", "operation")
	for _, operation := range []string{"get", "put", "create", "stat", "list", "delete"} {
		m.storeTook.add(operation, worker.Tally{})
		m.storeErrors.WithLabelValues(operation, "unavailable")
	}
	zero(m.storeBytes, "get", "put", "create")
}

// Store is a store whose use is measured.
func (m *Metrics) Store(s artifacts.Store) artifacts.Store {
	return artifacts.Observed(s, func(o artifacts.Operation) {
		use := worker.StoreUse{Bytes: o.Bytes}
		use.Took.Add(o.Took.Seconds())
		if why := worker.StoreError(o.Err); why != "" {
			use.Errors = map[string]uint64{why: 1}
		}
		m.used(o.Name, use)
	})
}

func (m *Metrics) used(operation string, use worker.StoreUse) {
	m.storeTook.add(operation, use.Took)
	if use.Bytes > 0 {
		m.storeBytes.WithLabelValues(operation).Add(float64(use.Bytes))
	}
	for why, n := range use.Errors {
		m.storeErrors.WithLabelValues(operation, why).Add(float64(n))
	}
}

// Worker is what a daemon tells; give it to worker.Options.
func (m *Metrics) Worker() worker.Meter { return workerMeter{m} }

type workerMeter struct{ m *Metrics }

func (w workerMeter) Attempt(cause string, seconds float64) {
	w.m.attempts.WithLabelValues(cause).Inc()
	w.m.attemptSeconds.Observe(seconds)
}

func (w workerMeter) Job(end worker.End, attempted bool) {
	label := string(end)
	if end == worker.Completed && !attempted {
		label = "cached"
	}
	w.m.jobs.WithLabelValues(label).Inc()
}

func (w workerMeter) Measured(x worker.Measures) {
	w.m.steps.add(x.Steps)
	w.m.waits.add(x.DataWaits)
	w.m.written.add(x.Checkpoints)
	w.m.checkpointBytes.Add(float64(x.CheckpointBytes))
	w.m.epochs.Add(float64(x.Epochs))
	for operation, use := range x.Store {
		w.m.used(operation, *use)
	}
}
