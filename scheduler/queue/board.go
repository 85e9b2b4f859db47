package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"orchestrator/scheduler/plan"
)

// progressTTL is how long a worker's last word on a job is kept. A job speaks
// many times as often while it runs.
const progressTTL = 10 * time.Minute

// Report publishes how far a running job has come. Losing it is harmless, so
// callers may ignore the error.
func (q *Queue) Report(ctx context.Context, job string, p plan.Progress) error {
	if math.IsNaN(p.Loss) || math.IsInf(p.Loss, 0) {
		p.Loss = 0 // JSON has no such numbers; a job that diverged says so when it ends
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("report the progress of job %s: %w", job, err)
	}
	return q.options.explain(q.redis.Set(ctx, progressKey(job), text, progressTTL).Err())
}

// Progress returns what was last reported of those of the jobs of which
// anything was.
func (q *Queue) Progress(ctx context.Context, jobs []string) (map[string]plan.Progress, error) {
	board := make(map[string]plan.Progress, len(jobs))
	if len(jobs) == 0 {
		return board, nil
	}
	keys := make([]string, len(jobs))
	for i, job := range jobs {
		keys[i] = progressKey(job)
	}
	values, err := q.values(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read the progress of jobs: %w", err)
	}
	for _, job := range jobs {
		var p plan.Progress
		// What another version wrote and we cannot read counts as not reported.
		if text, ok := values[progressKey(job)]; ok && json.Unmarshal([]byte(text), &p) == nil {
			board[job] = p
		}
	}
	return board, nil
}
