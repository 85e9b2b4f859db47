package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

type jobInput struct {
	JobInput
	Sweep string `query:"sweep" required:"true" maxLength:"200" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" doc:"a sweep that it is part of"`
}

// jobOutcome is what is recorded of how a job ended.
type jobOutcome struct {
	Sweep     string              `json:"sweep" doc:"that trained it"`
	Host      string              `json:"host"`
	Device    string              `json:"device"`
	Versions  map[string]string   `json:"versions"`
	Finished  string              `json:"finished"`
	Seconds   float64             `json:"seconds"`
	Objects   map[string]plan.Ref `json:"objects"`
	Classes   []string            `json:"classes"`
	Confusion [][]int             `json:"confusion" doc:"pictures by class and predicted class; null of more than 3000 classes"`
	Cells     [][3]int            `json:"confusion_cells,omitempty" doc:"of more than 3000 classes: class, predicted class and pictures of every pair that occurs"`
}

// jobPage is what the page of a job shows.
type jobPage struct {
	Job      string          `json:"job"`
	Sweep    string          `json:"sweep"`
	Trial    int             `json:"trial"`
	Fold     int             `json:"fold"`
	Name     string          `json:"name" doc:"of the fold"`
	State    plan.State      `json:"state"`
	Result   plan.FoldResult `json:"fold_result" doc:"with its history"`
	Config   plan.Config     `json:"config"`
	Attempts []plan.Attempt  `json:"attempts"`
	Failure  *plan.Failure   `json:"failure,omitempty"`
	Outcome  *jobOutcome     `json:"outcome,omitempty"`
	Progress *plan.Progress  `json:"progress,omitempty"`
}

func (s *Server) getJob(ctx context.Context, in *jobInput) (*jobPage, error) {
	p, job, err := s.jobOf(ctx, in)
	if err != nil {
		return nil, err
	}
	trials, err := s.withHistories(ctx, p, []int{job.Trial})
	if err != nil {
		return nil, err
	}
	f := trials[0].Folds[job.Fold]
	page := &jobPage{Job: job.ID, Sweep: p.ID, Trial: job.Trial, Fold: job.Fold, Name: f.Name, State: f.State,
		Result: f, Config: p.Trials[job.Trial].Config, Failure: f.Failure, Progress: f.Progress}
	if page.Attempts, err = s.attemptsOf(ctx, job.ID); err != nil {
		return nil, err
	}
	if f.State == plan.Completed {
		o, err := s.o.Scheduler.Outcome(ctx, job.ID)
		if err != nil {
			return nil, err
		}
		page.Outcome = &jobOutcome{Sweep: o.Sweep, Host: o.Host, Device: o.Device, Versions: o.Versions, Finished: o.Finished, Seconds: o.Seconds,
			Objects: o.Objects, Classes: o.Classes, Confusion: o.Confusion, Cells: o.ConfusionCells}
	}
	return page, nil
}

// jobOf finds a job in its sweep.
func (s *Server) jobOf(ctx context.Context, in *jobInput) (*plan.Plan, plan.Job, error) {
	p, err := s.o.Scheduler.Plan(ctx, in.Sweep)
	if err != nil {
		return nil, plan.Job{}, err
	}
	i := slices.IndexFunc(p.Jobs, func(job plan.Job) bool { return job.ID == in.Job })
	if i < 0 {
		return nil, plan.Job{}, problemf(http.StatusNotFound, "the sweep's page lists its jobs", "sweep %s has no job %q", p.ID, in.Job)
	}
	return p, p.Jobs[i], nil
}

// attemptsOf are the executions of a job, in order.
func (s *Server) attemptsOf(ctx context.Context, job string) ([]plan.Attempt, error) {
	all := []plan.Attempt{}
	for info, err := range s.o.Store.List(ctx, plan.AttemptPrefix(job)) {
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(info.Key, ".json") {
			continue
		}
		var a plan.Attempt
		if err := artifacts.GetJSON(ctx, s.o.Store, info.Key, &a); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}
