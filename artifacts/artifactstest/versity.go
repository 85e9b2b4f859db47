package artifactstest

import (
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// Versity is a running Versity S3 Gateway over an empty folder: a server that shares
// no code with MinIO.
type Versity struct{ server }

// StartVersity runs a gateway on a free loopback port until the test ends. The binary
// is $VERSITYGW_BIN or versitygw on the PATH; where there is none the test is skipped,
// or fails if CI is set.
func StartVersity(t testing.TB) *Versity {
	t.Helper()
	binary := findBinary(t, "versitygw", "VERSITYGW_BIN")
	v, sidecar := &Versity{}, t.TempDir()
	v.ready = func(s *server) *http.Request {
		r, _ := http.NewRequest(http.MethodGet, s.Endpoint+"/health", nil)
		return r
	}
	v.command = func(address string) *exec.Cmd {
		cmd := exec.Command(binary, "--port", address, "--health", "/health", "--quiet", "posix", "--sidecar", sidecar, v.Folder)
		cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+v.AccessKey, "ROOT_SECRET_KEY="+v.SecretKey)
		return cmd
	}
	v.run(t, "http")
	return v
}
