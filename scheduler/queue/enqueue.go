package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"orchestrator/scheduler/plan"
)

const (
	// retention is how long asynqmon shows a completed job.
	retention = 7 * 24 * time.Hour
	// taskTimeout is asynq's limit on one attempt; it would take 0 as half an
	// hour. Real limits are the worker's.
	taskTimeout = 90 * 24 * time.Hour
	// maxRetry never runs out: the worker counts the attempts that failed, in
	// the store, and gives a job up by Permanent.
	maxRetry = 1_000_000
	// maxParallel bounds the commands in flight of one Enqueue.
	maxParallel = 16
)

// Enqueue makes sure that the jobs of a sweep wait in a queue or run, in about
// the given order. A job that does so already is left alone; what is left of
// one that is over is removed and the job enqueued again. After an error some
// of the jobs may be enqueued; calling again is safe.
func (q *Queue) Enqueue(ctx context.Context, sweep string, r plan.Resources, jobs ...plan.Job) error {
	queue, err := name(r)
	if err != nil {
		return err
	}
	// asynq tells of a queue once per process, which a flush of Redis undoes.
	if err := q.redis.SAdd(ctx, queuesKey, queue).Err(); err != nil {
		return q.options.explain(err)
	}
	if err := q.Prioritize(ctx, sweep, r.Priority); err != nil {
		return err
	}
	// A small sweep starts in exactly the order of its table; for a big one the
	// round trips matter more.
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(maxParallel, 1+len(jobs)/64))
	for _, job := range jobs {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			t := Task{Sweep: sweep, Job: job.ID, Trial: job.Trial, Fold: job.Fold, Rank: job.Rank}
			if err := q.enqueue(ctx, queue, t); err != nil {
				return fmt.Errorf("enqueue job %s: %w", job.ID, q.options.explain(err))
			}
			return nil
		})
	}
	return g.Wait()
}

func (q *Queue) enqueue(ctx context.Context, queue string, t Task) error {
	task := asynq.NewTask(taskType, t.payload())
	for range 3 { // more than once only when it is removed under our hands
		_, err := q.client.EnqueueContext(ctx, task, asynq.TaskID(t.Job), asynq.Queue(queue),
			asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout), asynq.Retention(retention))
		if !errors.Is(err, asynq.ErrTaskIDConflict) {
			return err
		}
		free, err := forget.Run(ctx, q.redis, scriptKeys(queue, t.Job), t.Job).Int()
		if err != nil || free == 0 {
			return err
		}
	}
	return fmt.Errorf("others keep removing and enqueuing it")
}

// Withdraw removes the jobs from the queues, whatever is known of them there,
// except those that a worker is running.
func (q *Queue) Withdraw(ctx context.Context, jobs ...string) error {
	states, err := q.locate(ctx)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		for _, at := range states[job] {
			if at.state == plan.Running {
				continue
			}
			if err := withdraw.Run(ctx, q.redis, scriptKeys(at.queue, job), job).Err(); err != nil {
				return fmt.Errorf("withdraw job %s: %w", job, q.options.explain(err))
			}
		}
	}
	return nil
}
