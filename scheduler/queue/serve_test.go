package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

func TestServeResults(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		inspector := asynq.NewInspectorFromRedisClient(raw(t, o))
		var calls atomic.Int32
		serve(t, q, queue.ServeOptions{Handler: func(_ context.Context, task queue.Task) queue.Result {
			if task.Job == "done" {
				return queue.Result{End: queue.Done, Detail: "accuracy 0.9"}
			}
			if calls.Add(1) == 1 {
				return queue.Result{End: queue.Retry, Detail: "out of memory"}
			}
			return queue.Result{End: queue.Permanent, Detail: "out of memory again"}
		}})
		enqueue(t, q, "done", "failing")
		eventually(t, 5*time.Second, q, "done", plan.Completed)
		if info, err := inspector.GetTaskInfo("any", "done"); err != nil || string(info.Result) != "accuracy 0.9" {
			t.Errorf("result of the job that is done: %v, %v", info, err)
		}
		eventually(t, 5*time.Second, q, "failing", plan.Failed)
		info, err := inspector.GetTaskInfo("any", "failing")
		if err != nil {
			t.Fatal(err)
		}
		contains(t, info.LastErr, "out of memory again")
		if info.Retried != 1 || calls.Load() != 2 {
			t.Errorf("retried %d times in %d calls, want 1 in 2", info.Retried, calls.Load())
		}
	})
}

func TestPanicIsARetry(t *testing.T) {
	t.Parallel()
	q := queuetest.Open(t, embedded(t))
	var calls atomic.Int32
	serve(t, q, queue.ServeOptions{Handler: func(context.Context, queue.Task) queue.Result {
		if calls.Add(1) == 1 {
			panic("index out of range")
		}
		return queue.Result{End: queue.Done}
	}})
	enqueue(t, q, "a")
	eventually(t, 10*time.Second, q, "a", plan.Completed)
}

// A worker that is told to stop hands its job to the next one at once, and the
// job has lost nothing by it.
func TestInterruptedGoesToTheNextWorker(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		stopping, running := make(chan struct{}), make(chan struct{})
		stop := serve(t, q, queue.ServeOptions{
			Handler: func(ctx context.Context, _ queue.Task) queue.Result {
				close(running)
				<-stopping
				if ctx.Err() != nil {
					t.Error("the handler's context ended with Serve's")
				}
				return queue.Result{End: queue.Interrupted}
			},
			OnDrain: func() { close(stopping) },
		})
		enqueue(t, q, "a")
		<-running
		stop()
		if got := state(t, q, "a"); got != plan.Pending {
			t.Fatalf("the interrupted job is %q, want pending", got)
		}
		info, err := asynq.NewInspectorFromRedisClient(raw(t, o)).GetTaskInfo("any", "a")
		if err != nil {
			t.Fatal(err)
		}
		if info.Retried != 0 {
			t.Errorf("the interruption counts as %d failures", info.Retried)
		}
		serve(t, q, queue.ServeOptions{Handler: done})
		eventually(t, 5*time.Second, q, "a", plan.Completed)
	})
}

// A handler that does not stop in time is left behind, and its job handed back.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	q := queuetest.Open(t, embedded(t))
	running, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	stop := serve(t, q, queue.ServeOptions{DrainTimeout: 100 * time.Millisecond, Handler: func(context.Context, queue.Task) queue.Result {
		close(running)
		<-end
		close(ended)
		return queue.Result{End: queue.Done}
	}})
	enqueue(t, q, "a")
	<-running
	stop()
	if got := state(t, q, "a"); got != plan.Pending {
		t.Errorf("the job left behind is %q, want pending", got)
	}
	close(end)
	<-ended
}

