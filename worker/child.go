package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/ort"
	"orchestrator/worker/device"
)

// JobProcess is what a trainer process needs besides the order that it reads.
type JobProcess struct {
	Store artifacts.Store
	// Open opens the store by the daemon's Options.Settings, where Store is nil.
	Open func(ctx context.Context, settings json.RawMessage) (artifacts.Store, error)
	// CacheDir holds what this machine has fetched and decoded. All trainer
	// processes of a machine share it.
	CacheDir string
	// CacheSize is what CacheDir may take, in bytes, but for what running jobs hold and
	// for one that is being made; 0: any. What was used longest ago goes first.
	CacheSize int64
	// Library is the ONNX Runtime library; empty: package ort looks for it.
	Library string
	// Tuning is how this host uses a device that is no processor; what of it a job
	// determines is the job's.
	Tuning ort.Tuning
	// Versions are of the program, for the outcome; the library's is added.
	Versions map[string]string
	Log      *slog.Logger // nil: the daemon's
	// StorePatience is how long each read and write is tried again while the
	// store is not available; 0: 10 minutes.
	StorePatience time.Duration
	// Exit ends the process when its daemon is gone; nil: os.Exit.
	Exit func(code int)
}

const (
	// aliveEvery is how often the daemon is told that the inputs are still being
	// prepared.
	aliveEvery = 10 * time.Second
	// progressEvery bounds the number of events of jobs with tiny steps.
	progressEvery = 200 * time.Millisecond
	// exitOrphaned is the status of a process whose daemon died.
	exitOrphaned = 4
)

// RunJob is the trainer process's half of the package: it reads an order from
// in, runs the job, and writes events to out, of which the last says how it
// ended. The line "stop" on in, SIGTERM, SIGINT and the end of ctx have it write
// a checkpoint and end early, which is no error. The end of in means that the
// daemon is dead: the process exits at once.
//
// An error has been told to the daemon already, as far as that was possible.
func RunJob(ctx context.Context, p JobProcess, in io.Reader, out io.Writer) error {
	if p.Exit == nil {
		p.Exit = os.Exit
	}
	if p.StorePatience == 0 {
		p.StorePatience = 10 * time.Minute
	}
	meter := &meter{}
	j := &jobProcess{JobProcess: p, out: &eventWriter{w: out, meter: meter}, meter: meter}
	if j.Log == nil {
		j.Log = childLog(j.out)
	}
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &j.order) != nil || j.order.Job == "" {
		return errors.New("no order came on the standard input; this command is for a worker daemon to start")
	}
	if j.Store == nil {
		if j.Store, err = p.Open(ctx, j.order.Settings); err != nil {
			return errors.Join(err, j.out.write(failure(err)))
		}
	}
	j.Store = artifacts.Observed(j.Store, meter.store)
	stop, done := j.listen(ctx, lines)
	defer done()
	err = j.run(context.WithoutCancel(ctx), stop)
	if errors.Is(err, trainer.ErrInterrupted) {
		return j.out.write(event{Kind: eventInterrupted})
	}
	if err != nil {
		return errors.Join(err, j.out.write(failure(err)))
	}
	return nil
}

// jobProcess is a RunJob under way.
type jobProcess struct {
	JobProcess
	order order
	out   *eventWriter
	meter *meter
}

// listen closes stop when the job is to be interrupted. After done it has no
// effect any more; the reading itself ends with the process.
func (j *jobProcess) listen(ctx context.Context, lines *bufio.Reader) (stop <-chan struct{}, done func()) {
	asked, over := make(chan struct{}), make(chan struct{})
	interrupt := sync.OnceFunc(func() { close(asked) })
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		select {
		case <-signals:
			interrupt()
		case <-ctx.Done():
			interrupt()
		case <-over:
		}
	}()
	go func() {
		for {
			line, err := lines.ReadString('\n')
			select {
			case <-over:
				return
			default:
			}
			if line == stopLine+"\n" {
				interrupt()
			}
			if err != nil {
				j.Exit(exitOrphaned)
				return
			}
		}
	}()
	return asked, func() { signal.Stop(signals); close(over) }
}

// failure is what the daemon needs to know of an error.
func failure(err error) event {
	e := event{Kind: eventFailed, Reason: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		e.Hint = hinted.Hint()
	}
	e.Permanent = permanent(err)
	e.Transient = passes(err)
	var short interface{ OutOfMemory() bool }
	e.OutOfMemory = errors.As(err, &short) && short.OutOfMemory()
	return e
}

