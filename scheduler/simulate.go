package scheduler

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/search"
)

// Spend is what one simulated course of a sweep costs.
type Spend struct {
	Trials  int `json:"trials"`  // proposed
	Stopped int `json:"stopped"` // of them
	Jobs    int `json:"jobs"`    // trained to the end
	Epochs  int `json:"epochs"`  // trained, rungs included
	// Span is the time to the end, in epochs, with the slots given.
	Span float64 `json:"span"`
}

// Simulate goes through a sweep without training: the reconciler's own decisions,
// on made-up outcomes. Trials differ in quality and folds in difficulty, both
// normally distributed; a score approaches its end exponentially over the epochs,
// with noise between folds of half the trials' standard deviation. What a search
// would spend depends little on more than that. slots is how many jobs train at a
// time. It is a pure function of its arguments; the context can end it.
func Simulate(ctx context.Context, p *plan.Plan, slots int, seed uint64) (Spend, error) {
	m := &simulation{
		r: rand.New(rand.NewPCG(seed, 20)), slots: slots,
		s: &Scheduler{}, stands: map[string]plan.State{}, outcomes: map[string]*told{},
	}
	m.view = m.s.sight(p)
	if p.Search == nil {
		m.queue = jobsOnce(p.Jobs)
	}
	for range p.Folds {
		m.folds = append(m.folds, m.r.NormFloat64())
	}
	for ctx.Err() == nil {
		if err := m.decide(); err != nil {
			return Spend{}, err
		}
		if !m.finishOne() {
			m.spend.Trials, m.spend.Span = len(m.view.plan.Trials), m.now
			return m.spend, nil
		}
	}
	return Spend{}, ctx.Err()
}

// simulation is a Simulate under way.
type simulation struct {
	r     *rand.Rand
	slots int
	s     *Scheduler
	view  *sight
	// by job, all
	stands   map[string]plan.State
	outcomes map[string]*told

	folds []float64 // how easy each is
	good  []float64 // how good each trial is
	noise map[rungsOf]float64

	queue   []plan.Job // of a sweep whose jobs are all to do at once: those that wait
	running []running
	now     float64
	spend   Spend
}

// running is a job that trains until end.
type running struct {
	job plan.Job
	end float64
}

// decide does what the reconciler does, and starts jobs where slots are free.
func (m *simulation) decide() error {
	if m.view.plan.Search == nil { // no outcome changes what there is to do
		n := min(len(m.queue), m.slots-len(m.running))
		m.start(m.queue[:n])
		m.queue = m.queue[n:]
		return nil
	}
	for {
		m.look()
		next := m.view.advance()
		if len(next.stops) == 0 && !next.propose {
			m.start(next.wanted)
			return nil
		}
		for _, stop := range next.stops {
			m.view.trials[stop.Trial] = m.view.trial(stop.Trial, m.stands, m.outcomes, &stop)
			m.spend.Stopped++
		}
		if next.propose {
			if err := m.propose(); err != nil {
				return err
			}
		}
	}
}

// look brings the view of the trials that go on up to date.
func (m *simulation) look() {
	for n := range m.view.plan.Trials {
		if n == len(m.view.trials) {
			m.view.trials = append(m.view.trials, nil)
		}
		if t := m.view.trials[n]; t == nil || !t.settled() {
			m.view.trials[n] = m.view.trial(n, m.stands, m.outcomes, nil)
		}
	}
}

func (m *simulation) propose() error {
	p := m.view.plan
	g, err := m.s.searcher(p)
	if err != nil {
		return err
	}
	t, err := g.next(m.view)
	if errors.Is(err, search.ErrExhausted) {
		m.view.plan = p.Exhausted()
		return nil
	}
	if err != nil {
		return err
	}
	m.view.plan, err = p.Grown(t)
	return err
}

func (m *simulation) start(wanted []plan.Job) {
	for _, job := range wanted {
		if len(m.running) >= m.slots {
			return
		}
		if slices.ContainsFunc(m.running, func(r running) bool { return r.job.ID == job.ID }) {
			continue
		}
		epochs := m.epochs(job) - m.reached(job)
		m.spend.Epochs += epochs
		m.running = append(m.running, running{job, m.now + float64(epochs)})
	}
}

// epochs is where a job ends.
func (m *simulation) epochs(job plan.Job) int {
	return cmp.Or(job.Until, m.view.plan.Trials[job.Trial].Config.Training.Epochs)
}

// reached is the rung that a job goes on from.
func (m *simulation) reached(job plan.Job) int {
	last := 0
	for _, rung := range m.view.ladder(job) {
		if m.outcomes[rung.ID] != nil {
			last = rung.Until
		}
	}
	return last
}

// finishOne goes on to the end of the next job; false: none runs.
func (m *simulation) finishOne() bool {
	if len(m.running) == 0 {
		return false
	}
	first := 0
	for i, r := range m.running {
		if r.end < m.running[first].end {
			first = i
		}
	}
	job := m.running[first].job
	m.now = m.running[first].end
	m.running = slices.Delete(m.running, first, first+1)
	m.outcomes[job.ID], m.stands[job.ID] = tellOf(m.view.plan, m.outcome(job)), plan.Completed
	if job.Until == 0 {
		m.spend.Jobs++
	}
	return true
}

func (m *simulation) outcome(job plan.Job) *plan.Outcome {
	for len(m.good) <= job.Trial {
		m.good = append(m.good, m.r.NormFloat64())
	}
	at := rungsOf{job.Trial, job.Fold}
	if m.noise == nil {
		m.noise = map[rungsOf]float64{}
	}
	if _, drawn := m.noise[at]; !drawn {
		m.noise[at] = m.r.NormFloat64() / 2
	}
	end := m.good[job.Trial] + m.folds[job.Fold] + m.noise[at]
	name, sign := m.view.plan.Metric.Name, 1.0
	if m.view.plan.Metric.Goal == "minimize" {
		sign = -1
	}
	o := &plan.Outcome{Job: job.ID}
	all := float64(m.view.plan.Trials[job.Trial].Config.Training.Epochs)
	for e := range m.epochs(job) {
		score := end * (1 - math.Exp(-3*float64(e+1)/all))
		o.Metrics = plan.Metrics{name: sign * score}
		o.History = append(o.History, plan.Epoch{Epoch: e + 1, Metrics: o.Metrics})
	}
	return o
}