// Urgent sweeps come first; those that are equally urgent take turns, and whoever
// runs more jobs already has to wait.
func TestArrange(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		ctx := context.Background()
		add := func(sweep string, priority, from, to int) {
			var jobs []plan.Job
			for i := from; i < to; i++ {
				jobs = append(jobs, plan.Job{ID: fmt.Sprint(sweep, i), Trial: i})
			}
			if err := q.Enqueue(ctx, sweep, plan.Resources{Device: "any", Priority: priority}, jobs...); err != nil {
				t.Fatal(err)
			}
		}
		add("a", 0, 0, 1)
		begun, end := make(chan string), make(chan struct{})
		serve(t, q, queue.ServeOptions{Concurrency: 1, Handler: func(_ context.Context, task queue.Task) queue.Result {
			begun <- task.Job
			<-end
			return queue.Result{End: queue.Done}
		}})
		first := <-begun
		add("a", 0, 1, 4)
		add("b", 0, 0, 3)
		add("late", 90, 0, 1)
		add("soon", 1, 0, 2)
		arrange := func() {
			if err := q.Arrange(ctx); err != nil {
				t.Fatal(err)
			}
		}
		arrange()
		arrange() // again changes nothing
		order := []string{first}
		close(end)
		for range 9 {
			order = append(order, <-begun)
		}
		if got, want := strings.Join(order, " "), "a0 soon0 soon1 b0 a1 b1 a2 b2 a3 late0"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
		add("a", 0, 10, 12)
		add("b", 0, 10, 11)
		if err := q.Prioritize(ctx, "b", 7); err != nil {
			t.Fatal(err)
		}
		arrange()
		if err := q.Forget(ctx, "b"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			<-begun
		}
	})
}

