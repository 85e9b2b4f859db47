package scheduler

import (
	"maps"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/prune"
)

// memory is what a process keeps of a sweep, so that looking at it again costs what
// has changed since. All of it can be read again: the least recently used ones are
// forgotten. Its fields are guarded by Scheduler.mu.
type memory struct {
	used     int64 // by Scheduler.clock
	plan     *plan.Plan
	ids      map[string]bool // of the plan's jobs, the first counted of them
	counted  int
	shared   bool            // two trials have a job in common
	marks    map[string]mark // by job
	told     map[string]*told
	ladders  map[rungsOf][]plan.Job
	stopped  map[int]plan.Stop // by trial; they never change
	final    []*trialSight     // those that will never change; nil: it may
	prefix   prefix
	digested map[string]int // by job: the number of the digest that tells of it
	digests  map[int]bool   // those that were read; false: and are damaged
	fresh    []string       // completed jobs that were found one by one
}

// mostKept bounds what all memories hold, in bytes as guessed by weight: a process
// that looks at all sweeps of a store again and again stays as large as that.
const mostKept = 100 << 20

// weight is about how many bytes a memory takes.
func (m *memory) weight() int {
	const perJob, perTrial, perNumber = 700, 3000, 8
	w := perJob * (len(m.marks) + len(m.told))
	if m.plan != nil {
		w += perJob*len(m.plan.Jobs) + perTrial*len(m.plan.Trials) + perNumber*len(m.plan.Data.Labels)*(1+len(m.plan.Folds))
	}
	return w
}

// memory is what is kept of a sweep; s.mu is held.
func (s *Scheduler) memory(sweep string) *memory {
	m := s.sweeps[sweep]
	if m == nil {
		s.evict()
		m = &memory{ids: map[string]bool{}, marks: map[string]mark{}, told: map[string]*told{}, ladders: map[rungsOf][]plan.Job{},
			stopped: map[int]plan.Stop{}, digested: map[string]int{}, digests: map[int]bool{}}
		if s.sweeps == nil {
			s.sweeps = map[string]*memory{}
		}
		s.sweeps[sweep] = m
	}
	s.clock++
	m.used = s.clock
	return m
}

// evict drops the least recently used memories while all are too large.
func (s *Scheduler) evict() {
	weight := 0
	for _, m := range s.sweeps {
		weight += m.weight()
	}
	for weight > mostKept {
		oldest := ""
		for sweep, m := range s.sweeps {
			if oldest == "" || m.used < s.sweeps[oldest].used {
				oldest = sweep
			}
		}
		weight -= s.sweeps[oldest].weight()
		delete(s.sweeps, oldest)
	}
}

func (s *Scheduler) known(sweep string) *plan.Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory(sweep).plan
}

func (s *Scheduler) remember(p *plan.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memory(p.ID)
	if m.plan != nil && len(m.plan.Jobs) > len(p.Jobs) {
		return
	}
	m.plan = p
	for ; m.counted < len(p.Jobs); m.counted++ {
		id := p.Jobs[m.counted].ID
		m.shared = m.shared || m.ids[id]
		m.ids[id] = true
	}
}

// prefix sums up the first trials of a sweep, which will never change.
type prefix struct {
	n int
	counts
	// Of a sweep that learns or prunes: what came of each, and for each the best
	// up to it as prune.Best has it, -1 for none.
	records []prune.Record
	best    []int
	top     float64
}

// counts are how a part of a sweep stands.
type counts struct {
	trials            map[plan.State]int
	completed, failed int // jobs
}

func (c counts) clone() counts {
	c.trials = maps.Clone(c.trials)
	if c.trials == nil {
		c.trials = map[plan.State]int{}
	}
	return c
}

func (c *counts) add(folds map[plan.State]int) {
	c.trials[plan.TrialState(folds)]++
	c.completed += folds[plan.Completed]
	c.failed += folds[plan.Failed]
}

// keep remembers a trial that will never change.
func (s *Scheduler) keep(v *sight, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memory(v.plan.ID)
	for len(m.final) <= n {
		m.final = append(m.final, nil)
	}
	m.final[n] = v.trials[n]
	p := &m.prefix
	if p.trials == nil {
		p.counts = p.clone()
	}
	for p.n < len(m.final) && m.final[p.n] != nil {
		p.add(m.final[p.n].folds)
		if v.plan.Search.Adaptive() {
			p.note(m.final[p.n].record)
		}
		p.n++
	}
}

func (p *prefix) note(r prune.Record) {
	best := -1
	if p.n > 0 {
		best = p.best[p.n-1]
	}
	if sum, done := r.Sum(); done && (best < 0 || sum > p.top) {
		best, p.top = p.n, sum
	}
	p.records, p.best = append(p.records, r), append(p.best, best)
}
