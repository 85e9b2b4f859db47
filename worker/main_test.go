package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// The test binary plays the trainer process (and the daemon that is to be
// killed) when this variable says so.
const (
	playEnv   = "WORKER_TEST_PLAY"
	folderEnv = "WORKER_TEST_FOLDER" // where the players leave their traces
)

func TestMain(m *testing.M) {
	switch os.Getenv(playEnv) {
	case "child":
		playChild()
	case "job":
		playJob()
	case "daemon":
		playDaemon()
	default:
		goleak.VerifyTestMain(m, goleak.Cleanup(testenv.Exit))
	}
}

// playChild is a trainer process that behaves as its job's name says. Words are
// divided by dots; it looks for the ones it knows.
func playChild() {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	var o order
	if err != nil || json.Unmarshal(line, &o) != nil {
		fmt.Fprintln(os.Stderr, "no order came")
		os.Exit(4)
	}
	trace(o, "started")
	trace(o, "pid-"+strconv.Itoa(os.Getpid()))
	out := &eventWriter{w: os.Stdout}
	say := func(e event) {
		if err := out.write(e); err != nil {
			os.Exit(5)
		}
	}
	say(event{Kind: eventProgress, Progress: &plan.Progress{Epoch: 1, Epochs: 3, Step: 10, Steps: 30, Loss: 0.5}})
	for _, word := range strings.Split(o.Job, ".") {
		switch word {
		case "shown": // to it, of the devices
			trace(o, fmt.Sprintf("shown-%s-%s-%s", o.Device, os.Getenv("CUDA_VISIBLE_DEVICES"), o.Versions["gpu"]))
		case "noise":
			fmt.Println("a library says something\n{\"and\": \"something else\"}")
		case "logging":
			childLog(out).Debug("quietly")
			childLog(out).Warn("said by the child", "epoch", 2)
		case "epochs":
			say(event{Kind: eventEvaluated, Epoch: &plan.Epoch{Epoch: 1, Metrics: plan.Metrics{}}})
			out.meter = &meter{}
			out.meter.checkpoint(1500*time.Millisecond, 8)
			say(event{Kind: eventAlive})
			say(event{Kind: eventCheckpointed, Object: "first"})
			say(event{Kind: eventEvaluated, Epoch: &plan.Epoch{Epoch: 2, Metrics: plan.Metrics{}}})
			say(event{Kind: eventCheckpointed, Object: "second"})
		case "crash":
			fmt.Fprintln(os.Stderr, "first line\nlast words")
			os.Exit(3)
		case "crashtwice":
			if o.Attempt <= 2 {
				os.Exit(3)
			}
		case "segfault":
			_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
			select {}
		case "permanent":
			say(event{Kind: eventFailed, Reason: "a bad picture", Hint: "remove it", Permanent: true})
			os.Exit(1)
		case "nomemory": // as the runtime says it
			say(event{Kind: eventFailed, Reason: "there is not enough memory", OutOfMemory: true})
			os.Exit(1)
		case "bigheap": // as Go says it
			fmt.Fprintln(os.Stderr, "fatal error: runtime: out of memory\n\ngoroutine 1 [running]:")
			os.Exit(2)
		case "chosen": // as the kernel does it
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "transient":
			say(event{Kind: eventFailed, Reason: "the store is away"})
			os.Exit(1)
		case "away":
			say(event{Kind: eventFailed, Reason: "the store is away", Transient: true})
			os.Exit(1)
		case "hang":
			select {}
		case "orphan": // something that outlives it and holds its pipes
			cmd := exec.Command("sleep", "30")
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			_ = cmd.Start()
		case "train": // until told to stop
			line, err := in.ReadString('\n')
			if err != nil {
				os.Exit(6) // the daemon is gone
			}
			if line == stopLine+"\n" {
				say(event{Kind: eventCheckpointed, Object: "somewhere"})
				say(event{Kind: eventInterrupted})
				trace(o, "ended")
				os.Exit(0)
			}
		case "crashlate":
			defer os.Exit(7)
		}
	}
	trace(o, "ended")
	say(event{Kind: eventResult, Outcome: &plan.Outcome{Metrics: plan.Metrics{"accuracy": 0.75}, Epochs: 3,
		History: []plan.Epoch{{Epoch: 1, TrainLoss: 0.5, Metrics: plan.Metrics{"accuracy": 0.75}}}}})
}

// trace appends what a child does to a log that all children share.
func trace(o order, what string) {
	f, err := os.OpenFile(filepath.Join(os.Getenv(folderEnv), "trace"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s %d %s\n", o.Job, o.Attempt, what)
	}
	if err != nil {
		os.Exit(8)
	}
	_ = f.Close()
}

// playDaemon runs the job "train" until it is killed.
func playDaemon() {
	store, err := artifacts.Dir(filepath.Join(os.Getenv(folderEnv), "store"))
	if err != nil {
		os.Exit(9)
	}
	d := New(Options{Store: store, Slots: []Slot{{Device: "cpu"}}, Command: childCommand(os.Args[0], os.Getenv(folderEnv))})
	_, _ = d.Do(context.Background(), Task{Sweep: "sweep", Job: "train"})
}

func childCommand(binary, folder string) func(context.Context) *exec.Cmd {
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, binary)
		cmd.Env = append(os.Environ(), playEnv+"=child", folderEnv+"="+folder)
		return cmd
	}
}

