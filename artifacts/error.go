package artifacts

import (
	"context"
	"errors"
	"fmt"
)

// Error says which operation failed on which object of which store.
type Error struct {
	Op    string // "read", "write", "create", "describe", "list", "delete", "open"
	Key   string // or the prefix of a list; empty where the store itself is meant
	Store string // the store's String
	Err   error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Store, e.Err)
	}
	return fmt.Sprintf("%s %s in %s: %v", e.Op, e.Key, e.Store, e.Err)
}

// Unwrap gives errors.Is access to the package's Err values.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to try; it is empty where there is nothing to advise.
func (e *Error) Hint() string {
	switch {
	case errors.Is(e.Err, ErrUnavailable):
		return "check that the store is running and can be reached from this machine: orchestrator doctor"
	case errors.Is(e.Err, ErrDenied):
		return "check the store's credentials and region, that temporary credentials have not expired, and that they may list, read, write and delete there"
	case errors.Is(e.Err, ErrNoSpace):
		return "free some space or choose another store, then resume: nothing that was stored is lost"
	}
	return ""
}

// fail wraps an implementation's error; nil stays nil. A cancelled context
// wins over what it caused.
func fail(ctx context.Context, op, key string, s interface{ String() string }, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = cause
	}
	return &Error{Op: op, Key: key, Store: s.String(), Err: err}
}

// classed gives err one of the package's Err values, keeping its text.
func classed(class, err error) error { return fmt.Errorf("%w: %w", class, err) }
