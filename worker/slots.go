package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// slots are the places to run jobs, each taken by one job at a time.
type slots struct {
	mu    sync.Mutex
	all   []*slot
	given chan struct{} // closed and replaced when a slot becomes free
	now   func() time.Time
}

type slot struct {
	Slot
	taken bool

	failed []string      // jobs whose last attempts failed here, one after the other
	rest   time.Duration // how long it rested last
	until  time.Time     // it rests
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

// take waits for a free slot of the device: "cpu", "cuda", or any.
func (s *slots) take(ctx context.Context, device string) (*slot, error) {
	var patience <-chan time.Time
	for {
		free, given, err := s.tryTake(device)
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

// tryTake takes a slot if one is free; else it says what tells of the next change.
func (s *slots) tryTake(device string) (*slot, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits, awake := false, false
	for _, one := range s.all {
		if device != "" && device != "any" && device != one.Device {
			continue
		}
		fits = true
		rests := s.now().Before(one.until)
		awake = awake || !rests
		if !one.taken && !rests {
			one.taken = true
			return one, nil, nil
		}
	}
	switch {
	case !fits:
		return nil, nil, fmt.Errorf("the job needs device %q and this worker has no such slot", device)
	case !awake:
		return nil, s.given, errResting
	}
	return nil, s.given, nil
}

func (s *slots) give(one *slot) {
	s.mu.Lock()
	one.taken = false
	s.mu.Unlock()
	s.wake()
}
