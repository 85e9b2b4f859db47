package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrUnavailable: Redis could not be reached or is not ready; the same call may
// succeed later.
var ErrUnavailable = errors.New("the queue is not available")

// ErrDenied: Redis refused the login or a command; trying again is useless.
var ErrDenied = errors.New("the queue refused access")

// inputError is about what the user wrote.
type inputError struct{ message, hint string }

func (e inputError) Error() string { return e.message }
func (e inputError) Hint() string  { return e.hint }
func (e inputError) ExitCode() int { return 2 }

// serverError is about the Redis at hand. Neither it nor the errors of Redis
// that it wraps hold the password.
type serverError struct {
	server string // Options.String
	what   string
	hint   string
	kind   error // ErrUnavailable, ErrDenied or nil
	err    error // may be nil
}

func (e *serverError) Error() string {
	s := e.server + ": " + e.what
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

func (e *serverError) Hint() string    { return e.hint }
func (e *serverError) Unwrap() []error { return []error{e.kind, e.err} }

// explain turns an error of Redis into one that says what to try. Errors that
// need no explanation pass through, with the server named.
func (o Options) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	e := &serverError{server: o.String(), err: err}
	text := err.Error()
	var network net.Error
	switch {
	case has(text, "WRONGPASS", "invalid password", "invalid username-password"):
		e.what, e.kind, e.err = "wrong user name or password", ErrDenied, nil
		e.hint = "check the user name and the password configured for Redis"
	case has(text, "NOAUTH"):
		e.what, e.kind, e.err = "it asks for a password and none is configured", ErrDenied, nil
		e.hint = "configure the password of Redis"
	case has(text, "NOPERM"):
		e.what, e.kind = "the user may not run a command that the queue needs", ErrDenied
		e.hint = "grant it: ACL SETUSER " + orDefault(o.Username) + " " + aclRules(len(o.ClusterAddrs) > 0)
	case has(text, "MOVED "):
		e.what, e.hint, e.err = isCluster, useCluster, nil
	case has(text, "cluster support disabled"):
		e.what, e.hint, e.err = "it is no cluster", "write redis://host:port", nil
	case has(text, "No such master"), o.SentinelMaster != "" && errors.Is(err, redis.Nil):
		e.what = fmt.Sprintf("the sentinels know no master %q", o.SentinelMaster)
		e.hint = "write its name into the address: redis+sentinel://host1,host2/mymaster; SENTINEL masters lists what they know"
	case has(text, "LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN"):
		e.what, e.kind = "it is not ready to write", ErrUnavailable
		e.hint = "wait until it has loaded its data, or configure the address of the master"
	case has(text, "OOM command not allowed"):
		e.what, e.kind = "its memory is full", ErrUnavailable
		e.hint = "raise maxmemory, and keep maxmemory-policy noeviction"
	case has(text, "x509:", "tls:"), o.TLS && errors.Is(err, context.DeadlineExceeded):
		// A plain Redis waits for the rest of what it takes for a command.
		e.what, e.kind = "the TLS connection failed", ErrUnavailable
		e.hint = "check that this port speaks TLS, and the certificate authority and server name configured for Redis"
		if has(text, "remote error:") {
			e.hint = "the server refuses this side: configure a client certificate and its key that the server's authority has signed"
		}
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, context.DeadlineExceeded), has(text, "connection refused", "all sentinels", "reset by peer"):
		e.what, e.kind = "it cannot be reached", ErrUnavailable
		e.hint = "check that Redis runs there and that its address is right; `orchestrator run` needs no Redis"
		if !o.TLS {
			e.hint = "check that Redis runs there and that its address is right (rediss:// where it speaks TLS); `orchestrator run` needs no Redis"
		}
	default:
		return fmt.Errorf("%s: %w", o, err)
	}
	return e
}

func has(text string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

func orDefault(user string) string {
	if user == "" {
		return "default"
	}
	return user
}
