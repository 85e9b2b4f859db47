package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"orchestrator/scheduler/plan"
)

// metricNames lists the metrics of all trials: the one that ranks the trials
// first, the others in alphabetical order.
func metricNames(r *plan.Results) []string {
	names := map[string]bool{}
	for _, trial := range r.Trials {
		for name := range trial.Summary {
			names[name] = true
		}
	}
	delete(names, r.Metric.Name)
	return append([]string{r.Metric.Name}, slices.Sorted(maps.Keys(names))...)
}

// parameterPaths lists the parameters of all trials in alphabetical order.
func parameterPaths(r *plan.Results) []string {
	paths := map[string]bool{}
	for _, trial := range r.Trials {
		for path := range trial.Parameters {
			paths[path] = true
		}
	}
	return slices.Sorted(maps.Keys(paths))
}

// searchedPaths leaves out the parameters that have the same value everywhere:
// they tell no two trials apart.
func searchedPaths(r *plan.Results) []string {
	if len(r.Trials) < 2 {
		return parameterPaths(r)
	}
	return slices.DeleteFunc(parameterPaths(r), func(path string) bool {
		first := valueText(r.Trials[0].Parameters[path])
		return !slices.ContainsFunc(r.Trials, func(t plan.TrialResult) bool { return valueText(t.Parameters[path]) != first })
	})
}

// shortNames gives every dotted path its shortest ending that no other has.
func shortNames(paths []string) []string {
	names := make([]string, len(paths))
	for i, path := range paths {
		parts := strings.Split(path, ".")
		for n := 1; n <= len(parts); n++ {
			names[i] = strings.Join(parts[len(parts)-n:], ".")
			if !ambiguous(names[i], path, paths) {
				break
			}
		}
	}
	return names
}

func ambiguous(name, path string, paths []string) bool {
	for _, other := range paths {
		if other != path && (other == name || strings.HasSuffix(other, "."+name)) {
			return true
		}
	}
	return false
}

// valueText writes a parameter's value in its shortest form. Numbers look the
// same whether they come from a sweep file or from JSON.
func valueText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return numberText(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// numberText is the shortest text that reads back as x; nan, inf or -inf for
// what is not finite.
func numberText(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(x, 'g', -1, 64), "+"))
	}
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// scoreText rounds a score for reading.
func scoreText(x float64, decimals int) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return numberText(x)
	case math.Abs(x) >= 1000:
		return strconv.FormatFloat(x, 'g', decimals+1, 64)
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// statText is "mean ± std", or the mean alone where there is no deviation.
func statText(s plan.Stat, plusMinus string, decimals int) string {
	if math.IsNaN(s.Std) {
		return scoreText(s.Mean, decimals)
	}
	return scoreText(s.Mean, decimals) + plusMinus + scoreText(s.Std, decimals)
}

// clean makes text one harmless line: control characters, which could move a
// terminal's cursor or hide text, become spaces.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, text)
}

// completed counts a trial's folds that are done, and sums the seconds of all.
func completed(t plan.TrialResult) (done int, seconds float64) {
	for _, fold := range t.Folds {
		if fold.State == plan.Completed {
			done++
		}
		seconds += fold.Seconds
	}
	return done, seconds
}

func isBest(r *plan.Results, t plan.TrialResult) bool {
	return r.Best != nil && r.Best.Trial == t.Trial
}
