package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine puts an nvidia-smi on the PATH that runs a script of the shell's, and nothing
// else but what the system has.
func machine(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	t.Setenv(visibleEnv, "")
	os.Unsetenv(visibleEnv)
}

// answers are what nvidia-smi says to each question, by words in it.
func answers(query, list, compute string) string {
	return `case "$*" in
*--query-gpu*) cat <<'END'
` + strings.TrimSpace(query) + `
END
;;
-L) cat <<'END'
` + list + `
END
;;
*COMPUTE*) cat <<'END'
` + compute + `
END
;;
*) echo "Invalid combination of input arguments." ; exit 2 ;;
esac
`
}

const (
	twoGPUs = `
0, GPU-aaaa1111-0000-0000-0000-000000000000, NVIDIA A100-SXM4-40GB, 40960, 535.54.03, 8.0, Disabled
1, GPU-bbbb2222-0000-0000-0000-000000000000, NVIDIA GeForce RTX 3090, 24576, 535.54.03, 8.6, [N/A]`
	compute = `
==============NVSMI LOG==============

Timestamp                                 : Thu Nov 26 10:00:00 2026
Driver Version                            : 535.54.03
CUDA Version                              : 12.2

Attached GPUs                             : 2`
)
