package plan

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Parse reads a sweep file, applies the overrides, and lists the trials. It is
// strict: whatever the program would not do exactly as written is an *Error, or
// Errors if there are several, all of them found in one pass. file is the
// file's name for messages.
func Parse(file string, data []byte, overrides ...Override) (*Sweep, error) {
	return parseFile(&problems{file: file, overrides: overrides}, data)
}

// ParseStored is Parse for the file of a sweep that is in the store, maybe since an
// earlier version: what that one did with it goes on, whatever is refused today.
func ParseStored(file string, data []byte, overrides ...Override) (*Sweep, error) {
	return parseFile(&problems{file: file, overrides: overrides, stored: true}, data)
}

func parseFile(p *problems, data []byte) (*Sweep, error) {
	overrides := p.overrides
	root := readDocument(data, p)
	if root == nil {
		return nil, p.err()
	}
	for i, o := range overrides {
		o.apply(root, i, p)
	}
	doc, c := decode(root, p)
	c.sweep(doc)
	doc.Parameters = append(doc.Parameters, doc.probeParameters(c.positions)...)
	r := newRules(doc, root, c.compileConstraints(doc))
	points := doc.propose(c, r)
	if learning := learns(doc.Method) && len(doc.Parameters) > 0 && doc.RunCap > 0; learning && p.err() == nil {
		doc.learn(c, r, p.file)
	} else if len(points) == 0 { // no trials to check: what is not searched can still be
		for _, parameter := range doc.Parameters {
			c.failed.add(parameter.Path)
		}
		c.config(doc)
	}
	sweep := &doc.Sweep
	for i, values := range points {
		if a, ok := doc.trial(root, values, p); ok {
			sweep.Trials = append(sweep.Trials, a)
		} else if i > maxShown {
			break
		}
	}
	c.inert(doc, sweep.Trials)
	if err := p.err(); err != nil {
		return nil, err
	}
	sweep.Warnings = doc.warnings(sweep.Trials)
	sweep.Seed = doc.Training.Seed
	if !r.none() {
		sweep.Constrained = r.tally
	}
	for _, parameter := range doc.Parameters {
		if len(parameter.When) > 0 {
			sweep.Conditional = append(sweep.Conditional, parameter)
		}
	}
	sweep.File, sweep.Source, sweep.Overrides, sweep.positions = p.file, string(data), overrides, c.positions
	return sweep, nil
}

// decode reads a tree over the defaults.
func decode(root *yaml.Node, p *problems) (*document, *checker) {
	doc := defaults()
	d := &decoder{problems: p, positions: map[string]position{}, failed: failures{}}
	d.structure(root, reflect.ValueOf(&doc).Elem(), "")
	doc.derive(d.positions)
	return &doc, &checker{problems: p, positions: d.positions, failed: d.failed}
}

// trial writes a point's values into the file and reads it again: a trial obeys
// the same rules as if the user had written it out. Problems with a value point
// to the value or to its parameter.
func (d *document) trial(root *yaml.Node, values point, p *problems) (Assignment, bool) {
	before := len(p.list)
	tree := clone(settingsOf(root))
	d.Parameters.write(tree, values, p)
	parameters := map[string]any{}
	for k := range values {
		if values[k].there() {
			parameters[d.Parameters[k].Path] = values[k].plain()
		}
	}
	doc, c := decode(tree, p)
	c.config(doc)
	return Assignment{Parameters: parameters, Config: doc.Config}, len(p.list) == before
}

// settingsOf is a tree without the space: to read it for each trial would be for
// nothing.
func settingsOf(root *yaml.Node) *yaml.Node {
	out := *root
	out.Content = nil
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "parameters" {
			out.Content = append(out.Content, root.Content[i], root.Content[i+1])
		}
	}
	return &out
}

// write writes a point's values into a tree.
func (s Space) write(tree *yaml.Node, values point, p *problems) {
	for k := range values {
		if !values[k].there() {
			continue
		}
		for _, setting := range s[k].settings(values[k]) {
			if problem := setPath(tree, setting.path, clone(setting.value), setting.at); problem != "" {
				p.add(setting.at, "parameters."+s[k].Path, problem, "")
			}
		}
	}
}

// apply writes override number i into the file's tree.
func (o Override) apply(root *yaml.Node, i int, p *problems) {
	from := position{line: -1 - i}
	value, second, err := parseYAML([]byte(o.Value))
	if second != nil {
		err = fmt.Errorf("it has more than one document")
	}
	if err != nil {
		_, text := syntaxError(err)
		p.add(from, o.Key, fmt.Sprintf("the value is not valid YAML: %s", text), "quote it for your shell, as --set 'preprocessing.resize=[256, 256]'")
		return
	}
	if value == nil {
		p.add(from, o.Key, "has no value", "write --set "+o.Key+"=value")
		return
	}
	if value = (&expander{problems: p}).expand(moved(value, from), 0); value == nil {
		return
	}
	if problem := setPath(root, o.Key, moved(value, from), from); problem != "" {
		p.add(from, o.Key, problem, "")
	}
}
