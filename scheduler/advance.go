package scheduler

import (
	"math"
	"slices"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/prune"
	"orchestrator/scheduler/search"
)

// sight is what there is to know of a sweep when it is decided what comes next.
type sight struct {
	plan     *plan.Plan
	outcomes map[string]*plan.Outcome // by job, rungs included; of a sweep that learns or prunes
	stands   map[string]plan.State    // by job: Completed, Failed, or absent
	stops    map[int]plan.Stop        // by trial: recorded
	ladder   func(plan.Job) []plan.Job
}

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
		return advice{wanted: v.open(jobsOnce(v.plan.Jobs))}
	case v.plan.Search.Adaptive():
		return v.search()
	}
	var a advice
	for trials, n := v.trials(), 0; len(trials) > 0 && n < v.plan.Search.Concurrent; trials = trials[1:] {
		if open := v.open(trials[0]); len(open) > 0 {
			a.wanted = append(a.wanted, open...)
			n++
		}
	}
	a.wanted = jobsOnce(a.wanted)
	return a
}

// trials are the jobs of the plan by trial.
func (v *sight) trials() [][]plan.Job {
	all := make([][]plan.Job, len(v.plan.Trials))
	for _, job := range v.plan.Jobs {
		all[job.Trial] = append(all[job.Trial], job)
	}
	return all
}

// open are those of the jobs that are neither done nor given up.
func (v *sight) open(jobs []plan.Job) []plan.Job {
	return slices.DeleteFunc(slices.Clone(jobs), func(job plan.Job) bool { return v.stands[job.ID] != "" })
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
	rules, trials := v.plan.Rules(), v.trials()
	records := make([]prune.Record, len(trials))
	for n, jobs := range trials {
		records[n] = v.record(n, jobs)
	}
	cohort := rules.Cohort(records)
	ordered, window := v.plan.Search.Ordered(), v.plan.Search.Concurrent
	var a advice
	over, active := 0, 0 // over: all trials before are
	var promising, others []plan.Job
	for n, jobs := range trials {
		if v.settled(n, records[n]) {
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
		steps := v.jobs(jobs, verdict.Wanted)
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
	if n := len(trials); v.plan.Search.Growing(n) && n < over+window {
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

// settled tells whether nothing more will come of a trial.
func (v *sight) settled(n int, r prune.Record) bool {
	if _, stopped := v.stops[n]; stopped || r.Out {
		return true
	}
	return !slices.ContainsFunc(r.Final, math.IsNaN)
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

// record is what is known of a trial.
func (v *sight) record(n int, jobs []plan.Job) prune.Record {
	config := v.plan.Trials[n].Config
	r := prune.NewRecord(config.Training.Epochs, len(jobs))
	for f, job := range jobs {
		if o := v.outcomes[job.ID]; o != nil {
			r.Curves[f], r.Final[f] = v.curve(o), v.score(o.Metrics)
			if math.IsNaN(r.Final[f]) {
				r.Final[f] = math.Inf(-1)
			}
			continue
		}
		r.Out = r.Out || v.stands[job.ID] == plan.Failed
		for _, rung := range v.ladder(job) {
			if o := v.outcomes[rung.ID]; o != nil {
				r.Curves[f] = v.curve(o)
			}
			r.Out = r.Out || v.stands[rung.ID] == plan.Failed
		}
	}
	return r
}

// score is a metric so that greater is better.
func (v *sight) score(m plan.Metrics) float64 {
	x, there := m[v.plan.Metric.Name]
	if !there {
		return math.NaN()
	}
	if v.plan.Metric.Goal == "minimize" {
		return -x
	}
	return x
}

func (v *sight) curve(o *plan.Outcome) []float64 {
	curve := make([]float64, len(o.History))
	for i, line := range o.History {
		curve[i] = v.score(line.Metrics)
	}
	return curve
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
		stop, stopped := v.stops[n]
		switch {
		case r.Out:
			all[n].State = search.Failed
		case stopped:
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
