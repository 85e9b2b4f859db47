package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// Board shows how far jobs have come; what it is told may be lost. The queue
// implements it.
type Board interface {
	Report(ctx context.Context, job string, p plan.Progress) error
}

// Slot runs one job at a time.
type Slot struct {
	Device string   // cpu | cuda
	Env    []string // of its trainer processes, such as CUDA_VISIBLE_DEVICES=1
	// About tells the device from others of its kind, for the log: "cuda:1 (NVIDIA A100)".
	About string
	// Versions are what the daemon knows of the device, for the outcome: gpu, driver.
	Versions map[string]string
}

// Task is a job on behalf of a sweep, and where in it the job is.
type Task struct {
	Sweep string
	Trial int
	Fold  int
	Job   string
	// Device is of the slot that a job runs in that any would do for; empty: any.
	Device string
}

// device is of the slot that a job runs in: what its sweep asks for, or what the task
// was fetched for.
func (t Task) device(r plan.Resources) string {
	if r.Device == "" || r.Device == "any" {
		return t.Device
	}
	return r.Device
}

// ids are what every message about a job has, in this order.
func (t Task) ids() []any {
	return []any{"sweep", t.Sweep, "trial", t.Trial, "fold", t.Fold, "job", t.Job}
}

// Options configure a Daemon. Store, Slots and Command are required.
type Options struct {
	Store artifacts.Store
	Slots []Slot
	// Command makes the command of a trainer process, one that ends up in
	// RunJob with its standard input and output. Its context never ends: the
	// daemon stops its children itself.
	Command func(ctx context.Context) *exec.Cmd
	// Settings is JSON for the JobProcess.Open of the trainer processes; nil: none.
	Settings json.RawMessage
	Board    Board        // nil: nobody looks
	Log      *slog.Logger // nil: discard
	Meter    Meter        // nil: nobody measures
	Tracer   Tracer       // nil: nobody traces
	Host     string       // in attempts and outcomes; empty: the machine's name

	// Claim tells, by the context of Do, whether the job is this worker's to begin;
	// nil: it always is.
	Claim func(ctx context.Context) bool

	// CancelPoll is how often the marks of a canceled or paused sweep are looked
	// for while one of its jobs runs; 0: 2 s.
	CancelPoll time.Duration
	// StopGrace is how long a child may take to write its checkpoint once it
	// was told to stop; 0: 5 minutes. Then it is killed.
	StopGrace time.Duration
	// Stall is how long a child may say nothing before it is taken for hanging
	// and killed, which counts as a crash; 0: 30 minutes. One step must be
	// faster than that.
	Stall time.Duration
	// Patience is how long the end of an attempt is tried to be recorded while
	// the store is not available; 0: 5 minutes.
	Patience time.Duration
	// ReportEvery is the shortest time between two reports of a job to the
	// Board; 0: half a second.
	ReportEvery time.Duration
	// LogEvery is how often the log of a running attempt is stored, if it has
	// grown; 0: 15 s.
	LogEvery time.Duration
	// Secrets never get into the logs of attempts, whoever writes them there.
	Secrets []string
	Now     func() time.Time // nil: time.Now
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	if o.Tracer == nil {
		o.Tracer = noTracer{}
	}
	if o.Claim == nil {
		o.Claim = func(context.Context) bool { return true }
	}
	if o.Host == "" {
		o.Host, _ = os.Hostname()
		o.Host = cmp.Or(o.Host, "unknown")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.CancelPoll = cmp.Or(o.CancelPoll, 2*time.Second)
	o.StopGrace = cmp.Or(o.StopGrace, 5*time.Minute)
	o.Stall = cmp.Or(o.Stall, 30*time.Minute)
	o.Patience = cmp.Or(o.Patience, 5*time.Minute)
	o.LogEvery = cmp.Or(o.LogEvery, 15*time.Second)
	o.ReportEvery = cmp.Or(o.ReportEvery, 500*time.Millisecond)
	return o
}

// End says how Do ended.
type End string

// The ends. Failed and Retry come with an error, the others without.
const (
	Completed   End = "completed"   // the job has an outcome
	Canceled    End = "canceled"    // its sweep was canceled or paused
	Interrupted End = "interrupted" // the worker stops; a checkpoint is kept; nothing failed
	Retry       End = "retry"       // the attempt did not succeed, another may
	Failed      End = "failed"      // the job has a Failure: it was given up
)

// Daemon runs jobs in its slots. Its methods may be called concurrently.
type Daemon struct {
	Options
	slots *slots
	// oomKills counts the processes that the system has ended for memory.
	oomKills func() int64

	// stopping is closed when the daemon drains, killing when its patience with
	// the draining is at an end.
	stopping, killing chan struct{}

	mu       sync.Mutex
	draining bool
	running  map[string]*run // by job
	runs     sync.WaitGroup
}

// run is a Do under way, which others of the same job join.
type run struct {
	done chan struct{}
	end  End
	err  error
}

// New makes a Daemon. It does nothing until Do.
func New(o Options) *Daemon {
	o = o.withDefaults()
	return &Daemon{
		Options:  o,
		slots:    newSlots(o.Slots, o.Now),
		oomKills: countOOMKills,
		stopping: make(chan struct{}), killing: make(chan struct{}),
		running: map[string]*run{},
	}
}

// Do runs one attempt at a job on behalf of a sweep, waiting for a slot first,
// and returns when the attempt's child has exited and its end is recorded. A
// job that has an outcome or a Failure, or whose sweep was canceled, is not run.
// A second Do of a job that this daemon runs already joins the first.
//
// The end of ctx interrupts the attempt as Drain does; a cause that it has of its own
// says who has taken the job over. A queue that cancels its
// handlers' contexts for reasons of its own must keep them from Do.
func (d *Daemon) Do(ctx context.Context, t Task) (End, error) {
	d.mu.Lock()
	if d.draining {
		d.mu.Unlock()
		return Interrupted, nil
	}
	r, there := d.running[t.Job]
	if !there {
		r = &run{done: make(chan struct{})}
		d.running[t.Job] = r
		d.runs.Add(1)
	}
	d.mu.Unlock()
	if there {
		return r.join(ctx)
	}

	defer d.runs.Done()
	r.end, r.err = d.do(ctx, t)
	d.mu.Lock()
	delete(d.running, t.Job)
	d.mu.Unlock()
	close(r.done)
	return r.end, r.err
}

func (r *run) join(ctx context.Context) (End, error) {
	select {
	case <-r.done:
		return r.end, r.err
	case <-ctx.Done():
		return Interrupted, nil
	}
}

func (d *Daemon) do(ctx context.Context, t Task) (End, error) {
	ctx, interrupt := d.untilDrain(ctx)
	defer interrupt()
	if end, err := d.settled(ctx, t.Sweep, t.Job); end != "" {
		d.Meter.Job(end, false)
		return d.orInterrupted(ctx, end, err)
	}
	var spec plan.Spec
	if err := artifacts.GetJSON(ctx, d.Store, plan.SpecKey(t.Job), &spec); err != nil {
		return d.orInterrupted(ctx, Retry, err)
	}
	if spec.Engine != plan.Engine {
		return Retry, fmt.Errorf("job %s was planned for engine %s and this worker has engine %s: run workers of the version that submitted it",
			t.Job, spec.Engine, plan.Engine)
	}
	taken, err := d.slots.take(ctx, t.device(spec.Resources), spec.Resources.SlotsPerTrial)
	if errors.Is(err, errResting) {
		return Interrupted, nil
	}
	if err != nil {
		return d.orInterrupted(ctx, Retry, err)
	}
	defer d.slots.give(taken...)
	// Much may have happened during the wait.
	if end, err := d.settled(ctx, t.Sweep, t.Job); end != "" {
		d.Meter.Job(end, false)
		return d.orInterrupted(ctx, end, err)
	}
	if !d.Claim(ctx) {
		return Interrupted, nil
	}
	end, err := d.attempt(ctx, t, spec, taken[0])
	d.Meter.Job(end, true)
	return end, err
}

// untilDrain is ctx until the daemon drains.
func (d *Daemon) untilDrain(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-d.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-done }
}

