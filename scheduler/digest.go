package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// When digests are written and read. Each process writes one after so many outcomes as
// it draws from a range, so that many of them seldom write the same at once.
const (
	digestLeast = 256 // outcomes, while the sweep goes on; up to twice as many
	digestMost  = 512
	digestEnd   = 16 // outcomes, once the sweep is over
	digestRound = 4  // digests written at a time
	recallLeast = 32 // unknown jobs for which it is worth reading digests
)

// recall reads the digests of a sweep that were not read before, where many of the
// jobs are unknown.
func (s *Scheduler) recall(ctx context.Context, p *plan.Plan, jobs []string) error {
	unknown := 0
	s.mu.Lock()
	m := s.memory(p.ID)
	for _, job := range jobs {
		if _, marked := m.marks[job]; !marked && m.told[job] == nil {
			unknown++
		}
	}
	s.mu.Unlock()
	if unknown < recallLeast {
		return nil
	}
	_, _, err := s.readDigests(ctx, p)
	return err
}

// readDigests reads what digests there are, and returns the number for the next and
// when the sweep was submitted.
func (s *Scheduler) readDigests(ctx context.Context, p *plan.Plan) (next int, submitted string, err error) {
	info, err := s.Store.Stat(ctx, plan.PlanKey(p.ID))
	if err != nil {
		return 0, "", fmt.Errorf("look at the plan of sweep %s: %w", p.ID, err)
	}
	submitted = info.Modified.UTC().Format(time.RFC3339Nano)
	var numbers []int
	for info, err := range s.Store.List(ctx, plan.DigestPrefix(p.ID)) {
		if err != nil {
			return 0, "", fmt.Errorf("list the digests of sweep %s: %w", p.ID, err)
		}
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(info.Key, plan.DigestPrefix(p.ID)), "%06d", &n); err != nil {
			continue
		}
		next = max(next, n+1)
		if info.Key == plan.DigestKey(p.ID, n) {
			numbers = append(numbers, n)
		}
	}
	s.mu.Lock()
	read := s.memory(p.ID).digests
	numbers = slices.DeleteFunc(numbers, func(n int) bool { _, known := read[n]; return known })
	s.mu.Unlock()
	err = each(ctx, numbers, func(ctx context.Context, n int) error {
		outcomes, err := s.readDigest(ctx, p, n, submitted)
		if errors.Is(err, artifacts.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			s.log().Warn("a digest is of no use: what it tells is read from the outcomes", "sweep", p.ID, "digest", n, "error", err)
		}
		s.note(p.ID, n, outcomes, err == nil)
		return nil
	})
	return next, submitted, err
}

