package prune

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Type is a rule that stops trials at rungs.
type Type string

// The types.
const (
	None              Type = ""
	ASHA              Type = "asha"
	Hyperband         Type = "hyperband"
	SuccessiveHalving Type = "successive_halving"
	Median            Type = "median"
)

// Types lists the types that a sweep may name.
func Types() []Type { return []Type{ASHA, Hyperband, SuccessiveHalving, Median} }

// Rules say when trials stop.
type Rules struct {
	Type     Type
	MinIter  int // epochs of the first rung; of Median also between rungs
	Eta      int // a rung has Eta times the epochs of the one before, and lets 1/Eta pass
	Brackets int // of Hyperband

	Folds int // of the cross-validation
	// MinFolds is how many folds are trained before the first comparison across
	// folds, at rungs and after; Folds or 0: a trial is not stopped across folds.
	MinFolds int
	// Alpha is the chance to win below which a trial stops.
	Alpha float64
}

// A Record is what is known of one trial. Scores are so that greater is better.
type Record struct {
	// Epochs is how many epochs the trial trains.
	Epochs int
	// Curves holds the score after each epoch so far, by fold.
	Curves [][]float64
	// Final is the score of each fold that is done, NaN for the others.
	Final []float64
	// Out marks a trial that failed: it is worse than every other.
	Out bool
}

// NewRecord is a record of which nothing is known.
func NewRecord(epochs, folds int) Record {
	r := Record{Epochs: epochs, Curves: make([][]float64, folds), Final: make([]float64, folds)}
	for i := range r.Final {
		r.Final[i] = math.NaN()
	}
	return r
}

// A Step is a part of a trial's training: a fold, up to an epoch.
type Step struct {
	Fold  int
	Until int // epochs; 0: to the end
}

// A Stop says why a trial does not go on.
type Stop struct {
	Epoch  int    // of the rung; 0: it was stopped across folds
	Folds  int    // how many folds the decision saw
	Reason string // one line
}

// A Verdict says what becomes of a trial.
type Verdict struct {
	// Wanted are the steps to take now; more may follow.
	Wanted []Step
	// Stop is not nil where the trial ends here.
	Stop *Stop
	// Done: every fold is done.
	Done bool
}

// Next tells what becomes of a trial: number is its place in the sweep, own what
// is known of it, before the trials that it is compared with, by number from 0.
// cohort is what Cohort makes of all trials.
func (r *Rules) Next(number int, own Record, before []Record, cohort Cohort) Verdict {
	first := r.firstFolds()
	for _, rung := range r.Rungs(number, own.Epochs) {
		if missing := own.short(first, rung); len(missing) > 0 {
			return Verdict{Wanted: missing}
		}
		stop, wait := r.atRung(number, rung, own, before, cohort)
		if wait {
			return Verdict{}
		}
		if stop != nil {
			return Verdict{Stop: stop}
		}
	}
	for n := first; ; n++ {
		if missing := own.unfinished(n); len(missing) > 0 {
			return Verdict{Wanted: missing}
		}
		if n >= r.Folds {
			return Verdict{Done: true}
		}
		if stop := r.acrossFolds(n, own, before); stop != nil {
			return Verdict{Stop: stop}
		}
	}
}

// firstFolds is how many folds train side by side at first.
func (r *Rules) firstFolds() int {
	if r.MinFolds <= 0 || r.MinFolds > r.Folds {
		return r.Folds
	}
	return r.MinFolds
}

// short are the steps to a rung that the first n folds still have to take. A fold
// that is done has been there.
func (r *Record) short(n, rung int) []Step {
	var steps []Step
	for f := range n {
		if len(r.Curves[f]) < rung && math.IsNaN(r.Final[f]) {
			steps = append(steps, Step{Fold: f, Until: rung})
		}
	}
	return steps
}

// unfinished are the steps to the ends of the first n folds.
func (r *Record) unfinished(n int) []Step {
	var steps []Step
	for f := range n {
		if math.IsNaN(r.Final[f]) {
			steps = append(steps, Step{Fold: f})
		}
	}
	return steps
}

// Rungs are the numbers of epochs after which the trial is compared, all below
// the epochs that it trains.
func (r *Rules) Rungs(number, epochs int) []int {
	var rungs []int
	switch r.Type {
	case ASHA, SuccessiveHalving, Hyperband:
		for e := r.MinIter * power(r.Eta, r.Bracket(number)); e < epochs; e *= r.Eta {
			rungs = append(rungs, e)
		}
	case Median:
		for e := r.MinIter; e < epochs; e += r.MinIter {
			rungs = append(rungs, e)
		}
	}
	return rungs
}

// Bracket is the bracket of a trial, from 0. A bracket with an earlier first rung
// gets Eta times as many trials as the next, as in Hyperband, whose brackets
// spend about the same.
func (r *Rules) Bracket(number int) int {
	if r.Type != Hyperband || r.Brackets < 2 {
		return 0
	}
	round := 0
	for b := range r.Brackets {
		round += power(r.Eta, b)
	}
	place := number % round
	for b := range r.Brackets {
		share := power(r.Eta, r.Brackets-1-b)
		if place < share {
			return b
		}
		place -= share
	}
	panic("unreachable: the shares add up to the round")
}

