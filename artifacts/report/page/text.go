package page

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the tables and names the figures' files, which stand in the
// folder figures.
func Markdown(w io.Writer, reports []*Report, figures string) error {
	var b strings.Builder
	for _, r := range reports {
		r.markdown(&b, figures)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *Report) markdown(b *strings.Builder, figures string) {
	c := r.Comparison
	fmt.Fprintf(b, "# %s\n\n%s: %d pictures, %d trials × %d folds.\n\n", inMarkdown(r.Results.Sweep), r.Results.State, len(r.Plan.Data.Labels), len(r.Results.Trials), len(r.Plan.Folds))
	for _, warning := range r.Results.Warnings {
		fmt.Fprintf(b, "**%s**\n\n", inMarkdown(warning))
	}
	b.WriteString("| variant |")
	for _, column := range c.Columns {
		fmt.Fprintf(b, " %s | difference to %s |", inMarkdown(strings.TrimSuffix(c.Metric+", "+column, ", ")), inMarkdown(r.ReferenceName()))
	}
	b.WriteString("\n|" + strings.Repeat("---|", 1+2*len(c.Columns)) + "\n")
	for _, row := range c.Rows {
		fmt.Fprintf(b, "| %s |", inMarkdown(row.Name))
		for _, cell := range row.Cells {
			text := statText(cell)
			if cell.Best {
				text = "**" + text + "**"
			}
			fmt.Fprintf(b, " %s | %s |", text, differenceText(cell.Difference))
		}
		b.WriteString("\n")
	}
	if base := r.BaselineText(); base != "" {
		fmt.Fprintf(b, "| most frequent class (accuracy) |%s\n", strings.Repeat(" "+base+" | |", len(c.Columns)))
	}
	fmt.Fprintf(b, "\nMean ± sample standard deviation over folds; differences with 95 %% confidence intervals by the corrected resampled t-test (Nadeau and Bengio 2003).\n\n")
	for _, t := range r.Tables() {
		t.markdown(b)
	}
	if r.NoImportance != "" {
		fmt.Fprintf(b, "The importance of parameters is not known: %s.\n\n", inMarkdown(r.NoImportance))
	}
	r.settings(b)
	for _, f := range r.Figures {
		fmt.Fprintf(b, "![%s](%s/%s-%s.svg)\n\n%s\n\n", inMarkdown(f.Caption), figures, r.Results.Sweep, f.Name, inMarkdown(f.Caption))
	}
}

func (t Table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "## %s\n\n", inMarkdown(t.Title))
	line := func(cells []string) {
		for _, cell := range cells {
			fmt.Fprintf(b, "| %s ", inMarkdown(cell))
		}
		b.WriteString("|\n")
	}
	line(t.Header)
	b.WriteString(strings.Repeat("|---", len(t.Header)) + "|\n")
	for _, row := range t.Rows {
		line(row)
	}
	b.WriteString("\n")
	for _, note := range t.Notes {
		fmt.Fprintf(b, "- %s\n", inMarkdown(note))
	}
	if len(t.Notes) > 0 {
		b.WriteString("\n")
	}
}

// settings are the sweep file, in a fence that is longer than any in it, the data
// set's digest and what computed the outcomes.
func (r *Report) settings(b *strings.Builder) {
	fence := "```"
	for strings.Contains(r.Plan.Source, fence) {
		fence += "`"
	}
	fmt.Fprintf(b, "## Settings\n\nData set %s, SHA-256 %s.\n\n", inMarkdown(r.Plan.Data.Pack.Name), r.Plan.Data.Pack.Digest)
	for _, v := range r.Versions() {
		fmt.Fprintf(b, "- %s\n", inMarkdown(v))
	}
	for _, o := range r.Plan.Overrides {
		fmt.Fprintf(b, "- set on the command line: %s\n", inMarkdown(o))
	}
	fmt.Fprintf(b, "\n%s yaml\n%s\n%s\n\n", fence, strings.TrimRight(r.Plan.Source, "\n"), fence)
}

// inMarkdown makes text stand for itself in a table's cell.
func inMarkdown(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "\n", " ", "\r", " ", "<", "&lt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]").Replace(s)
}

// LaTeX writes the table of variants in the style of the booktabs package.
func LaTeX(w io.Writer, reports []*Report, escape func(string) string) error {
	var b strings.Builder
	for _, r := range reports {
		r.latex(&b, escape)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *Report) latex(b *strings.Builder, escape func(string) string) {
	c := r.Comparison
	fmt.Fprintf(b, "%% sweep %s: mean and sample standard deviation over folds; differences to %s with 95 per cent confidence intervals\n",
		escape(r.Results.Sweep), escape(r.ReferenceName()))
	fmt.Fprintf(b, "\\begin{tabular}{l%s}\n\\toprule\nvariant", strings.Repeat("cc", len(c.Columns)))
	for _, column := range c.Columns {
		fmt.Fprintf(b, " & %s & difference", escape(strings.TrimSuffix(c.Metric+", "+column, ", ")))
	}
	b.WriteString(" \\\\\n\\midrule\n")
	math := strings.NewReplacer("±", `\pm`)
	for _, row := range c.Rows {
		b.WriteString(escape(row.Name))
		for _, cell := range row.Cells {
			switch text := "$" + math.Replace(plusMinus(cell.Stat)) + "$" + escape(inBrackets(cell.Partial)); {
			case !cell.Known:
				b.WriteString(" & --")
			case cell.Best:
				b.WriteString(" & \\boldmath" + text)
			default:
				b.WriteString(" & " + text)
			}
			if cell.Difference != nil {
				fmt.Fprintf(b, " & $%s$", differenceText(cell.Difference))
			} else {
				b.WriteString(" &")
			}
		}
		b.WriteString(" \\\\\n")
	}
	if base := r.BaselineText(); base != "" {
		fmt.Fprintf(b, "\\midrule\nmost frequent class%s \\\\\n", strings.Repeat(" & $"+math.Replace(base)+"$ &", len(c.Columns)))
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	for _, t := range r.Tables() {
		t.latex(b, escape)
	}
}

// latex writes the table, and its notes as comments for its author.
func (t Table) latex(b *strings.Builder, escape func(string) string) {
	fmt.Fprintf(b, "\n%% %s\n", escape(t.Title))
	for _, note := range t.Notes {
		fmt.Fprintf(b, "%% %s\n", escape(note))
	}
	fmt.Fprintf(b, "\\begin{tabular}{l%s}\n\\toprule\n", strings.Repeat("c", len(t.Header)-1))
	line := func(cells []string) {
		out := make([]string, len(cells))
		for i, cell := range cells {
			out[i] = escape(strings.ReplaceAll(cell, "–", "--"))
		}
		b.WriteString(strings.Join(out, " & ") + " \\\\\n")
	}
	line(t.Header)
	b.WriteString("\\midrule\n")
	for _, row := range t.Rows {
		line(row)
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
}
