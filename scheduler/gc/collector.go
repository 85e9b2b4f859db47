package gc

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// DefaultAge is the grace age: a submission or an attempt takes less than that from the
// first object it writes to the one that refers to it.
const DefaultAge = 24 * time.Hour

// Collector looks for waste in one store and removes it.
type Collector struct {
	Store artifacts.Store
	// OlderThan is the grace age: what was written since is left alone. Less than an
	// hour is for stores that nobody uses meanwhile.
	OlderThan time.Duration
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: discard
	// LookEvery bounds how old the knowledge of what is referred to is when a shared
	// object is removed; 0: a second, of which submissions wait for a multiple
	// (scheduler.Scheduler.CollectionPause).
	LookEvery time.Duration

	mu     sync.Mutex
	reader *scheduler.Scheduler
	known  map[string]*sweepReferences // by sweep
}

func (c *Collector) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Collector) log() *slog.Logger {
	if c.Log != nil {
		return c.Log
	}
	return slog.New(slog.DiscardHandler)
}

// aged tells whether all objects are older than the grace age.
func (c *Collector) aged(all []artifacts.Info) bool {
	for _, o := range all {
		if c.now().Sub(o.Modified) < c.OlderThan {
			return false
		}
	}
	return true
}

// states tells how all sweeps stand.
func (c *Collector) states(ctx context.Context) (map[string]plan.State, error) {
	list, err := c.scheduler().List(ctx)
	states := map[string]plan.State{}
	for _, o := range list {
		states[o.Sweep] = o.State
	}
	return states, err
}

func (c *Collector) scheduler() *scheduler.Scheduler {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader == nil {
		c.reader = &scheduler.Scheduler{Store: c.Store, Log: c.log()}
	}
	return c.reader
}
