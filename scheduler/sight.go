package scheduler

import (
	"context"
	"math"
	"slices"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/prune"
)

// sight is what there is to know of a sweep when it is decided what comes next.
type sight struct {
	plan   *plan.Plan
	prefix prefix        // of the first trials
	trials []*trialSight // all; nil: nothing is known of it
	shared bool          // two trials have a job in common
	ladder func(plan.Job) []plan.Job
	all    []prune.Record // of all trials, while it is decided
}

// trialSight is what there is to know of a trial. It does not change once made.
type trialSight struct {
	stop     *plan.Stop            // recorded
	stands   map[string]plan.State // by job, rungs included: Completed, Failed, or absent
	outcomes map[string]*told      // by job, rungs included; of a sweep that learns or prunes
	record   prune.Record          // likewise
	open     int                   // jobs that are neither done nor given up, without rungs
	folds    map[plan.State]int    // how many are in each state, of a trial that will never change
}

// blank is a trial of which nothing is known.
var blank = &trialSight{}

// settled tells whether nothing more will come of a trial, unless somebody retries it.
func (t *trialSight) settled() bool { return t.stop != nil || t.record.Out || t.open == 0 }

// sight is a view of a sweep of which nothing is known but what will never change.
func (s *Scheduler) sight(p *plan.Plan) *sight {
	v := &sight{plan: p, trials: make([]*trialSight, len(p.Trials))}
	v.ladder = func(job plan.Job) []plan.Job { return s.ladder(v.plan, job) } // of a plan that may grow meanwhile, as in a simulation
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memory(p.ID)
	v.prefix, v.shared = m.prefix, m.shared
	v.prefix.counts = m.prefix.clone()
	copy(v.trials, m.final)
	return v
}

// at is what there is to know of a trial.
func (v *sight) at(n int) *trialSight {
	if v.trials[n] == nil {
		v.trials[n] = v.trial(n, nil, nil, nil)
	}
	return v.trials[n]
}

// jobsOf are the jobs of a trial, by fold.
func (v *sight) jobsOf(n int) []plan.Job {
	k := len(v.plan.Folds)
	return v.plan.Jobs[n*k : (n+1)*k]
}

// trial puts together what is known of a trial; stands and outcomes may tell of
// jobs of other trials too.
func (v *sight) trial(n int, stands map[string]plan.State, outcomes map[string]*told, stop *plan.Stop) *trialSight {
	t := &trialSight{stop: stop, stands: map[string]plan.State{}}
	for _, job := range v.jobsOf(n) {
		if stands[job.ID] == "" {
			t.open++
		}
	}
	if !v.plan.Search.Adaptive() {
		for _, job := range v.jobsOf(n) {
			t.note(job.ID, stands, nil)
		}
		return t
	}
	t.outcomes = map[string]*told{}
	for _, job := range v.jobsOf(n) {
		for _, rung := range v.ladder(job) {
			t.note(rung.ID, stands, outcomes)
		}
		t.note(job.ID, stands, outcomes)
	}
	t.record = v.record(n, t)
	return t
}

func (t *trialSight) note(job string, stands map[string]plan.State, outcomes map[string]*told) {
	if state := stands[job]; state != "" {
		t.stands[job] = state
	}
	if o := outcomes[job]; o != nil {
		t.outcomes[job] = o
	}
}

// see finds out what there is to know of a sweep. queued is what the queue said of
// its jobs before.
func (s *Scheduler) see(ctx context.Context, p *plan.Plan, queued map[string]plan.State) (*sight, error) {
	v := s.sight(p)
	stops, err := s.stops(ctx, v)
	if err != nil {
		return nil, err
	}
	// It is worth looking as far as trials can have begun: at ten thousand that wait
	// for their turn it would be for nothing.
	over := v.prefix.n
	for over < len(v.trials) && v.trials[over] != nil {
		over++
	}
	for from := over; ; {
		to := horizon(p, over, from)
		if to <= from {
			break
		}
		if err := s.seeTrials(ctx, v, from, to, stops, queued); err != nil {
			return nil, err
		}
		for from = to; over < to && v.trials[over].settled(); {
			over++
		}
	}
	return v, nil
}