func power(base, n int) int {
	p := 1
	for range n {
		p *= base
	}
	return p
}

// at is the mean score of the first n folds after an epoch, -Inf for a trial that
// diverged or is out before, and false where it has not been there yet.
func (r *Record) at(n, epoch int) (float64, bool) {
	sum := 0.0
	for f := range n {
		if len(r.Curves[f]) < epoch {
			return math.Inf(-1), r.Out
		}
		sum += r.Curves[f][epoch-1]
	}
	if math.IsNaN(sum) {
		return math.Inf(-1), true
	}
	return sum / float64(n), true
}

// atRung decides at a rung; wait: others have to get there first.
func (r *Rules) atRung(number, rung int, own Record, before []Record, cohort Cohort) (stop *Stop, wait bool) {
	n := r.firstFolds()
	score, _ := own.at(n, rung)
	if r.Type == SuccessiveHalving {
		return cohort.halve(number, rung, n, r.Eta)
	}
	if r.Type == Median {
		return r.belowMedian(rung, own, before), false
	}
	rivals, better := 1, 0 // itself
	for i := range before {
		if r.Bracket(i) != r.Bracket(number) {
			continue
		}
		if s, there := before[i].at(n, rung); there {
			rivals++
			if s >= score {
				better++
			}
		}
	}
	if rivals < r.Eta || better < max(1, rivals/r.Eta) {
		return nil, false
	}
	return &Stop{Epoch: rung, Folds: n, Reason: fmt.Sprintf("after epoch %d, %d of the %d trials that were there before are better; the best %d go on",
		rung, better, rivals-1, max(1, rivals/r.Eta))}, false
}

// A Cohort is what successive halving made of all trials of a sweep so far.
type Cohort map[int]cohortRung

// cohortRung is a rung once all that will ever be there are; passed are those
// that go on.
type cohortRung struct {
	there  int
	passed map[int]bool
	better map[int]int // how many of those there are, by trial
}

// Cohort compares all trials of a sweep, by number. It is nil for rules that do
// not wait for all of them.
func (r *Rules) Cohort(all []Record) Cohort {
	if r.Type != SuccessiveHalving {
		return nil
	}
	c := Cohort{}
	left := make([]int, len(all))
	for i := range all {
		left[i] = i
	}
	for rung := r.MinIter; ; rung *= r.Eta {
		left = slices.DeleteFunc(left, func(i int) bool { return all[i].Epochs <= rung })
		if len(left) == 0 {
			return c
		}
		scores := map[int]float64{}
		for _, i := range left {
			score, there := all[i].at(r.firstFolds(), rung)
			if !there {
				return c
			}
			scores[i] = score
		}
		slices.SortStableFunc(left, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		at := cohortRung{there: len(left), passed: map[int]bool{}, better: map[int]int{}}
		for place, i := range left {
			at.better[i] = place
			at.passed[i] = place < keep(len(left), r.Eta)
		}
		c[rung] = at
		left = left[:keep(len(left), r.Eta)]
		slices.Sort(left)
	}
}

// halve lets a trial pass that the cohort let pass.
func (c Cohort) halve(number, rung, folds, eta int) (stop *Stop, wait bool) {
	at, decided := c[rung]
	if !decided {
		return nil, true
	}
	if at.passed[number] {
		return nil, false
	}
	return &Stop{Epoch: rung, Folds: folds, Reason: fmt.Sprintf("after epoch %d, %d of %d trials are better; the best %d go on",
		rung, at.better[number], at.there, keep(at.there, eta))}, false
}

// keep is how many of n trials a rung lets pass.
func keep(n, eta int) int { return max(1, n/eta) }

// medianLeast is how many trials a median is worth being computed of.
const medianLeast = 3

func (r *Rules) belowMedian(rung int, own Record, before []Record) *Stop {
	n := r.firstFolds()
	best := math.Inf(-1)
	for e := 1; e <= rung; e++ {
		s, _ := own.at(n, e)
		best = max(best, s)
	}
	var means []float64
	for i := range before {
		if _, there := before[i].at(n, rung); !there {
			continue
		}
		sum := 0.0
		for e := 1; e <= rung; e++ {
			s, _ := before[i].at(n, e)
			sum += s
		}
		means = append(means, sum/float64(rung))
	}
	if len(means) < medianLeast {
		return nil
	}
	slices.Sort(means)
	median := means[len(means)/2]
	if len(means)%2 == 0 {
		median = (means[len(means)/2-1] + median) / 2
	}
	if best >= median || math.IsNaN(median) {
		return nil
	}
	return &Stop{Epoch: rung, Folds: n, Reason: fmt.Sprintf("up to epoch %d its best score is below the median of the mean scores of %d trials before", rung, len(means))}
}

// Reached is the mean score of the first n folds after an epoch, or at their ends
// for epoch 0; -Inf where one of them is not there.
func (r *Record) Reached(n, epoch int) float64 {
	if epoch > 0 {
		score, _ := r.at(n, epoch)
		return score
	}
	sum := 0.0
	for _, score := range r.Final[:n] {
		sum += score / float64(n)
	}
	if math.IsNaN(sum) {
		return math.Inf(-1)
	}
	return sum
}
