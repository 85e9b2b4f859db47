package search

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Method is how trials are proposed.
type Method string

// The methods.
const (
	// Random draws every trial from the prior.
	Random Method = "random"
	// Sobol covers the space evenly: trial t is point t of one scrambled
	// Sobol sequence. It looks at no outcome.
	Sobol Method = "sobol"
	// TPE is the tree-structured Parzen estimator with one joint density
	// over all dimensions.
	TPE Method = "tpe"
	// CMAES is the covariance matrix adaptation evolution strategy, for
	// continuous and ordinal dimensions. Categorical ones are drawn at
	// random.
	CMAES Method = "cma-es"
)

// Methods lists the methods, the simplest first.
func Methods() []Method { return []Method{Random, Sobol, TPE, CMAES} }

// Kind is what the values of a dimension are like.
type Kind int

// The kinds of dimensions.
const (
	// Continuous: every u in [0, 1) is a value of its own.
	Continuous Kind = iota
	// Ordinal: ordered levels, such as integers; level k is any u in its
	// cell, and proposals are in the middle of cells.
	Ordinal
	// Categorical: levels without order. The coordinate is the level's index.
	Categorical
)

// A Dimension is one searched parameter.
type Dimension struct {
	Kind Kind
	// Levels counts the values of an ordinal or categorical dimension.
	Levels int
	// Edges bounds the cells of levels that are not equally probable:
	// level k has [Edges[k], Edges[k+1]), from 0 to 1 in Levels+1 values that
	// do not fall. Nil: all levels are as probable. A level of an empty cell
	// is never proposed.
	Edges []float64
	// When are conditions on earlier dimensions that have levels. Unless all
	// hold, the dimension does not count: its coordinate, which there is in any
	// case, means nothing, and points that differ in nothing else are the same.
	When []Condition
}

// State is how far a trial has come.
type State int

// The states of a trial.
const (
	// Finished trials have a value.
	Finished State = iota
	// Running trials have been proposed and have no value yet.
	Running
	// Pruned trials were stopped early. Their value is the last one seen.
	Pruned
	// Failed trials will never have a value.
	Failed
)

// An Outcome is what is known of one trial.
type Outcome struct {
	// Trial is its number, counted from 0, unique in a search.
	Trial int
	// Point is what Propose returned for it: a coordinate in [0, 1) or, of a
	// categorical dimension, the level's index.
	Point []float64
	// Value is to be minimised. NaN counts as a failure.
	Value float64
	State State
	// Steps is after how many steps a pruned trial was stopped.
	Steps int
}

// ErrExhausted is returned where every point of a finite space has been
// proposed.
var ErrExhausted = errors.New("every combination of the searched parameters has been proposed")

// Known is what a search knows of its trials. What follows from their points is
// worked out once: other outcomes may be appended, and all but the points of those
// that are there may change. It belongs to one space, and to one goroutine at a time.
type Known struct {
	Outcomes []Outcome

	seen    *seen
	checked int // outcomes whose points are in seen
}

// Propose is Known.Propose of outcomes that are looked at once.
func Propose(method Method, space []Dimension, seed int64, trial int, outcomes []Outcome) ([]float64, error) {
	known := &Known{Outcomes: outcomes}
	return known.Propose(method, space, seed, trial)
}

// Propose returns the point of the trial with the given number, one
// coordinate for each dimension: in [0, 1), or the index of a categorical
// level. The order of the outcomes does not matter. No point is proposed
// twice: where a method would repeat a point of a finite space, an unseen one
// takes its place, and [ErrExhausted] says that there is none.
func (k *Known) Propose(method Method, space []Dimension, seed int64, trial int) ([]float64, error) {
	if err := k.note(space, trial); err != nil {
		return nil, err
	}
	if k.seen.exhausted() {
		return nil, ErrExhausted
	}
	var point []float64
	switch method {
	case Random:
		point = prior(space, random(seed, "random", trial))
	case Sobol:
		var err error
		if point, err = sobol(space, seed, trial); err != nil {
			return nil, err
		}
	case TPE:
		point = tpe(space, seed, trial, k.Outcomes, k.seen)
	case CMAES:
		point = cmaes(space, seed, trial, k.Outcomes, k.seen)
	default:
		return nil, fmt.Errorf("search: no method %q; there are %v", method, Methods())
	}
	return k.seen.orUnseen(point, random(seed, "unseen", trial)), nil
}

