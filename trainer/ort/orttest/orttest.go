// Package orttest gives tests the real ONNX Runtime.
package orttest

import (
	"os"
	"path/filepath"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/ort"
)

// New returns a runtime that is closed when the test ends. Where no library is
// installed the test is skipped; with CI=true it fails.
func New(t testing.TB, threads int) *ort.Runtime {
	t.Helper()
	return start(t, ort.Options{Library: Library(t), Threads: threads})
}

func start(t testing.TB, o ort.Options) *ort.Runtime {
	t.Helper()
	o.Threads = testenv.Threads(t, o.Threads)
	rt, err := ort.New(o)
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

// OwnMemory returns a runtime on the processor that keeps tensors apart from the
// host's, as that of a device with a memory of its own does.
func OwnMemory(t testing.TB, threads int) *ort.Runtime {
	t.Helper()
	return start(t, ort.Options{Library: Library(t), Threads: threads, OwnMemory: true})
}

// swiftshader is what Chromium's packages call the description of the Vulkan driver
// that they come with.
const swiftshader = "/usr/lib/chromium*/vk_swiftshader_icd.json"

// Graphics returns a runtime on a graphics processor with a memory of its own:
// SwiftShader, which is one in software, by the WebGPU provider. Where Chromium's
// package is missing the test is skipped; with CI=true it fails.
func Graphics(t testing.TB) *ort.Runtime {
	t.Helper()
	found, err := filepath.Glob(swiftshader)
	if err != nil || len(found) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no SwiftShader at %s; run `make test-tools`", swiftshader)
		}
		t.Skipf("no SwiftShader at %s; run `make test-tools`", swiftshader)
	}
	// The Vulkan loader takes the first of them that it knows.
	t.Setenv("VK_DRIVER_FILES", found[0])
	t.Setenv("VK_ICD_FILENAMES", found[0])
	return start(t, ort.Options{Library: Library(t), Threads: 1, Device: "webgpu"})
}

// Library is the path of the installed library.
func Library(t testing.TB) string {
	t.Helper()
	path, _, err := ort.FindLibrary("", "cpu")
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v; run `make setup`", err)
	}
	t.Skipf("%v; run `make setup`", err)
	return ""
}
