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

// server is an S3 server that a test runs in a process of its own.
type server struct {
	Endpoint  string // http://127.0.0.1:port
	AccessKey string
	SecretKey string
	Folder    string // its data

	command  func(address string) *exec.Cmd
	ready    func(s *server) *http.Request
	stranger func(s *server) *http.Request // from somebody whom it does not know; nil: not asked
	client   *http.Client
	cmd      *exec.Cmd
	out      *lockedBuffer
	exited   chan struct{}
}

// findBinary is the program that the environment variable names, or that name on the
// PATH; where there is none the test is skipped, or fails if CI is set.
func findBinary(t testing.TB, name, variable string) string {
	t.Helper()
	binary, err := exec.LookPath(cmp.Or(os.Getenv(variable), name))
	if err == nil {
		return binary
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s to test with: %v", name, err)
	}
	t.Skipf("no %s to test with (set %s): %v", name, variable, err)
	return ""
}

// run starts the server on a free loopback port, until the test ends.
func (s *server) run(t testing.TB, scheme string) {
	t.Helper()
	s.AccessKey, s.SecretKey = "test-access-key", "test-secret-key"
	s.Folder = t.TempDir()
	if s.client == nil {
		s.client = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	}
	var err error
	for range 5 { // another process may take the port before the server does
		address, addressErr := freeAddress()
		if addressErr != nil {
			t.Fatal(addressErr)
		}
		s.Endpoint = scheme + "://" + address
		if err = s.Start(); err == nil {
			t.Cleanup(s.Stop)
			return
		}
	}
	t.Fatalf("start a server: %v", err)
}

// Options are what opens a bucket on the server.
func (s *server) Options(bucket string) artifacts.S3Options {
	return artifacts.S3Options{Endpoint: s.Endpoint, Bucket: bucket, AccessKey: s.AccessKey, SecretKey: s.SecretKey}
}

// Store opens a bucket on the server.
func (s *server) Store(t testing.TB, bucket, prefix string) artifacts.Store {
	t.Helper()
	o := s.Options(bucket)
	o.Prefix = prefix
	return s.Open(t, o)
}

// Open opens a store with those options.
func (s *server) Open(t testing.TB, o artifacts.S3Options) artifacts.Store {
	t.Helper()
	store, err := artifacts.S3(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return store
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

// Stop ends the server before the test does, as a power cut would; Start brings it
// back.
func (s *server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.exited
}

// Start starts the server again after Stop, at the same address and with the data
// it had.
func (s *server) Start() error {
	_, address, _ := strings.Cut(s.Endpoint, "://")
	s.cmd = s.command(address)
	s.out = &lockedBuffer{}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	dieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	cmd := s.cmd
	go func() { _ = cmd.Wait(); close(exited) }()
	s.exited = exited
	return s.waitReady()
}

func (s *server) waitReady() error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		select {
		case <-s.exited:
			return fmt.Errorf("the server exited: %s", s.out)
		case <-deadline:
			s.Stop()
			return fmt.Errorf("the server was not ready in time: %s", s.out)
		case <-tick.C:
			if s.answers(s.ready(s)) == http.StatusOK && (s.stranger == nil || s.answers(s.stranger(s)) == http.StatusForbidden) {
				return nil
			}
		}
	}
}

// answers is the status of an answer, 0 where there is none.
func (s *server) answers(r *http.Request) int {
	res, err := s.client.Do(r)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// Pause has the server neither answer nor end, until Continue.
func (s *server) Pause() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (s *server) Continue() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

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
