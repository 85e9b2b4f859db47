package scheduler

import (
	"context"
	"fmt"
	"time"

	"orchestrator/scheduler/plan"
)

// mark is what the store says of a job: Completed, Failed, or "" for neither.
type mark struct {
	state   plan.State
	queue   plan.State // what the queue said when we looked
	checked time.Time
}

// markAge bounds how long what is not final is believed while the queue says
// the same of the job. A job that waits cannot end before it has run, so that
// looking at ten thousand waiting jobs each second would be for nothing.
const markAge = 15 * time.Second

// fresh tells whether the mark still holds, given what the queue says now. An
// outcome holds forever.
func (m mark) fresh(queue plan.State, now time.Time) bool {
	if m.state == plan.Completed {
		return true
	}
	settled := queue == plan.Pending || queue == plan.Running || m.state == plan.Failed
	return settled && queue == m.queue && now.Sub(m.checked) < markAge
}

// look finds out how the jobs stand in the store: Completed, Failed, or not in
// the map. queued is what the queue said of them before; nil: unknown.
func (s *Scheduler) look(ctx context.Context, sweep string, jobs []string, queued map[string]plan.State) (map[string]plan.State, error) {
	now := time.Now()
	stands := make(map[string]plan.State, len(jobs))
	var ask []string
	s.mu.Lock()
	marks := s.memory(sweep).marks
	for _, job := range jobs {
		switch m, known := marks[job]; {
		case !known || !m.fresh(queued[job], now) || queued == nil && m.state != plan.Completed:
			ask = append(ask, job)
		case m.state != "":
			stands[job] = m.state
		}
	}
	s.mu.Unlock()
	err := each(ctx, ask, func(ctx context.Context, job string) error {
		state, err := s.stand(ctx, job)
		if err != nil {
			return fmt.Errorf("look at job %s: %w", job, err)
		}
		s.setMark(sweep, job, mark{state: state, queue: queued[job], checked: now})
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	marks = s.memory(sweep).marks
	for _, job := range ask {
		if state := marks[job].state; state != "" {
			stands[job] = state
		}
	}
	return stands, nil
}

func (s *Scheduler) stand(ctx context.Context, job string) (plan.State, error) {
	done, err := s.exists(ctx, plan.OutcomeKey(job))
	if err != nil || done {
		return plan.Completed, err
	}
	failed, err := s.exists(ctx, plan.FailureKey(job))
	if err != nil || failed {
		return plan.Failed, err
	}
	return "", nil
}

func (s *Scheduler) setMark(sweep, job string, new mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memory(sweep)
	if _, digested := m.digested[job]; new.state == plan.Completed && !digested && m.marks[job].state != plan.Completed {
		m.fresh = append(m.fresh, job)
	}
	m.marks[job] = new
}
