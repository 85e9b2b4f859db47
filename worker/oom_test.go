package worker

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/ort"
)

// With one picture at a time another attempt cannot need less.
func TestOutOfMemory(t *testing.T) {
	one := func(s *plan.Spec) {
		s.Train, s.Test, s.Config.Training.BatchSize, s.Config.Training.MicroBatchSize = []int{1, 2, 3}, []int{4, 5}, 8, 1
	}
	two := func(s *plan.Spec) { one(s); s.Config.Training.MicroBatchSize = 2 }
	evaluatesMore := func(s *plan.Spec) { one(s); s.Config.Evaluation.BatchSize = 2 }
	for _, c := range []struct {
		job    string
		change func(*plan.Spec)
		kills  int64 // that the kernel counts meanwhile
		want   End
	}{
		{"nomemory", one, 0, Failed},
		{"nomemory", two, 0, Retry},
		{"nomemory", evaluatesMore, 0, Retry},
		{"bigheap", one, 0, Failed},
		{"bigheap", two, 0, Retry},
		{"chosen", one, 1, Failed},
		{"chosen", two, 1, Retry},
		{"chosen", one, 0, Retry}, // somebody else killed it
		{"crash", one, 1, Retry},  // the kernel killed somebody else
	} {
		t.Run(c.job, func(t *testing.T) {
			b := newBench(t)
			counted := []int64{7, 7 + c.kills}
			b.daemon.oomKills = func() int64 {
				n := counted[0]
				if len(counted) > 1 {
					counted = counted[1:]
				}
				return n
			}
			b.submit(c.job, c.change)
			err := b.do(c.job, c.want)
			if c.want != Failed {
				return
			}
			var given *GivenUpError
			if !errors.As(err, &given) || !strings.Contains(given.Error(), "ran out of memory with one picture at a time") || !strings.Contains(given.Hint(), "smaller pictures") {
				t.Errorf("given up with %v", err)
			}
		})
	}
}

// A job that could be cut into smaller parts is told so when it is given up.
func TestOutOfMemoryAgainAndAgain(t *testing.T) {
	b := newBench(t)
	b.submit("nomemory", func(s *plan.Spec) {
		s.Train, s.Config.Training.BatchSize, s.Resources.MaxRestarts = []int{1, 2, 3}, 8, 1
	})
	b.do("nomemory", Retry)
	var given *GivenUpError
	if err := b.do("nomemory", Failed); !errors.As(err, &given) || !strings.Contains(given.Hint(), "micro_batch_size: auto") {
		t.Errorf("given up with %v", err)
	}
}

func TestFailureTellsOfMemory(t *testing.T) {
	short := fmt.Errorf("epoch 1, step 2: %w", &ort.MemoryError{Err: errors.New("no")})
	if e := failure(short); !e.OutOfMemory || e.Permanent {
		t.Errorf("%+v", e)
	}
	if e := failure(errors.New("no")); e.OutOfMemory {
		t.Errorf("%+v", e)
	}
}

func TestCounter(t *testing.T) {
	text := []byte("low 3\noom 5\noom_kill 12\noom_group_kill 1\n")
	if n := counter(text, "oom_kill"); n != 12 {
		t.Errorf("oom_kill is %d", n)
	}
	if n := counter(text, "pgfault"); n != 0 {
		t.Errorf("pgfault is %d", n)
	}
}
