// Package queuetest starts real Redis servers for tests.
package queuetest

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"orchestrator/scheduler/queue"
)

// Redis is a redis-server of a test.
type Redis struct {
	t    testing.TB
	bin  string
	args []string
	port int
	cmd  *exec.Cmd
}

// StartRedis starts redis-server on a free loopback port and stops it at the
// end of the test. More arguments go to the server, as in
// StartRedis(t, "--requirepass", "secret"). Where redis-server is not installed
// the test is skipped, or fails where CI is set.
func StartRedis(t testing.TB, args ...string) *Redis {
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
	r := &Redis{t: t, bin: bin, port: freePort(t)}
	r.args = append([]string{"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", dir,
		"--unixsocket", filepath.Join(dir, "s"), "--save", "", "--appendonly", "yes", "--appendfsync", "always",
		"--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning"}, args...)
	r.Start()
	t.Cleanup(r.Kill)
	return r
}

// Options are for connecting; tests add a password of their own.
func (r *Redis) Options() queue.Options {
	return queue.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port))}
}

// Start starts the server again after Kill, with the data it had.
func (r *Redis) Start() {
	r.t.Helper()
	r.cmd = exec.Command(r.bin, r.args...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	Eventually(r.t, 10*time.Second, "redis-server accepts connections", func() bool {
		c, err := net.DialTimeout("tcp", r.Options().Addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// Kill ends the server at once, as a power cut would. Twice is fine.
func (r *Redis) Kill() {
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Kill()
	r.cmd.Wait() // reports the kill
	r.cmd = nil
}

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
// not within the time.
func Eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(within)
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

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
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
