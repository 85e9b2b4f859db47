package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"orchestrator/artifacts"
)

// patiently repeats what failed because the store was not available or full,
// with growing pauses, until limit or the end of ctx.
func patiently(ctx context.Context, limit time.Duration, log *slog.Logger, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := try()
		if !errors.Is(err, artifacts.ErrUnavailable) && !errors.Is(err, artifacts.ErrNoSpace) {
			return err
		}
		log.Warn("waiting for the artifact store", "error", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}
