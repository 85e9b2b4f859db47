package ort

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"orchestrator/trainer/onnx"
)

// Options of a Runtime.
type Options struct {
	// Library is the path of the shared library; empty: FindLibrary looks for it.
	Library string
	// Threads work on one node at a time; 0: one per processor. The number can
	// change the last bits of the results, as sums are then split elsewhere.
	Threads int
	// Device is "cpu", also where it is empty.
	Device string
}

// Runtime opens sessions. Its methods may be called concurrently.
type Runtime struct {
	lib     *library
	threads int

	mu       sync.Mutex
	closed   bool
	sessions map[*Session]struct{}
}

// loaded is the library of this process. There can be one only: the bindings
// keep it in package variables.
var loaded struct {
	sync.Mutex
	lib *library
}

// New loads the library, unless this process has it already, and returns a
// Runtime. An unusable library gives a *LibraryError.
func New(o Options) (*Runtime, error) {
	if o.Device != "" && o.Device != "cpu" {
		return nil, fmt.Errorf("device %q is not supported: this build runs on \"cpu\"", o.Device)
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("a runtime cannot have %d threads", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	path, _, err := FindLibrary(o.Library)
	if err != nil {
		return nil, err
	}
	lib, err := loadOnce(path)
	if err != nil {
		return nil, err
	}
	return &Runtime{lib: lib, threads: o.Threads, sessions: map[*Session]struct{}{}}, nil
}

func loadOnce(path string) (*library, error) {
	if strings.ContainsRune(path, filepath.Separator) {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("ONNX Runtime library %s: %w", path, err)
		}
		path = abs
	}
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.lib != nil {
		if loaded.lib.path != path {
			return nil, fmt.Errorf("ONNX Runtime library %s: this process has already loaded %s", path, loaded.lib.path)
		}
		return loaded.lib, nil
	}
	lib, err := load(path)
	if err != nil {
		return nil, err
	}
	onnxruntime.SetSharedLibraryPath(path)
	// Errors reach the caller as errors; the library's own log would repeat
	// them on standard error in the middle of a progress display.
	if err := onnxruntime.InitializeEnvironment(onnxruntime.WithLogLevelFatal()); err != nil {
		return nil, &LibraryError{Path: path, Found: lib.version, Reason: fmt.Sprintf("version %s cannot be started: %v", lib.version, err)}
	}
	loaded.lib = lib
	return lib, nil
}

// Version is the library's version, as "1.24.3".
func (r *Runtime) Version() string { return r.lib.version }

// Library is the path of the shared library in use.
func (r *Runtime) Library() string { return r.lib.path }

// Threads is the number of threads that work on one node.
func (r *Runtime) Threads() int { return r.threads }

// Providers lists the execution providers that the library was built with, the
// one that it prefers first. Being built in does not mean that the device exists.
func (r *Runtime) Providers() []string { return slices.Clone(r.lib.providers) }

// Open compiles g, whose inputs and outputs must be static.
func (r *Runtime) Open(g *onnx.Graph) (*Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("the runtime is closed")
	}
	s, err := newSession(g, r.threads)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime cannot open graph %q: %w", g.Name, err)
	}
	s.onClose = func() { r.forget(s) }
	r.sessions[s] = struct{}{}
	return s, nil
}

func (r *Runtime) forget(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, s)
}

// Close closes the sessions that are still open; one that is running ends its
// run first. It is safe to call twice. The library stays loaded.
func (r *Runtime) Close() error {
	r.mu.Lock()
	r.closed = true
	open := make([]*Session, 0, len(r.sessions))
	for s := range r.sessions {
		open = append(open, s)
	}
	r.mu.Unlock()
	var errs []error
	for _, s := range open {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
