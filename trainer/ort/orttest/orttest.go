// Package orttest gives tests the real ONNX Runtime.
package orttest

import (
	"os"
	"testing"

	"orchestrator/trainer/ort"
)

// New returns a runtime that is closed when the test ends. Where no library is
// installed the test is skipped; with CI=true it fails.
func New(t testing.TB, threads int) *ort.Runtime {
	t.Helper()
	rt, err := ort.New(ort.Options{Library: Library(t), Threads: threads})
	if err != nil {
		t.Fatalf("ONNX Runtime: %v", err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Errorf("close the runtime: %v", err)
		}
	})
	return rt
}

// Library is the path of the installed library.
func Library(t testing.TB) string {
	t.Helper()
	path, _, err := ort.FindLibrary("")
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v; run `make setup`", err)
	}
	t.Skipf("%v; run `make setup`", err)
	return ""
}
