// Package testenv is what tests share: which tier a test belongs to, where the
// reference data are, which seed today's random cases have, and a build of the test
// binary without the race detector for child processes.
//
// There are three tiers. A test belongs to all of them unless it says otherwise.
//
//	short  go test -short ./...  while writing: no test takes more than 5 seconds
//	daily  make test             what CI runs: every promise, by its smallest case
//	full   make test-all         everything at full size, other processors too
//
// The environment variables that choose are
//
//	ORCHESTRATOR_TEST_FULL     1: the full tier
//	ORCHESTRATOR_TEST_SEED     the seed of random cases, of a run to repeat
//	ORCHESTRATOR_TEST_THREADS  threads of each ONNX Runtime session that a test opens
//	ORCHESTRATOR_TEST_DATA     the folder of reference data; ../shared/data without it
//	CI                         true: what is missing fails a test instead of skipping it
package testenv

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// What the reason of a skip begins with that CI takes: tools/testskips takes no other.
const (
	OnlyFull = "only in the full tier (make test-all)"
	NotShort = "not in the short tier (-short)"
	NeedsGPU = "needs an NVIDIA GPU"
)

// Patience is what limits of waiting are multiplied by: they are for hanging, not for
// slowness, on machines that do many other things.
const Patience = 5

// IsFull reports whether the full tier runs.
func IsFull() bool { return os.Getenv("ORCHESTRATOR_TEST_FULL") != "" }

// Daily skips t in the short tier.
func Daily(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip(NotShort)
	}
}

// Full skips t outside the full tier. The reason says what the daily tier checks of
// the same promise.
func Full(t testing.TB, daily string) {
	t.Helper()
	if !IsFull() {
		t.Skipf("%s; in its place: %s", OnlyFull, daily)
	}
}

// Size is how many cases, steps or kills a test takes in the tier that runs.
func Size(short, daily, full int) int {
	switch {
	case IsFull():
		return full
	case testing.Short():
		return short
	default:
		return daily
	}
}

// Seed is the first seed of a test's random cases: another one each day, so that a
// year of daily runs tries what no single run has time for. It is printed, and
// ORCHESTRATOR_TEST_SEED repeats it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().Unix() / (24 * 60 * 60))
	if text := os.Getenv("ORCHESTRATOR_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("ORCHESTRATOR_TEST_SEED: %v", err)
		}
	}
	t.Logf("seed %d: repeat with ORCHESTRATOR_TEST_SEED=%[1]d", seed)
	return seed
}

// Threads is how many threads a session of ONNX Runtime has in tests: usual, or what
// ORCHESTRATOR_TEST_THREADS says.
func Threads(t testing.TB, usual int) int {
	t.Helper()
	text := os.Getenv("ORCHESTRATOR_TEST_THREADS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ORCHESTRATOR_TEST_THREADS is %q, not a number of threads", text)
	}
	return n
}

// Root is the folder of go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// Data is the path of a file or folder of the reference data, given by its parts.
// Where it is missing the test is skipped.
func Data(t testing.TB, parts ...string) string {
	t.Helper()
	path := DataPath(t, parts...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no reference data (ORCHESTRATOR_TEST_DATA): %v", err)
	}
	return path
}

// DataPath is the same path, whether or not there is something.
func DataPath(t testing.TB, parts ...string) string {
	t.Helper()
	dir := os.Getenv("ORCHESTRATOR_TEST_DATA")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "data")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}
