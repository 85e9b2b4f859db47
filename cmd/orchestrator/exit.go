package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"orchestrator/scheduler/plan"
)

// The exit codes, as every command's help lists them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitJobFailed   = 3
	exitIncomplete  = 4
	exitInterrupted = 130
)

const exitHelp = `
Exit codes: 0 success, 1 failed, 2 usage or invalid input, 3 a job failed,
4 the sweep is canceled or paused, not completed, 130 interrupted.`

// errJobFailed ends commands that waited for a sweep in which a job failed; the
// table that was printed has the reasons.
var errJobFailed = errors.New("a job failed")

// errInterrupted ends commands that a signal stopped in an orderly way.
var errInterrupted = errors.New("interrupted")

// incompleteError ends commands whose sweep is canceled or paused: what was asked for
// was not done, or not all of it.
type incompleteError struct {
	sweep string
	state plan.State
	why   string // it was canceled; empty: its user said so
	hint  string
}

func (e *incompleteError) Error() string {
	text := fmt.Sprintf("sweep %s is %s and not completed", e.sweep, e.state)
	if e.why != "" {
		text += ": " + e.why
	}
	return text
}

func (e *incompleteError) Hint() string  { return e.hint }
func (e *incompleteError) ExitCode() int { return exitIncomplete }

// usageError is a mistake on the command line.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.hint }
func (e *usageError) ExitCode() int { return exitUsage }

func usagef(hint, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), hint: hint}
}

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errJobFailed):
		return exitJobFailed
	case errors.As(err, &coded):
		return coded.ExitCode()
	}
	return exitFailed
}

// printError says what went wrong and what to try: as text, or as one JSON
// object for --output json.
func printError(w io.Writer, err error, asJSON bool) {
	hint := ""
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	message := err.Error()
	if asJSON {
		_ = json.NewEncoder(w).Encode(struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Code  int    `json:"code"`
		}{message, hint, exitCode(err)})
		return
	}
	fmt.Fprintf(w, "Error: %s\n", message)
	if hint != "" && !strings.Contains(message, hint) {
		fmt.Fprintf(w, "Try:   %s\n", strings.ReplaceAll(hint, "\n", "\n       "))
	}
}
