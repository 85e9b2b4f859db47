package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"orchestrator/scheduler/search"
)

// Condition names another parameter and the values with one of which a parameter
// exists.
type Condition struct {
	On     string // the other parameter's Path
	Values []any  // as trials say them

	at position // in the file
}

// conditions are what "when" holds.
type conditions []Condition

// decodeNode reads a mapping from parameters to a value or a list of them.
func (w *conditions) decodeNode(d *decoder, n *yaml.Node, field string) {
	const try = "name a parameter and the values with which this one exists, as {training.optimizer: [sgd, nesterov]}"
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		d.bad(n, field, "must be a mapping from parameters to values, but is "+describe(n), try)
		return
	}
	d.keys(n, field, func(key, value *yaml.Node, child string) {
		c := Condition{On: key.Value, at: at(key)}
		items := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			items = value.Content
		}
		if len(items) == 0 {
			d.bad(value, child, "names no value, so the parameter would never exist", try)
		}
		for _, item := range items {
			plain, err := plainValue(item)
			if err != nil {
				d.bad(item, child, "holds a value that "+err.Error(), try)
				return
			}
			c.Values = append(c.Values, plain)
		}
		*w = append(*w, c)
	})
}

// String reads "training.optimizer is sgd or nesterov".
func (c Condition) String() string {
	words := make([]string, len(c.Values))
	for i, v := range c.Values {
		words[i] = fmt.Sprint(v)
	}
	return c.On + " is " + strings.Join(words, " or ")
}

// ExistsIn tells whether the parameter exists beside a trial's parameters.
func (p *Parameter) ExistsIn(parameters map[string]any) bool {
	for _, c := range p.When {
		value, there := parameters[c.On]
		if !there || !slices.ContainsFunc(c.Values, func(v any) bool { return textOf(v) == textOf(value) }) {
			return false
		}
	}
	return true
}

// textOf is the same for the same value.
func textOf(value any) string {
	text, _ := json.Marshal(value) // plain values, which a YAML file holds
	return string(text)
}

// link finds what conditions are on, and puts every parameter behind those that its
// conditions name, in the order of the file otherwise.
func (s *Space) link(d *decoder) {
	if !s.known(d) {
		s.giveUp(d)
		return
	}
	var sorted Space
	left := slices.Clone(*s)
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(p Parameter) bool {
			return !slices.ContainsFunc(p.When, func(c Condition) bool { return left.has(c.On) })
		})
		if i < 0 {
			left.circle(d)
			s.giveUp(d)
			return
		}
		sorted = append(sorted, left[i])
		left = slices.Delete(left, i, i+1)
	}
	for i := range sorted {
		sorted[i].cases = nil
		for _, c := range sorted[i].When {
			sorted[i].cases = append(sorted[i].cases, sorted[:i].cases(c))
		}
	}
	*s = sorted
}

// giveUp takes the parameters out: nothing is held against what they set.
func (s *Space) giveUp(d *decoder) {
	d.failed.add("parameters")
	for _, p := range *s {
		for _, path := range p.paths() {
			d.failed.add(path)
		}
	}
	*s = nil
}

func (s Space) has(path string) bool {
	return slices.ContainsFunc(s, func(p Parameter) bool { return p.Path == path })
}

// known checks that conditions name searched parameters and values that they can
// have.
func (s Space) known(d *decoder) bool {
	before := len(d.problems.list)
	for _, p := range s {
		for _, c := range p.When {
			field := "parameters." + p.Path + ".when"
			if !s.has(c.On) {
				if !d.failed.touch(c.On) { // it is there, and something else is wrong with it
					d.problems.add(c.at, field, c.On+" is no parameter of this sweep", s.suggest(c.On))
				}
				continue
			}
			s.knownValues(d, c, field)
		}
	}
	return len(d.problems.list) == before
}

func (s Space) suggest(path string) string {
	var paths []string
	for _, p := range s {
		paths = append(paths, p.Path)
	}
	if near := nearest(path, paths); near != "" {
		return "did you mean " + near + "?"
	}
	return "searched are " + list(paths)
}

func (s Space) knownValues(d *decoder, c Condition, field string) {
	possible := map[string]bool{}
	var words []string
	for k := range s {
		p := &s[k]
		if p.Path != c.On {
			continue
		}
		if p.size() > maxRunCap {
			d.problems.add(c.at, field, c.On+" is a range of numbers, but a condition is on values", "list its values, or say what may go together under constraints")
			return
		}
		for i := range int(p.size()) {
			value := p.choice(i).plain()
			possible[textOf(value)] = true
			words = append(words, fmt.Sprint(value))
		}
	}
	for _, v := range c.Values {
		if !possible[textOf(v)] {
			try := "it can be " + list(words)
			if text, ok := v.(string); ok && nearest(text, words) != "" {
				try = "did you mean " + nearest(text, words) + "?"
			} else if len(words) > maxShown {
				try = fmt.Sprintf("it can be %s, and %d more", list(words[:maxShown]), len(words)-maxShown)
			}
			d.problems.add(c.at, field, fmt.Sprintf("%s is never %v", c.On, v), try)
		}
	}
}

