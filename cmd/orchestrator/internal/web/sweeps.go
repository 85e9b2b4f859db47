package web

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"orchestrator/artifacts"
	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// SweepInput names a sweep by its whole ID.
type SweepInput struct {
	Sweep string `path:"sweep" maxLength:"200" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" doc:"the sweep's whole ID"`
}

// bestLine is the best trial in a line of the list.
type bestLine struct {
	Trial int             `json:"trial"`
	Mean  analysis.Number `json:"mean" doc:"of the sweep's metric, over folds"`
	Std   analysis.Number `json:"std"`
}

// sweepLine is one line of the list of sweeps.
type sweepLine struct {
	Sweep     string          `json:"sweep"`
	Name      string          `json:"name"`
	State     plan.State      `json:"state"`
	Trials    int             `json:"trials"`
	Jobs      int             `json:"jobs"`
	Completed int             `json:"completed" doc:"jobs"`
	Failed    int             `json:"failed" doc:"jobs"`
	Created   time.Time       `json:"created"`
	Metric    plan.Metric     `json:"metric"`
	Best      maybe[bestLine] `json:"best" doc:"null until a trial has completed"`
	ETA       float64         `json:"eta_seconds" doc:"0 where nothing runs or nothing is known"`
}

type sweepList struct {
	Sweeps []sweepLine `json:"sweeps"`
}

func (s *Server) getSweeps(ctx context.Context, _ *struct{}) (sweepList, error) {
	overviews, err := s.o.Scheduler.List(ctx)
	if err != nil {
		return sweepList{}, err
	}
	list := sweepList{Sweeps: make([]sweepLine, len(overviews))}
	for i, o := range overviews {
		r, err := s.o.Scheduler.Glance(ctx, o.Sweep)
		if err != nil {
			return sweepList{}, err
		}
		list.Sweeps[i] = lineOf(o, r)
	}
	return list, nil
}

func lineOf(o scheduler.Overview, r *plan.Results) sweepLine {
	return sweepLine{Sweep: o.Sweep, Name: o.Name, State: o.State, Trials: o.Trials, Jobs: o.Jobs, Completed: o.Completed, Failed: o.Failed,
		Created: o.Created.UTC(), Metric: r.Metric, Best: bestOf(r), ETA: r.ETA}
}

func bestOf(r *plan.Results) maybe[bestLine] {
	if r.Best == nil {
		return maybe[bestLine]{}
	}
	stat := r.Trials[r.Best.Trial].Summary[r.Metric.Name]
	return maybe[bestLine]{&bestLine{Trial: r.Best.Trial, Mean: analysis.Number(stat.Mean), Std: analysis.Number(stat.Std)}}
}

// sweepPage is what the page of a sweep shows.
type sweepPage struct {
	plan.Results
	Name       string             `json:"name"`
	Created    time.Time          `json:"created"`
	Folds      []string           `json:"folds" doc:"their names"`
	Counts     map[plan.State]int `json:"counts" doc:"jobs by state"`
	Seconds    float64            `json:"seconds" doc:"that the jobs took, in sum"`
	Parameters []string           `json:"parameters" doc:"those that are searched"`
	Method     string             `json:"method" doc:"of the search"`
	Classes    []string           `json:"classes"`
	Metrics    []string           `json:"metrics" doc:"those that the folds are scored by"`
}

func (s *Server) getSweep(ctx context.Context, in *SweepInput) (*sweepPage, error) {
	p, r, err := s.planAndResults(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	created, err := s.created(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	page := &sweepPage{Results: *r, Name: p.Name, Created: created, Folds: foldNames(p), Parameters: searched(r), Method: methodOf(p),
		Classes: p.Data.Classes, Metrics: p.Trials[0].Config.Evaluation.Metrics}
	page.Counts, page.Seconds = countJobs(r)
	return page, nil
}

// created is when a sweep was submitted: from then on its plan is there.
func (s *Server) created(ctx context.Context, sweep string) (time.Time, error) {
	info, err := s.o.Store.Stat(ctx, plan.PlanKey(sweep))
	return info.Modified.UTC(), err
}

func foldNames(p *plan.Plan) []string {
	names := make([]string, len(p.Folds))
	for i, f := range p.Folds {
		names[i] = f.Name
	}
	return names
}

// searched are the parameters that any trial has, in alphabetical order.
func searched(r *plan.Results) []string {
	all := map[string]bool{}
	for _, t := range r.Trials {
		for name := range t.Parameters {
			all[name] = true
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(all))...)
}

// methodOf is how the sweep's file has trials found; "" where this version cannot
// read it any more.
func methodOf(p *plan.Plan) string {
	sweep, err := parsed(p)
	if err != nil {
		return ""
	}
	return sweep.Method
}

// parsed reads the sweep's file again.
func parsed(p *plan.Plan) (*plan.Sweep, error) {
	var overrides []plan.Override
	for _, text := range p.Overrides {
		o, err := plan.ParseOverride(text)
		if err != nil {
			return nil, err
		}
		overrides = append(overrides, o)
	}
	return plan.ParseStored("sweep.yaml", []byte(p.Source), overrides...)
}

// countJobs counts the jobs by state, with a 0 for each state, and adds up what they
// took.
func countJobs(r *plan.Results) (map[plan.State]int, float64) {
	counts := map[plan.State]int{plan.Pending: 0, plan.Running: 0, plan.Completed: 0, plan.Failed: 0, plan.Canceled: 0, plan.Paused: 0, plan.Pruned: 0}
	seconds := 0.0
	for _, t := range r.Trials {
		for _, f := range t.Folds {
			counts[f.State]++
			seconds += f.Seconds
		}
	}
	return counts, seconds
}

func (s *Server) getResults(ctx context.Context, in *SweepInput) (*plan.Results, error) {
	return s.o.Scheduler.Load(ctx, in.Sweep)
}

func notFound(err error) bool { return errors.Is(err, artifacts.ErrNotFound) }
