package queue_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/scheduler/queue"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

func TestOpenErrors(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	plain := queuetest.StartRedis(t).Options()
	locked := queuetest.StartRedis(t, "--requirepass", "right-secret",
		"--user", "reader", "on", ">reader-secret", "~*", "+@read", "+ping", "+info", "+hello", "+client").Options()
	with := func(o queue.Options, f func(*queue.Options)) queue.Options { f(&o); return o }
	for _, c := range []struct {
		name    string
		options queue.Options
		kind    error
		message string
		hint    string
	}{
		{"nobody there", queue.Options{Addr: closedPort(t)}, queue.ErrUnavailable, "cannot be reached", "check that Redis runs"},
		{"no such host", queue.Options{Addr: "redis.invalid:6379"}, queue.ErrUnavailable, "cannot be reached", "check that Redis runs"},
		{"wrong password", with(locked, func(o *queue.Options) { o.Password = "wrong-secret" }), queue.ErrDenied, "wrong user name or password", "check the user name"},
		{"no password", locked, queue.ErrDenied, "asks for a password", "configure the password"},
		{"too few rights", with(locked, func(o *queue.Options) { o.Username, o.Password = "reader", "reader-secret" }), queue.ErrDenied, "may not run a command", "ACL SETUSER reader"},
		{"TLS to a plain port", with(plain, func(o *queue.Options) { o.TLS = true }), queue.ErrUnavailable, "TLS connection failed", "port speaks TLS"},
		{"accepts and says nothing", queue.Options{Addr: silent(t)}, queue.ErrUnavailable, "cannot be reached", "check that Redis runs"},
		{"too old", queue.Options{Addr: fake(t, "5.0.14")}, nil, "Redis 5.0.14 is too old", "6.2 or later"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			q, err := queue.Open(context.Background(), c.options)
			if err == nil {
				q.Close()
				t.Fatal("no error")
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("the error came after %s", took)
			}
			if c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("%v is not %v", err, c.kind)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) {
				t.Fatalf("%v carries no hint", err)
			}
			contains(t, err.Error(), c.message)
			contains(t, hinted.Hint(), c.hint)
			if text := err.Error() + hinted.Hint(); strings.Contains(text, "secret") {
				t.Errorf("the error holds the password: %s", text)
			}
		})
	}
}

func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silent is a server that accepts connections and never answers.
func silent(t *testing.T) string { return listen(t, func(string) string { return "" }) }

// fake is a server that claims to be that version of Redis.
func fake(t *testing.T, version string) string {
	return listen(t, func(command string) string {
		switch strings.ToUpper(command) {
		case "PING":
			return "+PONG\r\n"
		case "INFO":
			return "$" + "23" + "\r\nredis_version:" + (version + strings.Repeat("\r", 9))[:9] + "\r\n"
		case "HELLO", "CLIENT":
			return "-ERR unknown command\r\n"
		}
		return ""
	})
}

func listen(t *testing.T, answer func(command string) string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				lines := bufio.NewScanner(c)
				for lines.Scan() {
					if a := answer(lines.Text()); a != "" {
						c.Write([]byte(a))
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  string
		want queue.Options
		err  string
	}{
		{url: "redis://localhost", want: queue.Options{Addr: "localhost:6379"}},
		{url: "redis://:pw@10.0.0.1:6380/2", want: queue.Options{Addr: "10.0.0.1:6380", Password: "pw", DB: 2}},
		{url: "rediss://me:pw@redis.example.com", want: queue.Options{Addr: "redis.example.com:6379", Username: "me", Password: "pw", TLS: true}},
		{url: "redis://[::1]/0", want: queue.Options{Addr: "[::1]:6379"}},
		{url: "redis+sentinel://me:pw@a,b:26380,[::1]/main/2", want: queue.Options{Username: "me", Password: "pw", DB: 2,
			SentinelMaster: "main", SentinelAddrs: []string{"a:26379", "b:26380", "[::1]:26379"}}},
		{url: "rediss+sentinel://a/main", want: queue.Options{TLS: true, SentinelMaster: "main", SentinelAddrs: []string{"a:26379"}}},
		{url: "redis+cluster://a:7000,b", want: queue.Options{ClusterAddrs: []string{"a:7000", "b:6379"}}},
		{url: "rediss+cluster://:p%2Fw@a/", want: queue.Options{ClusterAddrs: []string{"a:6379"}, Password: "p/w", TLS: true}},
		{url: "redis+sentinel://a,b", err: "names no master"},
		{url: "redis+sentinel://a/main/x", err: `"x" in the address`},
		{url: "redis+cluster://a/1", err: "a cluster has no databases"},
		{url: "redis+cluster://:secret@a:x,b", err: "not a valid URL"},
		{url: "redis+ring://a", err: `begins with "redis+ring://"`},
		{url: "redis://a,b", err: "names several servers"},
		{url: "redis://:12/secret@a", err: "not a valid URL"},
		{url: "http://localhost", err: `begins with "http://"`},
		{url: "redis://localhost/one", err: `"one" in the address`},
		{url: "redis://:secret@local host", err: "not a valid URL"},
	} {
		got, err := queue.ParseURL(c.url)
		if c.err != "" {
			if err == nil {
				t.Errorf("%s: no error", c.url)
				continue
			}
			contains(t, err.Error(), c.err)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds the password: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.url, diff)
		}
		if strings.Contains(got.String(), "pw") || strings.Contains(got.String(), "p/w") {
			t.Errorf("%s is named with its password: %s", c.url, got)
		}
		again, err := queue.ParseURL(got.String())
		if again.Username, again.Password = got.Username, got.Password; err != nil || !cmp.Equal(again, got) {
			t.Errorf("%s is named %s, which is read as %+v, %v", c.url, got, again, err)
		}
	}
}

func TestOpenOnEmbedded(t *testing.T) {
	t.Parallel()
	o := embedded(t)
	queuetest.Open(t, o)
	o.Password = "guess"
	if q, err := queue.Open(context.Background(), o); !errors.Is(err, queue.ErrDenied) {
		if err == nil {
			q.Close()
		}
		t.Errorf("the embedded queue let in a wrong password: %v", err)
	}
}

// Keys must expire on the embedded server by themselves: dead workers are told
// from living ones by them.
func TestEmbeddedClock(t *testing.T) {
	t.Parallel()
	c := raw(t, embedded(t))
	ctx := context.Background()
	if err := c.Set(ctx, "k", "v", 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	queuetest.Eventually(t, 5*time.Second, "the key expires", func() bool { return c.Exists(ctx, "k").Val() == 0 })
}

func TestInfo(t *testing.T) {
	t.Parallel()
	info, err := queuetest.Open(t, queuetest.StartRedis(t).Options()).Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if info.Version == "" || info.Eviction != "noeviction" {
		t.Errorf("info %+v", info)
	}
}
