package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

	mu       sync.Mutex
	identity string // as far as it is known
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
	if err := q.suits(info); err != nil {
		return err
	}
	if err := q.checkRights(ctx); err != nil {
		return err
	}
	if err := probe.Run(ctx, q.redis, []string{pendingKey("any")}).Err(); err != nil {
		return q.options.explain(err)
	}
	if err := q.redis.Set(ctx, claimKey("probe"), "", time.Second).Err(); err != nil {
		return q.options.explain(err)
	}
	return nil
}

// suits tells what is wrong with the kind of server at hand.
func (q *Queue) suits(info Info) error {
	wrong := func(what, hint string) error { return &serverError{server: q.String(), what: what, hint: hint} }
	switch {
	case older(info.Version, 6, 2):
		return wrong("Redis "+info.Version+" is too old", "use Redis 6.2 or later, or a compatible server such as Valkey")
	case info.mode == "sentinel":
		return wrong("it is a sentinel, not a Redis", "write redis+sentinel://host1,host2/master")
	case info.mode == "cluster" && len(q.options.ClusterAddrs) == 0:
		return wrong(isCluster, useCluster)
	}
	return nil
}

const (
	isCluster  = "it is a node of a cluster"
	useCluster = "write redis+cluster://host1,host2"
)

// eachMaster calls f for every Redis that holds a part of the data, one after the
// other.
func (q *Queue) eachMaster(ctx context.Context, f func(redis.Cmdable) error) error {
	cluster, ok := q.redis.(*redis.ClusterClient)
	if !ok {
		return f(q.redis)
	}
	var mu sync.Mutex
	return cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		return f(node)
	})
}

// pipelined is how many commands go into a pipeline.
const pipelined = 1000

// values reads keys that need not be on the same node of a cluster; those that do
// not exist are not in the map.
func (q *Queue) values(ctx context.Context, keys []string) (map[string]string, error) {
	values := make(map[string]string, len(keys))
	for chunk := range slices.Chunk(keys, pipelined) {
		replies := make([]*redis.StringCmd, len(chunk))
		_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range chunk {
				replies[i] = p.Get(ctx, key)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, q.options.explain(err)
		}
		for i, key := range chunk {
			if value, err := replies[i].Result(); err == nil {
				values[key] = value
			}
		}
	}
	return values, nil
}

// Info describes the server, or the servers of a cluster.
type Info struct {
	Version  string // of Redis, the oldest; empty where it does not tell
	Eviction string // its maxmemory-policy; only "noeviction" is safe for a queue
	Masters  int    // servers that hold a part of the data: 1 but in a cluster

	mode string // standalone, sentinel, cluster, or empty
}

// Info asks the server about itself. What an access control list hides stays
// empty.
func (q *Queue) Info(ctx context.Context) (Info, error) {
	var all Info
	err := q.eachMaster(ctx, func(node redis.Cmdable) error {
		text, err := node.Info(ctx, "all").Result()
		if err != nil && !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "not supported") {
			return err
		}
		all.add(text)
		return nil
	})
	return all, q.options.explain(err)
}

// add reads one server's answer to INFO.
func (i *Info) add(text string) {
	i.Masters++
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), ":"); key {
		case "redis_version":
			var major, minor int
			if n, _ := fmt.Sscanf(value, "%d.%d", &major, &minor); i.Version == "" || n == 2 && !older(i.Version, major, minor) {
				i.Version = value
			}
		case "maxmemory_policy":
			if i.Eviction == "" || value != "noeviction" {
				i.Eviction = value
			}
		case "redis_mode":
			i.mode = value
		}
	}
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
