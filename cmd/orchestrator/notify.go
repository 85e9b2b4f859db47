package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/notify"
)

// notifyLimit is how long a command that is done stays to tell of it.
const notifyLimit = 15 * time.Second

// notifyEvery is how often a server looks for what to tell.
const notifyEvery = time.Minute

// newNotifier is nil where no webhook is set.
func (a *app) newNotifier(store artifacts.Store, s *scheduler.Scheduler, log *slog.Logger) (*notify.Notifier, error) {
	c := a.config.Notify
	if c.Webhook == "" {
		return nil, nil
	}
	var on []notify.Kind
	for word := range strings.SplitSeq(c.On, ",") {
		on = append(on, notify.Kind(strings.TrimSpace(word)))
	}
	return notify.New(notify.Options{
		Store: store, Sweeps: s, URL: c.Webhook, Secret: c.Secret, On: on, PublicURL: a.config.Serve.PublicURL, Log: log,
	})
}

// notifyLoop sends notifications until ctx ends.
func notifyLoop(ctx context.Context, n *notify.Notifier, interval time.Duration) error {
	if n == nil {
		return nil
	}
	return untilDone(n.Loop(ctx, interval))
}

// notifyNow sends what is due at the end of a command. What does not arrive is sent
// by the next process that works on the store.
func (a *app) notifyNow(ctx context.Context, n *notify.Notifier) {
	if n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, notifyLimit)
	defer cancel()
	if err := n.Send(ctx); err != nil {
		fmt.Fprintf(a.err, "Not told to the webhook yet: %v\n", err)
	}
}