// note checks what was not checked before, and notes the points.
func (k *Known) note(space []Dimension, trial int) error {
	if k.seen == nil {
		for i, d := range space {
			err := d.check()
			if err == nil {
				err = d.checkConditions(space, i)
			}
			if err != nil {
				return fmt.Errorf("search: dimension %d: %w", i, err)
			}
		}
		k.seen = newSeen(space)
	}
	if trial < 0 {
		return fmt.Errorf("search: trial %d is below 0", trial)
	}
	for ; k.checked < len(k.Outcomes); k.checked++ {
		o := &k.Outcomes[k.checked]
		if err := checkPoint(space, o); err != nil {
			return err
		}
		k.seen.add(o.Point)
	}
	return nil
}

func checkPoint(space []Dimension, o *Outcome) error {
	if len(o.Point) != len(space) {
		return fmt.Errorf("search: trial %d has %d coordinates in a space of %d dimensions", o.Trial, len(o.Point), len(space))
	}
	for j, u := range o.Point {
		if top := space[j].top(); !(u >= 0 && u < top) {
			return fmt.Errorf("search: trial %d: coordinate %d is %g, outside [0, %g)", o.Trial, j, u, top)
		}
	}
	return nil
}

func (d Dimension) check() error {
	switch {
	case d.Kind == Continuous:
		return nil
	case d.Kind != Ordinal && d.Kind != Categorical:
		return fmt.Errorf("no kind %d", d.Kind)
	case d.Levels < 1:
		return fmt.Errorf("%d levels; it takes at least one", d.Levels)
	case d.Edges == nil:
		return nil
	case len(d.Edges) != d.Levels+1 || d.Edges[0] != 0 || d.Edges[d.Levels] != 1 || !slices.IsSorted(d.Edges):
		return fmt.Errorf("the edges of %d levels are %d ascending numbers from 0 to 1, not %v", d.Levels, d.Levels+1, d.Edges)
	}
	return nil
}

// top is the upper bound, exclusive, of the dimension's coordinates.
func (d Dimension) top() float64 {
	if d.Kind == Categorical {
		return float64(d.Levels)
	}
	return 1
}

// cell returns the bounds of level k on the unit interval.
func (d Dimension) cell(k int) (low, high float64) {
	if d.Edges != nil {
		return d.Edges[k], d.Edges[k+1]
	}
	n := float64(d.Levels)
	return float64(k) / n, float64(k+1) / n
}

// level returns the level whose cell u in [0, 1) lies in.
func (d Dimension) level(u float64) int {
	if d.Edges == nil {
		k := min(int(u*float64(d.Levels)), d.Levels-1)
		if low, _ := d.cell(k); u < low { // u*n was rounded up
			k--
		}
		return k
	}
	k, found := slices.BinarySearch(d.Edges, u)
	if !found {
		return k - 1
	}
	for d.Edges[k+1] == u { // empty cells begin at u, too
		k++
	}
	return k
}

// grain is the spacing of continuous coordinates. Rounding to it hides that
// processors differ in the last bits of a sum or a logarithm.
const grain = 0x1p-40

// snap returns the coordinate proposed for u in [0, 1]: on the grain, in the
// middle of an ordinal cell, or a categorical level's index.
func (d Dimension) snap(u float64) float64 {
	u = min(max(u, 0), 1-grain)
	switch d.Kind {
	case Ordinal:
		return d.middle(d.level(u))
	case Categorical:
		return float64(d.level(u))
	}
	return math.Floor(u/grain) * grain
}

// middle returns the middle of an ordinal level's cell.
func (d Dimension) middle(k int) float64 {
	low, high := d.cell(k)
	return low + (high-low)/2
}
