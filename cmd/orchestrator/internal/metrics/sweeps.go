package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

func (m *Metrics) ofSweeps() {
	m.reconcile = m.histogram("reconcile_duration_seconds", "Time to reconcile one sweep.", []float64{0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60})
	m.reconcileErrors = m.counter("reconcile_errors_total", "Reconciliations of a sweep that failed; they are tried again.").WithLabelValues()
	m.propose = m.counter("trials_proposed_total", "Trials that a search added, recorded by this process.").WithLabelValues()
	m.stopped = m.counter("trials_stopped_total", "Trials that were stopped early, recorded by this process: at a rung, or across folds.", "by")
	zero(m.stopped, "rung", "folds")
	m.outcomes = m.counter("outcome_reads_total", "Outcomes that were asked for: hit (in memory already) or miss (read from the store).", "cache")
	zero(m.outcomes, "hit", "miss")
	m.registry.MustRegister(sweepCollector{m})
}

// Scheduler is what a scheduler tells; give it to scheduler.Scheduler.
func (m *Metrics) Scheduler() scheduler.Meter { return schedulerMeter{m} }

type schedulerMeter struct{ m *Metrics }

func (s schedulerMeter) Reconciled(sweep string, r scheduler.Report, took time.Duration, err error) {
	s.m.reconcile.Observe(took.Seconds())
	if err != nil {
		s.m.reconcileErrors.Inc()
		return
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.sweeps[sweep] = r
}

func (s schedulerMeter) Proposed() { s.m.propose.Inc() }

func (s schedulerMeter) Stopped(stop plan.Stop) {
	by := "rung"
	if stop.Epoch == 0 {
		by = "folds"
	}
	s.m.stopped.WithLabelValues(by).Inc()
}

func (s schedulerMeter) OutcomesRead(known, others int) {
	s.m.outcomes.WithLabelValues("hit").Add(float64(known))
	s.m.outcomes.WithLabelValues("miss").Add(float64(others))
}

var (
	sweepsDesc = prometheus.NewDesc("orchestrator_sweeps", "Sweeps that this process has reconciled, by state.", []string{"state"}, nil)
	jobsDesc   = prometheus.NewDesc("orchestrator_sweep_jobs", "Jobs of the sweeps that are not over, as this process last reconciled them: completed, failed or open.", []string{"state"}, nil)
)

// sweepStates are those that a sweep can be in.
var sweepStates = []plan.State{plan.Pending, plan.Running, plan.Completed, plan.Failed, plan.Canceled, plan.Paused}

// sweepCollector sums up what was last seen of the sweeps: how far all of it is.
type sweepCollector struct{ m *Metrics }

// Describe names what Collect gives.
func (c sweepCollector) Describe(to chan<- *prometheus.Desc) {
	to <- sweepsDesc
	to <- jobsDesc
}

// Collect sums up.
func (c sweepCollector) Collect(to chan<- prometheus.Metric) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	states, jobs := map[plan.State]int{}, map[string]int{"completed": 0, "failed": 0, "open": 0}
	for _, r := range c.m.sweeps {
		states[r.State]++
		if scheduler.Over(r.State) {
			continue
		}
		jobs["completed"] += r.Completed
		jobs["failed"] += r.Failed
		jobs["open"] += r.Jobs - r.Completed - r.Failed
	}
	for _, state := range sweepStates {
		to <- prometheus.MustNewConstMetric(sweepsDesc, prometheus.GaugeValue, float64(states[state]), string(state))
	}
	for state, n := range jobs {
		to <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(n), state)
	}
}
