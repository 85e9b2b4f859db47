package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orchestrator/artifacts"
	"orchestrator/cmd/orchestrator/internal/metrics"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/worker"
)

// trainerProcess is the hidden command that a daemon starts for each job.
const trainerProcess = "trainer-process"

// retryAfter is how long a job rests that a worker could not even begin.
const retryAfter = 2 * time.Second

// drainLimit bounds the checkpoints of a drain.
const drainLimit = 10 * time.Minute

// reconcileEvery is how often a watching command looks after its sweep.
const reconcileEvery = 10 * time.Second

// What a daemon takes for its host and the time; tests have daemons whose clocks are
// wrong. Zero: the system's.
var (
	hostName string
	now      func() time.Time
)

type workerOptions struct {
	slots     []worker.Slot
	labels    []string
	reconcile time.Duration
	metrics   *metrics.Metrics // nil: nobody asks for them
}

func newWorkerCommand(a *app) *cobra.Command {
	var o workerOptions
	processors := 0
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run jobs from the queue until told to stop",
		Long: `Takes jobs from Redis and trains them, one per slot, each in a process of its own.
SIGTERM or Ctrl-C drains: every job writes a checkpoint and goes back to the
queue, without counting as failed. A second signal ends at once; the jobs then go
on from their last checkpoints elsewhere.

CUDA devices have a slot each, and the processors --slots where no device is named
(--devices auto) and there is none that CUDA can use, or where cpu is among those
named. Jobs for the device cuda come to slots of CUDA devices alone.

Every worker also reconciles: it enqueues again what a lost Redis has forgotten.` + "\n" + exitHelp,
		Example: "  orchestrator worker --slots 2\n  orchestrator worker --devices cuda:0,cuda:1,cpu\n  orchestrator worker --redis redis.example:6379 --store s3://orchestrator",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runWorker(cmd.Context(), a, o, processors) },
	}
	cmd.Flags().IntVar(&processors, "slots", 1, "jobs at a time on the processors; each takes training.threads of them")
	cmd.Flags().StringSliceVar(&o.labels, "label", nil, "a label that jobs may ask for with resources.label (repeatable)")
	cmd.Flags().DurationVar(&o.reconcile, "reconcile-every", time.Minute, "how often to look for jobs that no queue knows of")
	addFlags(cmd.Flags(), deviceFlags)
	return cmd
}

func runWorker(ctx context.Context, a *app, o workerOptions, processors int) error {
	if processors < 1 {
		return usagef("--slots 1", "a worker needs at least one slot, not %d", processors)
	}
	for _, label := range o.labels {
		if !plan.IsLabel(label) {
			return usagef("--label a100", "%q is not a label: up to 32 small letters, digits and underscores", label)
		}
	}
	log, err := a.config.logger(a.err, slog.LevelDebug)
	if err != nil {
		return err
	}
	q, err := a.needQueue(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	rt, err := a.openRuntime() // an unusable library is found here, not in every job
	if err != nil {
		return err
	}
	rt.Close()
	here, err := a.findDevices(ctx)
	if err != nil {
		return err
	}
	if o.slots, err = a.slots(ctx, here, "any", processors, log); err != nil {
		return err
	}
	log.Info("worker ready", "queue", q.String(), "store", store.String(), "slots", len(o.slots), "devices", describeSlots(o.slots), "onnxruntime", rt.Version())
	if a.config.Metrics != "" {
		o.metrics = newMetrics()
		stop, err := serveMetrics(o.metrics, a.config.Metrics, log)
		if err != nil {
			return err
		}
		defer stop()
		o.metrics.Register(q.Collector())
		store = o.metrics.Store(store)
	}
	s := a.newScheduler(store, q)
	s.Log = log
	if o.metrics != nil {
		s.Meter = o.metrics.Scheduler()
	}
	notifier, err := a.newNotifier(store, s, log)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return notifyLoop(ctx, notifier, o.reconcile) })
	group.Go(func() error { return untilDone(s.ReconcileLoop(ctx, o.reconcile)) })
	group.Go(func() error { return untilDone(markQueue(ctx, s, q)) })
	group.Go(func() error { return a.serve(ctx, s, q, store, o, log) })
	return group.Wait()
}

