package search

import (
	"cmp"
	"math"
	"slices"
)

// The settings of TPE, which are Optuna's.
const (
	tpeStartup    = 10  // trials drawn from the prior before the model counts
	tpeCandidates = 24  // points among which the best expected improvement wins
	tpeMaxGood    = 25  // most trials that are called good
	tpeMaxBad     = 256 // newest others that are looked at: bounds the cost
)

// tpe draws candidates from the density of the good trials and returns the
// unseen one that is likeliest to be good: the ratio of the densities of good
// and other trials orders points as expected improvement does.
func tpe(space []Dimension, seed int64, trial int, outcomes []Outcome, seen *seen) []float64 {
	r := random(seed, "tpe", trial)
	good, bad := split(outcomes)
	if len(good) == 0 {
		return prior(space, r)
	}
	g, b := newParzen(space, good), newParzen(space, bad)
	best, score := []float64(nil), math.Inf(-1)
	for range tpeCandidates {
		point := g.sample(r)
		if s := g.logDensity(point) - b.logDensity(point); (best == nil || s > score) && !seen.has(point) {
			best, score = point, s
		}
	}
	if best == nil {
		return prior(space, r)
	}
	return best
}

// split returns the good trials, which are the best tenth of those that
// ended, and the newest others, both by number. Failed trials are worse than any
// value, and running ones are believed to be bad (the constant liar), so that
// parallel trials keep away from each other. There are no good ones before
// the startup trials have ended.
func split(outcomes []Outcome) (good, bad []*Outcome) {
	byTrial := func(a, b Outcome) int { return cmp.Compare(a.Trial, b.Trial) }
	if !slices.IsSortedFunc(outcomes, byTrial) {
		outcomes = slices.SortedFunc(slices.Values(outcomes), byTrial)
	}
	ended := 0
	for i := range outcomes {
		if outcomes[i].State != Running {
			ended++
		}
	}
	if ended < tpeStartup {
		return nil, nil
	}
	good = best(outcomes, min((ended+9)/10, tpeMaxGood))
	for i := len(outcomes) - 1; i >= 0 && len(bad) < tpeMaxBad; i-- {
		if o := &outcomes[i]; !slices.Contains(good, o) {
			bad = append(bad, o)
		}
	}
	slices.Reverse(bad)
	return good, bad
}

// best returns the best n of the trials that ended, by number, less those that have
// no value.
func best(outcomes []Outcome, n int) []*Outcome {
	top := make([]*Outcome, 0, n+1) // the best first
	for i := range outcomes {
		o := &outcomes[i]
		if o.State == Running || !o.hasValue() || len(top) == n && compare(o, top[n-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, o, compare)
		top = slices.Insert(top, at, o)
		top = top[:min(len(top), n)]
	}
	slices.SortFunc(top, func(a, b *Outcome) int { return cmp.Compare(a.Trial, b.Trial) })
	return top
}

func (o *Outcome) hasValue() bool {
	return (o.State == Finished || o.State == Pruned) && !math.IsNaN(o.Value)
}

// rank puts finished trials before pruned and those before failed ones.
func (o *Outcome) rank() int {
	switch {
	case !o.hasValue():
		return 2
	case o.State == Pruned:
		return 1
	}
	return 0
}

// compare orders ended trials, the best first. Of pruned trials those that
// came further are better, as Optuna has it; ties go to the earlier trial.
func compare(a, b *Outcome) int {
	if c := cmp.Compare(a.rank(), b.rank()); c != 0 {
		return c
	}
	if c := cmp.Compare(b.Steps, a.Steps); c != 0 && a.rank() == 1 {
		return c
	}
	if c := cmp.Compare(a.Value, b.Value); c != 0 && a.rank() < 2 {
		return c
	}
	return cmp.Compare(a.Trial, b.Trial)
}
