package queue_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/scheduler/queue/queuetest"
)

// The benchmarks come in pairs: ours, and asynq alone with the same options, so
// that what claims and idempotence cost can be seen.

func redisForBench(b *testing.B) queue.Options {
	return queuetest.StartRedis(b, "--appendonly", "no").Options()
}

func BenchmarkEnqueue(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		q := queuetest.Open(b, redisForBench(b))
		jobs := make([]plan.Job, b.N)
		for i := range jobs {
			jobs[i] = plan.Job{ID: fmt.Sprintf("%032x", i), Trial: i}
		}
		b.ResetTimer()
		if err := q.Enqueue(context.Background(), "s", anywhere, jobs...); err != nil {
			b.Fatal(err)
		}
		rate(b)
	})
	b.Run("asynq", func(b *testing.B) {
		client := asynq.NewClientFromRedisClient(raw(b, redisForBench(b)))
		b.ResetTimer()
		for i := range b.N {
			if _, err := client.Enqueue(asynq.NewTask("job", []byte("payload")), asynq.TaskID(fmt.Sprintf("%032x", i)), asynq.Queue("any")); err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
}

func BenchmarkProcess(b *testing.B) {
	const slots = 10
	fill := func(b *testing.B, o queue.Options) *queue.Queue {
		q := queuetest.Open(b, o)
		jobs := make([]plan.Job, b.N)
		for i := range jobs {
			jobs[i] = plan.Job{ID: fmt.Sprintf("%032x", i), Trial: i}
		}
		if err := q.Enqueue(context.Background(), "s", anywhere, jobs...); err != nil {
			b.Fatal(err)
		}
		return q
	}
	b.Run("ours", func(b *testing.B) {
		q := fill(b, redisForBench(b))
		var left sync.WaitGroup
		left.Add(b.N)
		b.ResetTimer()
		serve(b, q, queue.ServeOptions{Concurrency: slots, Handler: func(context.Context, queue.Task) queue.Result {
			left.Done()
			return queue.Result{End: queue.Done}
		}})
		left.Wait()
		b.StopTimer()
		rate(b)
	})
	b.Run("asynq", func(b *testing.B) {
		o := redisForBench(b)
		fill(b, o)
		server := asynq.NewServerFromRedisClient(raw(b, o), asynq.Config{Concurrency: slots, Queues: map[string]int{"any": 1}, LogLevel: asynq.ErrorLevel})
		var left sync.WaitGroup
		left.Add(b.N)
		b.ResetTimer()
		err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { left.Done(); return nil }))
		if err != nil {
			b.Fatal(err)
		}
		left.Wait()
		b.StopTimer()
		server.Shutdown()
		rate(b)
	})
}

func rate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s") }

// BenchmarkPickup is how long a job waits for an idle worker.
func BenchmarkPickup(b *testing.B) {
	q := queuetest.Open(b, redisForBench(b))
	started := make(chan time.Time)
	serve(b, q, queue.ServeOptions{Concurrency: 2, Handler: func(context.Context, queue.Task) queue.Result {
		started <- time.Now()
		return queue.Result{End: queue.Done}
	}})
	waits := make([]time.Duration, b.N)
	b.ResetTimer()
	for i := range waits {
		enqueued := time.Now()
		if err := q.Enqueue(context.Background(), "s", anywhere, plan.Job{ID: fmt.Sprintf("%032x", i), Trial: i}); err != nil {
			b.Fatal(err)
		}
		waits[i] = (<-started).Sub(enqueued)
	}
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(waits[(len(waits)-1)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(waits[(len(waits)-1)/2].Microseconds())/1000, "p50-ms")
}
