package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// Sweeps is what is asked about the sweeps; a Scheduler answers.
type Sweeps interface {
	List(ctx context.Context) ([]scheduler.Overview, error)
	Glance(ctx context.Context, sweep string) (*plan.Results, error)
}

// Options say what to tell whom. Store, Sweeps and URL are required.
type Options struct {
	Store     artifacts.Store
	Sweeps    Sweeps
	URL       string // http or https; a secret
	Secret    string // "whsec_" and the base64 of the key to sign with; empty: nothing is signed
	On        []Kind // what is told; nil: Kinds
	PublicURL string // of `orchestrator serve`; empty: no links
	Log       *slog.Logger
	Timeout   time.Duration    // of an attempt; 0: 10 s
	Now       func() time.Time // nil: time.Now
}

const (
	defaultTimeout = 10 * time.Second
	// firstPause is how long after an attempt that did not deliver the next is due:
	// longer than an attempt takes, so that nobody doubts one under way. It doubles
	// up to longestPause.
	firstPause   = 30 * time.Second
	longestPause = time.Hour
	// mostAttempts: the last is due about nine hours after the first.
	mostAttempts = 15
	// grace is how old a sweep may be when notifications are first set up for its
	// store: what ended long before is no news.
	grace = 24 * time.Hour
)

// Notifier sends notifications. One of its methods may run at a time.
type Notifier struct {
	o      Options
	client *http.Client
	signer *standardwebhooks.Webhook // nil: nothing is signed
	since  time.Time                 // of what is told; zero: not known yet
	done   map[string]bool           // events that are delivered or given up, completed sweeps
}

// inputError is about what the user set.
type inputError struct{ message, hint string }

func (e inputError) Error() string { return e.message }
func (e inputError) Hint() string  { return e.hint }
func (e inputError) ExitCode() int { return 2 }

