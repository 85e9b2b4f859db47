package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"orchestrator/scheduler/plan"
)

// LaTeX writes a table in the style of the booktabs package, one row per trial,
// the best in bold, those that are not completed with what of them there is. It needs \usepackage{booktabs} and nothing else.
func LaTeX(w io.Writer, r *plan.Results) error {
	paths, metrics := searchedPaths(r), metricNames(r)
	var b strings.Builder
	fmt.Fprintf(&b, "%% sweep %s, %s; mean and sample standard deviation over folds\n", clean(r.Sweep), r.State)
	fmt.Fprintf(&b, "\\begin{tabular}{r%s%s}\n\\toprule\n", strings.Repeat("l", len(paths)), strings.Repeat("c", len(metrics)))
	header := []string{"trial"}
	for _, name := range append(shortNames(paths), metrics...) {
		header = append(header, escapeLaTeX(name))
	}
	b.WriteString(strings.Join(header, " & ") + " \\\\\n\\midrule\n")
	for _, trial := range r.Trials {
		b.WriteString(latexRow(r, trial, paths, metrics) + " \\\\\n")
	}
	if r.Baseline != nil && slices.Contains(metrics, "accuracy") {
		b.WriteString("\\midrule\n" + latexBaseline(r.Baseline, len(paths), metrics) + " \\\\\n")
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write results as LaTeX: %w", err)
	}
	return nil
}

func latexRow(r *plan.Results, trial plan.TrialResult, paths, metrics []string) string {
	cells := []string{fmt.Sprint(trial.Trial)}
	for _, path := range paths {
		cells = append(cells, escapeLaTeX(valueText(trial.Parameters[path])))
	}
	for _, name := range metrics {
		s, ok := trial.Summary[name]
		switch text, finite := "$"+statText(s, ` \pm `, 4)+"$", !math.IsNaN(s.Mean) && !math.IsInf(s.Mean, 0); {
		case !ok:
			cells = append(cells, "--")
		case !finite:
			cells = append(cells, numberText(s.Mean))
		case isBest(r, trial) && name == r.Metric.Name:
			cells = append(cells, `\boldmath`+text)
		default:
			cells = append(cells, text)
		}
	}
	if isBest(r, trial) {
		cells[0] = `\textbf{` + cells[0] + `}`
	}
	if partial := trial.Partial(); partial != "" {
		cells[0] += " (" + escapeLaTeX(partial) + ")"
	}
	return strings.Join(cells, " & ")
}

// latexBaseline is the row of the most frequent class.
func latexBaseline(baseline *plan.Baseline, paths int, metrics []string) string {
	cells := append([]string{"majority"}, slices.Repeat([]string{""}, paths)...)
	for _, name := range metrics {
		text := "--"
		if name == "accuracy" {
			text = "$" + statText(baseline.Accuracy, ` \pm `, 4) + "$"
		}
		cells = append(cells, text)
	}
	return strings.Join(cells, " & ")
}

var latexSpecial = strings.NewReplacer(
	`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `$`, `\$`, `&`, `\&`, `#`, `\#`, `_`, `\_`, `%`, `\%`,
	`~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`, `<`, `\textless{}`, `>`, `\textgreater{}`, `"`, `\char34{}`,
)

// EscapeLaTeX makes text print as it is.
func EscapeLaTeX(text string) string { return escapeLaTeX(text) }

// escapeLaTeX makes text print as it is. (NewReplacer never rescans its output.)
func escapeLaTeX(text string) string { return latexSpecial.Replace(clean(text)) }
