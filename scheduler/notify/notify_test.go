package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/notify"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/schedulertest"
)

const signingKey = "whsec_c29tZSBzaWduaW5nIGtleSBvZiBhIHRlc3Q="

// TestMain makes the test program a sender too, for the test that kills one.
func TestMain(m *testing.M) {
	if url := os.Getenv("NOTIFY_TEST_URL"); url != "" {
		store, err := artifacts.Open(context.Background(), os.Getenv("NOTIFY_TEST_STORE"), artifacts.S3Options{})
		if err == nil {
			n, _ := notify.New(notify.Options{Store: store, Sweeps: &scheduler.Scheduler{Store: store}, URL: url})
			err = n.Send(context.Background())
		}
		fmt.Println(err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// endpoint is a webhook that keeps what it is sent.
type endpoint struct {
	*httptest.Server
	mu       sync.Mutex
	answer   func(w http.ResponseWriter, r *http.Request) // nil: 204
	payloads []notify.Payload
	headers  []http.Header
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{}
	verify, err := standardwebhooks.NewWebhook(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get(standardwebhooks.HeaderWebhookSignature) != "" {
			if err := verify.VerifyIgnoringTimestamp(body, r.Header); err != nil {
				t.Error(err)
			}
		}
		var p notify.Payload
		if err := json.Unmarshal(body, &p); err != nil {
			t.Error(err)
		}
		e.mu.Lock()
		e.payloads, e.headers = append(e.payloads, p), append(e.headers, r.Header)
		answer := e.answer
		e.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) respond(answer func(http.ResponseWriter, *http.Request)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// types are of what was sent so far.
func (e *endpoint) types() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var types []string
	for _, p := range e.payloads {
		types = append(types, p.Type)
	}
	return types
}

func (e *endpoint) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, e.types()); diff != "" {
		t.Errorf("what was sent (-want +got):\n%s", diff)
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// fill is a store with one sweep of two trials on two folds.
func fill(t *testing.T, store artifacts.Store, s schedulertest.Shape) *plan.Plan {
	t.Helper()
	s.Trials, s.Folds, s.Bare = 2, 2, true
	p, err := schedulertest.Fill(t.Context(), store, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newNotifier(t *testing.T, store artifacts.Store, e *endpoint, change func(*notify.Options)) *notify.Notifier {
	t.Helper()
	o := notify.Options{Store: store, Sweeps: &scheduler.Scheduler{Store: store}, URL: e.URL + "/secret-path", Secret: signingKey}
	if change != nil {
		change(&o)
	}
	n, err := notify.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func send(t *testing.T, n *notify.Notifier) {
	t.Helper()
	if err := n.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCompletedSweepIsToldOnce(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	p := fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	n := newNotifier(t, store, e, func(o *notify.Options) { o.PublicURL = "https://sweeps.example/" })
	send(t, n)
	send(t, n)
	send(t, newNotifier(t, store, e, nil)) // another process
	e.expect(t, "sweep.completed")
	got := e.payloads[0]
	if got.Data.Sweep != p.ID || got.Data.State != plan.Completed || got.Data.URL != "https://sweeps.example/sweeps/"+p.ID || got.Data.Best == nil ||
		got.Data.Counts != (notify.Counts{Trials: 2, Jobs: 4, Completed: 4}) || !strings.Contains(got.Text, "completed, 4 of 4 jobs") {
		t.Errorf("the payload is %+v", got)
	}
	h := e.headers[0]
	if !strings.HasPrefix(h.Get("webhook-id"), "msg_") || h.Get("webhook-timestamp") == "" || !strings.HasPrefix(h.Get("webhook-signature"), "v1,") {
		t.Errorf("the headers are %v", h)
	}
}

// The body is a contract: what is in it stays.
func TestPayloadIsStable(t *testing.T) {
	mean := 0.5
	got, err := json.Marshal(notify.Payload{Type: "job.failed", Timestamp: "T", Text: "x", Data: notify.Data{
		Sweep: "s", Name: "n", State: plan.Running, Metric: plan.Metric{Name: "accuracy", Goal: "maximize"},
		Best: &notify.Best{Trial: 1, Mean: &mean, Parameters: map[string]any{"a": 1}}, Job: &notify.Job{Job: "j", Fold: 1, Attempts: 2, Reason: "r", Hint: "h"}, URL: "u"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"job.failed","timestamp":"T","text":"x","data":{"sweep":"s","name":"n","state":"running","metric":{"name":"accuracy","goal":"maximize"},` +
		`"best":{"trial":1,"mean":0.5,"std":null,"parameters":{"a":1}},"counts":{"trials":0,"jobs":0,"completed":0,"failed":0},` +
		`"job":{"job":"j","trial":0,"fold":1,"attempts":2,"reason":"r","hint":"h"},"url":"u"}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// An endpoint that fails gets the same event again, later each time, until it takes it.
func TestFailingEndpoint(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	late := time.Duration(0)
	n := newNotifier(t, store, e, func(o *notify.Options) { o.Now = func() time.Time { return time.Now().Add(late) } })
	for _, answer := range []int{http.StatusInternalServerError, http.StatusFound, http.StatusNotFound} {
		e.respond(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(answer)
		})
		err := n.Send(t.Context())
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(answer)) || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("an answer of %d: %v", answer, err)
		}
		late = 0
		send(t, n) // not due yet
		late = time.Hour
	}
	e.respond(nil)
	send(t, n)
	send(t, n)
	e.expect(t, "sweep.completed", "sweep.completed", "sweep.completed", "sweep.completed")
	for _, h := range e.headers {
		if h.Get("webhook-id") != e.headers[0].Get("webhook-id") {
			t.Error("the attempts have different ids")
		}
	}
}

func TestEndpointThatIsNeverThere(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	late := time.Duration(0)
	n := newNotifier(t, store, e, func(o *notify.Options) { o.Now = func() time.Time { return time.Now().Add(late) } })
	e.Close()
	failed := 0
	for range 40 {
		err := n.Send(t.Context())
		if err != nil {
			failed++
			if strings.Contains(err.Error(), "secret-path") || !strings.Contains(err.Error(), "cannot be reached") {
				t.Fatal(err)
			}
		}
		late = 2 * time.Hour
	}
	if failed != 15 {
		t.Errorf("%d attempts, want 15", failed)
	}
}

// A slow endpoint holds nobody up for longer than the timeout.
func TestSlowEndpoint(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	e.respond(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	n := newNotifier(t, store, e, func(o *notify.Options) { o.Timeout = 50 * time.Millisecond })
	if err := n.Send(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("the error is %v", err)
	}
}

func TestManySendersSendOnce(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	fill(t, store, schedulertest.Shape{Name: "other", Seed: 1, Done: 2, Failed: 2})
	var group sync.WaitGroup
	for range 8 {
		n := newNotifier(t, store, e, func(o *notify.Options) { o.On = []notify.Kind{notify.Completed, notify.Failed} })
		group.Go(func() {
			if err := n.Send(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if types := e.types(); len(types) != 2 || types[0] == types[1] {
		t.Errorf("8 senders sent %v", types)
	}
}

// A sender that is killed before it knows that its message arrived is replaced.
func TestKilledSenderIsReplaced(t *testing.T) {
	dir := t.TempDir()
	store, err := artifacts.Open(t.Context(), dir, artifacts.S3Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := newEndpoint(t)
	fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	arrived := make(chan struct{})
	e.respond(func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() })
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "NOTIFY_TEST_URL="+e.URL, "NOTIFY_TEST_STORE="+dir)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // reports the kill
	e.respond(nil)
	late := time.Duration(0)
	n := newNotifier(t, store, e, func(o *notify.Options) { o.Now = func() time.Time { return time.Now().Add(late) } })
	send(t, n) // it may be alive
	e.expect(t, "sweep.completed")
	late = 31 * time.Second
	send(t, n)
	send(t, n)
	e.expect(t, "sweep.completed", "sweep.completed")
	if e.headers[0].Get("webhook-id") != e.headers[1].Get("webhook-id") {
		t.Error("the receiver cannot tell that it is the same event")
	}
}

// Each time that a sweep is paused, canceled or fails is an event of its own.
func TestEventsOfASweep(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	p := fill(t, store, schedulertest.Shape{Done: 2, Failed: 1})
	s := &scheduler.Scheduler{Store: store}
	look := func() { send(t, newNotifier(t, store, e, nil)) }
	look()
	e.expect(t, "job.failed")
	if job := e.payloads[0].Data.Job; job == nil || job.Reason == "" || job.Trial != 1 {
		t.Errorf("the job is %+v", job)
	}
	for range 2 {
		if _, err := s.Cancel(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
		look()
		look()
	}
	e.expect(t, "job.failed", "sweep.canceled")
	if _, err := s.Resume(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pause(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	look()
	// The next failure of the same job.
	if _, _, err := s.Retry(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resume(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	for _, job := range p.Jobs[2:] {
		f := plan.Failure{Job: job.ID, Reason: "again", Attempts: 2, Finished: "2026-01-02T03:04:05Z"}
		if err := artifacts.PutJSON(t.Context(), store, plan.FailureKey(job.ID), f); err != nil {
			t.Fatal(err)
		}
	}
	look()
	look()
	e.expect(t, "job.failed", "sweep.canceled", "sweep.paused", "job.failed", "job.failed", "sweep.failed")
}

// What ended long before notifications were set up is no news.
func TestOldSweepsAreNotTold(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	n := newNotifier(t, store, e, func(o *notify.Options) { o.Sweeps = aged{&scheduler.Scheduler{Store: store}} })
	send(t, n)
	e.expect(t)
}

// aged are sweeps that were submitted two days ago.
type aged struct{ *scheduler.Scheduler }

func (a aged) List(ctx context.Context) ([]scheduler.Overview, error) {
	list, err := a.Scheduler.List(ctx)
	for i := range list {
		list[i].Created = list[i].Created.Add(-48 * time.Hour)
	}
	return list, err
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    notify.Options
		err  string
	}{
		{"no address", notify.Options{URL: "hooks.example/secret-path"}, "no http or https URL"},
		{"another scheme", notify.Options{URL: "ftp://hooks.example/secret-path"}, "no http or https URL"},
		{"a bad secret", notify.Options{URL: "https://h/x", Secret: "whsec_!secret-path"}, "secret is not base64"},
		{"an unknown kind", notify.Options{URL: "https://h/x", On: []notify.Kind{"begun"}}, `no notification "begun"`},
	} {
		_, err := notify.New(c.o)
		if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Loop goes on where a pass fails, until it is told to stop.
func TestLoop(t *testing.T) {
	store, e := artifacts.Mem(), newEndpoint(t)
	fill(t, store, schedulertest.Shape{Done: schedulertest.All})
	begun := make(chan struct{})
	e.respond(func(w http.ResponseWriter, r *http.Request) { close(begun); status(http.StatusNoContent)(w, r) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	n := newNotifier(t, store, e, nil)
	go func() { ended <- n.Loop(ctx, time.Millisecond) }()
	<-begun
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