// permanent reports whether every attempt on every machine would fail like
// this: the input is at fault, not this machine or this moment.
func permanent(err error) bool {
	var library *ort.LibraryError
	var dev *ort.DeviceError
	var left *ort.PlacementError
	if errors.As(err, &library) || errors.As(err, &dev) || errors.As(err, &left) { // other hosts may have better ones
		return false
	}
	var told interface{ Permanent() bool }
	if errors.As(err, &told) {
		return told.Permanent()
	}
	var input interface{ ExitCode() int }
	return errors.As(err, &input) && input.ExitCode() == 2
}

// run does the job and reports its result.
func (j *jobProcess) run(ctx context.Context, stop <-chan struct{}) error {
	spec, err := j.readSpec(ctx, stop)
	if err != nil {
		return err
	}
	if spec.Config.IsProbe() {
		return j.probe(ctx, spec, stop)
	}
	job, in, err := j.prepare(ctx, spec, stop)
	if err != nil {
		return err
	}
	defer in.close()
	rt, err := j.openRuntime(spec)
	if err != nil {
		return err
	}
	defer func() { _ = rt.Close() }()
	job.Target = trainer.TargetOf(rt.Device())
	closeFeatures, err := j.openFeatures(ctx, spec, &job, in, trainer.RuntimeOf(rt), stop)
	if err != nil {
		return err
	}
	defer closeFeatures()
	began := time.Now()
	result, err := trainer.Run(ctx, job, trainer.RuntimeOf(rt), j.checkpoints(ctx, spec), stop, j.reporter(spec))
	j.warnOfCPU(rt.Placement())
	if err != nil {
		return err
	}
	j.Log.Info("training is done", "seconds", time.Since(began).Seconds())
	var objects map[string]plan.Ref
	if result.Model != nil { // a job that stops at a rung has none
		if objects, err = j.storeResults(ctx, spec, job, result); err != nil {
			return err
		}
	}
	return j.out.write(event{Kind: eventResult, Outcome: j.outcome(spec, result, objects, rt.Version())})
}

// openRuntime opens the device that the job runs on.
func (j *jobProcess) openRuntime(spec plan.Spec) (*ort.Runtime, error) {
	return ort.New(ort.Options{Library: j.Library, Threads: spec.Config.Training.Threads, Device: j.order.Device, Tuning: j.tuning(spec)})
}

// tuning is the host's, with what the job determines of it.
func (j *jobProcess) tuning(spec plan.Spec) ort.Tuning {
	t := j.Tuning
	t.TF32, t.Deterministic = spec.Config.Training.Precision == "tf32", spec.Config.Training.Deterministic
	return t
}

// warnOfCPU says which nodes the device has left to the processor: training is right
// that way, but slower than it could be.
func (j *jobProcess) warnOfCPU(left []ort.Placement) {
	if len(left) == 0 {
		return
	}
	lines := make([]string, len(left))
	for i, p := range left {
		lines[i] = fmt.Sprintf("%s: %s %s", p.Graph, p.Op, strings.Join(p.Nodes, " "))
	}
	j.Log.Warn("the device leaves nodes to the processor, which costs time", "nodes", strings.Join(lines, "; "))
}

// readSpec reads what the job is.
func (j *jobProcess) readSpec(ctx context.Context, stop <-chan struct{}) (spec plan.Spec, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := j.whilePreparing(stop, cancel)
	defer quiet()
	err = patiently(ctx, j.StorePatience, j.Log, func() error {
		return artifacts.GetJSON(ctx, j.Store, plan.SpecKey(j.order.Job), &spec)
	})
	return spec, orInterrupted(stop, err)
}

// orInterrupted is the error, unless the job is to stop: there is nothing to write
// a checkpoint of yet.
func orInterrupted(stop <-chan struct{}, err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-stop:
		return trainer.ErrInterrupted
	default:
		return err
	}
}

// prepare fetches and opens everything that the training needs. The daemon
// hears that the process is alive meanwhile, as this may take long.
func (j *jobProcess) prepare(ctx context.Context, spec plan.Spec, stop <-chan struct{}) (job trainer.Job, in inputs, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := j.whilePreparing(stop, cancel)
	defer quiet()
	if in, err = j.openInputs(ctx, spec); err != nil {
		return job, in, orInterrupted(stop, err)
	}
	if job, err = trainerJob(spec, in.base, in.data); err != nil {
		in.close()
		return job, in, err
	}
	return job, in, nil
}

