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
// a star, then why jobs failed and what to try. Where four decimals are wider
// than the terminal it shows three, and where that is still too wide every
// trial becomes a short list instead.
func Table(w io.Writer, r *plan.Results, options TableOptions) error {
	if options.Width <= 0 {
		options.Width = 80
	}
	t := &table{results: r, options: options, paths: searchedPaths(r), metrics: metricNames(r)}
	t.head()
	switch rows, short := t.rows(4), t.rows(3); {
	case rowWidth(rows) <= options.Width:
		t.grid(rows)
	case rowWidth(short) <= options.Width:
		t.grid(short)
	default:
		t.lists(rows)
	}
	t.best()
	t.baseline()
	for _, warning := range r.Warnings {
		fmt.Fprintf(&t.out, "\n%s: %s\n", t.paint(bold, "Mind"), clean(warning))
	}
	t.stops()
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

// stops says why trials were stopped.
func (t *table) stops() {
	first := true
	for _, trial := range t.results.Trials {
		if trial.Stopped == nil {
			continue
		}
		if first {
			t.out.WriteString("\n\nStopped before their end:\n")
			first = false
		}
		fmt.Fprintf(&t.out, "  trial %d: %s\n", trial.Trial, clean(trial.Stopped.Reason))
	}
}

func (t *table) head() {
	r := t.results
	folds := 0
	if len(r.Trials) > 0 {
		folds = len(r.Trials[0].Folds)
	}
	fmt.Fprintf(&t.out, "%s  %s  %s × %s\n\n", t.paint(bold, clean(r.Sweep)), t.paint(colors[r.State], string(r.State)), count(len(r.Trials), "trial"), count(folds, "fold"))
}

// rows are the header and the trials' cells.
func (t *table) rows(decimals int) [][]string {
	header := append([]string{"  trial"}, shortNames(t.paths)...)
	header = append(append(header, t.metrics...), "folds", "seconds")
	rows := [][]string{header}
	for _, trial := range t.results.Trials {
		rows = append(rows, t.row(trial, decimals))
	}
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
	}
	return rows
}

func (t *table) row(trial plan.TrialResult, decimals int) []string {
	mark := " "
	if isBest(t.results, trial) {
		mark = "*"
	}
	row := []string{fmt.Sprintf("%s %d", mark, trial.Trial)}
	for _, path := range t.paths {
		row = append(row, valueText(trial.Parameters[path]))
	}
	for _, name := range t.metrics {
		if s, ok := trial.Summary[name]; ok {
			row = append(row, statText(s, " ± ", decimals))
		} else {
			row = append(row, "-")
		}
	}
	done, seconds := completed(trial)
	folds := fmt.Sprintf("%d/%d", done, len(trial.Folds))
	if trial.State != plan.Completed {
		folds += " " + string(trial.State)
	}
	return append(row, folds, fmt.Sprintf("%.1f", seconds))
}

const gap = 2 // spaces between columns

func columnWidths(rows [][]string) []int {
	columns := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			columns[i] = max(columns[i], widths.StringWidth(text))
		}
	}
	return columns
}

func rowWidth(rows [][]string) int {
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
		cells := make([]string, len(row))
		for k, text := range row {
			cells[k] = pad(text, columns[k], k == len(row)-1)
		}
		code := bold
		if i > 0 {
			code = t.trialColor(t.results.Trials[i-1])
		}
		t.out.WriteString(t.paint(code, strings.Join(cells, strings.Repeat(" ", gap))) + "\n")
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
		mark, number := row[0][:2], row[0][2:]
		t.out.WriteString(t.paint(t.trialColor(t.results.Trials[i]), mark+"trial "+number) + "\n")
		for k := 1; k < len(row); k++ {
			room := max(10, t.options.Width-longest-6)
			t.out.WriteString("    " + pad(rows[0][k], longest, false) + "  " + widths.Truncate(row[k], room, "...") + "\n")
		}
	}
}

func (t *table) best() {
	r := t.results
	for _, trial := range r.Trials {
		if isBest(r, trial) {
			t.out.WriteByte('\n')
			t.paragraph(fmt.Sprintf("* best: trial %d, %s %s (%s)", trial.Trial, r.Metric.Name, statText(trial.Summary[r.Metric.Name], " ± ", 4), r.Metric.Goal), "")
		}
	}
}

// baseline says what knowing the classes' frequencies alone scores.
func (t *table) baseline() {
	b := t.results.Baseline
	if b == nil {
		return
	}
	t.out.WriteByte('\n')
	t.paragraph(fmt.Sprintf("Baseline: accuracy %s by always answering the most frequent class", statText(b.Accuracy, " ± ", 4)), "")
}

// maxFailures bounds how many different failures the table explains.
const maxFailures = 10

// failure is one reason and the first job that it ended.
type failure struct {
	*plan.Failure
	trial, jobs int
	fold        string
}

// failures explains each reason once, however many jobs it ended.
func (t *table) failures() {
	var list []*failure
	byReason := map[string]*failure{}
	for _, trial := range t.results.Trials {
		for _, fold := range trial.Folds {
			if fold.Failure == nil {
				continue
			}
			reason := fold.Failure.Reason + "\x00" + fold.Failure.Hint
			if byReason[reason] == nil {
				byReason[reason] = &failure{Failure: fold.Failure, trial: trial.Trial, fold: fold.Name}
				list = append(list, byReason[reason])
			}
			byReason[reason].jobs++
		}
	}
	for i, f := range list {
		if i == maxFailures {
			fmt.Fprintf(&t.out, "\nand %s\n", count(len(list)-maxFailures, "other reason"))
			break
		}
		t.failure(f)
	}
}

func (t *table) failure(f *failure) {
	title := fmt.Sprintf("trial %d, fold %s failed after %s:", f.trial, clean(f.fold), count(f.Attempts, "attempt"))
	if f.jobs > 1 {
		title = fmt.Sprintf("%d jobs failed, the first trial %d, fold %s, after %s:", f.jobs, f.trial, clean(f.fold), count(f.Attempts, "attempt"))
	}
	t.out.WriteByte('\n')
	t.out.WriteString(t.paint(red, title) + "\n")
	t.paragraph(f.Reason, "  ")
	if f.Hint != "" {
		t.paragraph("Try: "+f.Hint, "  ")
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

// colors are those of the states that stand out.
var colors = map[plan.State]string{plan.Completed: green, plan.Failed: red}

// trialColor is bold for the best trial and red for a failed one.
func (t *table) trialColor(trial plan.TrialResult) string {
	switch {
	case isBest(t.results, trial):
		return bold
	case trial.State == plan.Failed:
		return red
	}
	return ""
}

func (t *table) paint(code, text string) string {
	if !t.options.Color || code == "" {
		return text
	}
	return code + text + plain
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
