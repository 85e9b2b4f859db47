package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binary is the build of this package's tests that children run.
var binary struct {
	once sync.Once
	path string
	dir  string // to be removed
	err  error
}

// Binary is the path of this package's test binary as child processes are to run it:
// without the race detector, which slows training by a factor of ten and is for the
// process that the test looks at. Where this binary has none, it is this binary.
func Binary(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() { binary.path, binary.dir, binary.err = plainBinary() })
	if binary.err != nil {
		t.Fatalf("build the test binary for child processes: %v", binary.err)
	}
	return binary.path
}

func plainBinary() (path, dir string, err error) {
	if !raceDetector {
		path, err = os.Executable()
		return path, "", err
	}
	if dir, err = os.MkdirTemp("", "orchestrator-test-binary"); err != nil {
		return "", "", err
	}
	path = filepath.Join(dir, "plain.test")
	if out, err := exec.Command("go", "test", "-c", "-o", path, ".").CombinedOutput(); err != nil {
		return "", dir, fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return path, dir, nil
}

// Exit ends a test process after removing what Binary built: for TestMain, or for
// goleak.Cleanup.
func Exit(code int) {
	if binary.dir != "" {
		_ = os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}
