package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
)

type compareInput struct {
	Of     []string `query:"of,explode" required:"true" minItems:"2" maxItems:"100" doc:"SWEEP/TRIAL, repeated"`
	Metric string   `query:"metric" maxLength:"40" doc:"the first sweep's own where it is left out"`
}

func (s *Server) getCompare(ctx context.Context, in *compareInput) (*analysis.Comparison, error) {
	var subjects []analysis.Subject
	known := map[string]analysis.Subject{} // the sweeps
	for _, of := range in.Of {
		sweep, number, _ := strings.Cut(of, "/")
		trial, err := strconv.Atoi(number)
		if err != nil {
			return nil, problemf(http.StatusUnprocessableEntity, "as of=hymenoptera-1a2b3c/0", "%q is not SWEEP/TRIAL", of)
		}
		subject, seen := known[sweep]
		if !seen {
			if subject.Plan, subject.Results, err = s.planAndResults(ctx, sweep); err != nil {
				return nil, err
			}
			known[sweep] = subject
		}
		if err := checkTrial(subject.Plan, trial); err != nil {
			return nil, err
		}
		subject.Trial = trial
		subjects = append(subjects, subject)
	}
	return analysis.Compare(subjects, in.Metric, analysis.AllPairs)
}

// planAndResults are of one moment: of a search that adds trials, as many of each.
func (s *Server) planAndResults(ctx context.Context, sweep string) (*plan.Plan, *plan.Results, error) {
	p, err := s.o.Scheduler.Plan(ctx, sweep)
	if err != nil {
		return nil, nil, err
	}
	r, err := s.o.Scheduler.Glance(ctx, sweep)
	if err != nil {
		return nil, nil, err
	}
	if newer, err := s.o.Scheduler.Plan(ctx, sweep); err == nil {
		p = newer
	}
	r.Trials = r.Trials[:min(len(r.Trials), len(p.Trials))]
	return p, r, nil
}
