package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// Update changes settings of a sweep, while it runs or not; what is zero in the
// change stays as it is.
func (s *Scheduler) Update(ctx context.Context, sweep string, change plan.Settings) (Report, error) {
	switch n := change.Priority; {
	case n != 0 && (n < plan.FirstPriority || n > plan.LastPriority):
		return Report{}, inputError{fmt.Sprintf("the priority %d is not %s", n, plan.PriorityWords), "1 goes first"}
	case change.MaxConcurrent < 0:
		return Report{}, inputError{fmt.Sprintf("%d trials at a time are none", change.MaxConcurrent), "1 or more"}
	}
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	if change.MaxConcurrent > 0 && p.Search.Ordered() {
		return Report{}, inputError{"max_concurrent_trials is part of what this search does, and cannot be changed",
			"what each trial learns from, and is compared with, follows from it; submit another sweep: outcomes are shared"}
	}
	settings, err := s.settings(ctx, sweep)
	if err != nil {
		return Report{}, err
	}
	settings = plan.Settings{
		Priority: cmp.Or(change.Priority, settings.Priority), MaxConcurrent: cmp.Or(change.MaxConcurrent, settings.MaxConcurrent),
		Budget: plan.Budget{Time: cmp.Or(change.Budget.Time, settings.Budget.Time), DeviceTime: cmp.Or(change.Budget.DeviceTime, settings.Budget.DeviceTime)},
	}
	if err := artifacts.PutJSON(ctx, s.Store, plan.SettingsKey(sweep), settings); err != nil {
		return Report{}, fmt.Errorf("update sweep %s: %w", sweep, err)
	}
	report, err := s.Reconcile(ctx, sweep)
	if err == nil {
		err = s.arrange(ctx)
	}
	return report, err
}

// settings reads what was changed of a sweep.
func (s *Scheduler) settings(ctx context.Context, sweep string) (plan.Settings, error) {
	var settings plan.Settings
	err := artifacts.GetJSON(ctx, s.Store, plan.SettingsKey(sweep), &settings)
	if err != nil && !errors.Is(err, artifacts.ErrNotFound) {
		return plan.Settings{}, fmt.Errorf("read the settings of sweep %s: %w", sweep, err)
	}
	return settings, nil
}

// Settings are those that hold for a sweep now, whether its file or an Update says so.
func (s *Scheduler) Settings(ctx context.Context, sweep string) (plan.Settings, error) {
	p, err := s.Plan(ctx, sweep)
	if err != nil {
		return plan.Settings{}, err
	}
	changed, err := s.settings(ctx, sweep)
	if err != nil {
		return plan.Settings{}, err
	}
	p = with(p, changed)
	now := plan.Settings{Priority: p.Resources.Priority, Budget: p.Budget}
	if p.Search != nil {
		now.MaxConcurrent = p.Search.Concurrent
	}
	return now, nil
}

// with is the plan with changed settings.
func with(p *plan.Plan, settings plan.Settings) *plan.Plan {
	if settings == (plan.Settings{}) {
		return p
	}
	changed := *p
	changed.Resources.Priority = cmp.Or(settings.Priority, p.Resources.Priority)
	changed.Budget.Time = cmp.Or(settings.Budget.Time, p.Budget.Time)
	changed.Budget.DeviceTime = cmp.Or(settings.Budget.DeviceTime, p.Budget.DeviceTime)
	if settings.MaxConcurrent > 0 {
		search := plan.Search{Trials: len(p.Trials)}
		if p.Search != nil {
			search = *p.Search
		}
		search.Concurrent = settings.MaxConcurrent
		changed.Search = &search
	}
	return &changed
}

// arrange puts the jobs that wait into the order of their sweeps' urgency.
func (s *Scheduler) arrange(ctx context.Context) error {
	if s.Queue == nil {
		return nil
	}
	return s.Queue.Arrange(ctx)
}

// spent tells which budget of the sweep is used up, "" for none.
func (s *Scheduler) spent(ctx context.Context, v *sight) (string, error) {
	b := v.plan.Budget
	if b.Time > 0 {
		info, err := s.Store.Stat(ctx, plan.PlanKey(v.plan.ID))
		if err != nil {
			return "", err
		}
		if age := s.now().Sub(info.Modified); age > time.Duration(b.Time)*time.Second {
			return fmt.Sprintf("its time budget of %v is spent", time.Duration(b.Time)*time.Second), nil
		}
	}
	if b.DeviceTime == 0 {
		return "", nil
	}
	sum, err := s.deviceTime(ctx, v)
	if err != nil {
		return "", err
	}
	if sum > float64(b.DeviceTime) {
		return fmt.Sprintf("its budget of %v of device time is spent", time.Duration(b.DeviceTime)*time.Second), nil
	}
	return "", nil
}

// deviceTime is how long the jobs of a sweep took, in seconds; what others trained has
// cost this sweep nothing.
func (s *Scheduler) deviceTime(ctx context.Context, v *sight) (float64, error) {
	var done []string
	for _, t := range v.trials {
		if t == nil {
			continue
		}
		for job, state := range t.stands {
			if state == plan.Completed {
				done = append(done, job)
			}
		}
	}
	outcomes, err := s.tell(ctx, v.plan, done)
	sum := 0.0
	for _, o := range outcomes {
		if o.outcome.Sweep == v.plan.ID {
			sum += o.outcome.Seconds
		}
	}
	return sum, err
}
