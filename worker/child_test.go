package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
	"orchestrator/trainer/ort"
)

// stuck is a store that does not answer until the context ends or it is let go.
type stuck struct {
	artifacts.Store
	asked chan struct{}
	free  chan struct{}
}

func (s *stuck) Get(ctx context.Context, key string) (io.ReadCloser, artifacts.Info, error) {
	close(s.asked)
	select {
	case <-ctx.Done():
		return nil, artifacts.Info{}, ctx.Err()
	case <-s.free:
		return nil, artifacts.Info{}, artifacts.ErrNotFound
	}
}

// process is a RunJob in this process that hangs at its first look into the
// store.
type process struct {
	stdin  *io.PipeWriter
	events bytes.Buffer
	store  *stuck
	exited chan int
	result chan error
}

func startProcess(t *testing.T, ctx context.Context) *process {
	t.Helper()
	in, stdin := io.Pipe()
	p := &process{stdin: stdin, store: &stuck{asked: make(chan struct{}), free: make(chan struct{})}, exited: make(chan int, 1), result: make(chan error)}
	go func() {
		p.result <- RunJob(ctx, JobProcess{Store: p.store, CacheDir: t.TempDir(), Exit: func(code int) {
			p.exited <- code
			close(p.store.free)
		}}, in, &p.events)
	}()
	p.send(t, `{"job":"job","attempt":1,"device":"cpu"}`)
	<-p.store.asked
	return p
}

func (p *process) send(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (p *process) lastEvent(t *testing.T) event {
	t.Helper()
	var e event
	for lines := bufio.NewScanner(&p.events); lines.Scan(); {
		e = event{}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestProcessExitsWhenItsDaemonIsGone(t *testing.T) {
	p := startProcess(t, t.Context())
	_ = p.stdin.Close()
	if code := <-p.exited; code != exitOrphaned {
		t.Errorf("exited with %d, want %d", code, exitOrphaned)
	}
	<-p.result
}

func TestProcessStopsWhilePreparing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for name, stop := range map[string]func(p *process){
		"told to":        func(p *process) { p.send(t, stopLine) },
		"context cancel": func(*process) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			p := startProcess(t, ctx)
			stop(p)
			if err := <-p.result; err != nil {
				t.Errorf("an interruption is no error: %v", err)
			}
			if e := p.lastEvent(t); e.Kind != eventInterrupted {
				t.Errorf("the last event is %+v", e)
			}
			_ = p.stdin.Close()
			select {
			case code := <-p.exited:
				t.Errorf("the end of stdin after the job's exits with %d", code)
			default:
			}
		})
	}
}

func TestProcessSaysWhyItFailed(t *testing.T) {
	p := startProcess(t, t.Context())
	close(p.store.free)
	if err := <-p.result; !errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("RunJob = %v", err)
	}
	if e := p.lastEvent(t); e.Kind != eventFailed || e.Permanent || !strings.Contains(e.Reason, "no such object") {
		t.Errorf("the last event is %+v", e)
	}
	_ = p.stdin.Close()
}

func TestProcessWithoutAnOrder(t *testing.T) {
	for _, in := range []string{"", "\n", "stop\n", "{}\n"} {
		var events bytes.Buffer
		err := RunJob(t.Context(), JobProcess{Store: artifacts.Mem()}, strings.NewReader(in), &events)
		if err == nil || events.Len() > 0 {
			t.Errorf("with %q on its stdin: %v, %q", in, err, events.String())
		}
	}
}

// The store is opened with what the order says, and where that fails the daemon is
// told why.
func TestOrderSaysHowToOpenTheStore(t *testing.T) {
	var events bytes.Buffer
	var settings string
	p := JobProcess{CacheDir: t.TempDir(), Open: func(_ context.Context, s json.RawMessage) (artifacts.Store, error) {
		settings = string(s)
		return nil, errors.New("no such bucket")
	}}
	if err := RunJob(t.Context(), p, strings.NewReader(`{"job":"job","attempt":1,"device":"cpu","settings":{"key":"k"}}`+"\n"), &events); err == nil {
		t.Error("no error where the store cannot be opened")
	}
	if settings != `{"key":"k"}` {
		t.Errorf("the store was opened with %q", settings)
	}
	if !strings.Contains(events.String(), `"event":"failed","reason":"no such bucket"`) {
		t.Errorf("the daemon was told %s", &events)
	}
}

func TestWhatTheCPUComputesIsSaid(t *testing.T) {
	var log bytes.Buffer
	j := &jobProcess{JobProcess: JobProcess{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	j.warnOfCPU(nil)
	if log.Len() > 0 {
		t.Errorf("of nothing it says %q", log.String())
	}
	j.warnOfCPU([]ort.Placement{{Graph: "train", Op: "MaxPool", Nodes: []string{"pool1", "pool2"}}, {Graph: "eval", Op: "LRN", Nodes: []string{"norm1"}}})
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, `nodes="train: MaxPool pool1 pool2; eval: LRN norm1"`) {
		t.Errorf("it says %q", got)
	}
}

// How the host uses its devices reaches the library with what the job says.
func TestTuningReachesTheLibrary(t *testing.T) {
	j := &jobProcess{JobProcess: JobProcess{Library: library(t)}, order: order{Device: "cpu"}}
	rt, err := j.openRuntime(plan.Spec{Config: tinyConfig()})
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Close(); err != nil {
		t.Error(err)
	}
	j.Tuning.Arena = "huge"
	if _, err := j.openRuntime(plan.Spec{Config: tinyConfig()}); err == nil || !strings.Contains(err.Error(), `arena "huge"`) {
		t.Errorf("a setting that the library does not know gives %v", err)
	}
	var spec plan.Spec
	spec.Config.Training.Precision, spec.Config.Training.Deterministic = "tf32", true
	j.Tuning = ort.Tuning{Strict: true}
	if got := j.tuning(spec); got != (ort.Tuning{Strict: true, TF32: true, Deterministic: true}) {
		t.Errorf("the tuning is %+v", got)
	}
}

// A step that float16 was too small for is in the daemon's log.
func TestSkippedStepIsLogged(t *testing.T) {
	var events bytes.Buffer
	out := &eventWriter{w: &events}
	j := &jobProcess{JobProcess: JobProcess{Log: childLog(out)}, out: out, meter: &meter{}}
	report := j.reporter(plan.Spec{})
	report(trainer.Progress{Epoch: 1, Epochs: 1, Step: 1, Steps: 9, LossScale: 65536})
	report(trainer.Progress{Epoch: 1, Epochs: 1, Step: 2, Steps: 9, LossScale: 32768, Skipped: true})
	if got := strings.Count(events.String(), `"WARN"`); got != 1 || !strings.Contains(events.String(), `"step":2,"loss_scale":32768`) {
		t.Errorf("%d warnings in:\n%s", got, events.String())
	}
}
