package plan

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"orchestrator/scheduler/search"
)

// maxTrials is how many trials a grid may have without run_cap, and maxRunCap
// the largest run_cap: far above what anyone trains, and little enough to plan
// in a moment.
const (
	maxTrials = 1000
	maxRunCap = 10_000
)

// point holds one choice per parameter of a space, in its order.
type point []choice

// points lists the full product, without what does not exist. The last parameter
// varies fastest.
func (s Space) points() iter.Seq[point] {
	return func(yield func(point) bool) {
		values := make(point, len(s))
		var from func(k int) bool
		from = func(k int) bool {
			switch {
			case k == len(s):
				return yield(slices.Clone(values))
			case !s.exists(k, values):
				values[k] = choice{}
				return from(k + 1)
			}
			for i := range int(s[k].size()) {
				values[k] = s[k].choice(i)
				if !from(k + 1) {
					return false
				}
			}
			return true
		}
		from(0)
	}
}

// maxCounted is how many combinations of the parameters that others depend on are
// gone through to count trials.
const maxCounted = 1_000_000

// size is how many points the full product has, +Inf with a continuous range or
// where there are too many to count.
func (s Space) size() float64 {
	decides := make([]bool, len(s)) // whether others exist
	for k := range s {
		if math.IsInf(s[k].size(), 1) {
			return math.Inf(1)
		}
		for _, condition := range s[k].cases {
			for _, c := range condition {
				decides[c.Dimension] = true
			}
		}
	}
	values, steps := make(point, len(s)), 0
	var count func(k int) float64
	count = func(k int) float64 {
		switch {
		case k == len(s):
			return 1
		case !s.exists(k, values):
			values[k] = choice{}
			return count(k + 1)
		case !decides[k]:
			values[k] = s[k].choice(0)
			return s[k].size() * count(k+1)
		}
		sum := 0.0
		for i := range int(s[k].size()) {
			if steps++; steps > maxCounted {
				return math.Inf(1)
			}
			values[k] = s[k].choice(i)
			sum += count(k + 1)
		}
		return sum
	}
	return count(0)
}

// random lists draws, or all points in a random order where there are few. Which ones
// depends on the space and the seed alone; those that come first stay when n grows.
// tries bounds the draws.
func (s Space) random(n int, seed int64, tries int) iter.Seq[point] {
	uneven := s.conditional() || slices.ContainsFunc(s, func(p Parameter) bool { return p.Shares != nil })
	if size := s.size(); size <= maxRunCap && (!uneven || size <= float64(n)) {
		points := slices.Collect(s.points())
		random(seed, "proposals").Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		return slices.Values(points)
	}
	return s.drawn(tries, func(i int) point { return s.draw(seed, i) })
}

// sobol lists points of a scrambled Sobol sequence, which covers the space more
// evenly than random ones.
func (s Space) sobol(seed int64, tries int) (iter.Seq[point], error) {
	dimensions := s.dimensions()
	if _, err := search.Propose(search.Sobol, dimensions, seed, 0, nil); err != nil {
		return nil, err
	}
	return s.drawn(tries, func(i int) point {
		coordinates, _ := search.Propose(search.Sobol, dimensions, seed, i, nil) // as it went for the first
		values := make(point, len(s))
		for k, u := range coordinates {
			values[k] = s[k].pick(u)
		}
		return s.masked(values)
	}), nil
}

// drawn lists draws and, in a finite space, after them all points, for a few hardly
// ever come.
func (s Space) drawn(tries int, draw func(i int) point) iter.Seq[point] {
	finite := !math.IsInf(s.size(), 1)
	return func(yield func(point) bool) {
		for i := range tries {
			if !yield(draw(i)) {
				return
			}
		}
		if finite {
			s.points()(yield)
		}
	}
}

// dimensions are the parameters as a search sees them; one with many values is as
// good as continuous.
func (s Space) dimensions() []search.Dimension {
	all := make([]search.Dimension, len(s))
	for k := range s {
		if size := s[k].size(); size <= maxRunCap && s[k].Shares == nil {
			all[k] = search.Dimension{Kind: search.Ordinal, Levels: int(size)}
		}
	}
	return all
}

// draw is proposal number i, drawn without regard to the others.
func (s Space) draw(seed int64, i int) point {
	r := random(seed, "proposal", int64(i))
	values := make(point, len(s))
	for k := range s {
		if size := s[k].size(); math.IsInf(size, 1) || s[k].Shares != nil {
			values[k] = s[k].pick(r.Float64())
		} else {
			values[k] = s[k].choice(int(r.Int64N(int64(size))))
		}
	}
	return s.masked(values)
}

func (p point) key() string {
	var b strings.Builder
	for _, c := range p {
		if c.there() {
			fmt.Fprintf(&b, "%v\x00", c.plain())
		} else {
			b.WriteByte(1)
		}
	}
	return b.String()
}

// propose checks that the space fits the method and lists the trials' points.
func (d *document) propose(c *checker, r *rules) []point {
	space := d.Parameters
	if c.failed.touch("parameters") || c.failed.touch("run_cap") {
		return nil
	}
	switch d.Method {
	case "random", "sobol", "tpe", "cma-es":
		if len(space) == 0 {
			c.bad("method", d.Method+" has nothing to draw: there are no parameters", "add parameters or remove method")
			return nil
		}
		if d.RunCap == 0 {
			c.bad("run_cap", "is required with method "+d.Method, "say how many trials to run, as run_cap: 20")
			return nil
		}
	}
	switch d.Method {
	case "random":
		return r.take(c, d.RunCap, space.random(d.RunCap, d.Training.Seed, r.tries(d.RunCap)))
	case "sobol":
		points, err := space.sobol(d.Training.Seed, r.tries(d.RunCap))
		if err != nil {
			c.bad("method", err.Error(), "search fewer parameters, or at random")
			return nil
		}
		return r.take(c, d.RunCap, points)
	case "grid":
		return d.grid(c, r)
	}
	return nil // one after the other: see learn
}

// grid lists the points of a grid, cut at run_cap.
func (d *document) grid(c *checker, r *rules) []point {
	space := d.Parameters
	for i := range space {
		if p := &space[i]; math.IsInf(p.size(), 1) {
			c.problems.add(p.at, "parameters."+p.Path, fmt.Sprintf("a grid cannot hold the continuous distribution %s", p.Distribution),
				"list the values as {values: [...]}, give a step with q_uniform, or set method: random")
			return nil
		}
	}
	limit := d.RunCap
	if limit == 0 {
		limit = maxTrials
		size := space.size()
		if size > maxTrials && r.none() {
			count := fmt.Sprintf("%.0f", size)
			if math.IsInf(size, 1) {
				count = "millions of"
			}
			c.bad("parameters", fmt.Sprintf("the grid has %s trials; without run_cap at most %d are run", count, maxTrials), "try fewer values or set run_cap")
			return nil
		}
		limit++ // to see whether there are more
	}
	points := r.take(c, limit, space.points())
	if d.RunCap == 0 && len(points) > maxTrials {
		c.bad("parameters", fmt.Sprintf("more than %d combinations satisfy the constraints; without run_cap no more are run", maxTrials), "try fewer values or set run_cap")
		return nil
	}
	return points
}
