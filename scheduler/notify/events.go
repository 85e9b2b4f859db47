package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// event is something that happened to a sweep.
type event struct {
	id   string // of all processes that find it
	kind Kind
	job  *Job // of JobFailed
}

// mostJobs bounds how many jobs of a sweep are told of one by one: where more have
// failed, it is for the same reason.
const mostJobs = 20

// eventID names what happened. A sweep that fails, is retried and fails again has
// failed twice: when tells one from the other.
func eventID(sweep string, k Kind, when string) string {
	sum := sha256.Sum256([]byte(sweep + "\n" + string(k) + "\n" + when))
	return "msg_" + hex.EncodeToString(sum[:12])
}

// results reads the results of a sweep, which takes a while, where they are needed.
type results func() (*plan.Results, error)

// events are what has happened to a sweep by now.
func (n *Notifier) events(ctx context.Context, o scheduler.Overview, load results) ([]event, error) {
	var failed []failure
	if o.Failed > 0 {
		r, err := load()
		if err != nil {
			return nil, err
		}
		failed = failures(r)
	}
	var all []event
	for i, f := range failed {
		job := f.job
		all = append(all, event{eventID(o.Sweep, JobFailed, f.when), JobFailed, &job})
		if i == mostJobs-1 {
			break
		}
	}
	switch o.State {
	case plan.Completed:
		all = append(all, event{id: eventID(o.Sweep, Completed, ""), kind: Completed})
	case plan.Failed:
		var when []string
		for _, f := range failed {
			when = append(when, f.when)
		}
		all = append(all, event{id: eventID(o.Sweep, Failed, strings.Join(when, "\n")), kind: Failed})
	case plan.Canceled, plan.Paused:
		key := map[plan.State]string{plan.Canceled: plan.CancelKey(o.Sweep), plan.Paused: plan.PauseKey(o.Sweep)}[o.State]
		mark, err := n.o.Store.Stat(ctx, key)
		if errors.Is(err, artifacts.ErrNotFound) {
			break // resumed just now
		}
		if err != nil {
			return nil, err
		}
		kind := Kind(o.State)
		all = append(all, event{id: eventID(o.Sweep, kind, fmt.Sprint(mark.Modified.Unix())), kind: kind})
	}
	return all, nil
}

// failure is a job that was given up, and which time that was.
type failure struct {
	when string
	job  Job
}

// failures lists the jobs that failed, by trial and fold, each once.
func failures(r *plan.Results) []failure {
	seen := map[string]bool{}
	var all []failure
	for _, t := range r.Trials {
		for _, f := range t.Folds {
			if f.State != plan.Failed || f.Failure == nil || seen[f.Failure.Job] {
				continue
			}
			seen[f.Failure.Job] = true
			all = append(all, failure{
				when: fmt.Sprintf("%s %d %s", f.Failure.Job, f.Failure.Attempts, f.Failure.Finished),
				job:  Job{Job: f.Failure.Job, Trial: t.Trial, Fold: f.Fold, Attempts: f.Failure.Attempts, Reason: f.Failure.Reason, Hint: f.Failure.Hint},
			})
		}
	}
	return all
}
