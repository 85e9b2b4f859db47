// Package metrics counts what daemons and servers do, for Prometheus. The other
// packages tell it through interfaces of their own (worker.Meter, scheduler.Meter,
// artifacts.Observed) and know nothing of Prometheus; only scheduler/queue brings a
// collector, asynq's.
//
// No label names a sweep, trial or job: the number of time series does not grow with
// what is trained. docs/metrics.md lists all of them, generated from here.
package metrics

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"orchestrator/scheduler"
)

// Metrics are the metrics of one process. Their methods may be called from any number
// of goroutines.
type Metrics struct {
	registry *prometheus.Registry

	jobs, attempts           *prometheus.CounterVec
	attemptSeconds           prometheus.Histogram
	steps, waits, written    *tally
	checkpointBytes, epochs  prometheus.Counter
	storeTook                *tallies
	storeErrors, storeBytes  *prometheus.CounterVec
	reconcile                prometheus.Histogram
	reconcileErrors, propose prometheus.Counter
	stopped, outcomes        *prometheus.CounterVec

	mu     sync.Mutex
	sweeps map[string]scheduler.Report // what was last seen of each
}

// New makes metrics that are all zero, with those of the process and of Go. version
// and engine are this program's.
func New(version, engine string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), sweeps: map[string]scheduler.Report{}}
	build := m.gauge("build_info", "This program: always 1.", "version", "engine")
	build.WithLabelValues(version, engine).Set(1)
	m.ofJobs()
	m.ofTraining()
	m.ofStore()
	m.ofSweeps()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds a collector, such as the queue's.
func (m *Metrics) Register(c prometheus.Collector) { m.registry.MustRegister(c) }

// Handler serves the metrics in the form that the scraper asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}

const namespace = "orchestrator"

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) histogram(name, help string, bounds []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: bounds})
	m.registry.MustRegister(h)
	return h
}

// zero has the values of a label exist before they are first counted, so that rates
// of them are right from the first one on.
func zero(c *prometheus.CounterVec, values ...string) {
	for _, v := range values {
		c.WithLabelValues(v)
	}
}
