package ort

import (
	"cmp"
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
	// Device is one of Devices; empty: "cpu". Of several CUDA devices it is the first
	// that the process sees (CUDA_VISIBLE_DEVICES).
	Device string
	Tuning Tuning
	// OwnMemory treats a device that computes in the host's memory as one that does
	// not: tensors are kept by Alloc and Copy. It is there to try that way anywhere.
	OwnMemory bool
}

// Runtime opens sessions. Its methods may be called concurrently.
type Runtime struct {
	lib     *library
	threads int
	device  string
	tuning  Tuning
	memory  *memory // nil: the device computes in the host's memory
	traffic traffic

	mu       sync.Mutex
	closed   bool
	sessions map[*Session]struct{}
	left     []Placement
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
	o.Device = cmp.Or(o.Device, "cpu")
	if o.Threads < 0 {
		return nil, fmt.Errorf("a runtime cannot have %d threads", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	path, _, err := FindLibrary(o.Library, o.Device)
	if err != nil {
		return nil, err
	}
	lib, err := loadOnce(path)
	if err != nil {
		return nil, err
	}
	r := &Runtime{lib: lib, threads: o.Threads, device: o.Device, tuning: o.Tuning, sessions: map[*Session]struct{}{}}
	if err := checkDevice(lib, o.Device, o.Tuning); err != nil {
		return nil, err
	}
	if err := r.openMemory(o.OwnMemory); err != nil {
		return nil, r.deviceError(err)
	}
	return r, nil
}

// openMemory opens the memory of a device that has its own, which shows, too,
// whether the device can be used at all.
func (r *Runtime) openMemory(forced bool) error {
	if r.device == "cpu" && !forced {
		return nil
	}
	options, err := r.sessionOptions()
	if err != nil {
		return err
	}
	defer func() { _ = options.Destroy() }() // only fails where there is nothing to free
	name, own := memoryNames[r.device]
	if !own {
		return nil
	}
	if r.memory, err = newMemory(r.lib.api, name, options, &r.traffic); err != nil {
		return err
	}
	pinned := pinnedNames[r.device]
	if forced {
		pinned = "Cpu"
	}
	if pinned == "" {
		return nil
	}
	if err = r.memory.pin(pinned); err != nil {
		r.memory.close()
	}
	return err
}

// deviceError is what the library says of a device, under the device's name.
func (r *Runtime) deviceError(err error) error {
	var known *DeviceError
	if errors.As(err, &known) {
		return err
	}
	return &DeviceError{Device: r.device, Reason: strings.TrimSpace(err.Error()), Advice: "orchestrator doctor says what this machine has for it"}
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

// Device is the word for what the sessions run on.
func (r *Runtime) Device() string { return r.device }

// OwnMemory tells whether the device has a memory of its own, which Alloc, Copy and
// Free are for.
func (r *Runtime) OwnMemory() bool { return r.memory != nil }

// InPlace tells whether a session may write an output where an input is that the
// graph's InPlace names.
func (r *Runtime) InPlace() bool { return !separate[r.device] }

// Alloc is a tensor in the device's memory, with any content. Its Data is a
// *Buffer. Only float tensors are kept there.
func (r *Runtime) Alloc(v onnx.Value) (*onnx.Tensor, error) {
	if r.memory == nil {
		return nil, errNoMemory
	}
	return r.memory.alloc(v)
}

// Lend is a tensor of zeros in the host's memory for what is sent to the device often:
// in memory that the device reads without another copy, where there is such. It is
// gone when the runtime is closed.
func (r *Runtime) Lend(v onnx.Value) (*onnx.Tensor, error) {
	if r.memory == nil || r.memory.lender == nil {
		return onnx.NewTensor(v.Type, v.Shape...), nil
	}
	return r.memory.lend(v)
}

// Copy copies the elements of one tensor to another of the same size, either of
// them in the device's memory.
func (r *Runtime) Copy(to, from *onnx.Tensor) error {
	if r.memory == nil {
		return errNoMemory
	}
	if to.Value().Size() != from.Value().Size() {
		return fmt.Errorf("%v elements cannot be copied to %v", from.Shape, to.Shape)
	}
	return r.memory.copy(to, from)
}

// Free gives the memory of a tensor of Alloc's back. Close does so for all.
func (r *Runtime) Free(t *onnx.Tensor) {
	if b, ok := t.Data.(*Buffer); ok && r.memory != nil {
		r.memory.free(b)
	}
}

var errNoMemory = errors.New("the device computes in the host's memory")

// Traffic is what went between the memories so far.
func (r *Runtime) Traffic() Traffic { return r.traffic.read() }

// Placement lists the nodes of all graphs opened so far that the device's provider
// left to the CPU; of a runtime on the CPU there are none.
func (r *Runtime) Placement() []Placement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.left)
}

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
		return nil, errClosed
	}
	s, left, err := r.newSession(g)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime cannot open graph %q: %w", g.Name, err)
	}
	r.left = append(r.left, left...)
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
	first := !r.closed
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
	if first && r.memory != nil {
		r.memory.close()
	}
	return errors.Join(errs...)
}