// New checks the options.
func New(o Options) (*Notifier, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, inputError{"the address of the webhook is no http or https URL", "write notify.webhook as https://host/path"}
	}
	for _, k := range o.On {
		if !slices.Contains(Kinds, k) {
			return nil, inputError{fmt.Sprintf("there is no notification %q", k), "notify.on lists some of completed, failed, canceled, paused, job_failed"}
		}
	}
	if o.On == nil {
		o.On = Kinds
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	n := &Notifier{o: o, done: map[string]bool{}}
	if o.Secret != "" {
		if n.signer, err = standardwebhooks.NewWebhook(o.Secret); err != nil {
			return nil, inputError{"the webhook's secret is not base64", `make one: echo "whsec_$(openssl rand -base64 32)"`}
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // a message now and then
	n.client = &http.Client{Transport: transport, Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return n, nil
}

// Loop sends what is due, again and again until ctx ends, whose error it returns.
func (n *Notifier) Loop(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := n.Send(ctx); err != nil && ctx.Err() == nil {
			n.o.Log.Warn("notifications are tried again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Send sends once what is due now. It stops at the first that does not arrive: the
// endpoint is not there, and the others' attempts are not spent on it.
func (n *Notifier) Send(ctx context.Context) error {
	if err := n.begin(ctx); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	sweeps, err := n.o.Sweeps.List(ctx)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	slices.Reverse(sweeps) // the oldest first
	for _, o := range sweeps {
		if n.done[o.Sweep] || o.Created.Before(n.since) {
			continue
		}
		if err := n.tell(ctx, o); err != nil {
			return fmt.Errorf("notify of sweep %s: %w", o.Sweep, err)
		}
	}
	return nil
}

// begin finds out since when there are notifications for this store.
func (n *Notifier) begin(ctx context.Context) error {
	if !n.since.IsZero() {
		return nil
	}
	err := artifacts.CreateJSON(ctx, n.o.Store, plan.NotifySinceKey, struct{}{})
	if err != nil && !errors.Is(err, artifacts.ErrExists) {
		return err
	}
	mark, err := n.o.Store.Stat(ctx, plan.NotifySinceKey)
	if err == nil {
		n.since = mark.Modified.Add(-grace)
	}
	return err
}

// tell sends what is due of a sweep.
func (n *Notifier) tell(ctx context.Context, o scheduler.Overview) error {
	load := sync.OnceValues(func() (*plan.Results, error) { return n.o.Sweeps.Glance(ctx, o.Sweep) })
	events, err := n.events(ctx, o, load)
	if err != nil {
		return err
	}
	over := o.State == plan.Completed
	for _, e := range events {
		if n.done[e.id] || !slices.Contains(n.o.On, e.kind) {
			continue
		}
		if err := n.deliver(ctx, o, e, load); err != nil {
			return err
		}
		over = over && n.done[e.id]
	}
	if over {
		n.done[o.Sweep] = true
	}
	return nil
}

// attempt is the object that says who sends.
type attempt struct {
	Event   string `json:"event"`
	Type    string `json:"type"`
	Attempt int    `json:"attempt"`
	Host    string `json:"host"`
}

// sent is the object that says that an event was delivered.
type sent struct {
	Event   string `json:"event"`
	Type    string `json:"type"`
	Attempt int    `json:"attempt"`
	Status  int    `json:"status"` // of HTTP
	Sent    string `json:"sent"`   // RFC 3339, UTC
}

// deliver sends an event, if it is due and no other process is about to.
func (n *Notifier) deliver(ctx context.Context, o scheduler.Overview, e event, load results) error {
	sweep := o.Sweep
	number, err := n.claim(ctx, sweep, e)
	if err != nil || number == 0 {
		return err
	}
	r, err := load()
	if err != nil {
		return err
	}
	now := n.o.Now().UTC()
	p := payload(e.kind, o, r, e.job, n.o.PublicURL)
	p.Timestamp = now.Format(time.RFC3339)
	status, err := n.post(ctx, e.id, now, p)
	if err != nil {
		return fmt.Errorf("%s, attempt %d of %d: %w", p.Type, number, mostAttempts, err)
	}
	n.done[e.id] = true
	n.o.Log.Info("notification sent", "sweep", sweep, "type", p.Type)
	err = artifacts.CreateJSON(ctx, n.o.Store, plan.NoticeSentKey(sweep, e.id),
		sent{Event: e.id, Type: p.Type, Attempt: number, Status: status, Sent: p.Timestamp})
	if errors.Is(err, artifacts.ErrExists) {
		return nil // two senders, one of which was taken for dead
	}
	return err
}

// claim returns the number of the attempt that is now ours, 0 where there is none.
func (n *Notifier) claim(ctx context.Context, sweep string, e event) (int, error) {
	delivered, number := false, 0
	var last time.Time
	for info, err := range n.o.Store.List(ctx, plan.NoticePrefix(sweep, e.id)) {
		if err != nil {
			return 0, err
		}
		if info.Key == plan.NoticeSentKey(sweep, e.id) {
			delivered = true
			continue
		}
		number++
		last = info.Modified
	}
	if delivered {
		n.done[e.id] = true
		return 0, nil
	}
	if number > 0 && n.o.Now().Sub(last) < pause(number) {
		return 0, nil
	}
	if number >= mostAttempts {
		n.done[e.id] = true
		n.o.Log.Error("a notification is given up", "sweep", sweep, "type", typeOf(e.kind), "attempts", number)
		return 0, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	number++
	err = artifacts.CreateJSON(ctx, n.o.Store, plan.NoticeKey(sweep, e.id, number), attempt{Event: e.id, Type: typeOf(e.kind), Attempt: number, Host: host})
	if errors.Is(err, artifacts.ErrExists) {
		return 0, nil // another process was faster
	}
	return number, err
}

// pause is how long after an attempt the next is due.
func pause(number int) time.Duration {
	return min(firstPause<<min(number-1, 10), longestPause)
}
