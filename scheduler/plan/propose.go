package plan

import (
	"fmt"
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

// grid lists the first n points of the full product, or all for n = 0. The last
// parameter varies fastest.
func (s Space) grid(n int) []point {
	if size := s.size(); n == 0 || float64(n) > size {
		n = int(size)
	}
	points := make([]point, n)
	for i := range points {
		points[i] = s.point(i)
	}
	return points
}

// point is number i of the full product.
func (s Space) point(i int) point {
	values := make(point, len(s))
	for k := len(s) - 1; k >= 0; k-- {
		if size := s[k].size(); size <= float64(i) {
			values[k] = s[k].choice(i % int(size))
			i /= int(size)
		} else {
			values[k] = s[k].choice(i)
			i = 0
		}
	}
	return values
}

// size is how many points the full product has, +Inf with a continuous range.
func (s Space) size() float64 {
	size := 1.0
	for i := range s {
		size *= s[i].size()
	}
	return size
}

// random draws n different points, or all where there are no more. Which ones
// depends on the space and the seed alone; with a larger n the first stay.
func (s Space) random(n int, seed int64) []point {
	weighted := slices.ContainsFunc(s, func(p Parameter) bool { return p.Shares != nil })
	if size := s.size(); size <= maxRunCap && (!weighted || size <= float64(n)) {
		points := s.grid(0)
		random(seed, "proposals").Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		return points[:min(n, len(points))]
	}
	points, _ := distinct(n, func(i int) (point, error) { return s.draw(seed, i), nil })
	return points
}

// distinct collects the first n different ones of the points that draw gives.
func distinct(n int, draw func(i int) (point, error)) ([]point, error) {
	var points []point
	seen := map[string]bool{}
	for i := 0; len(points) < n && i < 100*n; i++ {
		p, err := draw(i)
		if err != nil {
			return nil, err
		}
		if key := p.key(); !seen[key] {
			seen[key] = true
			points = append(points, p)
		}
	}
	return points, nil
}

// sobol takes n different points of a scrambled Sobol sequence, which covers the
// space more evenly than random ones; with a larger n the first stay. Of a space
// with fewer points it takes all.
func (s Space) sobol(n int, seed int64) ([]point, error) {
	n = int(min(float64(n), s.size()))
	points, err := distinct(n, func(i int) (point, error) {
		coordinates, err := search.Propose(search.Sobol, s.dimensions(), seed, i, nil)
		if err != nil {
			return nil, err
		}
		values := make(point, len(s))
		for k, u := range coordinates {
			values[k] = s[k].pick(u)
		}
		return values, nil
	})
	if err != nil || len(points) == n {
		return points, err
	}
	rest, err := distinct(n, func(i int) (point, error) { // a few that hardly ever come
		if i < len(points) {
			return points[i], nil
		}
		return s.point(i - len(points)), nil
	})
	return rest, err
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
	return values
}

func (p point) key() string {
	var b strings.Builder
	for _, c := range p {
		fmt.Fprintf(&b, "%v\x00", c.plain())
	}
	return b.String()
}

// propose checks that the space fits the method and lists the trials' points.
func (d *document) propose(c *checker) []point {
	space := d.Parameters
	if c.failed.touch("parameters") {
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
		switch d.Method {
		case "tpe", "cma-es":
			return nil // one after the other: see learn
		case "random":
			return space.random(d.RunCap, d.Training.Seed)
		}
		points, err := space.sobol(d.RunCap, d.Training.Seed)
		if err != nil {
			c.bad("method", err.Error(), "search fewer parameters, or at random")
		}
		return points
	case "grid":
		for i := range space {
			if p := &space[i]; math.IsInf(p.size(), 1) {
				c.problems.add(p.at, "parameters."+p.Path, fmt.Sprintf("a grid cannot hold the continuous distribution %s", p.Distribution),
					"list the values as {values: [...]}, give a step with q_uniform, or set method: random")
				return nil
			}
		}
		if size := space.size(); d.RunCap == 0 && size > maxTrials {
			c.bad("parameters", fmt.Sprintf("the grid has %.0f trials; without run_cap at most %d are run", size, maxTrials), "try fewer values or set run_cap")
			return nil
		}
		return space.grid(d.RunCap)
	}
	return nil
}