// circle reports parameters that exist only where they exist.
func (s Space) circle(d *decoder) {
	p := &s[0]
	var round []string
	for !slices.Contains(round, p.Path) {
		round = append(round, p.Path)
		next := slices.IndexFunc(p.When, func(c Condition) bool { return s.has(c.On) })
		p = &s[slices.IndexFunc(s, func(other Parameter) bool { return other.Path == p.When[next].On })]
	}
	round = append(round[slices.Index(round, p.Path):], p.Path)
	d.problems.add(p.When[0].at, "parameters."+p.Path+".when", "leads back to the parameter itself: "+strings.Join(round, ", "), "let one of them exist in every trial")
}

// cases are the parameters, by index, and their levels with which a condition holds.
func (s Space) cases(c Condition) search.Condition {
	wanted := map[string]bool{}
	for _, v := range c.Values {
		wanted[textOf(v)] = true
	}
	var all search.Condition
	for k := range s {
		if s[k].Path != c.On {
			continue
		}
		on := search.Case{Dimension: k}
		for i := range int(s[k].size()) {
			if wanted[textOf(s[k].choice(i).plain())] {
				on.Levels = append(on.Levels, i)
			}
		}
		all = append(all, on)
	}
	return all
}

// conditional tells whether some parameter does not exist in every trial.
func (s Space) conditional() bool {
	return slices.ContainsFunc(s, func(p Parameter) bool { return len(p.When) > 0 })
}

// exists tells whether parameter k does in a trial, by the values of those before it.
func (s Space) exists(k int, values point) bool {
	for _, condition := range s[k].cases {
		if !slices.ContainsFunc(condition, func(c search.Case) bool {
			return values[c.Dimension].there() && slices.Contains(c.Levels, values[c.Dimension].level)
		}) {
			return false
		}
	}
	return true
}

// masked takes the values of parameters out that do not exist beside the others.
func (s Space) masked(values point) point {
	for k := range s {
		if !s.exists(k, values) {
			values[k] = choice{}
		}
	}
	return values
}

// write is a place that a parameter writes to, and what must hold for that: of each
// parameter named, the values that it has one of.
type write struct {
	path string
	when map[string][]string
}

// writes are all that the parameter writes in some trial.
func (s Space) writes(k int) []write {
	p := &s[k]
	if !p.bundle() {
		return []write{{p.Path, s.needs(k)}}
	}
	var all []write
	for _, c := range p.choices {
		for _, setting := range p.settings(c) {
			when := s.needs(k)
			when[p.Path] = []string{textOf(c.plain())}
			all = append(all, write{setting.path, when})
		}
	}
	return all
}

// needs gathers the conditions of a parameter and of those that they are on.
func (s Space) needs(k int) map[string][]string {
	when := map[string][]string{}
	for _, c := range s[k].When {
		var values []string
		for _, v := range c.Values {
			values = append(values, textOf(v))
		}
		narrow(when, c.On, values)
		var on []int
		for i := range k {
			if s[i].Path == c.On {
				on = append(on, i)
			}
		}
		if len(on) == 1 { // of several it is not known which
			for path, values := range s.needs(on[0]) {
				narrow(when, path, values)
			}
		}
	}
	return when
}

// narrow lets a parameter have only those of its values that are among these, too.
func narrow(when map[string][]string, path string, values []string) {
	if known, ok := when[path]; ok {
		values = slices.DeleteFunc(slices.Clone(known), func(v string) bool { return !slices.Contains(values, v) })
	}
	when[path] = values
}

// collide tells whether two parameters write to one place in one trial.
func (s Space) collide(i, k int) bool {
	for _, a := range s.writes(i) {
		for _, b := range s.writes(k) {
			if overlap(a.path, b.path) && !exclusive(a.when, b.when) {
				return true
			}
		}
	}
	return false
}

// overlap tells whether one path is the other or below it.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// exclusive tells whether no trial meets both: a parameter would need to have two
// values.
func exclusive(a, b map[string][]string) bool {
	for path, values := range a {
		others, ok := b[path]
		if ok && !slices.ContainsFunc(values, func(v string) bool { return slices.Contains(others, v) }) {
			return true
		}
	}
	return false
}
