package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// ErrUnknownSweep is what errors are, with errors.Is, that name a sweep which the
// store does not have.
var ErrUnknownSweep = errors.New("there is no such sweep")

// unknownSweep is such an error.
type unknownSweep struct{ inputError }

func (unknownSweep) Unwrap() error { return ErrUnknownSweep }

// inputError is about what the user wrote.
type inputError struct{ message, hint string }

func (e inputError) Error() string { return e.message }
func (e inputError) Hint() string  { return e.hint }
func (e inputError) ExitCode() int { return 2 }

// Resolve finds the sweep that the user means: by its ID, its name, an
// unambiguous beginning of its ID, or "latest" for the one submitted last.
func (s *Scheduler) Resolve(ctx context.Context, word string) (string, error) {
	return s.resolve(ctx, word, false)
}

// ResolveNewest is Resolve for whoever only reads: of several sweeps of one name it
// finds the one submitted last.
func (s *Scheduler) ResolveNewest(ctx context.Context, word string) (string, error) {
	return s.resolve(ctx, word, true)
}

func (s *Scheduler) resolve(ctx context.Context, word string, newest bool) (string, error) {
	entries, err := s.entries(ctx)
	if err != nil {
		return "", err
	}
	if word == "latest" && len(entries) > 0 {
		return entries[0].id, nil
	}
	var byName, byPrefix []string
	for _, e := range entries {
		name := e.id
		if i := strings.LastIndex(e.id, "-"); i > 0 {
			name = e.id[:i]
		}
		switch {
		case e.id == word:
			return e.id, nil
		case name == word:
			byName = append(byName, e.id)
		case word != "" && strings.HasPrefix(e.id, word):
			byPrefix = append(byPrefix, e.id)
		}
	}
	if newest && len(byName) > 0 {
		return byName[0], nil // entries come newest first
	}
	for _, matches := range [][]string{byName, byPrefix} {
		switch len(matches) {
		case 0:
		case 1:
			return matches[0], nil
		default:
			return "", inputError{fmt.Sprintf("%q may mean %s", word, some(matches)), "write more of the sweep's ID, or latest for the most recent sweep"}
		}
	}
	return "", unknown(word, entries)
}

// unknown is the error about a sweep that does not exist.
func (s *Scheduler) unknown(ctx context.Context, word string) error {
	entries, err := s.entries(ctx)
	if err != nil {
		return err
	}
	return unknown(word, entries)
}

func unknown(word string, entries []entry) error {
	message := fmt.Sprintf("there is no sweep %q", word)
	if word == "latest" || len(entries) == 0 {
		message = "there is no sweep yet"
	}
	hint := "`orchestrator list` shows all sweeps"
	if near := nearest(word, entries); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	return unknownSweep{inputError{message, hint}}
}

// nearest is the sweep whose ID, or whose beginning, takes the fewest changes
// to write, if that is fewer than half of the word's letters. Of equals the
// shorter one.
func nearest(word string, entries []entry) string {
	best, least := "", (len(word)+1)/2
	for _, e := range entries {
		d := levenshtein.ComputeDistance(word, e.id[:min(len(e.id), len(word))])
		d = min(d, levenshtein.ComputeDistance(word, e.id))
		if d < least || d == least && best != "" && len(e.id) < len(best) {
			best, least = e.id, d
		}
	}
	return best
}

// some names a few sweeps.
func some(ids []string) string {
	const most = 5
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + fmt.Sprintf(" or %d more", len(ids)-most)
	}
	return strings.Join(ids, ", ")
}
