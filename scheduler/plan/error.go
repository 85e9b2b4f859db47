package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxShown bounds how many problems one message lists.
const maxShown = 10

// Error is one problem in a sweep file. Line and Column count from 1; they are
// 0 where the problem has no place in the file. For a value from the command
// line File is the flag as it was given.
type Error struct {
	File         string
	Line, Column int
	Field        string // dotted path, empty for the file as a whole
	Problem      string
	Try          string // what to do about it; may be empty
}

// Error reads "sweep.yaml:12:3: training.learning_rate: must be above 0".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
		}
		b.WriteString(": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Hint says what to try.
func (e *Error) Hint() string { return e.Try }

// ExitCode is that of bad input.
func (e *Error) ExitCode() int { return 2 }

// Errors are all problems of a sweep file, in the order of its lines.
type Errors []*Error

// Error lists the problems, one a line with its hint, up to a limit.
func (e Errors) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d problems in the sweep:", len(e))
	for i, p := range e {
		if i == maxShown {
			fmt.Fprintf(&b, "\n  and %d more", len(e)-maxShown)
			break
		}
		b.WriteString("\n  " + p.Error())
		if p.Try != "" {
			b.WriteString(" (" + p.Try + ")")
		}
	}
	return b.String()
}

// Hint says where to look: what to try about each problem is said beside it.
func (e Errors) Hint() string { return "docs/sweep-reference.md explains every key" }

// Unwrap gives errors.As each of them.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, p := range e {
		errs[i] = p
	}
	return errs
}

// ExitCode is that of bad input.
func (e Errors) ExitCode() int { return 2 }

// position is a place in the sweep file. A negative line -1-i stands for the
// override number i.
type position struct{ line, column int }

// before tells whether a position was read before another: overrides come after the
// file, in their order.
func (p position) before(other position) bool {
	if p.line < 0 || other.line < 0 {
		return p.line > other.line
	}
	return p.line < other.line
}

// problems collects what is wrong with one sweep file.
type problems struct {
	file string
	// stored: the file was accepted before, maybe by a version with fewer rules, which
	// are not held against it.
	stored    bool
	overrides []Override
	list      Errors
	seen      map[Error]bool
}

// add records a problem unless the same one was recorded before: trials repeat
// each other's problems.
func (p *problems) add(at position, field, problem, try string) {
	e := p.locate(at, field, problem, try)
	if p.seen[*e] {
		return
	}
	if p.seen == nil {
		p.seen = map[Error]bool{}
	}
	p.seen[*e] = true
	p.list = append(p.list, e)
}

// where says in a message where something else is.
func (p *problems) where(at position) string {
	if at.line < 0 {
		return "in --set " + p.overrides[-1-at.line].String()
	}
	return fmt.Sprintf("in line %d", at.line)
}

// locate makes the error for a position.
func (p *problems) locate(at position, field, problem, try string) *Error {
	e := &Error{File: p.file, Line: at.line, Column: at.column, Field: field, Problem: problem, Try: try}
	if at.line < 0 {
		e.File, e.Line, e.Column = "--set "+p.overrides[-1-at.line].String(), 0, 0
	}
	return e
}

// err is nil, the only problem, or all of them.
func (p *problems) err() error {
	switch len(p.list) {
	case 0:
		return nil
	case 1:
		return p.list[0]
	}
	slices.SortStableFunc(p.list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
	})
	return p.list
}

// Problem is an error about one of the sweep's settings that shows only outside
// of the file, such as a data set that is not there: it points to the line that
// sets the field.
func (s *Sweep) Problem(field, problem, hint string) *Error {
	p := problems{file: s.File, overrides: s.Overrides}
	return p.locate(nearestPosition(s.positions, field), field, problem, hint)
}

// nearestPosition finds where a field or, where the file does not set it, the
// closest section around it is written.
func nearestPosition(positions map[string]position, field string) position {
	for {
		if at, ok := positions[field]; ok {
			return at
		}
		dot := strings.LastIndexByte(field, '.')
		if dot < 0 {
			return position{}
		}
		field = field[:dot]
	}
}
