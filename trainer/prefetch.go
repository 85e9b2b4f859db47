package trainer

import (
	"context"
	"iter"
	"sync"
	"time"
)

// ahead is how many mini-batches of a kind exist: one in the step, and two that
// the prefetcher fills meanwhile.
const ahead = 3

// prefetcher prepares mini-batches in one goroutine, in the order of a plan, so
// that the step does not wait for them. Buffers are used in turn; the goroutine
// waits when all of a kind are taken.
type prefetcher struct {
	ready   chan *batch
	free    map[content]chan *batch
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// prefetch starts on plan. newBuffer allocates a buffer for a kind of
// mini-batch, fill fills it.
func prefetch(plan iter.Seq[batchSpec], newBuffer func(content) (*batch, error), fill func(*batch, batchSpec) error) *prefetcher {
	ctx, stop := context.WithCancel(context.Background())
	p := &prefetcher{
		ready: make(chan *batch, ahead),
		free:  map[content]chan *batch{},
		stop:  stop,
	}
	for _, c := range []content{{}, {train: true}, {features: true}, {train: true, features: true}} {
		p.free[c] = make(chan *batch, ahead)
	}
	p.stopped.Go(func() {
		defer close(p.ready)
		made := map[content]int{}
		for spec := range plan {
			var b *batch
			if made[spec.content] < ahead {
				made[spec.content]++
				var err error
				if b, err = newBuffer(spec.content); err != nil {
					b = &batch{err: err} // the last: nobody asks for another
				}
			} else {
				select {
				case b = <-p.free[spec.content]:
				case <-ctx.Done():
					return
				}
			}
			if b.err == nil {
				b.err = fill(b, spec)
			}
			select {
			case p.ready <- b:
			case <-ctx.Done():
				return
			}
		}
	})
	return p
}

// next returns the next mini-batch of the plan and how long it had to be waited
// for; nil after the last. The caller gives it back with release.
func (p *prefetcher) next() (*batch, time.Duration, error) {
	select {
	case b := <-p.ready:
		return result(b, 0)
	default:
	}
	start := time.Now()
	return result(<-p.ready, time.Since(start))
}

func result(b *batch, waited time.Duration) (*batch, time.Duration, error) {
	if b == nil {
		return nil, waited, nil
	}
	return b, waited, b.err
}

func (p *prefetcher) release(b *batch) { p.free[b.content] <- b }

// close ends the goroutine and waits for its end.
func (p *prefetcher) close() {
	p.stop()
	p.stopped.Wait()
}