// A job that needs a label, or several slots, waits for a worker that has them.
func TestLabelsAndSizes(t *testing.T) {
	t.Parallel()
	q := queuetest.Open(t, embedded(t))
	ctx := context.Background()
	for id, r := range map[string]plan.Resources{
		"plain": {Device: "any"}, "labelled": {Device: "cuda", Label: "a100"}, "other": {Label: "b200"},
		"double": {Device: "any", SlotsPerTrial: 2}, "huge": {SlotsPerTrial: 8}, "cpu": {Device: "cpu"},
	} {
		if err := q.Enqueue(ctx, "s", r, plan.Job{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, q, queue.ServeOptions{Devices: []string{"any", "cuda"}, Labels: []string{"a100"}, Concurrency: 3, Handler: done})
	for _, id := range []string{"plain", "labelled", "double"} {
		eventually(t, 10*time.Second, q, id, plan.Completed)
	}
	for _, id := range []string{"other", "huge", "cpu"} {
		if got := state(t, q, id); got != plan.Pending {
			t.Errorf("%s is %q on a worker that has not what it needs", id, got)
		}
	}
}

// A worker with slots of two kinds serves each for itself: jobs for a device come to its
// slots, and those for any device to all.
func TestTwoKindsOfSlotsInOneProcess(t *testing.T) {
	t.Parallel()
	q := queuetest.Open(t, embedded(t))
	ran, release := make(chan string, 8), make(chan struct{})
	on := func(kind string) queue.Handler {
		return func(_ context.Context, task queue.Task) queue.Result {
			ran <- kind + " runs " + task.Job
			<-release
			return queue.Result{End: queue.Done}
		}
	}
	for _, kind := range []string{"cuda", "cpu"} {
		serve(t, q, queue.ServeOptions{Devices: []string{kind, "any"}, Concurrency: 1, Handler: on(kind)})
	}
	t.Cleanup(sync.OnceFunc(func() { close(release) })) // before the servers, which wait for it
	for id, device := range map[string]string{"for cuda": "cuda", "for cpu": "cpu"} {
		if err := q.Enqueue(t.Context(), "s", plan.Resources{Device: device}, plan.Job{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	got := []string{<-ran, <-ran}
	slices.Sort(got)
	if want := []string{"cpu runs for cpu", "cuda runs for cuda"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	enqueue(t, q, "one", "two")
	release <- struct{}{}
	release <- struct{}{}
	anyone := <-ran + ", " + <-ran
	for _, part := range []string{"cpu runs ", "cuda runs "} {
		contains(t, anyone, part)
	}
	workers, err := q.Workers(t.Context())
	if err != nil || len(workers) != 2 || workers[0].PID != workers[1].PID || strings.Join(workers[0].Devices, " ") != "cpu any" || strings.Join(workers[1].Devices, " ") != "cuda any" {
		t.Errorf("the workers are %+v, %v", workers, err)
	}
}

// An idle worker does not wait for asynq's next look at its queues, which is once a
// second. How soon it starts is measured by bench/orchestration.
func TestIdlePickup(t *testing.T) {
	for name, o := range map[string]queue.Options{"redis": queuetest.StartRedis(t).Options(), "embedded": embedded(t)} {
		q := queuetest.Open(t, o)
		started := make(chan time.Time, 1)
		stop := serve(t, q, queue.ServeOptions{Handler: func(context.Context, queue.Task) queue.Result {
			started <- time.Now()
			return queue.Result{End: queue.Done}
		}})
		var waits []time.Duration
		for i := range 15 {
			job := fmt.Sprint(i)
			enqueued := time.Now()
			enqueue(t, q, job)
			waits = append(waits, (<-started).Sub(enqueued))
			eventually(t, 5*time.Second, q, job, plan.Completed)
		}
		stop()
		slices.Sort(waits)
		if median := waits[len(waits)/2]; median > 400*time.Millisecond {
			t.Errorf("%s: an idle worker starts a job after %s in the median, want well under a second", name, median)
		}
	}
}

// Redis goes away while a job runs and comes back with its data: the job never
// notices.
func TestRedisRestartsDuringAJob(t *testing.T) {
	t.Parallel()
	r := queuetest.StartRedis(t)
	q := queuetest.Open(t, r.Options())
	running, end := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	serve(t, q, queue.ServeOptions{Handler: func(ctx context.Context, _ queue.Task) queue.Result {
		calls.Add(1)
		close(running)
		<-end
		if ctx.Err() != nil {
			t.Error("the outage cancelled the handler")
		}
		return queue.Result{End: queue.Done}
	}})
	enqueue(t, q, "a")
	<-running
	r.Kill()
	if _, err := q.States(context.Background(), []string{"a"}); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("during the outage: %v, want ErrUnavailable", err)
	}
	r.Start()
	close(end)
	eventually(t, 20*time.Second, q, "a", plan.Completed)
	if calls.Load() != 1 {
		t.Errorf("the job ran %d times", calls.Load())
	}
}

// Everything in Redis is lost while jobs run. They are enqueued again; the
// worker that runs one joins it, and another worker that begins it too finds so and
// stops.
func TestFlushDuringAJob(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q, c := queuetest.Open(t, o), raw(t, o)
		running, end, stopped, other := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
		var begun, over sync.Once
		var finished atomic.Int32
		var outcomes sync.Map
		handler := func(ctx context.Context, task queue.Task) queue.Result {
			if _, exists := outcomes.Load(task.Job); exists {
				return queue.Result{End: queue.Done}
			}
			if task.Job == "b" {
				close(other)
			} else {
				begun.Do(func() { close(running) })
			}
			select {
			case <-end:
			case <-ctx.Done():
				over.Do(func() { close(stopped) })
				return queue.Result{End: queue.Interrupted}
			}
			outcomes.Store(task.Job, true)
			finished.Add(1)
			return queue.Result{End: queue.Done}
		}
		serve(t, q, queue.ServeOptions{Handler: handler})
		enqueue(t, q, "a")
		<-running
		serve(t, queuetest.Open(t, o), queue.ServeOptions{Handler: handler, Concurrency: 2})
		flush(t, c)
		queuetest.Eventually(t, 10*time.Second, "the worker claims its job again", func() bool {
			return c.Exists(context.Background(), "orchestrator:claim:a").Val() == 1
		})
		enqueue(t, q, "a", "b")
		for what, happens := range map[string]chan struct{}{"a free worker takes the other job": other, "the second worker stops": stopped} {
			select {
			case <-happens:
			case <-time.After(2 * time.Minute):
				t.Fatalf("it does not happen that %s", what)
			}
		}
		close(end)
		eventually(t, 20*time.Second, q, "a", plan.Completed)
		eventually(t, 20*time.Second, q, "b", plan.Completed)
		if finished.Load() != 2 {
			t.Errorf("2 jobs were finished %d times", finished.Load())
		}
	})
}

func TestKilledWorkersJobIsTakenOver(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	o := queuetest.StartRedis(t).Options()
	q := queuetest.Open(t, o)
	enqueue(t, q, "a")

	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "QUEUE_TEST_WORKER="+o.Addr)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, _ := out.Read(line)
	contains(t, string(line[:n]), "running a")
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	victim.Wait() // reports the kill
	killed := time.Now()

	serve(t, q, queue.ServeOptions{Handler: done})
	eventually(t, 40*time.Second, q, "a", plan.Completed)
	t.Logf("taken over after %s", time.Since(killed).Round(time.Second))
	info, err := asynq.NewInspectorFromRedisClient(raw(t, o)).GetTaskInfo("any", "a")
	if err != nil {
		t.Fatal(err)
	}
	if info.Retried != 0 {
		t.Errorf("the worker's death counts as %d failures of the job", info.Retried)
	}
}

// A failover can lose the lease of a task and even its content: asynq would
// never touch it again.
// A worker that was stopped for so long that another has claimed its job stops running
// it, and leaves the claim to the other.
func TestTakenOverJobIsStopped(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q, c := queuetest.Open(t, o), raw(t, o)
		ended := make(chan error, 1)
		serve(t, q, queue.ServeOptions{Handler: func(ctx context.Context, _ queue.Task) queue.Result {
			<-ctx.Done()
			select {
			case ended <- context.Cause(ctx):
			default: // it is handed out again
				if queue.Claim(ctx) {
					t.Error("the job is claimed that another runs")
				}
			}
			return queue.Result{End: queue.Interrupted}
		}})
		enqueue(t, q, "a")
		const claim = "orchestrator:claim:a"
		queuetest.Eventually(t, time.Minute, "the worker claims its job", func() bool { return c.Exists(context.Background(), claim).Val() == 1 })
		if err := c.Set(context.Background(), claim, "another", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		select {
		case cause := <-ended:
			if cause == nil || !strings.Contains(cause.Error(), "another") {
				t.Errorf("stopped because of %v", cause)
			}
		case <-time.After(time.Minute):
			t.Fatal("the job goes on")
		}
		if got := c.Get(context.Background(), claim).Val(); got != "another" {
			t.Errorf("the claim is that of %q", got)
		}
	})
}

func TestActiveWithoutLease(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	o := embedded(t)
	q, c := queuetest.Open(t, o), raw(t, o)
	ctx := context.Background()
	enqueue(t, q, "leaseless")
	if err := c.RPopLPush(ctx, "asynq:{any}:pending", "asynq:{any}:active").Err(); err != nil {
		t.Fatal(err)
	}
	c.HSet(ctx, "asynq:{any}:t:leaseless", "state", "active")
	c.LPush(ctx, "asynq:{any}:active", "contentless")
	serve(t, q, queue.ServeOptions{Handler: done})
	eventually(t, 20*time.Second, q, "leaseless", plan.Completed)
	eventually(t, 20*time.Second, q, "contentless", "")
}

func TestWorkers(t *testing.T) {
	testenv.Daily(t)
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		release := make(chan struct{})
		serve(t, q, queue.ServeOptions{Devices: []string{"any", "cpu"}, Concurrency: 3,
			Handler: func(context.Context, queue.Task) queue.Result {
				<-release
				return queue.Result{End: queue.Interrupted}
			}, OnDrain: func() { close(release) }})
		enqueue(t, q, "a")
		var workers []queue.Worker
		queuetest.Eventually(t, 10*time.Second, "the worker shows its job", func() bool {
			var err error
			workers, err = q.Workers(context.Background())
			return err == nil && len(workers) == 1 && len(workers[0].Running) == 1
		})
		w := workers[0]
		if w.PID != os.Getpid() || w.Slots != 3 || w.Status != "active" || strings.Join(w.Devices, " ") != "cpu any" || w.Running[0].Job != "a" {
			t.Errorf("worker %+v", w)
		}
	})
}

