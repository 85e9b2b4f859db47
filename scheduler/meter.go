package scheduler

import (
	"time"

	"orchestrator/scheduler/plan"
)

// Meter is told what there is to measure about sweeps. Its methods may be called from
// any number of goroutines.
type Meter interface {
	// Reconciled: a reconciliation of a sweep is over. The report is empty where it
	// failed.
	Reconciled(sweep string, r Report, took time.Duration, err error)
	// Proposed: this process was the one to record a trial that a search proposed.
	Proposed()
	// Stopped: this process was the one to record that a trial stops.
	Stopped(plan.Stop)
	// OutcomesRead: outcomes were asked for, of which so many were in memory already and
	// the others had to be read.
	OutcomesRead(known, others int)
}

// Tracer is told when sweeps change, for those who want to see what happened when. Its
// methods may be called from any number of goroutines, and must not wait for anybody.
type Tracer interface {
	// Reconciled: a reconciliation that began then is over now. It enqueued or withdrew
	// jobs, as its report says, or stopped so many trials; others are not told of.
	Reconciled(sweep string, r Report, stopped int, began time.Time)
}

type noMeter struct{}

func (noMeter) Reconciled(string, Report, time.Duration, error) {}
func (noMeter) Proposed()                                       {}
func (noMeter) Stopped(plan.Stop)                               {}
func (noMeter) OutcomesRead(int, int)                           {}

func (s *Scheduler) meter() Meter {
	if s.Meter == nil {
		return noMeter{}
	}
	return s.Meter
}
