package queue

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// normalPriority is plan's default. As in Determined, smaller is more urgent.
const normalPriority = 42

// Prioritize says how urgent a sweep is, 1 the most; the next Arrange goes by it.
func (q *Queue) Prioritize(ctx context.Context, sweep string, priority int) error {
	return q.options.explain(q.redis.HSet(ctx, priorityKey, sweep, cmp.Or(priority, normalPriority)).Err())
}

// Forget drops what is kept of a sweep that is over.
func (q *Queue) Forget(ctx context.Context, sweep string) error {
	return q.options.explain(q.redis.HDel(ctx, priorityKey, sweep).Err())
}

// Arrange puts the jobs that wait into order, queue by queue: those of the most
// urgent sweeps first, and of equally urgent ones in turn, so that each sweep gets
// its share. A sweep whose jobs run already comes after one with fewer. Within a
// sweep promising jobs come first, and else nothing changes.
func (q *Queue) Arrange(ctx context.Context) error {
	text, err := q.redis.HGetAll(ctx, priorityKey).Result()
	if err != nil {
		return fmt.Errorf("arrange the queues: %w", q.options.explain(err))
	}
	priorities := make(map[string]int, len(text))
	for sweep, p := range text {
		priorities[sweep], _ = strconv.Atoi(p) // what another version wrote is most urgent
	}
	queues, err := q.queues(ctx)
	if err != nil {
		return fmt.Errorf("arrange the queues: %w", err)
	}
	for _, queue := range queues {
		if err := q.arrange(ctx, queue, priorities); err != nil {
			return fmt.Errorf("arrange the queue %q: %w", queue, q.options.explain(err))
		}
	}
	return nil
}

func (q *Queue) arrange(ctx context.Context, queue string, priorities map[string]int) error {
	waiting, err := q.redis.LRange(ctx, pendingKey(queue), 0, -1).Result()
	if err != nil || len(waiting) < 2 {
		return err
	}
	slices.Reverse(waiting) // asynq takes from the end of the list
	active, err := q.redis.LRange(ctx, activeKey(queue), 0, -1).Result()
	if err != nil {
		return err
	}
	tasks, err := q.tasks(ctx, queue, append(active, waiting...))
	if err != nil {
		return err
	}
	running := map[string]int{}
	for _, job := range active {
		running[tasks[job].Sweep]++
	}
	wanted := order(waiting, tasks, running, priorities)
	if slices.Equal(wanted, waiting) {
		return nil
	}
	ids := make([]any, len(wanted))
	for i, job := range wanted {
		ids[i] = job
	}
	return reorder.Run(ctx, q.redis, []string{pendingKey(queue)}, ids...).Err()
}

// order is the order in which jobs that wait should run.
func order(waiting []string, tasks map[string]Task, running, priorities map[string]int) []string {
	type turn struct {
		job                  string
		priority, nth, place int
	}
	byRank := slices.Clone(waiting)
	slices.SortStableFunc(byRank, func(a, b string) int { return cmp.Compare(tasks[a].Rank, tasks[b].Rank) })
	turns := make([]turn, 0, len(waiting))
	taken := map[string]int{} // by sweep: jobs that run or come before
	for place, job := range byRank {
		sweep := tasks[job].Sweep
		if _, known := taken[sweep]; !known {
			taken[sweep] = running[sweep]
		}
		taken[sweep]++
		turns = append(turns, turn{job, cmp.Or(priorities[sweep], normalPriority), taken[sweep], place})
	}
	slices.SortFunc(turns, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.nth, b.nth), cmp.Compare(a.place, b.place))
	})
	wanted := make([]string, len(turns))
	for i, t := range turns {
		wanted[i] = t.job
	}
	return wanted
}

// tasks reads what the tasks of a queue are for.
func (q *Queue) tasks(ctx context.Context, queue string, jobs []string) (map[string]Task, error) {
	tasks := make(map[string]Task, len(jobs))
	for chunk := range slices.Chunk(jobs, pipelined) {
		messages := make([]*redis.StringCmd, len(chunk))
		_, err := q.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, job := range chunk {
				messages[i] = p.HGet(ctx, taskKey(queue, job), "msg")
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) { // one that has just ended has no message
			return nil, err
		}
		for i, job := range chunk {
			tasks[job] = payloadOf([]byte(messages[i].Val()))
		}
	}
	return tasks, nil
}

// payloadOf finds our payload in asynq's encoded message: it is the JSON in it that
// begins as ours do.
func payloadOf(message []byte) (t Task) {
	start := bytes.Index(message, []byte(`{"sweep":`))
	if start >= 0 {
		_ = json.NewDecoder(bytes.NewReader(message[start:])).Decode(&t)
	}
	return t
}
