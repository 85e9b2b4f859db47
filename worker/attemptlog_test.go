package worker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// logOf is the log of a job's attempt, or "".
func (b *bench) logOf(job string, number int) string {
	b.Helper()
	r, _, err := b.store.Get(b.Context(), plan.AttemptLogKey(job, number))
	if err != nil {
		return ""
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		b.Error(err)
	}
	return string(text)
}

// However an attempt ends, its log says so, and what was said before.
func TestLogsAreKeptOfEveryEnd(t *testing.T) {
	for job, says := range map[string]string{
		"noise.logging": "a library says something",
		"crash":         "last words",
		"permanent":     "why=\"a bad picture\"",
		"bigheap":       "out of memory",
		"away":          "end=lost",
		"nomemory":      "there is not enough memory",
		"segfault":      "SIGSEGV",
	} {
		t.Run(job, func(t *testing.T) {
			b := newBench(t)
			b.submit(job)
			_, _ = b.daemon.Do(t.Context(), Task{Sweep: "sweep", Job: job})
			text := b.logOf(job, 1)
			for _, want := range []string{"msg=\"attempt started\"", says, "msg=\"attempt ended\""} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in the log:\n%s", want, text)
				}
			}
		})
	}
}

func TestLogsOfThoseThatAreStopped(t *testing.T) {
	for end, stop := range map[End]func(*bench){
		Interrupted: func(b *bench) { b.daemon.Stop() },
		Canceled:    func(b *bench) { b.mark("sweep") },
	} {
		b := newBench(t)
		b.submit("train")
		ended := b.start(t.Context(), "train")
		b.whenRunning("train")
		stop(b)
		if got := <-ended; got != end {
			t.Errorf("ended %s, want %s", got, end)
		}
		if text := b.logOf("train", 1); !strings.Contains(text, "checkpoint written") || !strings.Contains(text, "end="+string(end)) {
			t.Errorf("the log is\n%s", text)
		}
	}
}

// What a trainer process logs has the ids of its attempt in the daemon's log.
func TestTrainerProcessLogsThroughItsDaemon(t *testing.T) {
	lines := make(chan string, 100)
	b := newBench(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(lineSink(lines), nil))
	})
	b.submit("logging")
	if end, err := b.daemon.Do(t.Context(), Task{Sweep: "sweep", Trial: 3, Fold: 1, Job: "logging"}); end != Completed {
		t.Fatal(end, err)
	}
	close(lines)
	found := false
	for line := range lines {
		if !strings.Contains(line, "sweep=sweep trial=3 fold=1 job=logging attempt=1") {
			t.Errorf("no ids in %s", line)
		}
		found = found || strings.Contains(line, "level=WARN msg=\"said by the child\"") && strings.Contains(line, "epoch=2")
	}
	if !found {
		t.Error("what the child said is not in the log")
	}
	if text := b.logOf("logging", 1); !strings.Contains(text, "quietly") {
		t.Errorf("what is below the daemon's level is not kept:\n%s", text)
	}
}

type lineSink chan string

func (s lineSink) Write(p []byte) (int, error) {
	s <- string(p)
	return len(p), nil
}

func TestLogsAreStoredWhileTheAttemptRuns(t *testing.T) {
	b := newBench(t, func(o *Options) { o.LogEvery = time.Millisecond })
	b.submit("noise.train")
	ended := b.start(t.Context(), "noise.train")
	eventually(t, "the log is stored", func() bool { return strings.Contains(b.logOf("noise.train", 1), "a library says something") })
	b.daemon.Stop()
	<-ended
}

func TestLogsHaveNoSecrets(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Secrets = []string{"something", "la\"st", "a"} })
	b.submit("noise.quick")
	b.do("noise.quick", Completed)
	if text := b.logOf("noise.quick", 1); strings.Contains(text, "something") || !strings.Contains(text, "a library says ***") {
		t.Errorf("the log is\n%s", text)
	}
	if got := hide([]string{`pass"word`}).Replace(fmt.Sprintf("said=%q", `the pass"word`)); strings.Contains(got, "word") {
		t.Errorf("quoted secrets show: %s", got)
	}
}

func TestLogsAreBounded(t *testing.T) {
	k := &keptLog{store: artifacts.Mem(), key: "log", hide: hide(nil)}
	log := slog.New(slog.NewTextHandler(k, nil))
	for n := range 3 * maxLog / 100 {
		log.Info(strings.Repeat("x", 150), "n", n)
		if len(k.text) > 2*maxLog {
			t.Fatalf("%d bytes are in memory", len(k.text))
		}
	}
	text := string(k.taken())
	if len(text) > maxLog || !strings.HasPrefix(text, logBegins+"time=") || !strings.HasSuffix(text, fmt.Sprintf("n=%d\n", 3*maxLog/100-1)) {
		t.Errorf("%d bytes, from %.80q", len(text), text)
	}
	if k.taken() != nil {
		t.Error("what is stored is stored again")
	}
}

// A store that is away for a moment does not cost the log.
func TestLogsWaitForTheStore(t *testing.T) {
	b := newBench(t)
	b.daemon.Store = &flaky{Store: b.store, left: map[string]int{plan.AttemptLogKey("quick", 1): 2}}
	b.submit("quick")
	b.do("quick", Completed)
	if text := b.logOf("quick", 1); !strings.Contains(text, "end=completed") {
		t.Errorf("the log is %q", text)
	}
}

// A log that cannot be stored does not cost the end of its attempt.
func TestLogsAreNotWorthAnAttempt(t *testing.T) {
	b := newBench(t)
	b.daemon.Store = refusing{b.store, plan.AttemptLogKey("quick", 1)}
	b.submit("quick")
	b.do("quick", Completed)
	if got := b.ends("quick"); got != "completed" {
		t.Errorf("the attempt ended %q", got)
	}
}

// refusing is a store that denies writing one key.
type refusing struct {
	artifacts.Store
	key string
}

func (r refusing) Put(ctx context.Context, key string, body io.Reader, size int64) error {
	if key == r.key {
		return fmt.Errorf("write %s: %w", key, artifacts.ErrDenied)
	}
	return r.Store.Put(ctx, key, body, size)
}
