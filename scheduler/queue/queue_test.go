package queue_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/scheduler/queue/queuetest"
)

var _ scheduler.Queue = (*queue.Queue)(nil)

// raw is a plain client beside the queue, to look under the covers.
func raw(t testing.TB, o queue.Options) redis.UniversalClient {
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: append(o.ClusterAddrs, o.Addr)[:max(1, len(o.ClusterAddrs))], Password: o.Password})
	t.Cleanup(func() { c.Close() })
	return c
}

// flush has all servers forget everything.
func flush(t testing.TB, c redis.UniversalClient) {
	t.Helper()
	ctx := context.Background()
	var err error
	if cluster, ok := c.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return node.FlushAll(ctx).Err() })
	} else {
		err = c.FlushAll(ctx).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestEnqueueTwiceQueuesOnce(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		enqueue(t, q, "a", "b", "a")
		infos, err := asynq.NewInspectorFromRedisClient(raw(t, o)).ListPendingTasks("any")
		if err != nil {
			t.Fatal(err)
		}
		if len(infos) != 2 {
			t.Fatalf("%d tasks are pending, want 2", len(infos))
		}
		if got, want := string(infos[0].Payload), `{"sweep":"s","job":"a","trial":0,"fold":0}`; got != want {
			t.Errorf("payload %s, want %s", got, want)
		}
		if infos[0].MaxRetry < 1000 || infos[0].Timeout < 24*time.Hour || infos[0].Retention != 7*24*time.Hour {
			t.Errorf("max retry %d, timeout %s, retention %s", infos[0].MaxRetry, infos[0].Timeout, infos[0].Retention)
		}
	})
}

func TestEnqueueAgain(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		results := map[string]queue.Result{
			"completed": {End: queue.Done},
			"archived":  {End: queue.Permanent, Detail: "no such layer"},
			"retrying":  {End: queue.Retry, After: time.Hour},
		}
		enqueue(t, q, "completed", "archived", "retrying")
		stop := serve(t, q, queue.ServeOptions{Handler: func(_ context.Context, t queue.Task) queue.Result { return results[t.Job] }})
		eventually(t, 5*time.Second, q, "completed", plan.Completed)
		eventually(t, 5*time.Second, q, "archived", plan.Failed)
		inspector := asynq.NewInspectorFromRedisClient(raw(t, o))
		queuetest.Eventually(t, 5*time.Second, "the third waits for its retry", func() bool {
			infos, _ := inspector.ListRetryTasks("any")
			return len(infos) == 1
		})
		stop()
		// What a flush in the middle of a job can leave: a hash in no list.
		if err := raw(t, o).HSet(context.Background(), "asynq:{any}:t:orphan", "result", "x").Err(); err != nil {
			t.Fatal(err)
		}
		enqueue(t, q, "completed", "archived", "retrying", "orphan")
		for _, job := range []string{"completed", "archived", "orphan"} {
			if info, err := inspector.GetTaskInfo("any", job); err != nil || info.State != asynq.TaskStatePending {
				t.Errorf("%s: %v, %v; want pending", job, info, err)
			}
		}
		if info, err := inspector.GetTaskInfo("any", "retrying"); err != nil || info.State != asynq.TaskStateRetry {
			t.Errorf("a job that waits for its retry was touched: %v, %v", info, err)
		}
	})
}

