package testenv

import (
	"os"
	"slices"
	"sync"
	"testing"
)

// shared is what outlives the test that made it.
var shared struct {
	mu       sync.Mutex
	cleanups []func()
}

// ForPackage returns a t for what all tests of a package share, as a server: its
// cleanups run, and its folders go, at Exit. It fails the test that it was made from.
func ForPackage(t testing.TB) testing.TB { return sharedTB{t} }

type sharedTB struct{ testing.TB }

func (sharedTB) Cleanup(f func()) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.cleanups = append(shared.cleanups, f)
}

func (s sharedTB) TempDir() string {
	s.Helper()
	dir, err := os.MkdirTemp("", "orchestrator-test-package")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// The test may be over by the time something is logged.
func (sharedTB) Log(...any)          {}
func (sharedTB) Logf(string, ...any) {}
func (sharedTB) Failed() bool        { return false }

// Exit ends a test process, after all that its tests share: for TestMain, or for
// goleak.Cleanup.
func Exit(code int) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, f := range slices.Backward(shared.cleanups) {
		f()
	}
	os.Exit(code)
}
