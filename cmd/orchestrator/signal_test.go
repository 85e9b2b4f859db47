package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/tools/testenv"
)

// The first signal ends a command also where it waits for something that cannot be
// interrupted, here a sweep file that nobody writes.
func TestFirstSignalEndsEveryCommand(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	for _, command := range []string{"plan", "run"} {
		for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
			w := newWorkspace(t)
			pipe := filepath.Join(w.dir, "sweep.yaml")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			p := w.start(command, "sweep.yaml")
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // as soon as the command reads
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			p.signal(signal)
			if code := p.wait(time.Minute); code != exitInterrupted {
				t.Errorf("%s ends with %d after %v, not %d", command, code, signal, exitInterrupted)
			}
			if said := p.log.String(); !strings.Contains(said, "interrupted") {
				t.Errorf("%s says %q after %v", command, said, signal)
			}
		}
	}
}

func TestLongWorkSaysWhatItDoes(t *testing.T) {
	old := busyEvery
	busyEvery = time.Millisecond
	defer func() { busyEvery = old }()
	var said syncBuffer
	a := &app{err: &said}
	done := a.busy(func() string { return "reading the pictures" })
	eventually(t, time.Minute, "something is said", func() bool { return strings.Contains(said.String(), "reading the pictures, for ") })
	done()
}
