package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/trainer/ort"
)

// openStore opens the artifact store of the settings.
func (a *app) openStore(ctx context.Context) (artifacts.Store, error) {
	s := a.config.S3
	addressing := artifacts.AddressVirtual
	if s.PathStyle {
		addressing = artifacts.AddressByPath
	}
	return artifacts.Open(ctx, a.config.Store, artifacts.S3Options{
		Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey, SessionToken: s.SessionToken,
		Region: s.Region, CACert: s.CACert, Addressing: addressing,
	})
}

// storeIsFolder reports whether the store is a folder of this machine.
func (a *app) storeIsFolder() bool { return !strings.Contains(a.config.Store, "://") }

// storeExists is false for a folder that no command has made yet.
func (a *app) storeExists() bool {
	if !a.storeIsFolder() {
		return true
	}
	_, err := os.Stat(a.config.Store)
	return err == nil
}

func (a *app) openRuntime() (*ort.Runtime, error) {
	return ort.New(ort.Options{Library: a.config.Library})
}

// redisOptions reads --redis and the secrets that go with it.
func (a *app) redisOptions() (queue.Options, error) {
	o := queue.Options{Addr: a.config.Redis}
	if strings.Contains(a.config.Redis, "://") {
		var err error
		if o, err = queue.ParseURL(a.config.Redis); err != nil {
			return queue.Options{}, err
		}
	}
	auth := a.config.RedisAuth
	if auth.Username != "" {
		o.Username = auth.Username
	}
	if auth.Password != "" {
		o.Password = auth.Password
	}
	o.SentinelUsername, o.SentinelPassword = auth.SentinelUsername, auth.SentinelPassword
	o.CACert, o.ClientCert, o.ClientKey, o.ServerName = auth.CACert, auth.ClientCert, auth.ClientKey, auth.ServerName
	return o, nil
}

// needQueue connects to the Redis that submit and worker cannot do without.
func (a *app) needQueue(ctx context.Context) (*queue.Queue, error) {
	if a.config.Redis == "" {
		return nil, usagef("--redis host:port, or "+envName("redis")+"; or use orchestrator run, which brings its own queue", "no Redis is set")
	}
	o, err := a.redisOptions()
	if err != nil {
		return nil, err
	}
	return queue.Open(ctx, o)
}

// embeddedFile is where a run in progress says how its queue is reached, for
// status and cancel in another terminal. It holds a password: mode 0600.
func (a *app) embeddedFile() string {
	return filepath.Join(a.config.Store, "..", "run.json")
}

// publishEmbedded writes that file and returns what removes it.
func (a *app) publishEmbedded(o queue.Options) (func(), error) {
	if !a.storeIsFolder() {
		return func() {}, nil
	}
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	file := a.embeddedFile()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, fmt.Errorf("saying where the embedded queue is: %w", err)
	}
	return func() { _ = os.Remove(file) }, nil
}

// findQueue connects to the Redis of the settings, else to the embedded one of
// a run in progress; nil where there is neither: the store alone then tells.
func (a *app) findQueue(ctx context.Context) (*queue.Queue, error) {
	if a.config.Redis != "" {
		return a.needQueue(ctx)
	}
	if !a.storeIsFolder() {
		return nil, nil
	}
	data, err := os.ReadFile(a.embeddedFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading where the run in progress keeps its queue: %w", err)
	}
	var o queue.Options
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, nil // a run is just writing it
	}
	q, err := queue.Open(ctx, o)
	if err != nil {
		return nil, nil // left behind by a run that was killed
	}
	return q, nil
}

// newScheduler wires a scheduler. A nil queue is left out of it altogether, as
// an interface that holds a nil pointer is not nil.
func (a *app) newScheduler(store artifacts.Store, q *queue.Queue) *scheduler.Scheduler {
	s := &scheduler.Scheduler{Store: store, Log: slog.New(slog.DiscardHandler)}
	if q != nil {
		s.Queue = q
	}
	if a.traces != nil {
		s.Tracer = a.traces.Scheduler()
	}
	return s
}

// lookAt opens what commands that only look need, and resolves the sweep.
func (a *app) lookAt(ctx context.Context, sweep string) (*scheduler.Scheduler, string, func(), error) {
	store, err := a.openStore(ctx)
	if err != nil {
		return nil, "", nil, err
	}
	q, err := a.findQueue(ctx)
	if err != nil {
		return nil, "", nil, err
	}
	done := func() {
		if q != nil {
			q.Close()
		}
	}
	s := a.newScheduler(store, q)
	id, err := s.Resolve(ctx, sweep)
	if err != nil {
		done()
		return nil, "", nil, err
	}
	return s, id, done, nil
}

// sweepError turns a sweep's final state into the command's; again is what goes on with
// a sweep that is not completed.
func sweepError(r *plan.Results, again string) error {
	failed := r.State == plan.Failed
	eachFold(r, func(_ plan.TrialResult, f plan.FoldResult) { failed = failed || f.State == plan.Failed })
	if failed {
		return errJobFailed
	}
	return heldError(r, again)
}

// heldError is an error where a sweep is canceled or paused.
func heldError(r *plan.Results, again string) error {
	if r.State != plan.Canceled && r.State != plan.Paused {
		return nil
	}
	e := &incompleteError{sweep: r.Sweep, state: r.State, hint: again}
	for _, warning := range r.Warnings {
		if why, ok := strings.CutPrefix(warning, scheduler.CanceledBecause); ok { // of a budget: nobody else gives a reason
			e.why, e.hint = why, fmt.Sprintf("orchestrator update %s with a larger --budget-time or --budget-device-time, then %s", r.Sweep, again)
		}
	}
	return e
}

func resumeCommand(sweep string) string { return "orchestrator resume " + sweep }
