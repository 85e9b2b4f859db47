package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// sweepPrefix marks a model.base that stands for the networks that a sweep trained.
const sweepPrefix = "sweep:"

// trainedBases notes in the sweep the network that another one trained in each
// fold, and returns the first of them. The folds must be the same: a network of
// other folds was trained on pictures that it would be tested on.
func (a *app) trainedBases(ctx context.Context, s *plan.Sweep, name, from string, pack plan.Ref, folds []plan.Fold) ([]byte, error) {
	sweep, trial, err := sweepAndTrial(from)
	if err != nil {
		return nil, err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	r, err := a.loadResults(ctx, store, sweep)
	if err != nil {
		return nil, fmt.Errorf("model.base: %w", err)
	}
	var p plan.Plan
	if err := artifacts.GetJSON(ctx, store, plan.PlanKey(r.Sweep), &p); err != nil {
		return nil, fmt.Errorf("model.base: %w", err)
	}
	if p.Data.Pack.Digest != pack.Digest || !slices.EqualFunc(p.Folds, folds, sameFold) {
		return nil, usagef("use the same dataset and cross_validation as there", "model.base: sweep %s was trained on another data set or other folds, "+
			"so that its networks may have seen pictures that they would be tested on here", r.Sweep)
	}
	_, trained, err := completedFolds(r, trial)
	if err != nil {
		return nil, fmt.Errorf("model.base: %w", err)
	}
	if len(trained) != len(folds) {
		return nil, usagef("orchestrator status "+r.Sweep, "model.base: sweep %s has trained %d of %d folds of that trial", r.Sweep, len(trained), len(folds))
	}
	refs := make([]plan.Ref, len(trained))
	for i, f := range trained {
		if refs[i], err = trainedModel(ctx, store, r.Sweep, f.Job); err != nil {
			return nil, err
		}
		refs[i].Name = fmt.Sprintf("%s of %s, fold %s", name, r.Sweep, folds[i].Name)
	}
	if s.FoldBases == nil {
		s.FoldBases = map[string][]plan.Ref{}
	}
	s.FoldBases[name] = refs
	return readObject(ctx, store, refs[0].Key)
}

// sweepAndTrial reads NAME or NAME/3; a trial of -1 is the best.
func sweepAndTrial(from string) (sweep string, trial int, err error) {
	sweep, number, chosen := strings.Cut(from, "/")
	if !chosen {
		return sweep, -1, nil
	}
	if trial, err = strconv.Atoi(number); err != nil || trial < 0 {
		return "", 0, usagef("as sweep:NAME/3", "model.base: %q is no number of a trial", number)
	}
	return sweep, trial, nil
}

// trainedModel is the network that a job has trained.
func trainedModel(ctx context.Context, store artifacts.Store, sweep, job string) (plan.Ref, error) {
	var o plan.Outcome
	if err := artifacts.GetJSON(ctx, store, plan.OutcomeKey(job), &o); err != nil {
		return plan.Ref{}, fmt.Errorf("model.base: %w", err)
	}
	model, ok := o.Objects["model"]
	if !ok {
		return plan.Ref{}, usagef("name a sweep that trains networks", "model.base: sweep %s has trained no network", sweep)
	}
	return model, nil
}

func sameFold(a, b plan.Fold) bool {
	return slices.Equal(a.Train, b.Train) && slices.Equal(a.Test, b.Test)
}
