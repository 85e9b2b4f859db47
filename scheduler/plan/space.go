package plan

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"orchestrator/scheduler/search"
)

// Space is the searched parameters, in the order of the file.
type Space []Parameter

// Parameter is one searched setting: a list of choices, or a range.
type Parameter struct {
	// Path is dotted, into the sweep file; or a word of the user's own, whose
	// choices set several paths.
	Path         string
	Distribution string // one of distributions
	Min, Max, Q  float64
	Mu, Sigma    float64
	A, B         float64 // of beta
	// Shares are the choices' probabilities; nil: all are as probable.
	Shares []float64
	// When are conditions, all of which hold where the parameter exists.
	When []Condition

	choices []choice           // of categorical and constant
	cases   []search.Condition // of When, by index in the space
	at      position           // in the file
}

// choice is a value of a parameter, under the name that the file gives it or none.
// Without a value the parameter does not exist in the trial.
type choice struct {
	name  string
	value *yaml.Node
	level int // among the parameter's values, where they can be counted
}

func (c choice) there() bool { return c.value != nil }

// plain is what a trial says of the choice.
func (c choice) plain() any {
	if c.name != "" {
		return c.name
	}
	value, _ := plainValue(c.value) // checked when the space was read
	return value
}

// setting is a value and the path that a choice writes it to.
type setting struct {
	path  string
	value *yaml.Node
	at    position // to blame where the path cannot be written
}

// settings are what a choice of the parameter writes into the file.
func (p *Parameter) settings(c choice) []setting {
	if !p.bundle() {
		return []setting{{p.Path, c.value, p.at}}
	}
	var all []setting
	for i := 0; i+1 < len(c.value.Content); i += 2 {
		key := c.value.Content[i]
		if key.Value == nestedKey {
			continue // a space of its own
		}
		all = append(all, setting{key.Value, c.value.Content[i+1], at(key)})
	}
	return all
}

// bundle tells whether the parameter's choices set several paths.
func (p *Parameter) bundle() bool {
	root, _, _ := strings.Cut(p.Path, ".")
	return !slices.Contains(sections, root)
}

// nestedKey is where a choice of several settings has parameters of its own.
const nestedKey = "parameters"

// paths are all paths that some choice of the parameter writes to.
func (p *Parameter) paths() []string {
	if !p.bundle() {
		return []string{p.Path}
	}
	var paths []string
	for _, c := range p.choices {
		for _, s := range p.settings(c) {
			if !slices.Contains(paths, s.path) {
				paths = append(paths, s.path)
			}
		}
	}
	return paths
}

// maxParameters is how many parameters a sweep may search.
const maxParameters = 100

// definition is a parameter as it is written.
type definition struct {
	Distribution  string     `yaml:"distribution"`
	Values        rawValues  `yaml:"values"`
	Probabilities []float64  `yaml:"probabilities"`
	Value         *rawValue  `yaml:"value"`
	Min           *float64   `yaml:"min"`
	Max           *float64   `yaml:"max"`
	Q             *float64   `yaml:"q"`
	Mu            *float64   `yaml:"mu"`
	Sigma         *float64   `yaml:"sigma"`
	A             *float64   `yaml:"a"`
	B             *float64   `yaml:"b"`
	When          conditions `yaml:"when"`
}

// rawValue keeps a node as it is written, rawValues a list of them.
type (
	rawValue  struct{ node *yaml.Node }
	rawValues struct {
		choices []choice
		set     bool
	}
)

func (r *rawValue) decodeNode(_ *decoder, n *yaml.Node, _ string) { r.node = n }

// decodeNode reads a list of values, or a mapping from names to values.
func (r *rawValues) decodeNode(d *decoder, n *yaml.Node, field string) {
	r.set = true
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			r.choices = append(r.choices, choice{value: item, level: len(r.choices)})
		}
	case yaml.MappingNode:
		d.keys(n, field, func(key, value *yaml.Node, child string) {
			if strings.TrimSpace(key.Value) == "" {
				d.bad(key, child, "is a value without a name", "name it, as {small: 0.001}")
			}
			r.choices = append(r.choices, choice{key.Value, value, len(r.choices)})
		})
	default:
		d.bad(n, field, "must be a list, but is "+describe(n), "write it in brackets, as [0.1, 0.01]")
		return
	}
	if len(r.choices) == 0 {
		d.bad(n, field, "is empty, so there is nothing to try", "list at least one value")
	}
	seen := map[string]bool{}
	for _, c := range r.choices {
		value, err := plainValue(c.value)
		if err != nil {
			d.bad(c.value, field, "holds a value that "+err.Error(), "")
			continue
		}
		text, _ := json.Marshal(value)
		if seen[string(text)] {
			d.bad(c.value, field, fmt.Sprintf("holds %s twice", text), "each value is tried once")
		}
		seen[string(text)] = true
	}
}

