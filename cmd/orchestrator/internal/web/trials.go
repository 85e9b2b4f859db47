package web

import (
	"context"
	"fmt"
	"net/http"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

type trialInput struct {
	SweepInput
	Trial int `path:"trial" minimum:"0" doc:"its number"`
}

// trialPage is what the page of a trial shows.
type trialPage struct {
	Trial  plan.TrialResult `json:"trial" doc:"with histories"`
	Config plan.Config      `json:"config" doc:"all settings, defaults included"`
	// Evaluation is of all completed folds together.
	Evaluation *analysis.Evaluation `json:"evaluation,omitempty" doc:"over all completed folds; absent where there is none"`
}

func (s *Server) getTrial(ctx context.Context, in *trialInput) (*trialPage, error) {
	p, err := s.o.Scheduler.Plan(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	trials, err := s.withHistories(ctx, p, []int{in.Trial})
	if err != nil {
		return nil, err
	}
	page := &trialPage{Trial: trials[0], Config: p.Trials[in.Trial].Config}
	all, err := s.trialAnswers(ctx, p, trials[0])
	if err != nil && !notFound(err) { // predictions may have been deleted
		return nil, err
	}
	if len(all) > 0 {
		answers := make([]stats.Answer, len(all))
		for i, a := range all {
			answers[i] = a.Answer
		}
		page.Evaluation = evaluate(answers, p.Data.Classes)
	}
	return page, nil
}

// checkTrial refuses trials that a sweep does not have.
func checkTrial(p *plan.Plan, trial int) error {
	if trial < 0 || trial >= len(p.Trials) {
		return problemf(http.StatusNotFound, fmt.Sprintf("trials are numbered 0 to %d", len(p.Trials)-1), "sweep %s has no trial %d", p.ID, trial)
	}
	return nil
}

// withHistories are some trials of a sweep, whole.
func (s *Server) withHistories(ctx context.Context, p *plan.Plan, trials []int) ([]plan.TrialResult, error) {
	for _, n := range trials {
		if err := checkTrial(p, n); err != nil {
			return nil, err
		}
	}
	r, err := s.o.Scheduler.Glance(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := make([]plan.TrialResult, len(trials))
	var jobs []string
	at := map[string][]*plan.FoldResult{} // two trials may share a job
	for i, n := range trials {
		out[i] = r.Trials[n]
		for k := range out[i].Folds {
			f := &out[i].Folds[k]
			jobs, at[f.Job] = append(jobs, f.Job), append(at[f.Job], f)
		}
	}
	err = s.o.Scheduler.Histories(ctx, p.ID, jobs, func(job string, h []plan.Epoch) error {
		for _, f := range at[job] {
			f.History = h
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, s.addRunning(ctx, out)
}

// addRunning adds how far the folds have come that run, or wait after they have run.
func (s *Server) addRunning(ctx context.Context, trials []plan.TrialResult) error {
	for _, t := range trials {
		for k := range t.Folds {
			f := &t.Folds[k]
			if begun := f.State == plan.Running || f.State == plan.Paused || f.State == plan.Pending && t.State == plan.Running; !begun {
				continue
			}
			history, err := s.runningHistory(ctx, f.Job)
			if err != nil {
				return err
			}
			if len(history) > len(f.History) {
				f.History = history
			}
		}
	}
	return nil
}
