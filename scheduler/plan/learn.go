package plan

import (
	"encoding/json"
	"errors"
	"iter"
	"math"
	"slices"

	"orchestrator/scheduler/search"
)

// growth proposes trials: what Parse keeps of a file for later.
type growth struct {
	doc   *document
	rules *rules
	file  string
}

// maxRedraws bounds how often a proposal is drawn again that is not allowed or was
// made before.
const maxRedraws = 200

// Proposal draws trial number n of a sweep whose method learns, given what came of
// the trials before it, all of them. taken tells of ParametersKey whether an
// earlier trial has them. It is a pure function of the file and its arguments, of
// known its outcomes; it is not for several goroutines at once. The error is
// search.ErrExhausted where every point has been tried, or no other one is found that
// satisfies the constraints.
func (s *Sweep) Proposal(n int, known *search.Known, taken func(key string) bool) (Assignment, error) {
	g := s.growth
	space := g.doc.Parameters.learnable()
	var refused error
	for redraw := range maxRedraws {
		seed := s.Seed + int64(redraw)<<32
		coordinates, err := known.Propose(search.Method(s.Method), space, seed, n)
		if err != nil {
			return Assignment{}, err
		}
		a, err := g.assignment(coordinates, taken)
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, errTaken) {
			refused = err // two settings that do not go together
		}
	}
	for coordinates := range g.byChance(s.Seed, n) {
		if a, err := g.assignment(coordinates, taken); err == nil {
			return a, nil
		}
	}
	if refused != nil {
		return Assignment{}, refused
	}
	return Assignment{}, search.ErrExhausted
}

// errTaken is of a point that was tried before or that the constraints forbid.
var errTaken = errors.New("the point is not to be tried")

// assignment makes a trial of a point.
func (g *growth) assignment(coordinates []float64, taken func(key string) bool) (Assignment, error) {
	values := g.doc.Parameters.at(coordinates)
	g.rules.tally.Looked++
	if !g.rules.allows(values) {
		g.rules.tally.LeftOut++
		return Assignment{}, errTaken
	}
	p := &problems{file: g.file}
	a, ok := g.doc.trial(g.rules.root, values, p)
	if !ok {
		return Assignment{}, p.err()
	}
	if taken(ParametersKey(a.Parameters)) {
		return Assignment{}, errTaken
	}
	a.Point = coordinates
	return a, nil
}

// byChance lists points without regard to outcomes, for a method that keeps
// proposing what the constraints forbid: all points in a random order where there are
// few, else draws from the prior.
func (g *growth) byChance(seed int64, n int) iter.Seq[[]float64] {
	space := g.doc.Parameters
	return func(yield func([]float64) bool) {
		if g.rules.none() {
			return
		}
		r := random(seed, "by chance", int64(n))
		if space.size() <= maxRunCap {
			points := slices.Collect(space.points())
			r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
			for _, values := range points {
				if !yield(space.coordinates(values)) {
					return
				}
			}
			return
		}
		for range maxChances {
			coordinates := make([]float64, len(space))
			for k := range space {
				coordinates[k] = r.Float64()
				if len(space[k].choices) > 0 {
					coordinates[k] = float64(space[k].pick(coordinates[k]).level)
				}
			}
			if !yield(coordinates) {
				return
			}
		}
	}
}

// maxChances bounds the draws of byChance.
const maxChances = 2000

// coordinates are those of a point of a finite space, by learnable.
func (s Space) coordinates(values point) []float64 {
	all := make([]float64, len(s))
	for k := range s {
		all[k] = float64(values[k].level) // 0 where the parameter does not exist
		if len(s[k].choices) == 0 {
			all[k] = (all[k] + 0.5) / s[k].size()
		}
	}
	return all
}

// ParametersKey is the same for the same parameters.
func ParametersKey(parameters map[string]any) string {
	text, err := json.Marshal(parameters)
	if err != nil {
		panic(err) // plain values, which a YAML file holds
	}
	return string(text)
}

// learnable are the parameters as a method sees them that learns: numbers have an
// order, other choices none.
func (s Space) learnable() []search.Dimension {
	all := make([]search.Dimension, len(s))
	for k := range s {
		p := &s[k]
		switch size := p.size(); {
		case len(p.choices) > 0:
			all[k] = search.Dimension{Kind: search.Categorical, Levels: len(p.choices), Edges: p.edges()}
		case size <= maxRunCap:
			all[k] = search.Dimension{Kind: search.Ordinal, Levels: int(size)}
		}
		all[k].When = p.cases
	}
	return all
}

// edges are the cumulative probabilities of the choices, nil where they are equal.
func (p *Parameter) edges() []float64 {
	if p.Shares == nil {
		return nil
	}
	edges := make([]float64, len(p.Shares)+1)
	for i, share := range p.Shares {
		edges[i+1] = math.Min(edges[i]+share, 1)
	}
	edges[len(p.Shares)] = 1
	return edges
}

// at is the point with these coordinates of learnable.
func (s Space) at(coordinates []float64) point {
	values := make(point, len(s))
	for k := range s {
		if p := &s[k]; len(p.choices) > 0 {
			values[k] = p.choices[int(coordinates[k])]
		} else {
			values[k] = p.pick(coordinates[k])
		}
	}
	return s.masked(values)
}

// corners are points that differ from the first in one parameter: each choice and
// both ends of each range, and in what the parameter needs to exist.
func (s Space) corners() []point {
	middle := make(point, len(s))
	for k := range s {
		middle[k] = s[k].pick(0.5)
	}
	var all []point
	for k := range s {
		options := []choice{s[k].pick(0.001), s[k].pick(0.999)}
		if n := len(s[k].choices); n > 0 && n <= maxCorners {
			options = s[k].choices
		}
		for _, option := range options {
			corner := slices.Clone(middle)
			corner[k] = option
			s.wake(k, corner)
			all = append(all, s.masked(corner))
		}
	}
	return all
}

// wake gives the parameters that k depends on the first values with which it exists.
func (s Space) wake(k int, values point) {
	for _, condition := range s[k].cases {
		for _, c := range condition {
			if len(c.Levels) > 0 {
				values[c.Dimension] = s[c.Dimension].choice(c.Levels[0])
				s.wake(c.Dimension, values)
				break
			}
		}
	}
}

const maxCorners = 64

// learn prepares a search that learns: its first trials, which are under way
// before anything is known, and the corners of its space.
func (d *document) learn(c *checker, r *rules, file string) {
	d.growth = &growth{doc: d, rules: r, file: file}
	for _, corner := range d.Parameters.corners() {
		if !r.allows(corner) {
			continue
		}
		a, ok := d.trial(r.root, corner, c.problems)
		if !ok {
			return
		}
		d.Corners = append(d.Corners, a)
	}
	d.Sweep.Seed = d.Training.Seed
	concurrent := d.MaxConcurrent
	if concurrent == 0 {
		concurrent = DefaultConcurrent
	}
	var known search.Known
	taken := map[string]bool{}
	for n := range min(concurrent, d.RunCap) {
		a, err := d.Proposal(n, &known, func(key string) bool { return taken[key] })
		if errors.Is(err, search.ErrExhausted) {
			break
		}
		if err != nil {
			c.bad("method", err.Error(), "")
			return
		}
		d.Trials = append(d.Trials, a)
		taken[ParametersKey(a.Parameters)] = true
		known.Outcomes = append(known.Outcomes, search.Outcome{Trial: n, Point: a.Point, State: search.Running})
	}
	r.report(c, len(d.Trials), false)
}
