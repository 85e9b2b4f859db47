package queue_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	ours, others := queuetest.NewAuthority(t), queuetest.NewAuthority(t)
	plain := queuetest.StartTLS(t, ours, false).Options()
	mutual := queuetest.StartTLS(t, ours, true).Options()
	with := func(o queue.Options, f func(*queue.Options)) queue.Options { f(&o); return o }
	known := with(mutual, func(o *queue.Options) { o.ClientCert, o.ClientKey = ours.ClientCert, ours.ClientKey })
	for _, c := range []struct {
		name    string
		options queue.Options
		err     string // empty: it works
		hint    string
	}{
		{name: "the server's certificate", options: plain},
		{name: "both certificates", options: known},
		{"another authority", with(plain, func(o *queue.Options) { o.CACert = others.CACert }), "certificate signed by unknown authority", "certificate authority"},
		{"the system's authorities", with(plain, func(o *queue.Options) { o.CACert = "" }), "certificate", "certificate authority"},
		{"another name", with(plain, func(o *queue.Options) { o.ServerName = "redis.example" }), "redis.example", "server name"},
		{"no client certificate", mutual, "certificate required", "client certificate"},
		{"another authority's client", with(known, func(o *queue.Options) { o.ClientCert, o.ClientKey = others.ClientCert, others.ClientKey }), "TLS connection failed", "client certificate"},
		{"no TLS", with(plain, func(o *queue.Options) { o.TLS = false }), "cannot be reached", "rediss://"},
		{"no such file", with(plain, func(o *queue.Options) { o.CACert = "missing.pem" }), "missing.pem", ".pem"},
		{"a certificate without its key", with(known, func(o *queue.Options) { o.ClientKey = others.ClientKey }), "client certificate", "key that goes with it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, err := queue.Open(context.Background(), c.options)
			if err == nil {
				defer q.Close()
				enqueue(t, q, "a")
			}
			refused(t, err, c.err, c.hint)
		})
	}
}

// refused compares an error with what it should say; want is empty for none.
func refused(t *testing.T, err error, want, hint string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) {
		t.Fatalf("%v carries no hint", err)
	}
	contains(t, err.Error(), want)
	contains(t, hinted.Hint(), hint)
}

// useEverything does all that the queue's two ends and the monitor do.
func useEverything(t *testing.T, o queue.Options) {
	t.Helper()
	ctx := context.Background()
	q := queuetest.Open(t, o)
	failed := map[string]queue.Result{"archived": {End: queue.Permanent}, "retrying": {End: queue.Retry, After: time.Hour}, "done": {Detail: "x"}}
	enqueue(t, q, "archived", "retrying", "done", "running", "waiting", "withdrawn", "second")
	begun, end := make(chan struct{}), make(chan struct{})
	serve(t, q, queue.ServeOptions{Handler: func(_ context.Context, task queue.Task) queue.Result {
		if task.Job != "running" {
			return failed[task.Job]
		}
		close(begun)
		<-end
		return queue.Result{End: queue.Interrupted, After: time.Hour}
	}, OnDrain: func() { close(end) }})
	<-begun
	queuetest.Eventually(t, 10*time.Second, "the running job's claim is there", func() bool {
		workers, err := q.Workers(ctx)
		return err == nil && len(workers) == 1
	})
	_, progressErr := q.Progress(ctx, []string{"running", "waiting"})
	if err := errors.Join(q.Report(ctx, "running", plan.Progress{}), progressErr, q.Prioritize(ctx, "s", 3), q.Withdraw(ctx, "withdrawn"),
		q.Enqueue(ctx, "other", anywhere, plan.Job{ID: "third"}), q.Arrange(ctx), q.Forget(ctx, "s")); err != nil {
		t.Error(err)
	}
	monitor, err := queue.NewMonitor(o, "", false)
	if err != nil {
		t.Fatal(err)
	}
	defer monitor.Close()
	ask := func(method, path string) {
		w := httptest.NewRecorder()
		monitor.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, "/api/"+path, nil))
		if w.Code >= 300 {
			t.Errorf("the monitor answers %s %s with %d: %s", method, path, w.Code, w.Body)
		}
	}
	for _, page := range []string{"queues", "queues/any", "queues/any/pending_tasks", "queues/any/active_tasks", "queues/any/retry_tasks", "queues/any/archived_tasks",
		"queues/any/completed_tasks", "queues/any/tasks/waiting", "queue_stats", "servers", "redis_info", "scheduler_entries"} {
		ask(http.MethodGet, page)
	}
	for _, change := range []string{"queues/any:pause", "queues/any:resume", "queues/any/pending_tasks:archive_all", "queues/any/archived_tasks:run_all",
		"queues/any/active_tasks/running:cancel"} {
		ask(http.MethodPost, change)
	}
	ask(http.MethodDelete, "queues/any/completed_tasks:delete_all")
}

