package page

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
)

// pivots are parameters whose values become columns: how a variant is tested, or
// what is fitted to a layer.
var pivots = []string{"evaluation.oversample", "probe.classifier"}

// Comparison is the table of variants, in one metric.
type Comparison struct {
	Metric  string
	Columns []string // titles; one empty one where nothing is pivoted
	Rows    []Row
	// Reference is the number of the row that the others are compared with.
	Reference int
}

// Row is one variant.
type Row struct {
	Name  string
	Cells []Cell
}

// Cell is a variant in one column.
type Cell struct {
	Trial      int // -1: there is none
	State      plan.State
	Stat       plan.Stat
	Known      bool   // some fold has the metric
	Partial    string // of how many folds the mean is; empty: of all
	Best       bool
	Difference *analysis.Pair // to the reference in the same column; nil: unknown, or this is it
}

// compare lays the trials out as rows and columns. baseline is the trial that the
// others are compared with; -1: the first.
func compare(p *plan.Plan, r *plan.Results, baseline int) (*Comparison, error) {
	paths := searched(r)
	pivot := slices.IndexFunc(paths, func(path string) bool { return slices.Contains(pivots, path) })
	c := &Comparison{Metric: r.Metric.Name, Columns: []string{""}}
	var values []string
	if pivot >= 0 {
		path := paths[pivot]
		paths = slices.Delete(slices.Clone(paths), pivot, pivot+1)
		for _, t := range r.Trials {
			if v := text(t.Parameters[path]); !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		c.Columns = titles(path, values)
	}
	rows := map[string]int{}
	for _, t := range r.Trials {
		name := rowName(t, paths)
		at, known := rows[name]
		if !known {
			at = len(c.Rows)
			rows[name] = at
			c.Rows = append(c.Rows, Row{Name: name, Cells: slices.Repeat([]Cell{{Trial: -1}}, len(c.Columns))})
		}
		column := 0
		if pivot >= 0 {
			column = slices.Index(values, text(t.Parameters[searched(r)[pivot]]))
		}
		s, ok := t.Summary[c.Metric]
		c.Rows[at].Cells[column] = Cell{
			Trial: t.Trial, State: t.State, Stat: s, Known: ok && !math.IsNaN(s.Mean), Partial: t.Partial(), Best: r.Best != nil && r.Best.Trial == t.Trial,
		}
		if t.Trial == baseline {
			c.Reference = at
		}
	}
	if baseline >= len(r.Trials) {
		return nil, fmt.Errorf("there is no trial %d to compare with; trials are numbered 0 to %d", baseline, len(r.Trials)-1)
	}
	c.differences(p, r)
	return c, nil
}

// differences compares each variant with the reference, on the folds of both.
func (c *Comparison) differences(p *plan.Plan, r *plan.Results) {
	for i := range c.Rows {
		for k := range c.Rows[i].Cells {
			own, other := c.Rows[i].Cells[k].Trial, c.Rows[c.Reference].Cells[k].Trial
			if i == c.Reference || own < 0 || other < 0 {
				continue
			}
			a := analysis.Subject{Plan: p, Results: r, Trial: own}
			b := analysis.Subject{Plan: p, Results: r, Trial: other}
			if pair := analysis.Between(a, b, c.Metric, r.Metric.Goal); pair.TP.Known() {
				c.Rows[i].Cells[k].Difference = &pair
			}
		}
	}
}

// titles name the columns of a pivot for readers.
func titles(path string, values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		switch {
		case path == "evaluation.oversample" && v == "1":
			out[i] = "central crop"
		case path == "evaluation.oversample":
			out[i] = v + " crops"
		default:
			out[i] = v
		}
	}
	return out
}

// searched are the parameters that differ between trials.
func searched(r *plan.Results) []string {
	values := map[string]map[string]bool{}
	for _, t := range r.Trials {
		for path, v := range t.Parameters {
			if values[path] == nil {
				values[path] = map[string]bool{}
			}
			values[path][text(v)] = true
		}
	}
	paths := slices.Sorted(maps.Keys(values))
	return slices.DeleteFunc(paths, func(path string) bool { return len(values[path]) < 2 })
}

// rowName is what tells a variant from the others: the value alone where one
// parameter is searched.
func rowName(t plan.TrialResult, paths []string) string {
	if len(paths) == 0 {
		return "as configured"
	}
	if len(paths) == 1 {
		return text(t.Parameters[paths[0]])
	}
	parts := make([]string, 0, len(paths))
	for _, path := range paths {
		if value, exists := t.Parameters[path]; exists {
			parts = append(parts, path[strings.LastIndexByte(path, '.')+1:]+"="+text(value))
		}
	}
	return strings.Join(parts, ", ")
}

// text is a parameter's value in a cell, empty where it does not exist.
func text(v any) string {
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
