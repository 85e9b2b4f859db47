package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// keep refreshes the claims of running jobs and frees those of dead workers,
// until ctx ends.
func (s *server) keep(ctx context.Context) {
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	suspects := map[string]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.beat(ctx)
		freed, err := s.queue.rescue(ctx, suspects)
		if err != nil {
			s.options.Log.Debug("look for jobs of dead workers", "error", err)
		}
		for _, task := range freed {
			s.options.Log.With(task.ids()...).Warn("job taken back from a worker that is gone")
		}
	}
}

// beat renews the claims, and stops the jobs that another worker has claimed since:
// this one was stopped for so long, or cut off, that it was taken for dead. An error
// means that Redis is away; there is another beat soon.
func (s *server) beat(ctx context.Context) {
	s.mu.Lock()
	var jobs []string
	for job, r := range s.running {
		if r.claimed {
			jobs = append(jobs, job)
		}
	}
	s.mu.Unlock()
	if len(jobs) == 0 {
		return
	}
	holders := make([]*redis.Cmd, len(jobs))
	_, _ = s.queue.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, job := range jobs {
			holders[i] = claim.Eval(ctx, p, []string{claimKey(job)}, s.id, claimTTL.Milliseconds())
		}
		return nil
	})
	for i, job := range jobs {
		if other, err := holders[i].Text(); err == nil && other != "" {
			s.lose(job, other)
		}
	}
}

// lose stops a job that another server runs by now.
func (s *server) lose(job, other string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[job]; r != nil && r.claimed {
		r.claimed, r.other = false, other
		r.stop(fmt.Errorf("taken over by %s", other))
	}
}

// suspicion is how long a job must be seen active and unclaimed before it is
// taken back. After an outage in which all claims expired, it leaves living
// workers time for several beats.
const suspicion = 3 * beatInterval

// rescue puts back in front of their queues the jobs that are active and that
// nobody has claimed for some time: their worker is dead, or a failover lost
// their lease, which asynq would never notice. suspects is the caller's memory
// between calls: since when a job has been seen so. It returns the jobs freed.
//
// A worker that was only cut off may still run such a job; it is then run
// twice, and whichever outcome is recorded first stands.
func (q *Queue) rescue(ctx context.Context, suspects map[string]time.Time) ([]Task, error) {
	active := map[string]string{} // job to queue
	queues, err := q.queues(ctx)
	if err != nil {
		return nil, err
	}
	for _, queue := range queues {
		jobs, err := q.redis.LRange(ctx, activeKey(queue), 0, -1).Result()
		if err != nil {
			return nil, q.options.explain(err)
		}
		for _, job := range jobs {
			active[job] = queue
		}
	}
	unclaimed, err := q.unclaimed(ctx, slices.Sorted(maps.Keys(active)))
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(suspects, func(job string, _ time.Time) bool { return !slices.Contains(unclaimed, job) })
	var freed []Task
	for _, job := range unclaimed {
		since, known := suspects[job]
		if !known {
			suspects[job] = time.Now()
		}
		if !known || time.Since(since) < suspicion {
			continue
		}
		queue := active[job]
		n, err := release.Run(ctx, q.redis, scriptKeys(queue, job), job).Int()
		if err != nil {
			return freed, fmt.Errorf("take back job %s: %w", job, q.options.explain(err))
		}
		if n == 1 {
			freed = append(freed, q.task(queue, job))
		}
		delete(suspects, job)
	}
	return freed, nil
}

// task is what the queue knows of a job: only its name, if it is gone meanwhile.
func (q *Queue) task(queue, job string) Task {
	info, err := asynq.NewInspectorFromRedisClient(q.redis).GetTaskInfo(queue, job)
	if err != nil {
		return Task{Job: job}
	}
	t, err := parseTask(info.Payload)
	if err != nil {
		return Task{Job: job}
	}
	return t
}

// unclaimed are those of the jobs that no living server says it runs.
func (q *Queue) unclaimed(ctx context.Context, jobs []string) ([]string, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	keys := make([]string, len(jobs))
	for i, job := range jobs {
		keys[i] = claimKey(job)
	}
	holders, err := q.values(ctx, keys)
	if err != nil {
		return nil, err
	}
	var none []string
	for _, job := range jobs {
		if _, claimed := holders[claimKey(job)]; !claimed {
			none = append(none, job)
		}
	}
	return none, nil
}