// The layout in Redis that we read is the one that asynq writes.
func TestLayout(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		release := make(chan struct{})
		results := map[string]queue.Result{"done": {}, "gone": {End: queue.Permanent}, "retry": {End: queue.Retry, After: time.Hour}}
		enqueue(t, q, "done", "gone", "retry", "active", "pending")
		serve(t, q, queue.ServeOptions{Handler: func(_ context.Context, t queue.Task) queue.Result {
			if r, ok := results[t.Job]; ok {
				return r
			}
			<-release
			return queue.Result{End: queue.Interrupted}
		}, OnDrain: func() { close(release) }})
		eventually(t, 5*time.Second, q, "active", plan.Running)

		inspector := asynq.NewInspectorFromRedisClient(raw(t, o))
		jobs := []string{"done", "gone", "retry", "active", "pending", "unknown"}
		got, err := q.States(context.Background(), jobs)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]plan.State{}
		for _, job := range jobs[:5] {
			info, err := inspector.GetTaskInfo("any", job)
			if err != nil {
				t.Fatal(err)
			}
			want[job] = map[asynq.TaskState]plan.State{asynq.TaskStateCompleted: plan.Completed, asynq.TaskStateArchived: plan.Failed,
				asynq.TaskStateRetry: plan.Pending, asynq.TaskStateActive: plan.Running, asynq.TaskStatePending: plan.Pending}[info.State]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("States differs from what asynq says (-asynq +ours):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]plan.State{"done": plan.Completed, "gone": plan.Failed, "retry": plan.Pending,
			"active": plan.Running, "pending": plan.Pending}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWithdraw(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		release := make(chan struct{})
		enqueue(t, q, "active", "waiting", "kept")
		serve(t, q, queue.ServeOptions{Handler: func(context.Context, queue.Task) queue.Result {
			<-release
			return queue.Result{End: queue.Interrupted}
		}, OnDrain: func() { close(release) }})
		eventually(t, 5*time.Second, q, "active", plan.Running)
		for range 2 { // twice is fine
			if err := q.Withdraw(context.Background(), "active", "waiting", "unknown"); err != nil {
				t.Fatal(err)
			}
		}
		for job, want := range map[string]plan.State{"active": plan.Running, "waiting": "", "kept": plan.Pending} {
			if got := state(t, q, job); got != want {
				t.Errorf("%s is %q, want %q", job, got, want)
			}
		}
		if n := raw(t, o).Exists(context.Background(), "asynq:{any}:t:waiting").Val(); n != 0 {
			t.Error("the withdrawn task left its hash behind")
		}
	})
}

func TestEnqueueUnknownDevice(t *testing.T) {
	t.Parallel()
	q := queuetest.Open(t, embedded(t))
	err := q.Enqueue(context.Background(), "s", plan.Resources{Device: "tpu"}, plan.Job{ID: "a"})
	if err == nil {
		t.Fatal("no error")
	}
	contains(t, err.Error(), `"tpu"`, "cuda, cpu, any")
}

// asynq tells asynqmon of a queue once per process; a flush would hide it for good.
func TestQueueIsListedAfterFlush(t *testing.T) {
	t.Parallel()
	o := embedded(t)
	q, c := queuetest.Open(t, o), raw(t, o)
	enqueue(t, q, "a")
	flush(t, c)
	queuetest.Eventually(t, 5*time.Second, "the queue is listed again", func() bool {
		enqueue(t, q, "a")
		return c.SIsMember(context.Background(), "asynq:queues", "any").Val()
	})
	if got := state(t, q, "a"); got != plan.Pending {
		t.Errorf("the job is %q after the flush, want pending", got)
	}
}

func TestProgress(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		ctx := context.Background()
		want := plan.Progress{Job: "a", Host: "h", Device: "cpu", Epoch: 2, Epochs: 5, Step: 20, Steps: 50, Loss: 0.5, Seconds: 3, ETA: 4.5}
		if err := q.Report(ctx, "a", want); err != nil {
			t.Fatal(err)
		}
		got, err := q.Progress(ctx, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]plan.Progress{"a": want}, got); diff != "" {
			t.Error(diff)
		}
		if ttl := raw(t, o).TTL(ctx, "orchestrator:progress:a").Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("the progress is kept for %s", ttl)
		}
	})
}

// The states of many jobs take a few commands; asking job by job would take tens of
// thousands.
func TestStatesOfManyJobs(t *testing.T) {
	t.Parallel()
	const n, most = 10_000, 100
	o := queuetest.StartRedis(t, "--appendonly", "no").Options()
	q := queuetest.Open(t, o)
	jobs, ids := make([]plan.Job, n), make([]string, n)
	for i := range jobs {
		ids[i] = fmt.Sprintf("%032x", i)
		jobs[i] = plan.Job{ID: ids[i], Trial: i}
	}
	if err := q.Enqueue(context.Background(), "s", anywhere, jobs...); err != nil {
		t.Fatal(err)
	}
	before := commands(t, o)
	states, err := q.States(context.Background(), ids)
	took := commands(t, o) - before
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if states[id] != plan.Pending {
			t.Fatalf("job %s is %q, want pending", id, states[id])
		}
	}
	if took > most {
		t.Errorf("the states of %d jobs took %d commands, want at most %d", n, took, most)
	}
}

// commands is how many commands a server has carried out.
func commands(t *testing.T, o queue.Options) int {
	t.Helper()
	for line := range strings.Lines(raw(t, o).Info(context.Background(), "stats").Val()) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "total_commands_processed:"); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("the server does not say how many commands it has carried out")
	return 0
}