// orInterrupted is how something ends that may have failed only because ctx did.
func (d *Daemon) orInterrupted(ctx context.Context, end End, err error) (End, error) {
	if err != nil && ctx.Err() != nil {
		return Interrupted, nil
	}
	return end, err
}

// settled returns how a job ends that needs no attempt, or "".
func (d *Daemon) settled(ctx context.Context, sweep, job string) (End, error) {
	done, err := artifacts.Exists(ctx, d.Store, plan.OutcomeKey(job))
	if err != nil {
		return Retry, err
	}
	if done {
		return Completed, nil
	}
	var f plan.Failure
	err = artifacts.GetJSON(ctx, d.Store, plan.FailureKey(job), &f)
	if err == nil {
		return Failed, &GivenUpError{f}
	}
	if !errors.Is(err, artifacts.ErrNotFound) {
		return Retry, err
	}
	held, err := d.held(ctx, sweep)
	if err != nil {
		return Retry, err
	}
	if held != "" {
		return Canceled, nil
	}
	return "", nil
}

// Stop tells all attempts to write a checkpoint and end as Interrupted, and
// refuses new ones. It returns at once; calling it again does nothing.
func (d *Daemon) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.draining {
		d.draining = true
		close(d.stopping)
	}
}

// Drain stops the daemon and waits until every attempt has ended and is
// recorded. When ctx ends before, the children that are left are killed, which
// loses what they did since their last checkpoint; the error is then ctx's.
func (d *Daemon) Drain(ctx context.Context) error {
	d.Stop()
	done := make(chan struct{})
	go func() { d.runs.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	select {
	case <-d.killing:
	default:
		close(d.killing)
	}
	d.mu.Unlock()
	<-done
	return ctx.Err()
}

// GivenUpError says why a job has a Failure.
type GivenUpError struct{ Failure plan.Failure }

// Error is the reason.
func (e *GivenUpError) Error() string { return e.Failure.Reason }

// Hint is what may help, as the trainer process said it.
func (e *GivenUpError) Hint() string { return e.Failure.Hint }