func TestMonitor(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		enqueue(t, q, "a")
		serve(t, q, queue.ServeOptions{Handler: func(context.Context, queue.Task) queue.Result {
			return queue.Result{End: queue.Done, Detail: "accuracy 0.9"}
		}})
		eventually(t, 5*time.Second, q, "a", plan.Completed)
		monitor, err := queue.NewMonitor(o, "/queue", true)
		if err != nil {
			t.Fatal(err)
		}
		defer monitor.Close()
		server := httptest.NewServer(monitor)
		defer server.Close()

		var page struct {
			Tasks []struct{ ID, Payload, Result string }
		}
		r, err := http.Get(server.URL + "/queue/api/queues/any/completed_tasks")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
			t.Fatal(err)
		}
		if len(page.Tasks) != 1 || page.Tasks[0].Payload != `{"sweep":"s","job":"a","trial":0,"fold":0}` || page.Tasks[0].Result != "accuracy 0.9" {
			t.Errorf("asynqmon shows %+v", page.Tasks)
		}
		r, err = http.Post(server.URL+"/queue/api/queues/any:pause", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("a read-only monitor answered a change with %s", r.Status)
		}
	})
}

// Many jobs on many slots of several workers, whose claims and slots race.
func TestEveryJobRunsOnce(t *testing.T) {
	servers(t, func(t *testing.T, o queue.Options) {
		q := queuetest.Open(t, o)
		var mu sync.Mutex
		runs := map[string]int{}
		for range 3 {
			serve(t, queuetest.Open(t, o), queue.ServeOptions{Concurrency: 4, Handler: func(_ context.Context, task queue.Task) queue.Result {
				mu.Lock()
				defer mu.Unlock()
				runs[task.Job]++
				return queue.Result{End: queue.Done}
			}})
		}
		var jobs []string
		for i := range 200 {
			jobs = append(jobs, fmt.Sprint(i))
		}
		enqueue(t, q, jobs...)
		queuetest.Eventually(t, 30*time.Second, "all jobs are completed", func() bool {
			states, err := q.States(context.Background(), jobs)
			n := 0
			for _, s := range states {
				if s == plan.Completed {
					n++
				}
			}
			return err == nil && n == len(jobs)
		})
		for job, n := range runs {
			if n != 1 {
				t.Errorf("job %s ran %d times", job, n)
			}
		}
	})
}

