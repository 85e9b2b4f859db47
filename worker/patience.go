package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"orchestrator/artifacts"
)

// passes tells whether an error may be over some time by itself, or by somebody who
// frees space: the store is not available or full, or the cache's disk is.
func passes(err error) bool {
	var full *CacheFullError
	return errors.Is(err, artifacts.ErrUnavailable) || errors.Is(err, artifacts.ErrNoSpace) || errors.As(err, &full)
}

// patiently repeats what failed in a way that passes, with growing pauses, until limit
// or the end of ctx.
func patiently(ctx context.Context, limit time.Duration, log *slog.Logger, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := try()
		if !passes(err) {
			return err
		}
		log.Warn("waiting until it is possible", "error", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}
