package search

import (
	"fmt"
	"iter"
	"slices"
)

// A Condition of a dimension holds where one of its cases does.
type Condition []Case

// A Case holds where the dimension with that index counts, and has one of the
// levels.
type Case struct {
	Dimension int
	Levels    []int
}

// check says what is wrong with the conditions of dimension i.
func (d Dimension) checkConditions(space []Dimension, i int) error {
	for _, condition := range d.When {
		for _, c := range condition {
			if c.Dimension < 0 || c.Dimension >= i {
				return fmt.Errorf("a condition is on dimension %d, which is no earlier one", c.Dimension)
			}
			on := space[c.Dimension]
			if on.Kind == Continuous {
				return fmt.Errorf("a condition is on dimension %d, which has no levels", c.Dimension)
			}
			if slices.ContainsFunc(c.Levels, func(level int) bool { return level < 0 || level >= on.Levels }) {
				return fmt.Errorf("a condition is on levels %v of dimension %d, which has %d", c.Levels, c.Dimension, on.Levels)
			}
		}
	}
	return nil
}

func conditional(space []Dimension) bool {
	return slices.ContainsFunc(space, func(d Dimension) bool { return len(d.When) > 0 })
}

// counting tells which coordinates of a point count, nil where all do.
func counting(space []Dimension, point []float64) []bool {
	if !conditional(space) {
		return nil
	}
	counts := make([]bool, len(space))
	for i := range space {
		counts[i] = holds(space, i, point, counts)
	}
	return counts
}

// holds tells whether dimension i counts, by the coordinates before it and which of
// them count.
func holds(space []Dimension, i int, point []float64, counts []bool) bool {
	for _, condition := range space[i].When {
		if !slices.ContainsFunc(condition, func(c Case) bool {
			return counts[c.Dimension] && slices.Contains(c.Levels, space[c.Dimension].levelOf(point[c.Dimension]))
		}) {
			return false
		}
	}
	return true
}

// levelOf is the level that a coordinate of a point stands for.
func (d Dimension) levelOf(u float64) int {
	if d.Kind == Categorical {
		return int(u)
	}
	return d.level(u)
}

// coordinate is what Propose returns for a level.
func (d Dimension) coordinate(level int) float64 {
	if d.Kind == Categorical {
		return float64(level)
	}
	return d.middle(level)
}

// combinations lists the points of a finite space that differ in what counts, the
// last dimension fastest. What does not count has its first level. The slice is
// used again for the next.
func combinations(space []Dimension) iter.Seq[[]float64] {
	return func(yield func([]float64) bool) {
		point, counts := make([]float64, len(space)), make([]bool, len(space))
		var from func(i int) bool
		from = func(i int) bool {
			if i == len(space) {
				return yield(point)
			}
			levels := space[i].possible()
			if counts[i] = holds(space, i, point, counts); !counts[i] {
				levels = levels[:1]
			}
			for _, level := range levels {
				point[i] = space[i].coordinate(level)
				if !from(i + 1) {
					return false
				}
			}
			return true
		}
		from(0)
	}
}
