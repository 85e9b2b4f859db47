package surgery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Error says why a step cannot be done on this network.
type Error struct {
	Step   int    // from 1; 0 outside of a list
	Action string // as in the sweep file: cut_after, append, replace, ...
	Name   string // the layer or glob as the user wrote it
	Reason string
	Try    string
}

// Error names the step, what it was to do, and why it cannot.
func (e *Error) Error() string {
	if e.Action == "" {
		return fmt.Sprintf("surgery step %d: %s", e.Step, e.Reason)
	}
	what := strings.TrimSpace(e.Action + " " + e.Name)
	if e.Step == 0 {
		return fmt.Sprintf("%s: %s", what, e.Reason)
	}
	return fmt.Sprintf("surgery step %d (%s): %s", e.Step, what, e.Reason)
}

// Hint says what to try.
func (e *Error) Hint() string { return e.Try }

// ExitCode marks wrong input.
func (e *Error) ExitCode() int { return 2 }

// nearestHint names the three names nearest to the one that was not found.
func nearestHint(name string, names []string) string {
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(levenshtein.ComputeDistance(name, a), levenshtein.ComputeDistance(name, b))
	})
	names = slices.Compact(names[:min(3, len(names))])
	const list = "`orchestrator model inspect` lists all layers"
	if len(names) == 0 {
		return list
	}
	return fmt.Sprintf("the nearest names are %s; %s", strings.Join(names, ", "), list)
}
