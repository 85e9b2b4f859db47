package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"orchestrator/scheduler/plan"
)

// slots are the places to run jobs, each taken by one job at a time.
type slots struct {
	mu    sync.Mutex
	all   []*slot
	line  []*ticket     // those that wait, the first first
	given chan struct{} // closed and replaced when a slot becomes free
	now   func() time.Time
}

type slot struct {
	Slot
	taken bool

	failed []string      // jobs whose last attempts failed here, one after the other
	rest   time.Duration // how long it rested last
	until  time.Time     // it rests

	job atomic.Pointer[slotJob] // what it runs; of a job of several slots, the first has it
}

// slotJob is what is shown of a running trainer process.
type slotJob struct {
	pid  int
	done atomic.Uint64 // part of the steps, as float64 bits
}

func (s *slot) began(pid int) { s.job.Store(&slotJob{pid: pid}) }
func (s *slot) ended()        { s.job.Store(nil) }

// progress takes note of how far the training is; preparing counts as nothing.
func (s *slot) progress(p plan.Progress) {
	if job := s.job.Load(); job != nil && p.Stage == "" && p.Steps > 0 {
		job.done.Store(math.Float64bits(float64(p.Step) / float64(p.Steps)))
	}
}

// SlotStatus is what a slot does at this moment.
type SlotStatus struct {
	Device  string
	Taken   bool    // by a job
	Resting bool    // after failures
	PID     int     // of the trainer process; 0: none runs
	Done    float64 // part of the job's steps that are done, from 0 to 1
}

// Slots tells what each slot does, in the order of Options.Slots.
func (d *Daemon) Slots() []SlotStatus {
	s := d.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]SlotStatus, len(s.all))
	for i, one := range s.all {
		list[i] = SlotStatus{Device: one.Device, Taken: one.taken, Resting: s.now().Before(one.until)}
		if job := one.job.Load(); job != nil {
			list[i].PID, list[i].Done = job.pid, math.Float64frombits(job.done.Load())
		}
	}
	return list
}

const (
	// tooMany different jobs that fail one after the other say that the slot's
	// device is at fault rather than the jobs.
	tooMany   = 3
	firstRest = time.Minute
	longRest  = 30 * time.Minute
)

// judge takes note of how an attempt in a slot ended. A slot where several jobs
// failed one after the other rests for a while, longer each time, so that a broken
// device does not fail all jobs of the cluster.
func (s *slots) judge(one *slot, job string, failed bool, log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !failed {
		one.failed, one.rest = nil, 0
		return
	}
	if !slices.Contains(one.failed, job) {
		one.failed = append(one.failed, job)
	}
	if len(one.failed) < tooMany {
		return
	}
	one.rest = min(max(2*one.rest, firstRest), longRest)
	one.until = s.now().Add(one.rest)
	one.failed = nil
	log.Error("slot taken out for a while: the last jobs all failed in it", "rest", one.rest, "jobs", tooMany)
	time.AfterFunc(one.rest, s.wake)
}

// wake has those that wait for a slot look again.
func (s *slots) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.given)
	s.given = make(chan struct{})
}

func newSlots(list []Slot, now func() time.Time) *slots {
	s := &slots{given: make(chan struct{}), now: now}
	for _, one := range list {
		s.all = append(s.all, &slot{Slot: one})
	}
	return s
}

// handBackAfter is how long a job waits for slots that rest: others may have one for
// it, and no worker should go through the whole queue meanwhile.
const handBackAfter = 5 * time.Second

// errResting says that all slots that fit have been taken out for a while.
var errResting = errors.New("the worker's slots rest after failures")

// ticket is a job that waits for slots.
type ticket struct {
	device string
	n      int
}

func (t *ticket) fits(one *slot) bool {
	return t.device == "" || t.device == "any" || t.device == one.Device
}

// take waits for n free slots of the device: "cpu", "cuda", or any. Whoever came
// first is served first, so that a job of many slots gets them at last.
func (s *slots) take(ctx context.Context, device string, n int) ([]*slot, error) {
	t := &ticket{device, max(n, 1)}
	s.mu.Lock()
	s.line = append(s.line, t)
	s.mu.Unlock()
	defer s.leave(t)
	var patience <-chan time.Time
	for {
		free, given, err := s.tryTake(t)
		if free != nil || err != nil && !errors.Is(err, errResting) {
			return free, err
		}
		if err != nil && patience == nil {
			timer := time.NewTimer(handBackAfter)
			defer timer.Stop()
			patience = timer.C
		}
		select {
		case <-given:
		case <-patience:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// leave takes a ticket out of the line; those behind it look again.
func (s *slots) leave(t *ticket) {
	s.mu.Lock()
	s.line = slices.DeleteFunc(s.line, func(other *ticket) bool { return other == t })
	s.mu.Unlock()
	s.wake()
}

// tryTake takes slots if enough are free and nobody who came before wants one of
// them; else it says what tells of the next change.
func (s *slots) tryTake(t *ticket) ([]*slot, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var free []*slot
	fit, awake := 0, 0
	for _, one := range s.all {
		if !t.fits(one) {
			continue
		}
		fit++
		if s.now().Before(one.until) {
			continue
		}
		awake++
		if !one.taken && len(free) < t.n && !s.wantedBefore(t, one) {
			free = append(free, one)
		}
	}
	switch {
	case fit < t.n:
		return nil, nil, fmt.Errorf("the job needs %d slots of device %q and this worker has %d", t.n, t.device, fit)
	case awake < t.n:
		return nil, s.given, errResting
	case len(free) < t.n:
		return nil, s.given, nil
	}
	for _, one := range free {
		one.taken = true
	}
	return free, nil, nil
}

// wantedBefore tells whether somebody further ahead in the line waits for the slot.
func (s *slots) wantedBefore(t *ticket, one *slot) bool {
	for _, other := range s.line {
		if other == t {
			return false
		}
		if other.fits(one) {
			return true
		}
	}
	return false
}

func (s *slots) give(back ...*slot) {
	s.mu.Lock()
	for _, one := range back {
		one.taken = false
	}
	s.mu.Unlock()
	s.wake()
}