// asynq gives its handlers up 29 seconds into an outage of Redis. Ours go on and
// keep their slots, so that no second job comes onto the same device.
func TestLongOutage(t *testing.T) {
	testenv.Full(t, "TestRedisRestartsDuringAJob, a shorter outage")
	t.Parallel()
	r := queuetest.StartRedis(t)
	q := queuetest.Open(t, r.Options())
	inspector := asynq.NewInspectorFromRedisClient(raw(t, r.Options()))
	running, end := make(chan struct{}), make(chan struct{})
	var atWork, peak, calls atomic.Int32
	serve(t, q, queue.ServeOptions{Handler: func(ctx context.Context, _ queue.Task) queue.Result {
		peak.Store(max(peak.Load(), atWork.Add(1)))
		defer atWork.Add(-1)
		if calls.Add(1) == 1 {
			close(running)
		}
		select {
		case <-end:
		case <-ctx.Done():
			t.Error("the outage cancelled the handler")
		}
		return queue.Result{End: queue.Done}
	}})
	enqueue(t, q, "a")
	<-running
	r.Kill()
	<-time.After(33 * time.Second) // asynq's lease, which nothing can shorten
	r.Start()
	queuetest.Eventually(t, 20*time.Second, "the connection recovers", func() bool {
		return q.Enqueue(context.Background(), "s", anywhere, plan.Job{ID: "b"}) == nil
	})
	queuetest.Eventually(t, 20*time.Second, "the slot, which asynq takes for free, refuses the next job", func() bool {
		info, err := inspector.GetTaskInfo("any", "b")
		return err == nil && strings.Contains(info.LastErr, "still runs in this slot")
	})
	close(end)
	eventually(t, 30*time.Second, q, "a", plan.Completed)
	eventually(t, 30*time.Second, q, "b", plan.Completed)
	if peak.Load() != 1 {
		t.Errorf("%d handlers ran at once in one slot", peak.Load())
	}
}

// A sweep whose jobs are all done may be over before its server has begun.
func TestServeThatIsOverBeforeItBegins(t *testing.T) {
	t.Parallel()
	q := queuetest.Open(t, embedded(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := q.Serve(ctx, queue.ServeOptions{Devices: []string{"cpu"}, Concurrency: 1, Handler: func(context.Context, queue.Task) queue.Result {
		t.Error("it runs a job")
		return queue.Result{}
	}})
	if err != nil {
		t.Error(err)
	}
}
