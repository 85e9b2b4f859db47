package plan

import (
	"encoding/json"
	"errors"
	"math"
	"slices"

	"go.yaml.in/yaml/v3"

	"orchestrator/scheduler/search"
)

// growth proposes trials: what Parse keeps of a file for later.
type growth struct {
	doc  *document
	root *yaml.Node
	file string
}

// maxRedraws bounds how often a proposal is drawn again that is not allowed or was
// made before.
const maxRedraws = 200

// Proposal draws trial number n of a sweep whose method learns, given what came of
// the trials before it, all of them. taken tells of ParametersKey whether an
// earlier trial has them. It is a pure function of the file and its arguments. The
// error is search.ErrExhausted where every point has been tried.
func (s *Sweep) Proposal(n int, before []search.Outcome, taken func(key string) bool) (Assignment, error) {
	g := s.growth
	space := g.doc.Parameters.learnable()
	var refused error
	for redraw := range maxRedraws {
		seed := s.Seed + int64(redraw)<<32
		coordinates, err := search.Propose(search.Method(s.Method), space, seed, n, before)
		if err != nil {
			return Assignment{}, err
		}
		p := &problems{file: g.file}
		a, ok := g.doc.trial(g.root, g.doc.Parameters.at(coordinates), p)
		if !ok {
			refused = p.err() // two settings that do not go together
			continue
		}
		if !taken(ParametersKey(a.Parameters)) {
			a.Point = coordinates
			return a, nil
		}
	}
	if refused != nil {
		return Assignment{}, refused
	}
	return Assignment{}, search.ErrExhausted
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
	return values
}

// corners are points that differ from the first in one parameter: each choice and
// both ends of each range.
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
			all = append(all, corner)
		}
	}
	return all
}

const maxCorners = 64

// learn prepares a search that learns: its first trials, which are under way
// before anything is known, and the corners of its space.
func (d *document) learn(c *checker, root *yaml.Node, file string, p *problems) {
	d.growth = &growth{doc: d, root: root, file: file}
	for _, corner := range d.Parameters.corners() {
		a, ok := d.trial(root, corner, p)
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
	var before []search.Outcome
	taken := map[string]bool{}
	for n := range min(concurrent, d.RunCap) {
		a, err := d.Proposal(n, before, func(key string) bool { return taken[key] })
		if errors.Is(err, search.ErrExhausted) {
			return
		}
		if err != nil {
			c.bad("method", err.Error(), "")
			return
		}
		d.Trials = append(d.Trials, a)
		taken[ParametersKey(a.Parameters)] = true
		before = append(before, search.Outcome{Trial: n, Point: a.Point, State: search.Running})
	}
}
