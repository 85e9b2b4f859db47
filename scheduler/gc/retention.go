package gc

import (
	"context"
	"fmt"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// checkpoints are those beyond what the sweeps of their jobs keep, and what attempts
// that were killed have left. A job that several sweeps share keeps what any of them
// says.
func (f *finder) checkpoints(ctx context.Context) error {
	r := &retention{finder: f, over: map[string]bool{}, open: map[string]bool{}, kept: map[plan.CheckpointID]bool{}}
	for _, one := range inOrder(f.kept.sweeps) {
		for _, group := range one.groups {
			if err := r.group(ctx, one.plan, group); err != nil {
				return err
			}
		}
	}
	for job, all := range inOrder(f.objects.jobs) {
		if !f.kept.jobs[job] || len(f.scope.Of) > 0 && !f.of.jobs[job] {
			continue
		}
		f.add(Checkpoints, job, r.beyond(job, all))
		f.add(Unfinished, job, f.unfinished(job, all))
	}
	return nil
}

// retention is what the checkpoints of all jobs are kept by.
type retention struct {
	*finder
	over map[string]bool // jobs whose checkpoints are pruned
	open map[string]bool // jobs that may still need them all, for some sweep
	kept map[plan.CheckpointID]bool
}

// group notes what is kept of a job and the rungs that lead to it: as of the last of
// them that has an outcome, as the worker that recorded it did.
func (r *retention) group(ctx context.Context, p *plan.Plan, group []string) error {
	last := len(group) - 1
	for ; last >= 0 && !r.has(group[last], plan.OutcomeKey(group[last])); last-- {
		r.open[group[last]] = true
	}
	if last < 0 {
		return nil
	}
	var complete []plan.CheckpointID
	for _, job := range group[:last+1] {
		r.over[job] = true
		complete = append(complete, pointed(job, r.objects.jobs[job])...)
	}
	if len(complete) == 0 {
		return nil
	}
	var o plan.Outcome
	if p.Checkpoints.SaveTrialBest > 0 {
		if err := artifacts.GetJSON(ctx, r.Store, plan.OutcomeKey(group[last]), &o); err != nil {
			return fmt.Errorf("read which epochs of job %s were the best: %w", group[last], err)
		}
	}
	for id := range p.Checkpoints.Retained(p.Metric, group[last], p.Checkpoints.SaveTrialLatest, o.History, complete) {
		r.kept[id] = true
	}
	return nil
}

func (f *finder) has(job, key string) bool {
	for _, o := range f.objects.jobs[job] {
		if o.Key == key {
			return true
		}
	}
	return false
}

// pointed are the checkpoints that have a pointer.
func pointed(job string, all []artifacts.Info) (complete []plan.CheckpointID) {
	for _, o := range all {
		if id, suffix, ok := plan.ParseCheckpoint(job, o.Key); ok && suffix == plan.PointerSuffix {
			complete = append(complete, id)
		}
	}
	return complete
}

// beyond are the checkpoints of a job that nobody wants kept, pointers first.
func (r *retention) beyond(job string, all []artifacts.Info) (waste []artifacts.Info) {
	if !r.over[job] || r.open[job] {
		return nil
	}
	pointer := map[plan.CheckpointID]bool{}
	for _, id := range pointed(job, all) {
		pointer[id] = true
	}
	for _, suffix := range []string{plan.PointerSuffix, plan.TensorsSuffix} {
		for _, o := range all {
			if id, of, ok := plan.ParseCheckpoint(job, o.Key); ok && of == suffix && pointer[id] && !r.kept[id] {
				waste = append(waste, o)
			}
		}
	}
	return waste
}

// unfinished are tensors without a pointer, and networks and predictions without an
// outcome, that are too old for somebody to be about to write it.
func (f *finder) unfinished(job string, all []artifacts.Info) (waste []artifacts.Info) {
	pointer := map[plan.CheckpointID]bool{}
	for _, id := range pointed(job, all) {
		pointer[id] = true
	}
	done := f.has(job, plan.OutcomeKey(job))
	for _, o := range all {
		id, suffix, ok := plan.ParseCheckpoint(job, o.Key)
		result := !done && (o.Key == plan.ModelKey(job) || o.Key == plan.PredictionsKey(job))
		if (ok && suffix == plan.TensorsSuffix && !pointer[id] || result) && f.aged([]artifacts.Info{o}) {
			waste = append(waste, o)
		}
	}
	return waste
}
