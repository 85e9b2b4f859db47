package report

import (
	"encoding/csv"
	"fmt"
	"io"
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
		text := valueText(trial.Parameters[path])
		if _, isText := trial.Parameters[path].(string); isText {
			text = cell(text)
		}
		row = append(row, text)
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
