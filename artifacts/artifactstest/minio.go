package artifactstest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orchestrator/artifacts"
)

// MinIO is a running server with an empty data folder of its own.
type MinIO struct {
	Endpoint  string // http://127.0.0.1:port
	AccessKey string
	SecretKey string
	Folder    string // its data

	binary string
	cmd    *exec.Cmd
	out    *lockedBuffer
	exited chan struct{}
}

// StartMinIO runs a MinIO server on a free loopback port until the test ends.
// The binary is $MINIO_BIN or minio on the PATH; where there is none the test
// is skipped, or fails if CI is set.
func StartMinIO(t testing.TB) *MinIO {
	t.Helper()
	binary, err := exec.LookPath(cmp.Or(os.Getenv("MINIO_BIN"), "minio"))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no MinIO server to test with: %v", err)
		}
		t.Skipf("no MinIO server to test with (set MINIO_BIN): %v", err)
	}
	m := &MinIO{AccessKey: "test-access-key", SecretKey: "test-secret-key", Folder: t.TempDir()}
	m.binary = binary
	for range 5 { // another process may take the port before the server does
		address, addressErr := freeAddress()
		if addressErr != nil {
			t.Fatal(addressErr)
		}
		if err = m.start(address); err == nil {
			t.Cleanup(m.stop)
			return m
		}
	}
	t.Fatalf("start %s: %v", binary, err)
	return nil
}

// Options are what opens a bucket on the server.
func (m *MinIO) Options(bucket string) artifacts.S3Options {
	return artifacts.S3Options{Endpoint: m.Endpoint, Bucket: bucket, AccessKey: m.AccessKey, SecretKey: m.SecretKey}
}

// Store opens a bucket on the server.
func (m *MinIO) Store(t testing.TB, bucket, prefix string) artifacts.Store {
	t.Helper()
	o := m.Options(bucket)
	o.Prefix = prefix
	s, err := artifacts.S3(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *MinIO) start(address string) error {
	m.Endpoint = "http://" + address
	m.out = &lockedBuffer{}
	m.cmd = exec.Command(m.binary, "server", "--quiet", "--address", address, "--console-address", "127.0.0.1:0", m.Folder)
	m.cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+m.AccessKey, "MINIO_ROOT_PASSWORD="+m.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off")
	m.cmd.Stdout, m.cmd.Stderr = m.out, m.out
	dieWithParent(m.cmd)
	if err := m.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { _ = m.cmd.Wait(); close(exited) }()
	m.exited = exited
	return m.waitReady()
}

// freeAddress is one that nothing listens on. Its port is below those that systems
// give to outgoing connections: between Stop and Start such a connection could take
// it, or a client that dials it could be connected to itself.
func freeAddress() (string, error) {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(15_000))
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no free port")
}

func (m *MinIO) waitReady() error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case <-m.exited:
			return fmt.Errorf("the server exited: %s", m.out)
		case <-deadline:
			m.stop()
			return fmt.Errorf("the server was not ready in time: %s", m.out)
		case <-tick.C:
			res, err := client.Get(m.Endpoint + "/minio/health/ready")
			if err != nil {
				continue
			}
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

// Stop ends the server before the test does, as a power cut would; Start brings it
// back.
func (m *MinIO) Stop() { m.stop() }

// Start starts the server again after Stop, at the same address and with the data
// it had.
func (m *MinIO) Start() error { return m.start(strings.TrimPrefix(m.Endpoint, "http://")) }

// Pause has the server neither answer nor end, until Continue.
func (m *MinIO) Pause() error { return m.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (m *MinIO) Continue() error { return m.cmd.Process.Signal(syscall.SIGCONT) }

func (m *MinIO) stop() {
	_ = m.cmd.Process.Signal(syscall.SIGKILL)
	<-m.exited
}

// lockedBuffer collects a process's output.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