// definitionKeys tell a definition from a section with parameters in it.
var definitionKeys = childKeys(reflect.TypeFor[definition]())

// decodeNode reads parameters by dotted path, nested, or nested below
// "parameters:" as W&B writes it.
func (s *Space) decodeNode(d *decoder, n *yaml.Node, field string) {
	(&spaceReader{decoder: d, space: s}).section(n, field, "")
	if len(*s) > maxParameters {
		d.bad(n, field, fmt.Sprintf("searches %d parameters; at most %d can be", len(*s), maxParameters), "")
		*s = nil
	}
	s.link(d)
	for i, p := range *s {
		for k, other := range (*s)[:i] {
			if s.collide(k, i) {
				first, second := other, p
				if second.at.before(first.at) {
					first, second = second, first
				}
				d.problems.add(second.at, "parameters."+second.Path, fmt.Sprintf("sets what the parameter %s %s sets", first.Path, d.problems.where(first.at)), "keep one of them, or let them exist with different values of a third one (when)")
			}
		}
	}
}

// spaceReader reads parameters into a space.
type spaceReader struct {
	*decoder
	space *Space
	when  []Condition // of the choice that they are written in
}

func (d *spaceReader) section(n *yaml.Node, field, prefix string) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, field, "must be a mapping, but is "+describe(n), "write training.learning_rate: {values: [0.1, 0.01]}")
		return
	}
	d.keys(n, field, func(key, value *yaml.Node, child string) {
		path := join(prefix, key.Value)
		if prefix != "" && key.Value == "parameters" {
			path = prefix
		}
		if value.Kind == yaml.MappingNode && !isDefinition(value) && len(value.Content) > 0 {
			d.section(value, child, path)
			return
		}
		d.parameter(key, value, child, path)
	})
}

func isDefinition(n *yaml.Node) bool {
	for _, key := range definitionKeys {
		if len(key) == 1 {
			continue // a layer may be called so, below lr_mult
		}
		if _, value := lookup(n, key); value != nil {
			return true
		}
	}
	return false
}

func (d *spaceReader) parameter(key, value *yaml.Node, field, path string) {
	root, _, _ := strings.Cut(path, ".")
	own := root == path && !slices.Contains(schema, path) && namesBundles(value)
	if !slices.Contains(sections, root) && !own {
		try := "parameters are dotted paths below " + list(sections)
		if root == path {
			try += "; a word of your own may set several, as variant: {values: {deep: {model.base: a.onnx, training.epochs: 9}}}"
		}
		d.bad(key, field, fmt.Sprintf("%s cannot be searched", path), try)
		return
	}
	if value.Kind != yaml.MappingNode {
		d.bad(key, field, "must say what to try, but is "+describe(value), "write {value: x}, {values: [x, y]} or {distribution: uniform, min: a, max: b}")
		return
	}
	before := len(d.problems.list)
	var def definition
	d.structure(value, reflect.ValueOf(&def).Elem(), field)
	if len(d.problems.list) > before {
		d.failed.add(path)
		return
	}
	p := Parameter{Path: path, When: append(slices.Clip(d.when), def.When...), at: at(key)}
	if problem, try := p.define(def); problem != "" {
		d.bad(key, field, problem, try)
		d.failed.add(path)
		return
	}
	if p.valuesForExponents() && !d.problems.stored {
		name := p.Distribution + "_values"
		d.bad(key, field, fmt.Sprintf("min %v and max %v are exponents of e: the values would be from %.6g to %.6g", p.Min, p.Max, p.between(0).plain(), p.between(1).plain()),
			fmt.Sprintf("write {distribution: %s, min: %v, max: %v} for values in that range", name, p.Min, p.Max))
		d.failed.add(path)
		return
	}
	if p.bundle() && !d.bundled(&p, field) {
		d.failed.add(path)
		return
	}
	*d.space = append(*d.space, p)
	if p.bundle() {
		d.nested(&p, field)
	}
}

// nested reads the parameters that choices have of their own.
func (d *spaceReader) nested(p *Parameter, field string) {
	for _, c := range p.choices {
		if _, section := lookup(c.value, nestedKey); section != nil {
			when := Condition{On: p.Path, Values: []any{c.name}, at: at(c.value)}
			inner := &spaceReader{d.decoder, d.space, append(slices.Clip(d.when), when)}
			inner.section(section, join(field, "values."+c.name+"."+nestedKey), "")
		}
	}
}

// namesBundles tells whether a definition has values by name.
func namesBundles(definition *yaml.Node) bool {
	_, values := lookup(definition, "values")
	return values != nil && values.Kind == yaml.MappingNode
}

