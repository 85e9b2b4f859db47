package queue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// openTimeout bounds Open: long enough for a Redis that is just starting, short
// enough for somebody who mistyped the address.
const openTimeout = 5 * time.Second

// Queue is a connection to the queue. Its methods may be called from any number
// of goroutines.
type Queue struct {
	options Options
	redis   redis.UniversalClient
	client  *asynq.Client
}

// Open connects to Redis and checks that it is usable: reachable, willing to
// let us in, and of version 6.2 or later. It waits for at most five seconds.
func Open(ctx context.Context, o Options) (*Queue, error) {
	quiet()
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	q := &Queue{options: o, redis: client, client: asynq.NewClientFromRedisClient(client)}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := q.check(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return q, nil
}

// Close ends the connection.
func (q *Queue) Close() error { return q.redis.Close() }

// String names the server, without secrets.
func (q *Queue) String() string { return q.options.String() }

// probe does what asynq does: scripts on its keys. An access control list that
// forbids that should say so now and not in the middle of a sweep.
var probe = redis.NewScript(`return redis.call("EXISTS", KEYS[1])`)

func (q *Queue) check(ctx context.Context) error {
	if err := q.redis.Ping(ctx).Err(); err != nil {
		return q.options.explain(err)
	}
	info, err := q.Info(ctx)
	if err != nil {
		return err
	}
	if older(info.Version, 6, 2) {
		return &serverError{server: q.String(), what: "Redis " + info.Version + " is too old",
			hint: "use Redis 6.2 or later, or a compatible server such as Valkey"}
	}
	if err := probe.Run(ctx, q.redis, []string{pendingKey("any")}).Err(); err != nil {
		return q.options.explain(err)
	}
	if err := q.redis.Set(ctx, claimKey("probe"), "", time.Second).Err(); err != nil {
		return q.options.explain(err)
	}
	return nil
}

// Info describes the server.
type Info struct {
	Version  string // of Redis; empty where it does not tell
	Eviction string // its maxmemory-policy; only "noeviction" is safe for a queue
}

// Info asks the server about itself. What an access control list hides stays
// empty.
func (q *Queue) Info(ctx context.Context) (Info, error) {
	text, err := q.redis.Info(ctx, "all").Result()
	if err != nil && !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "not supported") {
		return Info{}, q.options.explain(err)
	}
	var info Info
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), ":"); key {
		case "redis_version":
			info.Version = value
		case "maxmemory_policy":
			info.Eviction = value
		}
	}
	return info, nil
}

// older tells whether a version such as "6.0.16" is below major.minor. One that
// cannot be read is taken as new enough.
func older(version string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(version, "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}
