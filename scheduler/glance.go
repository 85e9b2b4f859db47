package scheduler

import (
	"context"

	"orchestrator/scheduler/plan"
)

// Glance is Load without histories, which are empty: what a leaderboard needs, in
// memory that does not grow with the epochs that were trained.
func (s *Scheduler) Glance(ctx context.Context, sweep string) (*plan.Results, error) {
	results, err := s.Load(ctx, sweep)
	if err != nil {
		return nil, err
	}
	for _, trial := range results.Trials {
		for i := range trial.Folds {
			trial.Folds[i].History = []plan.Epoch{}
		}
	}
	return results, nil
}

// Histories calls visit with the history of each of the jobs that has an outcome, one
// after the other, in any order. Nothing is kept. An error of visit ends it and is returned.
func (s *Scheduler) Histories(ctx context.Context, sweep string, jobs []string, visit func(job string, h []plan.Epoch) error) error {
	if _, err := s.Plan(ctx, sweep); err != nil {
		return err
	}
	stands, err := s.look(ctx, jobs, nil)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if stands[job] != plan.Completed {
			continue
		}
		o, err := s.Outcome(ctx, job)
		if err != nil {
			return err
		}
		if err := visit(job, o.History); err != nil {
			return err
		}
	}
	return nil
}