// bundled checks that each choice is a mapping from paths that can be searched to
// values, the same paths for all.
func (d *decoder) bundled(p *Parameter, field string) bool {
	before := len(d.problems.list)
	for _, c := range p.choices {
		child := join(field, "values."+c.name)
		if c.value.Kind != yaml.MappingNode {
			d.bad(c.value, child, "must be a mapping from paths to values, but is "+describe(c.value), "as {model.base: a.onnx, training.epochs: 9}")
			continue
		}
		d.keys(c.value, child, func(key, _ *yaml.Node, child string) {
			if root, _, _ := strings.Cut(key.Value, "."); !slices.Contains(sections, root) && key.Value != nestedKey {
				d.bad(key, child, "cannot be searched", "write dotted paths below "+list(sections))
			}
		})
	}
	return len(d.problems.list) == before
}

// define checks a definition and takes it over.
func (p *Parameter) define(def definition) (problem, try string) {
	p.Distribution = def.Distribution
	if p.Distribution == "" {
		p.Distribution = def.implied()
	}
	if p.Distribution == "" {
		return "does not say what to try", "write {value: x}, {values: [x, y]} or {distribution: uniform, min: a, max: b}"
	}
	if problem, try, ok := oneOf(p.Distribution, distributions, nil); !ok {
		return "the distribution " + problem, try
	}
	if problem := def.fits(p.Distribution); problem != "" {
		return problem, usage(p.Distribution)
	}
	switch p.Distribution {
	case "categorical", "categorical_w_probabilities":
		p.choices, p.Shares = def.Values.choices, def.Probabilities
		return p.checkShares()
	case "constant":
		p.choices = []choice{{value: def.Value.node}}
		_, err := plainValue(def.Value.node)
		if err != nil {
			return "its value " + err.Error(), ""
		}
		return "", ""
	}
	p.Q, p.Mu, p.Sigma, p.A, p.B = 1, 0, 1, 1, 1 // where the distribution has them and the file is silent
	for to, from := range map[*float64]*float64{&p.Min: def.Min, &p.Max: def.Max, &p.Q: def.Q, &p.Mu: def.Mu, &p.Sigma: def.Sigma, &p.A: def.A, &p.B: def.B} {
		if from != nil {
			*to = *from
		}
	}
	if p.Distribution == "beta" {
		p.Min, p.Max = 0, 1
	}
	return p.checkRange()
}

// size is how many values the parameter can take, +Inf for a continuous range.
func (p *Parameter) size() float64 {
	switch p.Distribution {
	case "categorical", "categorical_w_probabilities", "constant":
		return float64(len(p.choices))
	case "int_uniform":
		return p.Max - p.Min + 1
	case "q_uniform":
		first, last := p.steps()
		return last - first + 1
	}
	return math.Inf(1)
}

// steps are the first and last multiple of q in the range; the tolerance is for
// bounds that are multiples but for rounding.
func (p *Parameter) steps() (first, last float64) {
	const tolerance = 1e-9
	return math.Ceil(p.Min/p.Q - tolerance), math.Floor(p.Max/p.Q + tolerance)
}

// choice is value number i of a parameter with finitely many.
func (p *Parameter) choice(i int) choice {
	switch p.Distribution {
	case "int_uniform":
		return choice{value: p.number(p.Min + float64(i)), level: i}
	case "q_uniform":
		first, _ := p.steps()
		return choice{value: p.number(significant((first+float64(i))*p.Q, 12)), level: i}
	}
	return p.choices[i]
}

// between is the value at a share u in [0, 1) of a continuous range. Six digits
// are plenty, read well, and hide that math.Log and math.Exp may differ in the
// last bit between processors.
func (p *Parameter) between(u float64) choice {
	x := families[p.Distribution].at(p, u)
	if strings.HasPrefix(p.Distribution, "q_") {
		return choice{value: p.number(significant(math.Round(x/p.Q)*p.Q, 12))}
	}
	x = significant(x, 6)
	if families[p.Distribution].bounded {
		x = min(max(x, p.Min), p.Max)
	}
	return choice{value: p.number(x)}
}

// pick is the value at a share u in [0, 1) of whatever there is.
func (p *Parameter) pick(u float64) choice {
	switch size := p.size(); {
	case math.IsInf(size, 1):
		return p.between(u)
	case p.Shares != nil:
		return p.choices[p.shareOf(u)]
	default:
		return p.choice(min(int(u*size), int(size)-1))
	}
}

// number writes a drawn number so that it reads back as the same. Whole numbers
// are integers, so that they also fit settings that count.
func (p *Parameter) number(x float64) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strconv.FormatFloat(x, 'g', -1, 64), Line: p.at.line, Column: p.at.column}
	if whole(x) && math.Abs(x) <= 1<<53 {
		n.Tag, n.Value = "!!int", strconv.FormatInt(int64(x), 10)
	}
	return n
}

func significant(x float64, digits int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	if err != nil { // rounded up beyond the largest number
		return x
	}
	return rounded
}

func whole(x float64) bool { return x == math.Trunc(x) }
