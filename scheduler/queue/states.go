package queue

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"orchestrator/scheduler/plan"
)

// place is where a job is found.
type place struct {
	queue string
	state plan.State
}

// locate reads the lists of all queues, so that its cost depends on what is
// queued and not on how many ask. A job may be in several queues, where sweeps
// that share it ask for different resources.
func (q *Queue) locate(ctx context.Context) (map[string][]place, error) {
	where := map[string][]place{}
	queues, err := q.queues(ctx)
	if err != nil {
		return nil, err
	}
	for _, queue := range queues {
		var lists []*redis.StringSliceCmd
		// One transaction per queue: no job is missed while it moves.
		_, err := q.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
			lists = []*redis.StringSliceCmd{
				p.LRange(ctx, pendingKey(queue), 0, -1),
				p.ZRange(ctx, scheduledKey(queue), 0, -1),
				p.ZRange(ctx, retryKey(queue), 0, -1),
				p.LRange(ctx, activeKey(queue), 0, -1),
				p.ZRange(ctx, completedKey(queue), 0, -1),
				p.ZRange(ctx, archivedKey(queue), 0, -1),
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list the queue %q: %w", queue, q.options.explain(err))
		}
		for i, state := range []plan.State{plan.Pending, plan.Pending, plan.Pending, plan.Running, plan.Completed, plan.Failed} {
			for _, job := range lists[i].Val() {
				where[job] = append(where[job], place{queue, state})
			}
		}
	}
	return where, nil
}

// rank orders the states of a job that is in several queues: what says most of
// its future wins.
var rank = map[plan.State]int{plan.Running: 4, plan.Pending: 3, plan.Completed: 2, plan.Failed: 1}

// States tells where the jobs are: Pending (also while a retry waits for its
// time), Running, Completed or Failed (archived). A job in no queue is not in
// the map. What the queue calls completed or failed is only what a worker
// reported to it; the truth is in the store.
func (q *Queue) States(ctx context.Context, jobs []string) (map[string]plan.State, error) {
	where, err := q.locate(ctx)
	if err != nil {
		return nil, err
	}
	states := make(map[string]plan.State, len(jobs))
	for _, job := range jobs {
		for _, at := range where[job] {
			if rank[at.state] > rank[states[job]] {
				states[job] = at.state
			}
		}
	}
	return states, nil
}
