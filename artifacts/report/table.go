package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"

	"orchestrator/scheduler/plan"
)

// TableOptions says what the table is written to.
type TableOptions struct {
	Width int  // columns of the terminal; 0: 80
	Color bool // mark states and the best trial with ANSI colours
}

// The ANSI codes that the table uses.
const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

// widths measures text as terminals outside of East Asian locales show it, so
// that the same table comes out everywhere.
var widths = &runewidth.Condition{}

// Table writes the results for people: one row per trial, the best marked with
// a star, then why jobs failed and what to try. Where the rows would be wider
// than the terminal every trial becomes a short list instead.
func Table(w io.Writer, r *plan.Results, options TableOptions) error {
	if options.Width <= 0 {
		options.Width = 80
	}
	t := &table{results: r, options: options, paths: searchedPaths(r), metrics: metricNames(r)}
	t.head()
	if rows := t.rows(); t.rowWidth(rows) <= options.Width {
		t.grid(rows)
	} else {
		t.lists(rows)
	}
	t.best()
	t.failures()
	if _, err := io.WriteString(w, t.out.String()); err != nil {
		return fmt.Errorf("write the results table: %w", err)
	}
	return nil
}

type table struct {
	results *plan.Results
	options TableOptions
	paths   []string
	metrics []string
	out     strings.Builder
}

func (t *table) head() {
	r := t.results
	folds := 0
	if len(r.Trials) > 0 {
		folds = len(r.Trials[0].Folds)
	}
	fmt.Fprintf(&t.out, "%s  %s  %s x %s\n\n", t.paint(bold, clean(r.Sweep)), t.state(r.State, 0), count(len(r.Trials), "trial"), count(folds, "fold"))
}

// rows are the header and the trials' cells. The first column is the mark of
// the best trial.
func (t *table) rows() [][]string {
	header := append([]string{"", "trial", "state"}, shortNames(t.paths)...)
	header = append(append(header, t.metrics...), "folds", "seconds")
	rows := [][]string{header}
	for _, trial := range t.results.Trials {
		rows = append(rows, t.row(trial))
	}
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
	}
	return rows
}

func (t *table) row(trial plan.TrialResult) []string {
	mark := ""
	if isBest(t.results, trial) {
		mark = "*"
	}
	row := []string{mark, fmt.Sprint(trial.Trial), string(trial.State)}
	for _, path := range t.paths {
		row = append(row, valueText(trial.Parameters[path]))
	}
	for _, name := range t.metrics {
		if s, ok := trial.Summary[name]; ok {
			row = append(row, statText(s, " ± "))
		} else {
			row = append(row, "-")
		}
	}
	done, seconds := completed(trial)
	return append(row, fmt.Sprintf("%d/%d", done, len(trial.Folds)), fmt.Sprintf("%.1f", seconds))
}

const gap = 2 // spaces between columns

func columnWidths(rows [][]string) []int {
	columns := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			columns[i] = max(columns[i], widths.StringWidth(text))
		}
	}
	columns[0] = 1
	return columns
}

func (t *table) rowWidth(rows [][]string) int {
	total := -gap
	for _, width := range columnWidths(rows) {
		total += width + gap
	}
	return total
}

// grid writes aligned rows.
func (t *table) grid(rows [][]string) {
	columns := columnWidths(rows)
	for i, row := range rows {
		var line strings.Builder
		for k, text := range row {
			padded := pad(text, columns[k], k == len(row)-1)
			if k == 2 && i > 0 {
				padded = t.state(plan.State(text), columns[k])
			}
			if k > 0 {
				line.WriteString(strings.Repeat(" ", gap))
			}
			line.WriteString(padded)
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 || row[0] == "*" {
			text = t.paint(bold, text)
		}
		t.out.WriteString(text + "\n")
	}
}

// lists writes each trial as lines of "name  value".
func (t *table) lists(rows [][]string) {
	longest := 0
	for _, name := range rows[0] {
		longest = max(longest, widths.StringWidth(name))
	}
	for i, row := range rows[1:] {
		if i > 0 {
			t.out.WriteByte('\n')
		}
		mark := " "
		if row[0] == "*" {
			mark = "*"
		}
		t.out.WriteString(t.paint(bold, fmt.Sprintf("%s trial %s", mark, row[1])) + "  " + t.state(plan.State(row[2]), 0) + "\n")
		for k := 3; k < len(row); k++ {
			name := pad(rows[0][k], longest, false)
			room := max(10, t.options.Width-longest-6)
			t.out.WriteString("    " + name + "  " + widths.Truncate(row[k], room, "...") + "\n")
		}
	}
}

func (t *table) best() {
	r := t.results
	if r.Best == nil {
		return
	}
	for _, trial := range r.Trials {
		if isBest(r, trial) {
			fmt.Fprintf(&t.out, "\n* best: trial %d, %s %s (%s)\n", trial.Trial, clean(r.Metric.Name), statText(trial.Summary[r.Metric.Name], " ± "), r.Metric.Goal)
		}
	}
}

// maxFailures bounds how many failures the table explains.
const maxFailures = 10

func (t *table) failures() {
	shown := 0
	for _, trial := range t.results.Trials {
		for _, fold := range trial.Folds {
			if fold.Failure == nil {
				continue
			}
			if shown++; shown <= maxFailures {
				t.failure(trial, fold)
			}
		}
	}
	if shown > maxFailures {
		fmt.Fprintf(&t.out, "\nand %s more failed\n", count(shown-maxFailures, "job"))
	}
}

func (t *table) failure(trial plan.TrialResult, fold plan.FoldResult) {
	title := fmt.Sprintf("trial %d, fold %s failed after %s:", trial.Trial, clean(fold.Name), count(fold.Failure.Attempts, "attempt"))
	t.out.WriteString("\n" + t.paint(red, title) + "\n")
	t.paragraph(fold.Failure.Reason, "  ")
	if fold.Failure.Hint != "" {
		t.paragraph("Try: "+fold.Failure.Hint, "  ")
	}
}

// paragraph writes text wrapped at spaces, each line indented.
func (t *table) paragraph(text, indent string) {
	line := indent
	for _, word := range strings.Fields(clean(text)) {
		if line != indent && widths.StringWidth(line)+1+widths.StringWidth(word) > t.options.Width {
			t.out.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	t.out.WriteString(line + "\n")
}

// state is a state in its colour, padded.
func (t *table) state(s plan.State, width int) string {
	text := pad(string(s), width, false)
	switch s {
	case plan.Completed:
		return t.paint(green, text)
	case plan.Failed:
		return t.paint(red, text)
	}
	return text
}

func (t *table) paint(code, text string) string {
	if !t.options.Color {
		return text
	}
	return code + strings.ReplaceAll(text, plain, plain+code) + plain
}

func pad(text string, width int, right bool) string {
	spaces := strings.Repeat(" ", max(0, width-widths.StringWidth(text)))
	if right {
		return spaces + text
	}
	return text + spaces
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
