package web

import (
	"context"

	"orchestrator/scheduler/plan"
)

// settingsPage is what a sweep was made of.
type settingsPage struct {
	Source      string            `json:"source" doc:"the sweep file as its user wrote it"`
	Overrides   []string          `json:"overrides" doc:"key=value, applied on top of it"`
	Engine      string            `json:"engine"`
	Method      string            `json:"method"`
	Data        dataPage          `json:"data"`
	Bases       []plan.Ref        `json:"bases" doc:"the networks that trials start from"`
	Versions    map[string]string `json:"versions" doc:"of what the first completed job ran on"`
	Resources   plan.Resources    `json:"resources"`
	Checkpoints plan.Checkpoints  `json:"checkpoints"`
	Budget      plan.Budget       `json:"budget"`
	Search      *plan.Search      `json:"search,omitempty"`
	Config      plan.Config       `json:"config" doc:"of trial 0"`
	Changeable  changeable        `json:"changeable" doc:"what can be changed while the sweep runs, as it is now"`
}

// changeable is what the dialog shows that changes settings.
type changeable struct {
	Priority      priorityNow `json:"priority"`
	MaxConcurrent int         `json:"max_concurrent_trials" doc:"0: as many as there are slots"`
	Fixed         bool        `json:"max_concurrent_trials_fixed" doc:"it is part of what the search does, and cannot be changed"`
	Budget        plan.Budget `json:"budget" doc:"in seconds; 0: any"`
}

type priorityNow struct {
	Value int    `json:"value"`
	First int    `json:"first" doc:"the most urgent"`
	Last  int    `json:"last"`
	Words string `json:"words" doc:"what the numbers mean"`
}

type dataPage struct {
	Name     string      `json:"name"`
	Digest   string      `json:"digest" doc:"SHA-256 of the data set"`
	Size     int64       `json:"size" doc:"bytes"`
	Pictures int         `json:"pictures"`
	Classes  []dataClass `json:"classes"`
}

type dataClass struct {
	Name     string `json:"name"`
	Pictures int    `json:"pictures"`
}

func (s *Server) getSettings(ctx context.Context, in *SweepInput) (*settingsPage, error) {
	p, err := s.o.Scheduler.Plan(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	page := &settingsPage{Source: p.Source, Overrides: append([]string{}, p.Overrides...), Engine: p.Engine, Method: methodOf(p), Data: dataOf(p.Data),
		Bases: basesOf(p), Versions: map[string]string{}, Resources: p.Resources, Checkpoints: p.Checkpoints, Budget: p.Budget, Search: p.Search,
		Config: p.Trials[0].Config}
	now, err := s.o.Scheduler.Settings(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	page.Changeable = changeable{
		Priority:      priorityNow{Value: now.Priority, First: plan.FirstPriority, Last: plan.LastPriority, Words: plan.PriorityWords + "; equally urgent sweeps take turns"},
		MaxConcurrent: now.MaxConcurrent, Fixed: p.Search.Ordered(), Budget: now.Budget,
	}
	r, err := s.o.Scheduler.Glance(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	if job := firstCompleted(r); job != "" {
		o, err := s.o.Scheduler.Outcome(ctx, job)
		if err != nil {
			return nil, err
		}
		page.Versions = o.Versions
	}
	return page, nil
}

func dataOf(d plan.Data) dataPage {
	page := dataPage{Name: d.Pack.Name, Digest: d.Pack.Digest, Size: d.Pack.Size, Pictures: len(d.Labels), Classes: make([]dataClass, len(d.Classes))}
	for i, name := range d.Classes {
		page.Classes[i].Name = name
	}
	for _, label := range d.Labels {
		page.Classes[label].Pictures++
	}
	return page
}

// basesOf are the networks that trials start from, each once.
func basesOf(p *plan.Plan) []plan.Ref {
	all, seen := []plan.Ref{}, map[plan.Ref]bool{}
	for _, t := range p.Trials {
		for _, ref := range append([]plan.Ref{t.Base}, t.FoldBases...) {
			if !seen[ref] {
				seen[ref], all = true, append(all, ref)
			}
		}
	}
	return all
}

func firstCompleted(r *plan.Results) string {
	for _, t := range r.Trials {
		for _, f := range t.Folds {
			if f.State == plan.Completed {
				return f.Job
			}
		}
	}
	return ""
}
