package queue_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/scheduler/queue/queuetest"
)

// TestMain makes the test program a worker too, for tests that kill one.
func TestMain(m *testing.M) {
	if addr := os.Getenv("QUEUE_TEST_WORKER"); addr != "" {
		hangingWorker(addr)
	}
	// These tests wait for timeouts rather than compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// hangingWorker takes a job, says so, and never ends by itself.
func hangingWorker(addr string) {
	q, err := queue.Open(context.Background(), queue.Options{Addr: addr})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	err = q.Serve(context.Background(), queue.ServeOptions{Devices: []string{"any"}, Concurrency: 1,
		Handler: func(ctx context.Context, t queue.Task) queue.Result {
			fmt.Println("running", t.Job)
			select {}
		}})
	fmt.Println(err)
	os.Exit(1)
}

// servers runs a test on a real Redis, on a cluster of three, and on the embedded
// one.
func servers(t *testing.T, f func(t *testing.T, o queue.Options)) {
	t.Parallel()
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		f(t, queuetest.StartRedis(t).Options())
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		f(t, queuetest.StartCluster(t))
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		f(t, embedded(t))
	})
}

func embedded(t testing.TB) queue.Options {
	s, err := queue.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.Options()
}

var anywhere = plan.Resources{Device: "any"}

func enqueue(t testing.TB, q *queue.Queue, jobs ...string) {
	t.Helper()
	for i, job := range jobs {
		if err := q.Enqueue(context.Background(), "s", anywhere, plan.Job{ID: job, Trial: i / 2, Fold: i % 2}); err != nil {
			t.Fatal(err)
		}
	}
}

func state(t testing.TB, q *queue.Queue, job string) plan.State {
	t.Helper()
	states, err := q.States(context.Background(), []string{job})
	if err != nil {
		t.Fatal(err)
	}
	return states[job]
}

func eventually(t testing.TB, within time.Duration, q *queue.Queue, job string, want plan.State) {
	t.Helper()
	queuetest.Eventually(t, within, fmt.Sprintf("job %s is %q", job, want), func() bool {
		states, err := q.States(context.Background(), []string{job})
		return err == nil && states[job] == want
	})
}

// serve runs a worker until the test ends or stop is called.
func serve(t testing.TB, q *queue.Queue, o queue.ServeOptions) (stop func()) {
	t.Helper()
	if o.Devices == nil {
		o.Devices = []string{"any"}
	}
	if o.Concurrency == 0 {
		o.Concurrency = 1
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 5 * time.Second // a test that failed half-way leaves its handler waiting
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Serve(ctx, o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func done(context.Context, queue.Task) queue.Result { return queue.Result{End: queue.Done} }

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not contain %q", text, p)
		}
	}
}
