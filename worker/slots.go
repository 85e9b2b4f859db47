package worker

import (
	"context"
	"fmt"
	"sync"
)

// slots are the places to run jobs, each taken by one job at a time.
type slots struct {
	mu    sync.Mutex
	all   []*slot
	given chan struct{} // closed and replaced when a slot becomes free
}

type slot struct {
	Slot
	taken bool
}

func newSlots(list []Slot) *slots {
	s := &slots{given: make(chan struct{})}
	for _, one := range list {
		s.all = append(s.all, &slot{Slot: one})
	}
	return s
}

// take waits for a free slot of the device: "cpu", "cuda", or any.
func (s *slots) take(ctx context.Context, device string) (*slot, error) {
	for {
		free, given, err := s.tryTake(device)
		if free != nil || err != nil {
			return free, err
		}
		select {
		case <-given:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *slots) tryTake(device string) (*slot, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits := false
	for _, one := range s.all {
		if device != "" && device != "any" && device != one.Device {
			continue
		}
		fits = true
		if !one.taken {
			one.taken = true
			return one, nil, nil
		}
	}
	if !fits {
		return nil, nil, fmt.Errorf("the job needs device %q and this worker has no such slot", device)
	}
	return nil, s.given, nil
}

func (s *slots) give(one *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.taken = false
	close(s.given)
	s.given = make(chan struct{})
}
