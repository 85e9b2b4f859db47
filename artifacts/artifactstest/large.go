package artifactstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"orchestrator/artifacts"
)

// ExerciseLarge checks what Exercise does of writes on objects of that size, for
// stores that write large objects in another way.
func ExerciseLarge(t *testing.T, size int, open func(t *testing.T) artifacts.Store) {
	s, other := open(t), open(t)
	first, second := randomBytes(size), randomBytes(size+1)
	const key = "parts/object"
	if err := s.Create(t.Context(), key, iotest.HalfReader(bytes.NewReader(first)), int64(size)); err != nil {
		t.Fatal(err)
	}
	if err := create(t, other, key, second); !errors.Is(err, artifacts.ErrExists) {
		t.Errorf("a second Create = %v", err)
	}
	wantObject(t, other, key, first)
	put(t, other, key, second)
	wantObject(t, s, key, second)

	var group sync.WaitGroup
	var wins atomic.Int32
	for range 3 {
		group.Go(func() {
			switch err := create(t, s, "parts/race", first); {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, artifacts.ErrExists):
				t.Errorf("Create among others = %v", err)
			}
		})
	}
	group.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d of 3 concurrent Creates succeeded", wins.Load())
	}
	failedWrites(t, s, first)
}

// failedWrites leaves nothing of objects that end too early, too late, or in an error.
func failedWrites(t *testing.T, s artifacts.Store, data []byte) {
	t.Helper()
	size, broken := int64(len(data)), errors.New("the disk broke")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		want error
	}{
		"too short":           {t.Context(), bytes.NewReader(data[1:]), artifacts.ErrSize},
		"too long":            {t.Context(), io.MultiReader(bytes.NewReader(data), bytes.NewReader(data[:1])), artifacts.ErrSize},
		"a failing source":    {t.Context(), io.MultiReader(bytes.NewReader(data[1:]), iotest.ErrReader(broken)), broken},
		"cancelled in midway": {ctx, io.MultiReader(bytes.NewReader(data[1:]), &onRead{do: cancel, r: bytes.NewReader(data[:1])}), context.Canceled},
	} {
		if err := s.Put(c.ctx, "failed/object", c.r, size); !errors.Is(err, c.want) {
			t.Errorf("%s: Put = %v", name, err)
		}
	}
	if left := list(t, s, "failed/"); len(left) != 0 {
		t.Errorf("failed writes left %q", left)
	}
}
