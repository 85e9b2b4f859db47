package web

import (
	"context"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

func (s *Server) pause(ctx context.Context, in *SweepInput) (scheduler.Report, error) {
	return s.noted(ctx, "paused", in.Sweep, s.o.Scheduler.Pause)
}

func (s *Server) resume(ctx context.Context, in *SweepInput) (scheduler.Report, error) {
	return s.noted(ctx, "resumed", in.Sweep, s.o.Scheduler.Resume)
}

func (s *Server) cancel(ctx context.Context, in *SweepInput) (scheduler.Report, error) {
	return s.noted(ctx, "canceled", in.Sweep, s.o.Scheduler.Cancel)
}

func (s *Server) retry(ctx context.Context, in *SweepInput) (scheduler.Report, error) {
	return s.noted(ctx, "retried", in.Sweep, func(ctx context.Context, sweep string) (scheduler.Report, error) {
		_, report, err := s.o.Scheduler.Retry(ctx, sweep)
		return report, err
	})
}

// change is what can be changed of a sweep; what is left out stays.
type change struct {
	Priority      int           `json:"priority,omitempty" minimum:"1" maximum:"99" doc:"from 1 (first) to 99 (last)"`
	MaxConcurrent int           `json:"max_concurrent_trials,omitempty" minimum:"1"`
	Budget        *changeBudget `json:"budget,omitempty"`
}

type changeBudget struct {
	Time       int64 `json:"time,omitempty" minimum:"1" doc:"seconds since the submission"`
	DeviceTime int64 `json:"device_time,omitempty" minimum:"1" doc:"seconds that all jobs took, in sum"`
}

type changeInput struct {
	SweepInput
	Body change
}

func (s *Server) update(ctx context.Context, in *changeInput) (scheduler.Report, error) {
	settings := plan.Settings{Priority: in.Body.Priority, MaxConcurrent: in.Body.MaxConcurrent}
	if b := in.Body.Budget; b != nil {
		settings.Budget = plan.Budget{Time: plan.Seconds(b.Time), DeviceTime: plan.Seconds(b.DeviceTime)}
	}
	if settings == (plan.Settings{}) {
		return scheduler.Report{}, problemf(422, "name priority, max_concurrent_trials or budget", "the request changes nothing")
	}
	return s.noted(ctx, "updated", in.Sweep, func(ctx context.Context, sweep string) (scheduler.Report, error) {
		return s.o.Scheduler.Update(ctx, sweep, settings)
	})
}

// noted does something to a sweep, and leaves in the log who asked for it.
func (s *Server) noted(ctx context.Context, what, sweep string, act func(context.Context, string) (scheduler.Report, error)) (scheduler.Report, error) {
	// What has begun is brought to its end, also if the browser leaves.
	report, err := act(context.WithoutCancel(ctx), sweep)
	v := visitorOf(ctx)
	if err != nil {
		return report, err
	}
	s.o.Log.Info("sweep "+what, "sweep", sweep, "user", v.user, "from", v.address)
	return report, nil
}
