package caffe

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
)

// textError is a mistake in a prototxt.
type textError struct {
	line    int
	problem string
}

func (e *textError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.problem) }

// readText parses protobuf's text format, as prototxt files have it.
func readText(text string) (*message, error) {
	p := &parser{rest: text, line: 1}
	m := newMessage(1)
	if err := p.fields(m, 0); err != nil {
		return nil, err
	}
	return m, m.check("net")
}

// without are fields of settings that a network does not compute with.
var without = []string{"weight_filler", "bias_filler", "filler", "engine", "force_nd_im2col", "stable", "stable_prod_grad", "sparse"}

// check finds numbers that are none, and settings of layers that are not known:
// misspelt, they would be left at their defaults.
func (m *message) check(schema string) error {
	fields := map[string]field{}
	for _, f := range schemas[schema] {
		fields[f.name] = f
	}
	settings := schema != "net" && schema != "layer" && schema != "v1" && schema != "rule" && schema != "transform"
	known := func(name string) error {
		if _, ok := fields[name]; !ok && settings && !slices.Contains(without, name) {
			return &textError{m.line, fmt.Sprintf("the field %s is not known here", name)}
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.words)) {
		if err := known(name); err != nil {
			return err
		}
		if kind := fields[name].kind; kind == integer || kind == float {
			for _, word := range m.words[name] {
				if math.IsNaN(number(word)) {
					return &textError{m.line, fmt.Sprintf("%s: %q is not a number", name, word)}
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.messages)) {
		if err := known(name); err != nil {
			return err
		}
		if f := fields[name]; f.kind == nested {
			for _, child := range m.messages[name] {
				if err := child.check(f.of); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

type parser struct {
	rest string
	line int
}

func (p *parser) bad(format string, args ...any) error {
	return &textError{p.line, fmt.Sprintf(format, args...)}
}

// space skips blanks, comments and separators.
func (p *parser) space() {
	for p.rest != "" {
		switch p.rest[0] {
		case '\n':
			p.line++
			p.rest = p.rest[1:]
		case ' ', '\t', '\r', ',', ';':
			p.rest = p.rest[1:]
		case '#':
			if i := strings.IndexByte(p.rest, '\n'); i >= 0 {
				p.rest = p.rest[i:]
			} else {
				p.rest = ""
			}
		default:
			return
		}
	}
}

// fields reads "name: value" and "name { ... }" up to the closing brace.
func (p *parser) fields(m *message, depth int) error {
	const deepest = 20
	if depth > deepest {
		return p.bad("messages nest deeper than %d", deepest)
	}
	for {
		p.space()
		if p.rest == "" {
			if depth > 0 {
				return p.bad("a message that begins in line %d has no closing brace", m.line)
			}
			return nil
		}
		if p.rest[0] == '}' || p.rest[0] == '>' {
			if depth == 0 {
				return p.bad("a closing brace without a message")
			}
			p.rest = p.rest[1:]
			return nil
		}
		name := p.token()
		if name == "" {
			return p.bad("%q where the name of a field should be", p.rest[:1])
		}
		if err := p.value(m, name, depth); err != nil {
			return err
		}
	}
}

func (p *parser) value(m *message, name string, depth int) error {
	p.space()
	colon := strings.HasPrefix(p.rest, ":")
	p.rest = strings.TrimPrefix(p.rest, ":")
	p.space()
	switch {
	case strings.HasPrefix(p.rest, "{"), strings.HasPrefix(p.rest, "<"):
		p.rest = p.rest[1:]
		child := newMessage(p.line)
		m.messages[name] = append(m.messages[name], child)
		return p.fields(child, depth+1)
	case !colon:
		return p.bad("the field %s has no value: a colon or a brace is missing", name)
	case strings.HasPrefix(p.rest, "["):
		p.rest = p.rest[1:]
		for {
			if p.space(); strings.HasPrefix(p.rest, "]") {
				p.rest = p.rest[1:]
				return nil
			}
			if err := p.scalar(m, name); err != nil {
				return err
			}
		}
	}
	return p.scalar(m, name)
}

// scalar reads a text in quotes, a number or a word.
func (p *parser) scalar(m *message, name string) error {
	text, quoted := "", false
	for p.rest != "" && (p.rest[0] == '"' || p.rest[0] == '\'') { // several in a row are one
		end := strings.IndexByte(p.rest[1:], p.rest[0])
		if end < 0 || strings.Contains(p.rest[1:1+end], "\n") {
			return p.bad("the text of %s has no closing quote", name)
		}
		text, quoted = text+p.rest[1:1+end], true
		p.rest = p.rest[end+2:]
		p.space()
	}
	if quoted {
		m.words[name] = append(m.words[name], text)
		return nil
	}
	word := p.token()
	if word == "" {
		return p.bad("the field %s has no value", name)
	}
	m.words[name] = append(m.words[name], word)
	return nil
}

func (p *parser) token() string {
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.+-", r)
	})
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}
