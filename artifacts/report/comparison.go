package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"orchestrator/artifacts/report/analysis"
)

// Comparison writes a comparison for people: the trials, what can be said of each
// pair, and what to mind.
func Comparison(w io.Writer, c *analysis.Comparison, options TableOptions) error {
	if options.Width <= 0 {
		options.Width = 80
	}
	t := &table{options: options}
	fmt.Fprintf(&t.out, "%s (%s)\n\n", t.paint(bold, clean(c.Metric)), c.Goal)
	t.plainGrid(comparedRows(c))
	t.out.WriteByte('\n')
	if rows := pairRows(c); len(rows) > 1 {
		t.plainGrid(rows)
	}
	for _, note := range slices.Concat(pairNotes(c), c.Notes) {
		t.out.WriteByte('\n')
		t.paragraph(note, "")
	}
	if _, err := io.WriteString(w, t.out.String()); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}

// plainGrid writes aligned rows below a bold header.
func (t *table) plainGrid(rows [][]string) {
	columns := columnWidths(rows)
	for i, row := range rows {
		cells := make([]string, len(row))
		for k, text := range row {
			cells[k] = pad(text, columns[k], false)
		}
		code := ""
		if i == 0 {
			code = bold
		}
		t.out.WriteString(t.paint(code, strings.TrimRight(strings.Join(cells, strings.Repeat(" ", gap)), " ")) + "\n")
	}
}

func comparedRows(c *analysis.Comparison) [][]string {
	var paths []string
	for _, trial := range c.Of {
		for path, v := range trial.Parameters {
			if !slices.Contains(paths, path) && slices.ContainsFunc(c.Of, func(o analysis.Trial) bool { return valueText(o.Parameters[path]) != valueText(v) }) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	rows := [][]string{append(append([]string{"trial"}, shortNames(paths)...), "mean ± std", "folds", "state")}
	for _, trial := range c.Of {
		row := []string{trialName(c, trial)}
		for _, path := range paths {
			row = append(row, valueText(trial.Parameters[path]))
		}
		done := 0
		for _, f := range trial.Folds {
			if f.Value.Known() {
				done++
			}
		}
		mean := "-"
		if trial.Mean.Known() {
			mean = scoreText(float64(trial.Mean), 4)
		}
		if trial.Std.Known() {
			mean += " ± " + scoreText(float64(trial.Std), 4)
		}
		rows = append(rows, append(row, mean, fmt.Sprintf("%d/%d", done, len(trial.Folds)), string(trial.State)))
	}
	return cleaned(rows)
}

func cleaned(rows [][]string) [][]string {
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
	}
	return rows
}

func pairRows(c *analysis.Comparison) [][]string {
	rows := [][]string{{"pair", "difference", "95 % interval", "t: p", "Holm: p", "Wilcoxon: p", "better/worse/equal"}}
	for _, p := range c.Pairs {
		sign := fmt.Sprintf("%d/%d/%d", p.Sign.Better, p.Sign.Worse, p.Sign.Equal)
		interval := "-"
		if p.Low.Known() {
			interval = fmt.Sprintf("[%+.4f, %+.4f]", float64(p.Low), float64(p.High))
		}
		if p.Refused != "" {
			sign = "-"
		}
		rows = append(rows, []string{pairName(c, p), signed(p.Difference), interval, probability(p.TP), probability(p.HolmP), probability(p.WilcoxonP), sign})
	}
	return cleaned(rows)
}

func signed(n analysis.Number) string {
	if !n.Known() {
		return "-"
	}
	return fmt.Sprintf("%+.4f", float64(n))
}

// probability has as many digits as anyone needs.
func probability(n analysis.Number) string {
	switch {
	case !n.Known():
		return "-"
	case n < 0.0001:
		return "<0.0001"
	}
	return fmt.Sprintf("%.4f", float64(n))
}

// trialName is SWEEP/TRIAL, and without the sweep where all are of one.
func trialName(c *analysis.Comparison, t analysis.Trial) string {
	if slices.ContainsFunc(c.Of, func(o analysis.Trial) bool { return o.Sweep != t.Sweep }) {
		return fmt.Sprintf("%s/%d", t.Sweep, t.Trial)
	}
	return fmt.Sprint(t.Trial)
}

func pairName(c *analysis.Comparison, p analysis.Pair) string {
	return trialName(c, c.Of[p.A]) + " - " + trialName(c, c.Of[p.B])
}

// pairNotes are what to mind of pairs, each thing once, with the pairs that it is of.
func pairNotes(c *analysis.Comparison) []string {
	var notes []string
	of := map[string][]string{}
	for _, p := range c.Pairs {
		all := p.Notes
		if p.Refused != "" {
			all = append([]string{"not paired. " + p.Refused}, all...)
		}
		for _, n := range all {
			if of[n] == nil {
				notes = append(notes, n)
			}
			of[n] = append(of[n], pairName(c, p))
		}
	}
	const most = 5
	for i, n := range notes {
		pairs := of[n]
		switch {
		case len(pairs) == len(c.Pairs) && len(pairs) > 1:
			pairs = []string{"all pairs"}
		case len(pairs) > most:
			pairs = append(slices.Clone(pairs[:most]), fmt.Sprintf("and %d more", len(of[n])-most))
		}
		notes[i] = strings.Join(pairs, ", ") + ": " + n
	}
	return notes
}
