package trainer

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
)

// numbered is a plan of n mini-batches, alternating between the kinds.
func numbered(n int) []batchSpec {
	out := make([]batchSpec, n)
	for i := range out {
		out[i] = batchSpec{content: content{train: i%3 != 2}, step: i, samples: []int{i}}
	}
	return out
}

func TestPrefetchKeepsTheOrderAndItsBuffers(t *testing.T) {
	var made atomic.Int32
	p := prefetch(slices.Values(numbered(50)),
		func(content) (*batch, error) { made.Add(1); return &batch{}, nil },
		func(b *batch, s batchSpec) error { b.batchSpec = s; return nil })
	defer p.close()
	for i := range 50 {
		b, _, err := p.next()
		if err != nil || b.step != i {
			t.Fatalf("mini-batch %d: got %d, error %v", i, b.step, err)
		}
		p.release(b)
	}
	if b, _, err := p.next(); b != nil || err != nil {
		t.Errorf("after the last: %v, %v", b, err)
	}
	if made.Load() != 2*ahead {
		t.Errorf("%d buffers, want %d of each kind", made.Load(), ahead)
	}
}

func TestPrefetchReportsErrorsInTheirPlace(t *testing.T) {
	broken := errors.New("broken")
	p := prefetch(slices.Values(numbered(5)),
		func(content) (*batch, error) { return &batch{}, nil },
		func(b *batch, s batchSpec) error {
			b.batchSpec = s
			if s.step == 2 {
				return broken
			}
			return nil
		})
	defer p.close()
	for i := range 3 {
		b, _, err := p.next()
		if errors.Is(err, broken) != (i == 2) {
			t.Errorf("mini-batch %d: error %v", i, err)
		}
		p.release(b)
	}
}

// close must end the goroutine wherever it is; goleak in TestMain sees to it.
func TestPrefetchClosedEarly(t *testing.T) {
	for taken := range 8 {
		p := prefetch(slices.Values(numbered(100)),
			func(content) (*batch, error) { return &batch{}, nil },
			func(b *batch, s batchSpec) error { b.batchSpec = s; return nil })
		for range min(taken, ahead) { // not given back: the goroutine starves
			if _, _, err := p.next(); err != nil {
				t.Fatal(err)
			}
		}
		p.close()
		p.close()
	}
}

func TestNoMemoryForAMiniBatch(t *testing.T) {
	refused := errors.New("refused")
	p := prefetch(slices.Values(numbered(3)),
		func(content) (*batch, error) { return nil, refused },
		func(*batch, batchSpec) error { return nil })
	defer p.close()
	if b, _, err := p.next(); !errors.Is(err, refused) {
		t.Errorf("got %+v, %v", b, err)
	}
}
