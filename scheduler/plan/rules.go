package plan

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on how much is tried to satisfy constraints: combinations looked at, and
// trials whose settings are worked out for it, which takes about 0.1 ms each.
const (
	maxLooked  = 200_000
	maxSettled = 2_000  // and ten more for each trial that there is to be
	maxKnown   = 20_000 // combinations of which it is remembered
)

// decisive are settings on which the defaults of others depend.
var decisive = []string{"training.optimizer", "training.loss", "training.lr_policy", "probe"}

// rules are the constraints of a sweep, and what is known of combinations of its
// parameters.
type rules struct {
	doc         *document
	root        *yaml.Node
	constraints []*constraint
	relevant    []int           // the parameters that the constraints can depend on
	known       map[string]bool // by the values of these
	settled     int             // trials that were worked out
	broken      *broken         // the first that could not be worked out
	violated    *constraint     // the last that did not hold
	tally       Tally
}

// broken is a constraint that cannot be worked out with some settings.
type broken struct {
	constraint *constraint
	problem    string
}

// Tally says how many combinations the constraints of a sweep left out while its
// trials were listed.
type Tally struct {
	Looked  int `json:"looked_at"`
	LeftOut int `json:"left_out"`
}

// newRules prepares the constraints that could be read.
func newRules(doc *document, root *yaml.Node, constraints []*constraint) *rules {
	r := &rules{doc: doc, root: root, constraints: constraints, known: map[string]bool{}}
	for k := range doc.Parameters {
		p := &doc.Parameters[k]
		matters := func(path string) bool {
			return slices.ContainsFunc(decisive, func(d string) bool { return overlap(d, path) }) ||
				slices.ContainsFunc(constraints, func(c *constraint) bool {
					return slices.ContainsFunc(c.paths, func(used string) bool { return overlap(used, path) })
				})
		}
		if matters(p.Path) || slices.ContainsFunc(p.paths(), matters) {
			r.relevant = append(r.relevant, k)
		}
	}
	return r
}

func (r *rules) none() bool { return len(r.constraints) == 0 }

// allows tells whether a point satisfies the constraints. A point whose settings
// cannot be read does: reading it for a trial says what is wrong.
func (r *rules) allows(values point) bool {
	if r.none() {
		return true
	}
	part := make(point, len(r.relevant))
	for i, k := range r.relevant {
		part[i] = values[k]
	}
	key := part.key()
	allowed, known := r.known[key]
	if !known {
		allowed = r.settle(values)
		if len(r.known) < maxKnown {
			r.known[key] = allowed
		}
	}
	return allowed
}

// settle works a point's settings out and holds the constraints against them.
func (r *rules) settle(values point) bool {
	r.settled++
	p := &problems{}
	tree := clone(r.root)
	r.doc.Parameters.write(tree, values, p)
	doc, _ := decode(tree, p)
	if p.err() != nil {
		return true
	}
	settings := doc.Config.environment(r.doc.Parameters, values)
	for _, c := range r.constraints {
		ok, err := c.holds(settings)
		if err != nil && r.broken == nil {
			r.broken = &broken{c, fmt.Sprintf("cannot be worked out with %s: %v", r.doc.Parameters.describe(values), err)}
		}
		if !ok {
			r.violated = c
			return false
		}
	}
	return true
}

// describe reads "training.epochs=3 training.momentum=0.9".
func (s Space) describe(values point) string {
	var words []string
	for k, c := range values {
		if c.there() {
			words = append(words, fmt.Sprintf("%s=%v", s[k].Path, c.plain()))
		}
	}
	return strings.Join(words, " ")
}

// take lists the first n different points that satisfy the constraints. It reports
// where there are none, or too few among as many as it looks at.
func (r *rules) take(c *checker, n int, points iter.Seq[point]) []point {
	var taken []point
	seen := map[string]bool{}
	for values := range points {
		if len(taken) == n || r.broken != nil || r.spent(n) {
			break
		}
		key := values.key()
		if seen[key] {
			continue
		}
		seen[key] = true
		r.tally.Looked++
		if r.allows(values) {
			taken = append(taken, values)
		} else {
			r.tally.LeftOut++
		}
	}
	if len(taken) < n {
		r.report(c, len(taken), r.spent(n))
	}
	return taken
}

// spent tells whether enough has been tried for n trials.
func (r *rules) spent(n int) bool {
	return !r.none() && (r.tally.Looked >= maxLooked || r.settled >= maxSettled+10*n)
}

// tries is how many draws it may take to find n points.
func (r *rules) tries(n int) int {
	if r.none() {
		return 100 * n
	}
	return max(100*n, maxLooked)
}

// report says why fewer points were taken than there should be, if the constraints
// are the reason; spent: others were not looked at.
func (r *rules) report(c *checker, taken int, spent bool) {
	const try = "loosen them, or search ranges in which they hold more often"
	switch {
	case r.broken != nil:
		c.bad(r.broken.constraint.field, r.broken.problem, "let the constraint itself see to that it can be worked out, as with and")
	case r.none():
	case taken == 0 && len(r.doc.Parameters) == 0 && r.violated != nil:
		c.bad(r.violated.field, "does not hold with the settings of this sweep, which is a single trial", "")
	case taken == 0 && r.tally.Looked > 0:
		c.bad("constraints", fmt.Sprintf("none of the %d combinations of parameters that were looked at satisfies them", r.tally.Looked), try)
	case spent:
		c.bad("constraints", fmt.Sprintf("only %d of the %d combinations of parameters that were looked at satisfy them", taken, r.tally.Looked), try)
	}
}