// readDigest reads one digest, of a sweep whose decisions look at curves with them.
func (s *Scheduler) readDigest(ctx context.Context, p *plan.Plan, n int, submitted string) (map[string]*told, error) {
	var d plan.Digest
	if err := artifacts.GetJSON(ctx, s.Store, plan.DigestKey(p.ID, n), &d); err != nil {
		return nil, err
	}
	if d.Submitted != submitted {
		return nil, fmt.Errorf("it is of an earlier submission, at %.40s", d.Submitted)
	}
	outcomes := make(map[string]*told, len(d.Outcomes))
	for i := range d.Outcomes {
		outcomes[d.Outcomes[i].Job] = &told{outcome: d.Outcomes[i].Outcome()}
	}
	if !curved(p) {
		return outcomes, nil
	}
	curves := 0
	err := s.openHistories(ctx, p.ID, n, func(h *plan.History) error {
		t := outcomes[h.Job]
		if t == nil {
			return nil
		}
		curve, err := h.Curve(p.Metric.Name)
		if err != nil {
			return err
		}
		if p.Metric.Goal == "minimize" {
			for i := range curve {
				curve[i] = -curve[i]
			}
		}
		t.curve = slices.Clip(curve)
		curves++
		return nil
	})
	if err == nil && curves != len(outcomes) {
		err = fmt.Errorf("it has the histories of %d outcomes of %d", curves, len(outcomes))
	}
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// note keeps what a digest tells.
func (s *Scheduler) note(sweep string, n int, outcomes map[string]*told, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memory(sweep)
	m.digests[n] = good
	for job, t := range outcomes {
		if m.told[job] == nil {
			m.told[job] = t
		}
		m.digested[job] = n
		m.marks[job] = mark{state: plan.Completed}
	}
	m.fresh = slices.DeleteFunc(m.fresh, func(job string) bool { _, there := m.digested[job]; return there })
}

// openHistories reads the histories of a digest, one after the other.
func (s *Scheduler) openHistories(ctx context.Context, sweep string, n int, visit func(*plan.History) error) error {
	r, _, err := s.Store.Get(ctx, plan.HistoriesKey(sweep, n))
	if err != nil {
		return err
	}
	defer r.Close()
	return plan.ReadHistories(json.NewDecoder(r), visit)
}

// visitDigests visits the histories that are in digests with many of those wanted.
// at has the jobs that are wanted by the one whose history it is. It returns those
// that are left.
func (s *Scheduler) visitDigests(ctx context.Context, p *plan.Plan, at sources, visit func(job string, h []plan.Epoch) error) ([]string, error) {
	var left []string
	byDigest := map[int]map[string]bool{}
	s.mu.Lock()
	m := s.memory(p.ID)
	for job := range at {
		n, digested := m.digested[job]
		if !digested {
			left = append(left, job)
			continue
		}
		if byDigest[n] == nil {
			byDigest[n] = map[string]bool{}
		}
		byDigest[n][job] = true
	}
	s.mu.Unlock()
	for n, jobs := range byDigest {
		if len(jobs) >= recallLeast {
			if err := s.visitDigest(ctx, p.ID, n, jobs, at, visit); err != nil {
				return nil, err
			}
		}
		for job := range jobs { // those that it did not visit
			left = append(left, job)
		}
	}
	return left, nil
}

// visitDigest visits the histories of the jobs in one digest, and removes them from
// the jobs. Of a damaged digest some are left.
func (s *Scheduler) visitDigest(ctx context.Context, sweep string, n int, jobs map[string]bool, at sources, visit func(job string, h []plan.Epoch) error) error {
	var ended error
	err := s.openHistories(ctx, sweep, n, func(h *plan.History) error {
		if !jobs[h.Job] {
			return nil
		}
		lines, err := h.Epochs()
		if err != nil {
			return err
		}
		delete(jobs, h.Job)
		ended = at.visit(h.Job, lines, visit)
		return ended
	})
	if ended != nil || ctx.Err() != nil || errors.Is(err, artifacts.ErrUnavailable) {
		return err
	}
	if err != nil {
		s.log().Warn("the histories of a digest are of no use: they are read from the outcomes", "sweep", sweep, "digest", n, "error", err)
	}
	return nil
}

// digest writes digests of the outcomes that are in none, where there are enough of
// them. Others may do so at the same time; nothing depends on it.
func (s *Scheduler) digest(ctx context.Context, p *plan.Plan, over bool) {
	least := digestEnd
	if !over {
		least = s.digestAfter()
	}
	for range digestRound {
		if s.freshOutcomes(p.ID, least) == nil {
			return
		}
		next, submitted, err := s.readDigests(ctx, p) // somebody may have been faster
		jobs := s.freshOutcomes(p.ID, least)
		if err == nil && jobs != nil {
			err = s.writeDigest(ctx, p, next, submitted, jobs)
		}
		if err != nil {
			s.log().Debug("write a digest", "sweep", p.ID, "error", err)
			return
		}
	}
}

// digestAfter is after how many outcomes this process writes a digest.
func (s *Scheduler) digestAfter() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.patience == 0 {
		s.patience = digestLeast + rand.IntN(digestMost-digestLeast)
	}
	return s.patience
}

// freshOutcomes are jobs for the next digest; nil where there are too few.
func (s *Scheduler) freshOutcomes(sweep string, least int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := s.memory(sweep).fresh
	if len(fresh) < least {
		return nil
	}
	return slices.Clone(fresh[:min(len(fresh), digestMost)])
}

// writeDigest writes the histories first: a digest is there once all of it is.
func (s *Scheduler) writeDigest(ctx context.Context, p *plan.Plan, n int, submitted string, jobs []string) error {
	d := plan.Digest{Sweep: p.ID, Submitted: submitted, Outcomes: make([]plan.Gist, len(jobs))}
	h := plan.Histories{Sweep: p.ID, Histories: make([]plan.History, len(jobs))}
	outcomes := make([]*told, len(jobs))
	err := eachIndex(ctx, len(jobs), func(ctx context.Context, i int) error {
		o, err := s.Outcome(ctx, jobs[i])
		if err != nil {
			return err
		}
		d.Outcomes[i], h.Histories[i], outcomes[i] = o.Gist(), plan.NewHistory(jobs[i], o.History), tellOf(p, o)
		d.Outcomes[i].Job = jobs[i]
		return nil
	})
	if err == nil {
		err = artifacts.CreateJSON(ctx, s.Store, plan.HistoriesKey(p.ID, n), h)
	}
	if err == nil {
		err = artifacts.CreateJSON(ctx, s.Store, plan.DigestKey(p.ID, n), d)
	}
	if err != nil {
		return err
	}
	known := make(map[string]*told, len(jobs))
	for i, job := range jobs {
		known[job] = outcomes[i]
	}
	s.note(p.ID, n, known, true)
	return nil
}
