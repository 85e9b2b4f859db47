package ort

import (
	"fmt"
	"strings"
)

// APIVersion is the version of ONNX Runtime's C interface that this program is
// written against: a library offers it from release 1.APIVersion on.
const APIVersion = 24

// MemoryError says that the library got no memory.
type MemoryError struct {
	Err error // what the library says
}

// Error has the library's words, which name the size and the node.
func (e *MemoryError) Error() string { return fmt.Sprintf("there is not enough memory: %v", e.Err) }

// Unwrap is what the library says.
func (e *MemoryError) Unwrap() error { return e.Err }

// OutOfMemory marks the error for those who do not know this package.
func (e *MemoryError) OutOfMemory() bool { return true }

// noMemory are the words for it in messages of the library, which has no code of
// its own for it, and of CUDA's: an arena at its limit, cuBLAS, cuDNN.
var noMemory = []string{
	"Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory",
	"is smaller than requested bytes of", "STATUS_ALLOC_FAILED",
}

// classed is an error of the library, a *MemoryError where it is one.
func classed(err error) error {
	for _, words := range noMemory {
		if err != nil && strings.Contains(err.Error(), words) {
			return &MemoryError{Err: err}
		}
	}
	return err
}

// LibraryError says why the ONNX Runtime library cannot be used.
type LibraryError struct {
	Path   string   // the file or linker name in question; "" where none was found
	Reason string   // what is wrong with it
	Found  string   // the version that was found, where it could be known
	Tried  []string // the places that were looked at, where none was found
}

// Error is one sentence; the places tried follow on lines of their own.
func (e *LibraryError) Error() string {
	if e.Path == "" {
		return "ONNX Runtime library not found; looked for\n  " + strings.Join(e.Tried, "\n  ")
	}
	return fmt.Sprintf("ONNX Runtime library %s: %s", e.Path, e.Reason)
}

// Hint says how to repair it.
func (e *LibraryError) Hint() string {
	if e.Found != "" {
		return fmt.Sprintf("ONNX Runtime 1.%d or newer is needed; `make setup` installs one, or name another with --onnxruntime-library or %s", APIVersion, LibraryEnv)
	}
	return fmt.Sprintf("run `make setup` to install it, or name your own with --onnxruntime-library or %s", LibraryEnv)
}

// ExitCode is that of a wrong configuration.
func (e *LibraryError) ExitCode() int { return 2 }