// untilDone is the error, unless it is that of a context that was cancelled.
func untilDone(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve runs a daemon's slots until ctx ends, and then drains them.
func (a *app) serve(ctx context.Context, s *scheduler.Scheduler, q *queue.Queue, store artifacts.Store, o workerOptions, log *slog.Logger) error {
	a.drains.Store(true)
	command, err := a.childCommand(trainerProcess)
	if err != nil {
		return err
	}
	credentials, err := json.Marshal(a.config.credentials())
	if err != nil {
		return err
	}
	options := worker.Options{
		Store: store, Slots: o.slots, Command: command, Board: q, Log: log, Host: hostName, Now: now, Claim: queue.Claim,
		Secrets: a.config.secrets(), Settings: credentials,
	}
	if o.metrics != nil {
		options.Meter = o.metrics.Worker()
	}
	if a.traces != nil {
		options.Tracer = a.traces.Worker()
	}
	daemon := worker.New(options)
	if o.metrics != nil {
		o.metrics.Slots(daemon.Slots)
	}
	group, serving := errgroup.WithContext(ctx)
	for _, kind := range kindsOf(o.slots) {
		group.Go(func() error {
			return q.Serve(serving, queue.ServeOptions{
				Devices: []string{kind, "any"}, Labels: o.labels, Concurrency: countOf(o.slots, kind), Log: log,
				OnDrain: daemon.Stop, DrainTimeout: drainLimit,
				Handler: func(ctx context.Context, t queue.Task) queue.Result {
					return do(ctx, daemon, s, worker.Task{Sweep: t.Sweep, Trial: t.Trial, Fold: t.Fold, Job: t.Job, Device: kind}, log)
				},
			})
		})
	}
	err = group.Wait()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	return errors.Join(err, daemon.Drain(limit))
}

// do runs a job, and has what comes next in its sweep decided.
func do(ctx context.Context, daemon *worker.Daemon, s *scheduler.Scheduler, t worker.Task, log *slog.Logger) queue.Result {
	end, err := daemon.Do(ctx, t)
	if end == worker.Completed || end == worker.Failed {
		if err := s.Advance(ctx, t.Sweep); err != nil {
			log.Warn("what comes next in the sweep is not decided yet", "sweep", t.Sweep, "trial", t.Trial, "fold", t.Fold, "job", t.Job, "error", err)
		}
	}
	return queueResult(end, err)
}

// describeSlots says what a daemon trains on: "cuda:0 (NVIDIA A100, 40.0 GiB), 2 x cpu".
func describeSlots(slots []worker.Slot) string {
	var words []string
	for _, s := range slots {
		if s.About != "" {
			words = append(words, s.About)
		}
	}
	if n := countOf(slots, "cpu"); n > 0 {
		words = append(words, fmt.Sprintf("%d x cpu", n))
	}
	return strings.Join(words, ", ")
}

// queueResult tells the queue how an attempt ended.
func queueResult(end worker.End, err error) queue.Result {
	r := queue.Result{Detail: string(end)}
	if err != nil {
		r.Detail = err.Error()
	}
	switch end {
	case worker.Completed, worker.Canceled:
		r.End = queue.Done
	case worker.Interrupted:
		r.End = queue.Interrupted
	case worker.Failed:
		r.End = queue.Permanent
	default:
		r.End, r.After = queue.Retry, retryAfter
		var later *worker.TryAgainError
		if errors.As(err, &later) {
			r.After = later.After
		}
	}
	return r
}

// credentials are what a trainer process logs into the store with: the daemon tells
// it by its standard input, which nobody else can read.
type credentials struct {
	AccessKey    string `json:"access_key,omitempty"`
	SecretKey    string `json:"secret_key,omitempty"`
	SessionToken string `json:"session_token,omitempty"`
}

func (c *config) credentials() credentials {
	return credentials{c.S3.AccessKey, c.S3.SecretKey, c.S3.SessionToken}
}

// childCommand starts this program again as a process of its own. Its settings go by
// the environment, without the secrets among them.
func (a *app) childCommand(name string) (func(context.Context) *exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program to start it as %s: %w", name, err)
	}
	env := append(foreign(os.Environ()), a.config.environ()...)
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self, name)
		cmd.Env = env
		return cmd
	}, nil
}

// environ writes the settings as environment variables, for child processes.
func (c *config) environ() []string {
	values := map[string]string{
		"store": c.Store, "cache_dir": c.CacheDir, "cache_size": c.CacheSize, "onnxruntime_library": c.Library, "log_level": c.LogLevel,
		"s3.endpoint": c.S3.Endpoint, "s3.region": c.S3.Region, "s3.path_style": fmt.Sprint(c.S3.PathStyle), "s3.ca_cert": c.S3.CACert,
		"cuda.memory_limit": c.CUDA.MemoryLimit, "cuda.arena": c.CUDA.Arena, "cuda.cudnn_search": c.CUDA.CuDNNSearch, "cuda.strict": fmt.Sprint(c.CUDA.Strict),
	}
	var env []string
	for _, s := range settings {
		if v, ok := values[s.key]; ok && v != "" {
			env = append(env, envName(s.key)+"="+v)
		}
	}
	return env
}

// foreign are the environment variables that are none of our settings, nor say where
// traces go: a trainer process has no use for most of those, and some are secrets.
func foreign(env []string) []string {
	ours := map[string]bool{}
	for _, s := range settings {
		ours[envName(s.key)] = true
	}
	return slices.DeleteFunc(env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return ours[name] || strings.HasPrefix(name, "OTEL_")
	})
}

func newTrainerProcessCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    trainerProcess,
		Short:  "Run one job for a worker daemon (started by it, not by people)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.drains.Store(true) // it writes a checkpoint, and its daemon watches it
			size, err := a.config.cacheBytes()
			if err != nil {
				return err
			}
			tuning, err := a.config.CUDA.tuning()
			if err != nil {
				return err
			}
			return worker.RunJob(cmd.Context(), worker.JobProcess{
				Open: func(ctx context.Context, settings json.RawMessage) (artifacts.Store, error) {
					var c credentials
					if err := json.Unmarshal(settings, &c); err != nil {
						return nil, fmt.Errorf("reading what the daemon says of the store: %w", err)
					}
					s3 := &a.config.S3
					s3.AccessKey, s3.SecretKey, s3.SessionToken = c.AccessKey, c.SecretKey, c.SessionToken
					return a.openStore(ctx)
				},
				CacheDir: a.config.CacheDir, CacheSize: size, Library: a.config.Library, Tuning: tuning, Versions: jobVersions(),
			}, a.in, a.out)
		},
	}
}

// jobVersions go into every outcome.
func jobVersions() map[string]string {
	v := currentVersion()
	program := v.Version
	if v.Revision != "" {
		program = strings.Join([]string{v.Version, v.Revision}, " ")
	}
	return map[string]string{"orchestrator": program, "engine": v.Engine, "go": v.Go}
}

// defaultSlots is how many jobs of a sweep fit on this machine at a time.
func defaultSlots(threads int) int { return max(1, runtime.NumCPU()/max(1, threads)) }
