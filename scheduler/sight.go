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
	trials []*trialSight
	ladder func(plan.Job) []plan.Job
}

// trialSight is what there is to know of a trial. It does not change once made.
type trialSight struct {
	stop     *plan.Stop               // recorded
	stands   map[string]plan.State    // by job, rungs included: Completed, Failed, or absent
	outcomes map[string]*plan.Outcome // by job, rungs included; of a sweep that learns or prunes
	record   prune.Record             // likewise
}

// settled tells whether nothing more will come of a trial of a sweep that learns or
// prunes, unless somebody retries it.
func (t *trialSight) settled() bool {
	return t.stop != nil || t.record.Out || !slices.ContainsFunc(t.record.Final, math.IsNaN)
}

// sight is a view of a sweep of which nothing is known but what will never change.
func (s *Scheduler) sight(p *plan.Plan) *sight {
	v := &sight{plan: p, trials: make([]*trialSight, len(p.Trials))}
	v.ladder = func(job plan.Job) []plan.Job { return s.ladder(v.plan, job) } // of a plan that may grow meanwhile, as in a simulation
	s.mu.Lock()
	defer s.mu.Unlock()
	copy(v.trials, s.final[p.ID])
	return v
}

// jobsOf are the jobs of a trial, by fold.
func (v *sight) jobsOf(n int) []plan.Job {
	k := len(v.plan.Folds)
	return v.plan.Jobs[n*k : (n+1)*k]
}

// trial puts together what is known of a trial; stands and outcomes may tell of
// jobs of other trials too.
func (v *sight) trial(n int, stands map[string]plan.State, outcomes map[string]*plan.Outcome, stop *plan.Stop) *trialSight {
	t := &trialSight{stop: stop, stands: map[string]plan.State{}}
	if !v.plan.Search.Adaptive() {
		for _, job := range v.jobsOf(n) {
			t.note(job.ID, stands, nil)
		}
		return t
	}
	t.outcomes = map[string]*plan.Outcome{}
	for _, job := range v.jobsOf(n) {
		for _, rung := range v.ladder(job) {
			t.note(rung.ID, stands, outcomes)
		}
		t.note(job.ID, stands, outcomes)
	}
	t.record = v.record(n, t)
	return t
}

func (t *trialSight) note(job string, stands map[string]plan.State, outcomes map[string]*plan.Outcome) {
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
	stops, err := s.stops(ctx, p)
	if err != nil {
		return nil, err
	}
	// It is worth looking as far as trials can have begun: at ten thousand that wait
	// for their turn it would be for nothing.
	over := 0
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
	for n, t := range v.trials {
		if t == nil {
			v.trials[n] = v.trial(n, nil, nil, nil)
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
	stands, err := s.look(ctx, jobIDs(s.withRungs(v.plan, jobs)), queued)
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
			s.keep(v, n)
		}
	}
	return nil
}

// seeOutcomes reads the outcomes of the completed jobs of a sweep that learns or
// prunes.
func (s *Scheduler) seeOutcomes(ctx context.Context, p *plan.Plan, stands map[string]plan.State) (map[string]*plan.Outcome, error) {
	if !p.Search.Adaptive() {
		return nil, nil
	}
	var done []string
	for job, state := range stands {
		if state == plan.Completed {
			done = append(done, job)
		}
	}
	read := make([]*plan.Outcome, len(done))
	at := make([]int, len(done))
	for i := range at {
		at[i] = i
	}
	err := each(ctx, at, func(ctx context.Context, i int) (err error) {
		read[i], err = s.Outcome(ctx, done[i])
		return err
	})
	outcomes := make(map[string]*plan.Outcome, len(done))
	for i, job := range done {
		outcomes[job] = read[i]
	}
	return outcomes, err
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

// keep remembers a trial that will never change.
func (s *Scheduler) keep(v *sight, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final == nil {
		s.final = map[string][]*trialSight{}
	}
	kept := s.final[v.plan.ID]
	for len(kept) <= n {
		kept = append(kept, nil)
	}
	kept[n] = v.trials[n]
	s.final[v.plan.ID] = kept
}

// unsettled are the jobs of the trials that may still change, rungs included.
func (s *Scheduler) unsettled(p *plan.Plan) []plan.Job {
	v := s.sight(p)
	var jobs []plan.Job
	for n, t := range v.trials {
		if t == nil {
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
			r.Curves[f], r.Final[f] = v.curve(o), v.score(o.Metrics)
			if math.IsNaN(r.Final[f]) {
				r.Final[f] = math.Inf(-1)
			}
			continue
		}
		r.Out = r.Out || t.stands[job.ID] == plan.Failed
		for _, rung := range v.ladder(job) {
			if o := t.outcomes[rung.ID]; o != nil {
				r.Curves[f] = v.curve(o)
			}
			r.Out = r.Out || t.stands[rung.ID] == plan.Failed
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
