package search

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// tree has 2 + 3*2 + 1 points that differ in what counts: the second dimension counts
// with one level of the first, the third with some of the second.
var tree = []Dimension{
	{Kind: Categorical, Levels: 4, Edges: []float64{0, 0.2, 0.4, 0.4, 1}}, // level 2 is never proposed
	{Kind: Ordinal, Levels: 4, When: on(0, 1)},
	{Kind: Categorical, Levels: 2, When: on(1, 1, 2, 3)},
}

// what names what counts of a point.
func what(space []Dimension, point []float64) string {
	counts, text := counting(space, point), ""
	for i, u := range point {
		if counts == nil || counts[i] {
			text += fmt.Sprint(" ", i, ":", u)
		}
	}
	return text
}

func TestCombinationsOfATree(t *testing.T) {
	var got []string
	for point := range combinations(tree) {
		got = append(got, what(tree, point))
	}
	want := []string{" 0:0", " 0:1 1:0.125",
		" 0:1 1:0.375 2:0", " 0:1 1:0.375 2:1", " 0:1 1:0.625 2:0", " 0:1 1:0.625 2:1", " 0:1 1:0.875 2:0", " 0:1 1:0.875 2:1",
		" 0:3"}
	if !slices.Equal(got, want) {
		t.Errorf("combinations\n%q, want\n%q", got, want)
	}
}

// Each combination of what counts comes once, whatever the rest is, and then the
// search says that there is none.
func TestEveryCombinationOfATreeOnce(t *testing.T) {
	for _, method := range Methods() {
		all := history(t, method, tree, 9, finished)
		seen := map[string]bool{}
		for _, o := range all {
			seen[what(tree, o.Point)] = true
		}
		if len(seen) != 9 {
			t.Errorf("%s: %d of 9 combinations", method, len(seen))
		}
		if _, err := Propose(method, tree, 5, 9, all); !errors.Is(err, ErrExhausted) {
			t.Errorf("%s: the tenth trial: %v", method, err)
		}
	}
}

// What TPE compares are densities over the tree: their sum over all that can be is 1.
func TestDensityOverATree(t *testing.T) {
	for _, n := range []int{0, 1, 4, 9} {
		all := history(t, Random, tree, n, finished)
		var observations []*Outcome
		for i := range all {
			observations = append(observations, &all[i])
		}
		p, sum := newParzen(tree, observations), 0.0
		for point := range combinations(tree) {
			sum += math.Exp(p.logDensity(point))
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("the density of %d observations adds up to %v", n, sum)
		}
	}
}

// A coordinate that does not count changes no proposal of TPE.
func TestWhatDoesNotCountTeachesNothing(t *testing.T) {
	space := slices.Concat(tree, []Dimension{{When: on(0, 3)}, {}})
	outcomes := history(t, TPE, space, 40, finished)
	want, err := Propose(TPE, space, 5, 40, outcomes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range outcomes {
		o := &outcomes[i]
		o.Point = slices.Clone(o.Point)
		for k, counts := range counting(space, o.Point) {
			if !counts && space[k].Kind == Continuous {
				o.Point[k] = 0.987
			}
		}
	}
	got, err := Propose(TPE, space, 5, 40, outcomes)
	if err != nil || what(space, got) != what(space, want) {
		t.Errorf("%v, and with other coordinates that do not count %v (%v)", want, got, err)
	}
}

func TestBadConditions(t *testing.T) {
	for name, space := range map[string][]Dimension{
		"on itself":         {{Kind: Ordinal, Levels: 2, When: on(0, 1)}},
		"on a later one":    {{When: on(1, 1)}, {Kind: Ordinal, Levels: 2}},
		"on nothing":        {{When: on(-1, 0)}},
		"on a range":        {{}, {When: on(0, 0)}},
		"on a wrong level":  {{Kind: Ordinal, Levels: 2}, {When: on(0, 2)}},
		"on a level before": {{Kind: Categorical, Levels: 2}, {When: on(0, -1)}},
	} {
		if _, err := Propose(Random, space, 1, 0, nil); err == nil {
			t.Errorf("a condition %s is accepted", name)
		}
	}
}