// horizon is up to which trial to look next, where the first so many are over and
// those before from have been looked at. It goes further each time: looking a little
// too far costs less than many small looks.
func horizon(p *plan.Plan, over, from int) int {
	all := len(p.Trials)
	if !p.Search.Ordered() || p.Search.Learns() { // a search that learns has no trials beyond
		return all
	}
	if window := p.Search.Concurrent; over+window > from {
		return min(all, max(over+window, 2*from))
	}
	return from
}

// seeTrials looks at the jobs of some trials, rungs included, unless they will
// never change.
func (s *Scheduler) seeTrials(ctx context.Context, v *sight, from, to int, stops map[int]plan.Stop, queued map[string]plan.State) error {
	var jobs []plan.Job
	for n := from; n < to; n++ {
		if v.trials[n] == nil {
			jobs = append(jobs, v.jobsOf(n)...)
		}
	}
	ids := jobIDs(s.withRungs(v.plan, jobs))
	if err := s.recall(ctx, v.plan, ids); err != nil {
		return err
	}
	stands, err := s.look(ctx, v.plan.ID, ids, queued)
	if err != nil {
		return err
	}
	outcomes, err := s.seeOutcomes(ctx, v.plan, stands)
	if err != nil {
		return err
	}
	for n := from; n < to; n++ {
		if v.trials[n] != nil {
			continue
		}
		var stop *plan.Stop
		if recorded, stopped := stops[n]; stopped {
			stop = &recorded
		}
		v.trials[n] = v.trial(n, stands, outcomes, stop)
		if (queued != nil || s.Queue == nil) && v.final(n, queued) {
			v.trials[n].folds = v.count(n, "", nil)
			s.keep(v, n)
		}
	}
	return nil
}

// seeOutcomes reads the outcomes of the completed jobs of a sweep that learns or
// prunes.
func (s *Scheduler) seeOutcomes(ctx context.Context, p *plan.Plan, stands map[string]plan.State) (map[string]*told, error) {
	if !p.Search.Adaptive() {
		return nil, nil
	}
	var done []string
	for job, state := range stands {
		if state == plan.Completed {
			done = append(done, job)
		}
	}
	return s.tell(ctx, p, done)
}

// final tells whether a trial will never change and no job of it is in the queue:
// outcomes and stops stay, while a failure may be forgiven.
func (v *sight) final(n int, queued map[string]plan.State) bool {
	t := v.trials[n]
	for _, job := range v.jobsOf(n) {
		if t.stop == nil && t.stands[job.ID] != plan.Completed {
			return false
		}
		if waits(queued[job.ID]) || slices.ContainsFunc(v.ladder(job), func(rung plan.Job) bool { return waits(queued[rung.ID]) }) {
			return false
		}
	}
	return true
}

func waits(queue plan.State) bool { return queue == plan.Pending || queue == plan.Running }

// unsettled are the jobs of the trials that may still change, rungs included.
func (s *Scheduler) unsettled(p *plan.Plan) []plan.Job {
	v := s.sight(p)
	var jobs []plan.Job
	for n := v.prefix.n; n < len(v.trials); n++ {
		if v.trials[n] == nil {
			jobs = append(jobs, v.jobsOf(n)...)
		}
	}
	return s.withRungs(p, jobs)
}

// record is what is known of a trial.
func (v *sight) record(n int, t *trialSight) prune.Record {
	config, jobs := v.plan.Trials[n].Config, v.jobsOf(n)
	r := prune.NewRecord(config.Training.Epochs, len(jobs))
	for f, job := range jobs {
		if o := t.outcomes[job.ID]; o != nil {
			r.Curves[f], r.Final[f] = o.curve, score(v.plan.Metric, o.outcome.Metrics)
			if math.IsNaN(r.Final[f]) {
				r.Final[f] = math.Inf(-1)
			}
			continue
		}
		r.Out = r.Out || t.stands[job.ID] == plan.Failed
		for _, rung := range v.ladder(job) {
			if o := t.outcomes[rung.ID]; o != nil {
				r.Curves[f] = o.curve
			}
			r.Out = r.Out || t.stands[rung.ID] == plan.Failed
		}
	}
	return r
}

// score is a metric so that greater is better. Where it is undefined it is so for
// every trial on the fold, as that depends on the test pictures alone: 0 for all of
// them leaves comparisons to the other folds.
func score(metric plan.Metric, m plan.Metrics) float64 {
	x, there := m[metric.Name]
	if !there {
		return 0
	}
	if metric.Goal == "minimize" {
		return -x
	}
	return x
}
