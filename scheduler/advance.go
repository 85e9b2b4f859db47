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
	wanted []plan.Job  // in the queue, in about this order
	stops  []plan.Stop // to be recorded
	// propose: the next trial is due, and before is what the search may know.
	propose bool
	before  []search.Outcome
}

// advance decides what comes next. It is pure, and depends on what trials came to
// and not on when.
func (v *sight) advance() advice {
	switch {
	case v.plan.Search == nil:
		return advice{wanted: jobsOnce(v.open(0, len(v.trials)))}
	case v.plan.Search.Adaptive():
		return v.search()
	}
	var a advice
	for n, active := 0, 0; n < len(v.trials) && active < v.plan.Search.Concurrent; n++ {
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
			if v.trials[n].stands[job.ID] == "" {
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
	rules := v.plan.Rules()
	records := make([]prune.Record, len(v.trials))
	for n, t := range v.trials {
		records[n] = t.record
	}
	cohort := rules.Cohort(records)
	ordered, window := v.plan.Search.Ordered(), v.plan.Search.Concurrent
	var a advice
	over, active := 0, 0 // over: all trials before are
	var promising, others []plan.Job
	for n, t := range v.trials {
		if t.settled() {
			if over == n {
				over++
			}
			continue
		}
		if ordered && n >= over+window || window > 0 && active >= window {
			continue
		}
		verdict := rules.Next(n, records[n], known(records, n, window, ordered), cohort)
		if verdict.Stop != nil {
			stop := *verdict.Stop
			a.stops = append(a.stops, plan.Stop{Trial: n, Epoch: stop.Epoch, Folds: stop.Folds, Reason: stop.Reason})
		}
		if len(verdict.Wanted) == 0 {
			continue
		}
		active++
		steps := v.jobs(v.jobsOf(n), verdict.Wanted)
		if leads(records[n], records[:max(0, n-window+1)]) {
			promising = append(promising, steps...)
		} else {
			others = append(others, steps...)
		}
	}
	for i := range others {
		others[i].Rank = 1
	}
	a.wanted = jobsOnce(append(promising, others...))
	if n := len(v.trials); v.plan.Search.Growing(n) && n < over+window {
		a.propose, a.before = true, v.experience(records, n-window)
	}
	return a
}

// known are the records that trial n is compared with.
func known(records []prune.Record, n, window int, ordered bool) []prune.Record {
	if !ordered {
		return nil
	}
	return records[:max(0, n-window+1)]
}

// leads tells whether what a trial has done so far is better than the best trial on
// the same folds.
func leads(own prune.Record, before []prune.Record) bool {
	best := prune.Best(before)
	if best < 0 {
		return false
	}
	sum, n := 0.0, 0
	for f, score := range own.Final {
		if !math.IsNaN(score) {
			sum += score - before[best].Final[f]
			n++
		}
	}
	return n > 0 && sum > 0
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

// experience is what a search knows: what the trials up to number last came to,
// and that those after it are under way.
func (v *sight) experience(records []prune.Record, last int) []search.Outcome {
	all := make([]search.Outcome, len(records))
	for n, r := range records {
		all[n] = search.Outcome{Trial: n, Point: v.plan.Trials[n].Point, State: search.Running}
		if n > last {
			continue
		}
		switch stop := v.trials[n].stop; {
		case r.Out:
			all[n].State = search.Failed
		case stop != nil:
			all[n].State, all[n].Value = search.Pruned, -r.Reached(stop.Folds, stop.Epoch)
			all[n].Steps = stop.Folds * stop.Epoch
			if stop.Epoch == 0 {
				all[n].Steps = stop.Folds * r.Epochs
			}
		default:
			all[n].State, all[n].Value = search.Finished, -r.Reached(len(r.Final), 0)
		}
		if math.IsInf(all[n].Value, 0) {
			all[n].State = search.Failed // it diverged
		}
	}
	return all
}