// bench is a daemon with a store and everything to look at it.
type bench struct {
	*testing.T
	store  artifacts.Store
	folder string
	daemon *Daemon
	board  *fakeBoard
}

// newBench makes a daemon with one slot whose children are playChild's.
func newBench(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{T: t, store: artifacts.Mem(), folder: t.TempDir(), board: &fakeBoard{}}
	o := Options{
		Store: b.store, Slots: []Slot{{Device: "cpu"}}, Command: childCommand(testenv.Binary(t), b.folder), Board: b.board,
		Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug})), Host: "here",
		CancelPoll: 5 * time.Millisecond, ReportEvery: time.Millisecond,
	}
	for _, c := range change {
		c(&o)
	}
	b.daemon = New(o)
	t.Cleanup(b.noProcessIsLeft)
	return b
}

// testWriter logs to the test.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// submit stores the job's spec.
func (b *bench) submit(job string, change ...func(*plan.Spec)) {
	b.Helper()
	s := plan.Spec{Job: job, Engine: plan.Engine, Sweep: "sweep", Resources: plan.Resources{Device: "any", MaxRestarts: 2}}
	for _, c := range change {
		c(&s)
	}
	if err := artifacts.PutJSON(b.Context(), b.store, plan.SpecKey(job), s); err != nil {
		b.Fatal(err)
	}
}

// do runs Do and checks how it ends.
func (b *bench) do(job string, want End) error {
	b.Helper()
	end, err := b.daemon.Do(b.Context(), Task{Sweep: "sweep", Job: job})
	if end != want {
		b.Errorf("Do(%s) ended %s, want %s (error: %v)", job, end, want, err)
	}
	if (err != nil) != (want == Retry || want == Failed) {
		b.Errorf("Do(%s) ended %s with the error %v", job, end, err)
	}
	return err
}

// start runs Do in the background; the channel gives how it ended.
func (b *bench) start(ctx context.Context, job string) <-chan End {
	ended := make(chan End, 1)
	go func() {
		end, _ := b.daemon.Do(ctx, Task{Sweep: "sweep", Job: job})
		ended <- end
	}()
	return ended
}

func (b *bench) outcome(job string) plan.Outcome {
	b.Helper()
	var o plan.Outcome
	if err := artifacts.GetJSON(b.Context(), b.store, plan.OutcomeKey(job), &o); err != nil {
		b.Error(err)
	}
	return o
}

func (b *bench) attempts(job string) []plan.Attempt {
	b.Helper()
	h, err := b.daemon.history(b.Context(), job)
	if err != nil {
		b.Error(err)
	}
	return h.attempts
}

// ends lists how a job's attempts ended.
func (b *bench) ends(job string) string {
	b.Helper()
	var ends []string
	for _, a := range b.attempts(job) {
		ends = append(ends, a.End)
	}
	return strings.Join(ends, " ")
}

func (b *bench) mark(sweep string) {
	b.Helper()
	if err := artifacts.PutJSON(b.Context(), b.store, plan.CancelKey(sweep), "canceled"); err != nil {
		b.Fatal(err)
	}
}

// traces are the lines that children left so far.
func (b *bench) traces() []string { return traces(b.folder) }

func traces(folder string) []string {
	text, err := os.ReadFile(filepath.Join(folder, "trace"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n")
}

// pids are the processes of all children so far.
func pids(folder string) []int {
	var all []int
	for _, line := range traces(folder) {
		if _, text, ok := strings.Cut(line, " pid-"); ok {
			if pid, err := strconv.Atoi(text); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

func (b *bench) whenRunning(job string) (pid int) {
	b.Helper()
	eventually(b, "a child runs", func() bool {
		for _, line := range b.traces() {
			if text, ok := strings.CutPrefix(line, job+" "); ok {
				if _, number, ok := strings.Cut(text, "pid-"); ok {
					pid, _ = strconv.Atoi(number)
				}
			}
		}
		return pid != 0
	})
	return pid
}

func (b *bench) noProcessIsLeft() {
	for _, pid := range pids(b.folder) {
		if alive(pid) {
			b.Errorf("child process %d outlives the test", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// alive is false for a zombie too: it waits only for its parent.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it does not happen that %s", what)
		}
	}
}

// fakeBoard remembers what it was told last.
type fakeBoard struct {
	mu   sync.Mutex
	last map[string]plan.Progress
	wait chan struct{} // if set, Report waits for it or its context
}

func (f *fakeBoard) Report(ctx context.Context, job string, p plan.Progress) error {
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		f.last = map[string]plan.Progress{}
	}
	f.last[job] = p
	return nil
}

func (f *fakeBoard) of(job string) (plan.Progress, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.last[job]
	return p, ok
}

// flaky is a store that is not available for the first so many writes of a key.
type flaky struct {
	artifacts.Store
	mu   sync.Mutex
	left map[string]int
	err  error // nil: ErrUnavailable
}

func (f *flaky) because() error {
	if f.err != nil {
		return f.err
	}
	return artifacts.ErrUnavailable
}

func (f *flaky) fails(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left[key]--
	return f.left[key] >= 0
}

func (f *flaky) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	if f.fails(key) {
		return fmt.Errorf("create %s: %w", key, f.because())
	}
	return f.Store.Create(ctx, key, r, size)
}

func (f *flaky) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if f.fails(key) {
		return fmt.Errorf("write %s: %w", key, f.because())
	}
	return f.Store.Put(ctx, key, r, size)
}