// whilePreparing sends signs of life, and cancels when the job is to stop.
func (j *jobProcess) whilePreparing(stop <-chan struct{}, cancel context.CancelFunc) (end func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(aliveEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = j.out.write(event{Kind: eventAlive}) // the end of stdin tells if nobody reads it
			case <-stop:
				cancel()
				return
			case <-over:
				return
			}
		}
	}()
	return func() { close(over); <-done }
}

func (j *jobProcess) checkpoints(ctx context.Context, spec plan.Spec) *checkpoints {
	return &checkpoints{
		ctx: ctx, store: j.Store, job: spec.Job, alike: spec.SameTraining, attempt: j.order.Attempt, log: j.Log, patience: j.StorePatience,
		keep: spec.Checkpoints, metric: spec.Metric, meter: j.meter,
		saved: func(key string) { _ = j.out.write(event{Kind: eventCheckpointed, Object: key}) },
	}
}

// reporter turns the trainer's progress into events.
func (j *jobProcess) reporter(spec plan.Spec) func(trainer.Progress) {
	var last time.Time
	began, first := time.Now(), -1
	return func(p trainer.Progress) {
		now := time.Now()
		if p.Skipped {
			j.Log.Warn("a step had no update: its gradients are beyond float16, and the loss scale was halved", "epoch", p.Epoch, "step", p.Step, "loss_scale", p.LossScale)
		}
		if p.Evaluated == nil {
			j.warnOfFirstLoss(p, spec)
			j.meter.step(p.StepSeconds, p.DataSeconds)
		} else {
			j.meter.epoch()
		}
		if p.Evaluated == nil && now.Sub(last) < progressEvery {
			return
		}
		last = now
		out := planProgress(p)
		if first < 0 {
			first = out.Step - 1
		}
		out.ETA = now.Sub(began).Seconds() / float64(out.Step-first) * float64(out.Steps-out.Step)
		_ = j.out.write(event{Kind: eventProgress, Progress: &out})
		if p.Evaluated != nil {
			line := planEpoch(*p.Evaluated, spec.Config.Evaluation.Metrics)
			_ = j.out.write(event{Kind: eventEvaluated, Epoch: &line})
		}
	}
}

// farAbove is how many times ln(classes), the loss of a network that knows nothing, a
// first loss has to be to be conspicuous.
const farAbove = 5

// warnOfFirstLoss says where the very first loss of a softmax is far above that of
// guessing: the pictures are then seldom in the range that the network is made for.
func (j *jobProcess) warnOfFirstLoss(p trainer.Progress, spec plan.Spec) {
	t, guessing := spec.Config.Training, math.Log(float64(len(spec.Classes)))
	if p.Epoch != 1 || p.Step != 1 || t.Loss != "softmax" || t.ClassWeights.Balanced || len(t.ClassWeights.Classes) > 0 || !(p.TrainLoss > farAbove*guessing) {
		return
	}
	j.Log.Warn("the first loss is far above that of guessing, ln(classes): are preprocessing.mean, std and scale those of the network, for pixels from 0 to 255?",
		"loss", p.TrainLoss, "guessing", guessing)
}

// outcome is what the process knows of it; the daemon adds the rest.
func (j *jobProcess) outcome(spec plan.Spec, r *trainer.Result, objects map[string]plan.Ref, library string) *plan.Outcome {
	o := &plan.Outcome{
		Metrics: scores(r.Scores, spec.Config.Evaluation.Metrics), Epochs: len(r.History), Seconds: r.Seconds,
		Classes: spec.Classes, Objects: objects,
		Versions: map[string]string{"engine": plan.Engine, "onnxruntime": library, "go": runtime.Version()},
	}
	o.SetConfusion(r.Confusion)
	j.versions(o.Versions)
	for _, e := range r.History {
		o.History = append(o.History, planEpoch(e, spec.Config.Evaluation.Metrics))
	}
	return o
}

// versions adds those of the program, of the device, and of what was loaded for it.
func (j *jobProcess) versions(to map[string]string) {
	maps.Copy(to, j.Versions)
	maps.Copy(to, j.order.Versions)
	if j.order.Device != "cpu" {
		maps.Copy(to, device.Loaded())
	}
}
