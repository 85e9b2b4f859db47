package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"orchestrator/scheduler/plan"
)

// order is the first line on a trainer process's standard input.
type order struct {
	Job     string `json:"job"`
	Attempt int    `json:"attempt"`
	Device  string `json:"device"`
	// Versions are of the device, for the outcome.
	Versions map[string]string `json:"versions,omitempty"`
	// Settings are for JobProcess.Open: here and not in the environment, as that can
	// be read in /proc.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// stopLine asks a trainer process to write a checkpoint and exit.
const stopLine = "stop"

// The kinds of events that a trainer process writes.
const (
	eventAlive        = "alive"        // still preparing
	eventProgress     = "progress"     // a step or an evaluation is done
	eventEvaluated    = "evaluated"    // an epoch is done and scored
	eventCheckpointed = "checkpointed" // a checkpoint is in the store
	eventLog          = "log"          // a message for the log
	eventResult       = "result"       // done; the last event
	eventInterrupted  = "interrupted"  // stopped as asked; the last event
	eventFailed       = "failed"       // the last event
)

// event is one line on a trainer process's standard output. Which fields are set
// depends on the kind.
type event struct {
	Kind string `json:"event"`

	Progress *plan.Progress `json:"progress,omitempty"` // what the process knows of it
	Epoch    *plan.Epoch    `json:"epoch,omitempty"`    // of evaluated
	Object   string         `json:"object,omitempty"`   // of checkpointed: its key
	// Log is a message as slog's JSON handler writes it.
	Log     json.RawMessage `json:"log,omitempty"`
	Outcome *plan.Outcome   `json:"outcome,omitempty"` // of result, without what only the daemon knows

	// Measures is what the process has measured since it last told; with any event.
	Measures *Measures `json:"measures,omitempty"`

	Reason    string `json:"reason,omitempty"` // of failed
	Hint      string `json:"hint,omitempty"`
	Permanent bool   `json:"permanent,omitempty"` // another attempt would fail the same way
	// OutOfMemory: there was no memory for it on this machine at this moment.
	OutOfMemory bool `json:"out_of_memory,omitempty"`
	// Transient: the store was away, or a disk full, for too long; the job is not at fault.
	Transient bool `json:"transient,omitempty"`
}

// last reports whether nothing follows the event.
func (e event) last() bool {
	return e.Kind == eventResult || e.Kind == eventInterrupted || e.Kind == eventFailed
}

// eventWriter writes events, each in one piece, from any goroutine.
type eventWriter struct {
	mu    sync.Mutex
	w     io.Writer
	meter *meter // whose measures go along; nil: there are none
}

func (w *eventWriter) write(e event) error {
	if e.Kind != eventLog {
		e.Measures = w.meter.take()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode the event %q: %w", e.Kind, err)
	}
	if len(line) > maxLine {
		return &longEventError{e.Kind, len(line)}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("tell the worker daemon: %w", err)
	}
	return nil
}

// longEventError says that the daemon would not take an event. Whoever runs the job
// again comes to the same.
type longEventError struct {
	kind string
	size int
}

func (e *longEventError) Error() string {
	return fmt.Sprintf("the event %q has %d bytes; at most %d are accepted", e.kind, e.size, maxLine)
}

func (e *longEventError) Permanent() bool { return true }

// lineWriter calls a function with each whole line that is written to it.
type lineWriter struct {
	buf  []byte
	line func([]byte)
}

// maxLine bounds the memory that a child can make us use. The confusion of
// plan.MostDense classes is a third of it, a result with a thousand epochs a
// four-hundredth.
const maxLine = 64 << 20

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	for {
		end := bytes.IndexByte(w.buf, '\n')
		if end < 0 {
			break
		}
		w.line(w.buf[:end])
		w.buf = w.buf[end+1:]
	}
	if len(w.buf) > maxLine {
		return 0, fmt.Errorf("a line of more than %d bytes", maxLine)
	}
	return len(p), nil
}

// flush passes on what is left without an end of line.
func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.line(w.buf)
		w.buf = nil
	}
}
