package artifacts_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"orchestrator/artifacts"
	"orchestrator/artifacts/artifactstest"
)

// A store that is watched keeps the same promises.
func TestObservedConforms(t *testing.T) {
	s := artifacts.Observed(artifacts.Mem(), func(artifacts.Operation) {})
	artifactstest.Exercise(t, func(*testing.T) artifacts.Store { return s })
}

func TestOperationsAreObserved(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	s := artifacts.Observed(artifacts.Mem(), func(o artifacts.Operation) {
		mu.Lock()
		defer mu.Unlock()
		if o.Took < 0 {
			t.Errorf("%s took %v", o.Name, o.Took)
		}
		seen = append(seen, fmt.Sprintf("%s %d %v", o.Name, o.Bytes, errors.Is(o.Err, artifacts.ErrNotFound) || errors.Is(o.Err, artifacts.ErrExists)))
	})
	ctx := t.Context()
	_ = s.Put(ctx, "a", strings.NewReader("12345"), 5)
	_ = s.Create(ctx, "a", strings.NewReader("12345"), 5)
	r, _, err := s.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.CopyN(io.Discard, r, 3)
	_ = r.Close()
	_ = r.Close()
	_, _, _ = s.Get(ctx, "b")
	_, _ = s.Stat(ctx, "b")
	for range s.List(ctx, "") {
		break
	}
	_ = s.Delete(ctx, "a")
	for range s.List(ctx, "") {
		t.Error("something is left")
	}
	want := "put 5 false; create 0 true; get 3 false; get 0 true; stat 0 true; list 0 false; delete 0 false; list 0 false"
	if got := strings.Join(seen, "; "); got != want {
		t.Errorf("observed %s\nwant     %s", got, want)
	}
}
