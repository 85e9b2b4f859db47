package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pipeDelay is how long a child's pipes are read after it has exited, in case
// something that it started holds them open.
const pipeDelay = 2 * time.Second

// child is a running trainer process.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *lineWriter
	stderr *tail
	exited chan struct{} // closed once the process is gone and all its output was passed on
	err    error         // of the exit; valid after exited
}

// startChild starts the process in a process group of its own, so that a Ctrl-C
// in the daemon's terminal is the daemon's to handle. line is called with each
// line of its standard output, from one goroutine, until exited is closed.
func startChild(cmd *exec.Cmd, env []string, o order, line func([]byte), log *slog.Logger) (*child, error) {
	c := &child{cmd: cmd, out: &lineWriter{line: line}, exited: make(chan struct{})}
	c.stderr = &tail{log: log}
	if len(env) > 0 {
		cmd.Env = append(cmd.Environ(), env...)
	}
	cmd.Stdout, cmd.Stderr = c.out, c.stderr
	cmd.WaitDelay = pipeDelay
	cmd.SysProcAttr = childAttributes()
	var err error
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go c.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	// The child may be gone already; its exit tells more than a broken pipe.
	_, _ = c.stdin.Write(append(text, '\n'))
	return c, nil
}

// run starts the process and waits for it on one thread: to the kernel the
// parent whose death a child is to follow is the thread that started it.
func (c *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	c.err = c.cmd.Wait()
	c.kill() // whatever it started and left behind
	c.out.flush()
	c.stderr.flush()
	close(c.exited)
}

// stop asks the process to write a checkpoint and exit.
func (c *child) stop() { _, _ = io.WriteString(c.stdin, stopLine+"\n") }

// kill ends the process and whatever it started.
func (c *child) kill() { _ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) }

// outOfMemory reports whether the process ended for want of memory: by its own
// last words, or because the system chose it. killed is the number of processes
// that the system has ended for memory since this one began.
func (c *child) outOfMemory(killed int64) bool {
	last := c.stderr.String()
	if slices.ContainsFunc(noMemory, func(words string) bool { return strings.Contains(last, words) }) {
		return true
	}
	status, ok := c.status()
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL && killed > 0
}

// status is how the process ended, where it ended badly.
func (c *child) status() (syscall.WaitStatus, bool) {
	var exit *exec.ExitError
	if !errors.As(c.err, &exit) {
		return 0, false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return status, ok
}

// noMemory are the last words of Go's runtime and of C++ libraries that got no
// memory.
var noMemory = []string{"out of memory", "cannot allocate memory", "std::bad_alloc"}

// obituary says what the process died of, with its last words.
func (c *child) obituary() string {
	cause := "exited without a result"
	var exit *exec.ExitError
	switch {
	case errors.As(c.err, &exit):
		cause = describeStatus(exit.Sys())
	case c.err != nil:
		cause = c.err.Error()
	}
	text := "the trainer process " + cause
	if last := c.stderr.String(); last != "" {
		text += "; it said last:\n" + last
	}
	return text
}

func describeStatus(sys any) string {
	status, ok := sys.(syscall.WaitStatus)
	switch {
	case !ok:
		return "failed"
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		return "was killed (signal 9), perhaps because the machine ran out of memory"
	case status.Signaled():
		return fmt.Sprintf("crashed (signal %d, %v)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exited with status %d", status.ExitStatus())
}

// tail logs a process's standard error and keeps what explains its end: the
// last lines, or, where the Go runtime reports a crash, the first lines of that
// report, whose end is only registers.
type tail struct {
	log *slog.Logger

	mu      sync.Mutex
	lines   lineWriter
	kept    []string
	crashed bool // kept begins with the report of a crash
}

const (
	tailLines  = 20
	crashLines = 8
)

// crashes are how such reports begin: of a signal, of the runtime, of a panic.
var crashes = []string{"SIG", "fatal error: ", "panic: ", "unexpected fault address "}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines.line = t.keep
	if _, err := t.lines.Write(p); err != nil {
		t.lines.buf = nil // a process must not end for what it writes to the log
	}
	return len(p), nil
}

func (t *tail) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines.line = t.keep
	t.lines.flush()
}

func (t *tail) keep(line []byte) {
	text := cut(line, 500)
	t.log.Debug("trainer process", "stderr", text)
	if !t.crashed && slices.ContainsFunc(crashes, func(c string) bool { return strings.HasPrefix(text, c) }) {
		t.crashed, t.kept = true, nil
	}
	switch {
	case !t.crashed:
		t.kept = append(t.kept[max(0, len(t.kept)+1-tailLines):], text)
	case len(t.kept) < crashLines:
		t.kept = append(t.kept, text)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.kept, "\n")
}
