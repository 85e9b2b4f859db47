package analysis

import (
	"maps"
	"slices"
	"strings"

	"orchestrator/scheduler/plan"
)

// inputError is about what was asked for.
type inputError struct{ message, hint string }

func (e *inputError) Error() string { return e.message }
func (e *inputError) Hint() string  { return e.hint }
func (e *inputError) ExitCode() int { return 2 }

// metricsOf are the metrics that a completed fold of the trials has.
func metricsOf(of []Subject) []string {
	names := map[string]bool{}
	for _, s := range of {
		for _, f := range s.result().Folds {
			if f.State == plan.Completed {
				for name := range f.Metrics {
					names[name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func hintOfMetrics(known []string) string {
	if len(known) == 0 {
		return "wait until a fold is completed"
	}
	return "they have " + strings.Join(known, ", ")
}

// goalOf is whether more of a metric is better: what a sweep says that is ranked by
// it, else by its name.
func goalOf(of []Subject, metric string) string {
	for _, s := range of {
		if s.Results.Metric.Name == metric {
			return s.Results.Metric.Goal
		}
	}
	return Goal(metric)
}

// Goal is whether more of a metric is better, by its name: of loss less is.
func Goal(metric string) string {
	if metric == "loss" {
		return "minimize"
	}
	return "maximize"
}