// The rights that the documentation names suffice for everything.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	user := func(cluster bool) []string {
		return append([]string{"--user", "orchestrator", "on", ">right-secret"}, strings.Fields(queue.ACLRules(cluster))...)
	}
	for kind, options := range map[string]func(t *testing.T) queue.Options{
		"redis":   func(t *testing.T) queue.Options { return queuetest.StartRedis(t, user(false)...).Options() },
		"cluster": func(t *testing.T) queue.Options { return queuetest.StartCluster(t, user(true)...) },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.Username, o.Password = "orchestrator", "right-secret"
			useEverything(t, o)
		})
	}
}

// With less the queue does not open, and says what is missing.
func TestTooFewRights(t *testing.T) {
	t.Parallel()
	all := strings.Fields(queue.ACLRules(false))
	r := queuetest.StartRedis(t)
	admin := raw(t, r.Options())
	for _, right := range all {
		if right == "+ping" || right == "+hello" || right == "+info" {
			continue // the first two do not say NOPERM; what the last would tell stays empty
		}
		t.Run(right, func(t *testing.T) {
			user := "user" + fmt.Sprint(len(right)) + strings.Trim(strings.NewReplacer("|", "", "*", "", ":", "").Replace(right), "+~&")
			rules := []any{"ACL", "SETUSER", user, "on", ">some-secret"}
			for _, other := range all {
				if other != right {
					rules = append(rules, other)
				}
			}
			if err := admin.Do(context.Background(), rules...).Err(); err != nil {
				t.Fatal(err)
			}
			o := r.Options()
			o.Username, o.Password = user, "some-secret"
			q, err := queue.Open(context.Background(), o)
			if err == nil {
				q.Close()
			}
			if !errors.Is(err, queue.ErrDenied) {
				t.Fatalf("%v is not %v", err, queue.ErrDenied)
			}
			refused(t, err, "may not run a command", "ACL SETUSER "+user+" ~asynq:*")
			if strings.Contains(err.Error(), "some-secret") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// A master dies in the middle of a run. What its replica had not heard of is lost
// with it; whoever reconciles enqueues what has no outcome, and every job is done.
func TestFailover(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	const jobs = 300
	s := queuetest.StartSentinels(t)
	q := queuetest.Open(t, s.Options())
	var outcomes sync.Map
	halfway := make(chan struct{})
	var once sync.Once
	var count int
	var mu sync.Mutex
	for range 2 {
		serve(t, queuetest.Open(t, s.Options()), queue.ServeOptions{Concurrency: 2, Handler: func(_ context.Context, task queue.Task) queue.Result {
			if _, twice := outcomes.LoadOrStore(task.Job, true); !twice {
				mu.Lock()
				defer mu.Unlock()
				if count++; count == jobs/3 {
					once.Do(func() { close(halfway) })
				}
			}
			return queue.Result{End: queue.Done}
		}})
	}
	all := make([]plan.Job, jobs)
	for i := range all {
		all[i] = plan.Job{ID: fmt.Sprint(i), Trial: i}
	}
	if err := q.Enqueue(context.Background(), "s", anywhere, all...); err != nil {
		t.Fatal(err)
	}
	<-halfway
	s.Master.Kill()
	queuetest.Eventually(t, time.Minute, "every job has an outcome", func() bool {
		missing := 0
		for _, job := range all {
			if _, done := outcomes.Load(job.ID); !done {
				missing++
				if q.Enqueue(context.Background(), "s", anywhere, job) != nil {
					return false // no master yet
				}
			}
		}
		return missing == 0
	})
	if s.Options().String() != q.String() || !strings.Contains(q.String(), "redis+sentinel://127.0.0.1:") {
		t.Errorf("the queue is named %s", q)
	}
}

// The wrong kind of address is told from a server that is away.
func TestWrongKindOfServer(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	s, cluster, single := queuetest.StartSentinels(t), queuetest.StartCluster(t), queuetest.StartRedis(t).Options()
	master := s.Options()
	master.SentinelMaster = "other"
	for _, c := range []struct {
		name      string
		options   queue.Options
		err, hint string
	}{
		{"a sentinel as Redis", queue.Options{Addr: s.Options().SentinelAddrs[0]}, "it is a sentinel", "redis+sentinel://"},
		{"a master that nobody knows", master, `no master "other"`, "SENTINEL masters"},
		{"sentinels that are away", queue.Options{SentinelMaster: "m", SentinelAddrs: []string{closedPort(t)}}, "cannot be reached", "check that Redis runs"},
		{"a node of a cluster as Redis", queue.Options{Addr: cluster.ClusterAddrs[0]}, "node of a cluster", "redis+cluster://"},
		{"a Redis as cluster", queue.Options{ClusterAddrs: []string{single.Addr}}, "it is no cluster", "redis://"},
		{"a cluster that is away", queue.Options{ClusterAddrs: []string{closedPort(t)}}, "cannot be reached", "check that Redis runs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, err := queue.Open(context.Background(), c.options)
			if err == nil {
				q.Close()
			}
			refused(t, err, c.err, c.hint)
		})
	}
}
