package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"orchestrator/scheduler/plan"
)

// CSV writes one row per fold (RFC 4180, a header first): what identifies the
// job, how it went, the trial's parameters by dotted path, the metrics, and the
// reason of a failure. Numbers keep all their digits.
func CSV(w io.Writer, r *plan.Results) error {
	paths, names := parameterPaths(r), foldMetricNames(r)
	header := []string{"sweep", "trial", "fold", "name", "job", "state", "attempts", "cached", "epochs", "seconds"}
	header = append(append(append(header, paths...), names...), "failure")
	for i := range header {
		header[i] = cell(header[i])
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	rows := [][]string{header}
	for _, trial := range r.Trials {
		for _, fold := range trial.Folds {
			rows = append(rows, csvRow(r, trial, fold, paths, names))
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write results as CSV: %w", err)
	}
	return nil
}

func csvRow(r *plan.Results, trial plan.TrialResult, fold plan.FoldResult, paths, names []string) []string {
	row := []string{
		cell(r.Sweep), strconv.Itoa(trial.Trial), strconv.Itoa(fold.Fold), cell(fold.Name), cell(fold.Job), string(fold.State),
		strconv.Itoa(fold.Attempts), strconv.FormatBool(fold.Cached), strconv.Itoa(fold.Epochs), numberText(fold.Seconds),
	}
	for _, path := range paths {
		row = append(row, valueCell(trial.Parameters[path]))
	}
	for _, name := range names {
		text := ""
		if score, ok := fold.Metrics[name]; ok {
			text = numberText(score)
		}
		row = append(row, text)
	}
	failure := ""
	if fold.Failure != nil {
		failure = cell(fold.Failure.Reason)
	}
	return append(row, failure)
}

// foldMetricNames is metricNames over the folds: a fold may be done in a trial
// that has no summary yet.
func foldMetricNames(r *plan.Results) []string {
	all := &plan.Results{Metric: r.Metric}
	for _, trial := range r.Trials {
		for _, fold := range trial.Folds {
			summary := map[string]plan.Stat{}
			for name := range fold.Metrics {
				summary[name] = plan.Stat{}
			}
			all.Trials = append(all.Trials, plan.TrialResult{Summary: summary})
		}
	}
	return metricNames(all)
}

// cell guards text against spreadsheets, which run what begins like a formula:
// an apostrophe in front makes it text. Control characters become spaces.
func cell(text string) string {
	text = clean(text)
	if text != "" && strings.ContainsRune("=+-@ ", rune(text[0])) { // some programs skip spaces
		return "'" + text
	}
	return text
}

// LongCSV writes a row for every metric of every fold, of several sweeps: the form
// that statistics programs read.
func LongCSV(w io.Writer, all []*plan.Results) error {
	return writeLong(w, all, []string{"state", "metric", "value"}, func(f plan.FoldResult, row func(...string)) {
		for _, name := range slices.Sorted(maps.Keys(f.Metrics)) {
			row(string(f.State), cell(name), numberText(f.Metrics[name]))
		}
	})
}

// HistoryCSV writes a row for every metric of every epoch.
func HistoryCSV(w io.Writer, all []*plan.Results) error {
	return writeLong(w, all, []string{"epoch", "metric", "value"}, func(f plan.FoldResult, row func(...string)) {
		for _, e := range f.History {
			epoch := strconv.Itoa(e.Epoch)
			row(epoch, "train_loss", numberText(e.TrainLoss))
			for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
				row(epoch, cell(name), numberText(e.Metrics[name]))
			}
		}
	})
}

// writeLong writes what rows gives of each fold, after the columns that say which
// fold it is and with which parameters.
func writeLong(w io.Writer, all []*plan.Results, columns []string, rows func(f plan.FoldResult, row func(...string))) error {
	joined := &plan.Results{}
	for _, r := range all {
		joined.Trials = append(joined.Trials, r.Trials...)
	}
	paths := parameterPaths(joined)
	header := []string{"sweep", "trial"}
	for _, path := range paths {
		header = append(header, cell(path))
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	lines := [][]string{append(append(header, "fold", "job"), columns...)}
	for _, r := range all {
		for _, trial := range r.Trials {
			known := []string{cell(r.Sweep), strconv.Itoa(trial.Trial)}
			for _, path := range paths {
				known = append(known, valueCell(trial.Parameters[path]))
			}
			for _, f := range trial.Folds {
				rows(f, func(cells ...string) {
					lines = append(lines, slices.Concat(known, []string{cell(f.Name), cell(f.Job)}, cells))
				})
			}
		}
	}
	if err := out.WriteAll(lines); err != nil {
		return fmt.Errorf("write results as CSV: %w", err)
	}
	return nil
}

// valueCell is a parameter's value; of text guarded.
func valueCell(value any) string {
	text := valueText(value)
	if _, isText := value.(string); isText {
		return cell(text)
	}
	return text
}
