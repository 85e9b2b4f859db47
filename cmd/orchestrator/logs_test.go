package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// A log is followed over its attempts to the end of the job.
func TestLogIsFollowed(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	store := artifacts.Mem()
	r, w := io.Pipe()
	l := logs{store: store, out: w, every: time.Millisecond}
	put := func(key, text string) {
		t.Helper()
		if err := store.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
			t.Error(err)
		}
	}
	attempt := func(number int, end string) {
		t.Helper()
		if err := artifacts.PutJSON(t.Context(), store, plan.AttemptKey("j", number), plan.Attempt{Job: "j", Number: number, Host: "h", End: end}); err != nil {
			t.Error(err)
		}
	}
	followed := make(chan error, 1)
	go func() {
		followed <- l.follow(t.Context(), loggedJob{ids: []string{"rung", "j"}}, 0)
		w.Close()
	}()
	see := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Fatalf("printed %q, %v, want %q", got, err, want)
		}
	}
	attempt(1, "")
	see("==> attempt 1 at job j on h\n")
	put(plan.AttemptLogKey("j", 1), "one\n")
	see("one\n")
	put(plan.AttemptLogKey("j", 1), "one\ntwo\n")
	see("two\n")
	attempt(1, "failed")
	put(plan.AttemptLogKey("j", 2), "again\n")
	attempt(2, "")
	see("==> attempt 2 at job j on h\nagain\n")
	put(plan.OutcomeKey("j"), "{}") // comes before the end of the log
	put(plan.AttemptLogKey("j", 2), "again\nended\n")
	attempt(2, "completed")
	see("ended\n")
	rest, err := io.ReadAll(r)
	if err := <-followed; err != nil || len(rest) > 0 {
		t.Errorf("then %q, %v", rest, err)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestFollowingEndsWithWhatWasCanceled(t *testing.T) {
	store := artifacts.Mem()
	if err := artifacts.PutJSON(t.Context(), store, plan.AttemptKey("j", 1), plan.Attempt{Job: "j", Number: 1, End: "paused"}); err != nil {
		t.Fatal(err)
	}
	l := logs{store: store, out: new(bytes.Buffer), every: time.Millisecond}
	if err := l.follow(t.Context(), loggedJob{ids: []string{"j"}}, 0); err != nil {
		t.Error(err)
	}
}

func TestAddedIsWhatWasNotPrinted(t *testing.T) {
	for _, c := range []struct{ before, now, want string }{
		{"", "a\n", "a\n"},
		{"a\n", "a\n", ""},
		{"a\nb\n", "a\nb\nc\n", "c\n"},
		{"a\nb\n", "...\nb\nc\n", "c\n"}, // the beginning was dropped
		{"a\nb\n", "...\nx\ny\n", "...\nx\ny\n"},
	} {
		if got := added(c.before, c.now); got != c.want {
			t.Errorf("after %q, %q adds %q, want %q", c.before, c.now, got, c.want)
		}
	}
}
