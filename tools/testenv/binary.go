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
	err  error
}

// Binary is the path of this package's test binary as child processes are to run it:
// without the race detector, which slows training by a factor of ten and is for the
// process that the test looks at. Where this binary has none, it is this binary. TestMain
// ends with Exit, which removes it.
func Binary(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() { binary.path, binary.err = plainBinary(ForPackage(t).TempDir()) })
	if binary.err != nil {
		t.Fatalf("build the test binary for child processes: %v", binary.err)
	}
	return binary.path
}

func plainBinary(dir string) (string, error) {
	if !raceDetector {
		return os.Executable()
	}
	path := filepath.Join(dir, "plain.test")
	if out, err := exec.Command("go", "test", "-c", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return path, nil
}
