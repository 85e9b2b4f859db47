package queuetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/scheduler/queue"
)

// formed is how long servers may take to find each other.
const formed = 20 * time.Second

// client is a plain connection to the server, until the test ends.
func (r *Redis) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: r.Options().Addr, MaxRetries: 10})
	r.t.Cleanup(func() { c.Close() })
	return c
}

// StartCluster starts three masters of a Redis Cluster that share the slots.
func StartCluster(t testing.TB, args ...string) queue.Options {
	t.Helper()
	const masters, slots = 3, 16384
	var o queue.Options
	var nodes []*redis.Client
	var first *Redis
	for i := range masters {
		bus := freePort(t)
		r := startServer(t, &Redis{args: func(r *Redis) []string {
			return append(append([]string{"--port", strconv.Itoa(r.port), "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
				"--cluster-config-file", "nodes.conf"}, r.common()...), args...)
		}})
		c := r.client()
		if err := c.ClusterAddSlotsRange(context.Background(), i*slots/masters, (i+1)*slots/masters-1).Err(); err != nil {
			t.Fatal(err)
		}
		// Each begins with an epoch of its own, or they have to agree on it first.
		if err := c.Do(context.Background(), "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r
			first.bus = bus
		} else if err := c.Do(context.Background(), "CLUSTER", "MEET", "127.0.0.1", first.port, first.bus).Err(); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, c)
		o.ClusterAddrs = append(o.ClusterAddrs, r.Options().Addr)
	}
	Eventually(t, formed, "the cluster is whole", func() bool {
		for _, c := range nodes {
			info := c.ClusterInfo(context.Background()).Val()
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", masters)) ||
				!strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", slots)) {
				return false
			}
		}
		return true
	})
	return o
}

// Sentinels are a master and a replica that sentinels watch.
type Sentinels struct {
	Master, Replica *Redis
	options         queue.Options
}

// StartSentinels starts them: a master that does not answer for half a second is
// replaced by its replica.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	const name, sentinels = "mymaster", 3
	s := &Sentinels{Master: StartRedis(t), options: queue.Options{SentinelMaster: name}}
	s.Replica = StartRedis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Master.port))
	var watching []*redis.SentinelClient
	for range sentinels {
		r := startServer(t, &Redis{args: func(r *Redis) []string {
			conf := filepath.Join(r.dir, "sentinel.conf")
			text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nunixsocket %s\nsentinel monitor %s 127.0.0.1 %d %d\n"+
				"sentinel down-after-milliseconds %[4]s 500\nsentinel failover-timeout %[4]s 2000\n",
				r.port, r.dir, r.socket(), name, s.Master.port, sentinels/2+1)
			if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{conf, "--sentinel"}
		}})
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port))
		s.options.SentinelAddrs = append(s.options.SentinelAddrs, addr)
		c := redis.NewSentinelClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { c.Close() })
		watching = append(watching, c)
	}
	replica := s.Replica.client()
	Eventually(t, formed, "the sentinels know each other and the replica", func() bool {
		for _, c := range watching {
			m := c.Master(context.Background(), name).Val()
			if m["num-slaves"] != "1" || m["num-other-sentinels"] != strconv.Itoa(sentinels-1) || m["flags"] != "master" {
				return false
			}
		}
		return strings.Contains(replica.Info(context.Background(), "replication").Val(), "master_link_status:up")
	})
	return s
}

// Options are for connecting by the sentinels.
func (s *Sentinels) Options() queue.Options { return s.options }
