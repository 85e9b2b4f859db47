package notify

import (
	"fmt"
	"math"
	"net/url"
	"strings"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// Kind is what an event is about.
type Kind string

const (
	Completed Kind = "completed"
	Failed    Kind = "failed"
	Canceled  Kind = "canceled"
	Paused    Kind = "paused"
	JobFailed Kind = "job_failed"
)

// Kinds are all that there are.
var Kinds = []Kind{Completed, Failed, Canceled, Paused, JobFailed}

// Payload is the body of a notification. Fields may be added to it; those that are
// there stay as they are.
type Payload struct {
	Type      string `json:"type"`      // sweep.completed, sweep.failed, sweep.canceled, sweep.paused or job.failed
	Timestamp string `json:"timestamp"` // of this attempt: RFC 3339, UTC
	// Text is one line for people: chat services that take {"text": ...} show it.
	Text string `json:"text"`
	Data Data   `json:"data"`
}

// Data is how the sweep stands.
type Data struct {
	Sweep  string      `json:"sweep"`
	Name   string      `json:"name"`
	State  plan.State  `json:"state"`
	Metric plan.Metric `json:"metric"`
	Best   *Best       `json:"best"` // null until a trial has completed
	Counts Counts      `json:"counts"`
	// Job is the one that failed, of job.failed.
	Job *Job `json:"job,omitempty"`
	// Warnings say why a sweep was canceled, and what to mind with its figures.
	Warnings []string `json:"warnings,omitempty"`
	// URL is of the sweep's page, where serve.public_url is set.
	URL string `json:"url,omitempty"`
}

// Best is the best trial so far: the metric over its folds.
type Best struct {
	Trial      int            `json:"trial"`
	Mean       *float64       `json:"mean"`
	Std        *float64       `json:"std"` // null for one fold
	Parameters map[string]any `json:"parameters"`
}

// Counts are of jobs, but for the first.
type Counts struct {
	Trials    int `json:"trials"`
	Jobs      int `json:"jobs"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
}

// Job is a job that was given up.
type Job struct {
	Job      string `json:"job"`
	Trial    int    `json:"trial"`
	Fold     int    `json:"fold"`
	Attempts int    `json:"attempts"`
	Reason   string `json:"reason"`
	Hint     string `json:"hint,omitempty"`
}

func typeOf(k Kind) string {
	if k == JobFailed {
		return "job.failed"
	}
	return "sweep." + string(k)
}

// payload describes an event of a sweep; the caller adds the time.
func payload(k Kind, o scheduler.Overview, r *plan.Results, job *Job, publicURL string) Payload {
	d := Data{Sweep: o.Sweep, Name: o.Name, State: o.State, Metric: r.Metric, Job: job, Warnings: r.Warnings,
		Counts: Counts{o.Trials, o.Jobs, o.Completed, o.Failed}}
	if publicURL != "" {
		d.URL = strings.TrimSuffix(publicURL, "/") + "/sweeps/" + url.PathEscape(o.Sweep)
	}
	text := fmt.Sprintf("Sweep %s: %s, %d of %d jobs completed, %d failed", o.Sweep, o.State, o.Completed, o.Jobs, o.Failed)
	if job != nil {
		text = fmt.Sprintf("Sweep %s: trial %d fold %d failed: %s", o.Sweep, job.Trial, job.Fold, job.Reason)
	}
	if r.Best != nil {
		t := r.Trials[r.Best.Trial]
		stat := t.Summary[r.Metric.Name]
		d.Best = &Best{Trial: t.Trial, Mean: finite(stat.Mean), Std: finite(stat.Std), Parameters: t.Parameters}
		if job == nil {
			text += fmt.Sprintf("; best is trial %d, %s %.4g", t.Trial, r.Metric.Name, stat.Mean)
		}
	}
	if d.URL != "" {
		text += " " + d.URL
	}
	return Payload{Type: typeOf(k), Text: text, Data: d}
}

// finite is what JSON has for a number: null for what is none.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
