package scheduler

import (
	"math"
	"slices"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/prune"
	"orchestrator/scheduler/search"
)

// advice is what comes next.
type advice struct {
	wanted  []plan.Job  // in the queue, in about this order
	stops   []plan.Stop // to be recorded
	propose bool        // the next trial is due
}

// advance decides what comes next. It is pure, and depends on what trials came to
// and not on when.
func (v *sight) advance() advice {
	switch {
	case v.plan.Search == nil:
		return advice{wanted: jobsOnce(v.open(v.prefix.n, len(v.trials)))}
	case v.plan.Search.Adaptive():
		return v.search()
	}
	var a advice
	for n, active := v.prefix.n, 0; n < len(v.trials) && active < v.plan.Search.Concurrent; n++ {
		if open := v.open(n, n+1); len(open) > 0 {
			a.wanted = append(a.wanted, open...)
			active++
		}
	}
	a.wanted = jobsOnce(a.wanted)
	return a
}

// open are the jobs of some trials that are neither done nor given up.
func (v *sight) open(from, to int) []plan.Job {
	var open []plan.Job
	for n := from; n < to; n++ {
		for _, job := range v.jobsOf(n) {
			if v.at(n).stands[job.ID] == "" {
				open = append(open, job)
			}
		}
	}
	return open
}

func jobsOnce(jobs []plan.Job) []plan.Job {
	seen := make(map[string]bool, len(jobs))
	var once []plan.Job
	for _, job := range jobs {
		if !seen[job.ID] {
			seen[job.ID] = true
			once = append(once, job)
		}
	}
	return once
}

// search advances a sweep whose trials depend on each other.
func (v *sight) search() advice {
	v.all = nil
	rules := v.plan.Rules()
	var cohort prune.Cohort
	if rules.Type == prune.SuccessiveHalving {
		cohort = rules.Cohort(v.records(len(v.trials)))
	}
	ordered, window := v.plan.Search.Ordered(), v.plan.Search.Concurrent
	var a advice
	over, active := v.prefix.n, 0 // over: all trials before are
	var promising, others []plan.Job
	for n := v.prefix.n; n < len(v.trials); n++ {
		t := v.at(n)
		if t.settled() {
			if over == n {
				over++
			}
			continue
		}
		if ordered && n >= over+window {
			break // the first of those before that is not settled stays so
		}
		if window > 0 && active >= window {
			continue
		}
		verdict := rules.Next(n, t.record, v.rivals(n, ordered), cohort)
		if verdict.Stop != nil {
			stop := *verdict.Stop
			a.stops = append(a.stops, plan.Stop{Trial: n, Epoch: stop.Epoch, Folds: stop.Folds, Reason: stop.Reason})
		}
		if len(verdict.Wanted) == 0 {
			continue
		}
		active++
		steps := v.jobs(v.jobsOf(n), verdict.Wanted)
		if v.leads(n) {
			promising = append(promising, steps...)
		} else {
			others = append(others, steps...)
		}
	}
	for i := range others {
		others[i].Rank = 1
	}
	a.wanted = jobsOnce(append(promising, others...))
	n := len(v.trials)
	a.propose = v.plan.Search.Growing(n) && n < over+window
	return a
}

// records are those of the first n trials.
func (v *sight) records(n int) []prune.Record {
	if n <= v.prefix.n {
		return v.prefix.records[:n:n]
	}
	if v.all == nil {
		v.all = v.prefix.records[:v.prefix.n:v.prefix.n]
	}
	for i := len(v.all); i < n; i++ {
		v.all = append(v.all, v.at(i).record)
	}
	return v.all[:n:n]
}

// rivals are the records that trial n is compared with.
func (v *sight) rivals(n int, ordered bool) []prune.Record {
	if !ordered {
		return nil
	}
	return v.records(v.far(n))
}

// far is up to which trial is settled what trial n is compared with.
func (v *sight) far(n int) int { return max(0, n-v.plan.Search.Concurrent+1) }

// leads tells whether what a trial has done so far is better than the best trial on
// the same folds.
func (v *sight) leads(n int) bool {
	best := v.best(v.far(n))
	if best < 0 {
		return false
	}
	own, top := v.at(n).record, v.at(best).record
	sum, folds := 0.0, 0
	for f, score := range own.Final {
		if !math.IsNaN(score) {
			sum += score - top.Final[f]
			folds++
		}
	}
	return folds > 0 && sum > 0
}

// best is the best of the first n trials, as prune.Best has it.
func (v *sight) best(n int) int {
	switch {
	case n > v.prefix.n:
		return prune.Best(v.records(n))
	case n == 0:
		return -1
	}
	return v.prefix.best[n-1]
}

// jobs are the jobs of a trial's steps.
func (v *sight) jobs(finals []plan.Job, steps []prune.Step) []plan.Job {
	var jobs []plan.Job
	for _, step := range steps {
		job := finals[step.Fold]
		if step.Until > 0 {
			ladder := v.ladder(job)
			job = ladder[slices.IndexFunc(ladder, func(j plan.Job) bool { return j.Until == step.Until })]
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// experience is what a trial came to, as a search sees it.
func (v *sight) experience(n int) search.Outcome {
	t := v.at(n)
	o, r := search.Outcome{Trial: n, Point: v.plan.Trials[n].Point}, t.record
	switch stop := t.stop; {
	case r.Out:
		o.State = search.Failed
	case stop != nil:
		o.State, o.Value = search.Pruned, -r.Reached(stop.Folds, stop.Epoch)
		o.Steps = stop.Folds * stop.Epoch
		if stop.Epoch == 0 {
			o.Steps = stop.Folds * r.Epochs
		}
	default:
		o.State, o.Value = search.Finished, -r.Reached(len(r.Final), 0)
	}
	if math.IsInf(o.Value, 0) {
		o.State = search.Failed // it diverged
	}
	return o
}
