// Package queuetest starts real Redis servers for tests.
package queuetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"orchestrator/scheduler/queue"
	"orchestrator/tools/testenv"
)

// Redis is a redis-server of a test.
type Redis struct {
	t      testing.TB
	bin    string
	dir    string
	args   func(r *Redis) []string
	tls    *Authority // of its certificate; nil: plain
	port   int
	bus    int // of a node of a cluster
	cmd    *exec.Cmd
	exited chan struct{}
}

// StartRedis starts redis-server on a free loopback port and stops it at the
// end of the test. More arguments go to the server, as in
// StartRedis(t, "--requirepass", "secret"). Where redis-server is not installed
// the test is skipped, or fails where CI is set.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return startServer(t, &Redis{args: func(r *Redis) []string {
		return append(append([]string{"--port", strconv.Itoa(r.port)}, r.common()...), args...)
	}})
}

// common are the arguments of all but sentinels.
func (r *Redis) common() []string {
	return []string{"--bind", "127.0.0.1", "--dir", r.dir, "--unixsocket", r.socket(), "--save", "", "--appendonly", "yes",
		"--appendfsync", "always", "--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning"}
}

// socket tells that the server is up: it is this server's alone, and comes after
// its port.
func (r *Redis) socket() string { return filepath.Join(r.dir, "s") }

func startServer(t testing.TB, r *Redis) *Redis {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	// A short path of its own: t.TempDir holds the test's name, which may be longer
	// than a socket's name may be.
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r.t, r.bin, r.dir = t, bin, dir
	for range 5 { // another test may take the port before the server does
		r.port = freePort(t)
		if err = r.start(); err == nil {
			t.Cleanup(r.Kill)
			return r
		}
	}
	t.Fatal(err)
	return nil
}

// Options are for connecting; tests add a password of their own.
func (r *Redis) Options() queue.Options {
	o := queue.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port))}
	if r.tls != nil {
		o.TLS, o.CACert = true, r.tls.CACert
	}
	return o
}

// Start starts the server again after Kill, with the data it had.
func (r *Redis) Start() {
	r.t.Helper()
	if err := r.start(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *Redis) start() error {
	os.Remove(r.socket()) // a killed server's
	out := &bytes.Buffer{}
	cmd := exec.Command(r.bin, r.args(r)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	r.cmd, r.exited = cmd, exited
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-exited:
			return fmt.Errorf("redis-server exited: %s", out)
		case <-deadline:
			r.Kill()
			return fmt.Errorf("redis-server does not accept connections: %s", out)
		case <-tick.C:
			if c, err := net.Dial("unix", r.socket()); err == nil {
				c.Close()
				return nil
			}
		}
	}
}

// Kill ends the server at once, as a power cut would. Twice is fine.
func (r *Redis) Kill() {
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Kill()
	<-r.exited
	r.cmd = nil
}

// Pause has the server neither answer nor end, until Continue.
func (r *Redis) Pause() error { return r.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (r *Redis) Continue() error { return r.cmd.Process.Signal(syscall.SIGCONT) }

// Open connects to a queue and closes the connection at the end of the test.
func Open(t testing.TB, o queue.Options) *queue.Queue {
	t.Helper()
	q, err := queue.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// Eventually waits until the condition holds, and fails the test where it does
// not within some times the time that an idle machine may need.
func Eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(testenv.Patience * within)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s", within, what)
		case <-tick.C:
		}
	}
}

// freePort is a port that nothing listens on. It is below those that systems give
// to outgoing connections: between Kill and Start such a connection could take the
// port, or a client that dials it could be connected to itself.
func freePort(t testing.TB) int {
	for range 100 {
		port := 15000 + rand.IntN(15000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port between 15000 and 30000")
	return 0
}

// Flush makes the server forget everything.
func (r *Redis) Flush() {
	r.t.Helper()
	c, err := net.DialTimeout("tcp", r.Options().Addr, time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	answer := make([]byte, len("+OK"))
	if _, err := c.Write([]byte("FLUSHALL\r\n")); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "+OK" {
		r.t.Fatalf("FLUSHALL answered %q: %v", answer, err)
	}
}

// Written is all that was ever written to the server since it started, as it came.
func (r *Redis) Written() []byte {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "appendonlydir", "*"))
	if err != nil || len(files) == 0 {
		r.t.Fatalf("no append-only files: %v", err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}
