package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orchestrator/scheduler/plan"
)

// listener is a client that listens, over a real connection.
type listener struct {
	t     *testing.T
	lines *bufio.Scanner
	end   func()
}

// listens starts a server whose watchers look when ticks says so, and not before.
func listens(t *testing.T, change func(*Options)) (*fixture, chan time.Time, func(path string) *listener) {
	t.Helper()
	f := newFixture(t, change)
	ticks := make(chan time.Time)
	f.server.hub.after = func(d time.Duration) <-chan time.Time {
		if d == keepAlive {
			return nil
		}
		return ticks
	}
	server := httptest.NewServer(f.server)
	t.Cleanup(server.Close)
	return f, ticks, func(path string) *listener {
		t.Helper()
		ctx, end := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { end(); answer.Body.Close() })
		if got := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || got != "text/event-stream" {
			t.Fatalf("%d, %s", answer.StatusCode, got)
		}
		return &listener{t, bufio.NewScanner(answer.Body), end}
	}
}

// next is the next event.
func (l *listener) next(into any) (name string) {
	l.t.Helper()
	for l.lines.Scan() {
		line := l.lines.Text()
		if event, ok := strings.CutPrefix(line, "event: "); ok {
			name = event
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), into); err != nil {
				l.t.Fatalf("%v in %s", err, data)
			}
			return name
		}
	}
	return ""
}

func TestEventsTellWhatChanged(t *testing.T) {
	f, ticks, listen := listens(t, nil)
	path := "/api/v1/events?sweep=" + f.plan.ID
	l := listen(path)
	var first, second sweepNews
	if name := l.next(&first); name != "sweep" || len(first.Trials) != 0 || first.Counts[plan.Completed] != 2 {
		t.Fatalf("first: %s %+v", name, first)
	}
	ticks <- time.Time{} // nothing has changed, and nothing is sent
	f.put(plan.OutcomeKey("b1"), outcomeOf(f.plan, f.plan.Jobs[3], 0.75))
	ticks <- time.Time{}
	if name := l.next(&second); name != "sweep" || second.Counts[plan.Completed] != 3 {
		t.Fatalf("second: %s %+v", name, second)
	}
	if len(second.Trials) != 1 || second.Trials[0].Trial != 1 || len(second.Trials[0].Folds) != 1 || second.Trials[0].Folds[0].Job != "b1" {
		t.Fatalf("what changed is %+v", second.Trials)
	}
	if len(second.Trials[0].Folds[0].History) != 0 || second.Trials[0].Summary["accuracy"].Mean != 0.75 {
		t.Errorf("the trial is %+v", second.Trials[0])
	}
	// Who comes now may have fetched the page before that, and is told.
	late := listen(path)
	var hello, recent sweepNews
	late.next(&hello)
	if late.next(&recent); len(hello.Trials) != 0 || len(recent.Trials) != 1 || recent.Trials[0].Folds[0].Job != "b1" {
		t.Errorf("who comes later hears %+v, %+v", hello, recent)
	}
}

func TestEventsOfAllSweeps(t *testing.T) {
	f, ticks, listen := listens(t, nil)
	l := listen("/api/v1/events")
	var first, second struct {
		Sweeps []struct {
			Sweep string
			State plan.State
		}
	}
	if name := l.next(&first); name != "sweeps" || len(first.Sweeps) != 0 {
		t.Fatalf("first: %s %+v", name, first)
	}
	f.put(plan.PauseKey(f.plan.ID), map[string]string{})
	other := *f.plan
	other.ID = "other-ffffff"
	f.put(plan.PlanKey(other.ID), &other)
	ticks <- time.Time{}
	if l.next(&second); len(second.Sweeps) != 2 {
		t.Errorf("second: %+v", second)
	}
}

func TestOneWatcherForAll(t *testing.T) {
	f, ticks, listen := listens(t, nil)
	path := "/api/v1/events?sweep=" + f.plan.ID
	a, b := listen(path), listen(path)
	var news sweepNews
	a.next(&news)
	b.next(&news)
	h := f.server.hub
	h.mu.Lock()
	topics, clients := len(h.topics), h.clients
	h.mu.Unlock()
	if topics != 1 || clients != 2 {
		t.Fatalf("%d topics, %d clients", topics, clients)
	}
	a.end()
	b.end()
	h.running.Wait() // with the last client the watcher ends; goleak would see it
	select {
	case ticks <- time.Time{}:
		t.Error("somebody still looks")
	default:
	}
}

// endingView is of a thing that is there until the channel is closed.
type endingView chan struct{}

func (v endingView) look(context.Context) (bool, error) {
	select {
	case <-v:
		return true, nil
	default:
		return false, nil
	}
}

func (v endingView) hello() any   { return "hello" }
func (v endingView) news() any    { return nil }
func (v endingView) recent() any  { return nil }
func (v endingView) name() string { return "ending" }

func TestASweepThatIsNoMore(t *testing.T) {
	f, ticks, _ := listens(t, nil)
	gone := &sweepView{s: f.server, sweep: "gone-000000"}
	if over, err := gone.look(t.Context()); !over || err != nil {
		t.Errorf("a look at a sweep that is no more: over %v, %v", over, err)
	}
	end := make(endingView)
	c := f.server.hub.join("a sweep", func() view { return end })
	if first := <-c.events; first.name != "ending" {
		t.Errorf("the first event is %q", first.name)
	}
	close(end)
	for looked := false; !looked; {
		select {
		case ticks <- time.Time{}: // unless the watcher looks by itself, as somebody has just come
		case last := <-c.events:
			looked = true
			if last.name != "gone" {
				t.Errorf("got %q", last.name)
			}
		}
	}
	if more, open := <-c.events; open {
		t.Errorf("after it comes %q", more.name)
	}
	if w := f.do("GET", "/api/v1/events?sweep=nothing", nil); w.Code != http.StatusNotFound {
		t.Errorf("a sweep that never was: %d", w.Code)
	}
}

func TestSigningOutEndsListening(t *testing.T) {
	f, ticks, _ := listens(t, withTokens)
	cookie := f.signedIn("view", "firefox")
	server := httptest.NewServer(f.server)
	defer server.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/api/v1/events?sweep="+f.plan.ID, nil)
	browser("firefox", cookie)(r)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	l := &listener{t: t, lines: bufio.NewScanner(answer.Body)}
	var news sweepNews
	l.next(&news)
	f.do("DELETE", "/api/v1/session", nil, browser("firefox", cookie))
	f.put(plan.OutcomeKey("b1"), outcomeOf(f.plan, f.plan.Jobs[3], 0.75))
	ticks <- time.Time{}
	if name := l.next(&news); name != "" {
		t.Errorf("who has signed out hears %s", name)
	}
}

// A client that takes nothing is dropped, and the others hear everything.
func TestSlowListenersAreDropped(t *testing.T) {
	h := newHub(time.Second, time.Now)
	ticks := make(chan time.Time)
	h.after = func(time.Duration) <-chan time.Time { return ticks }
	defer h.close()
	count := func() view { return &countView{} }
	slow := h.join("x", count)
	var heard int
	for range queuedEvents + 1 {
		fast := h.join("x", count)
		for e := range fast.events {
			heard++
			if string(e.data) == "0" { // hello
				break
			}
		}
		h.leave("x", fast)
	}
	if heard < queuedEvents {
		t.Errorf("the others heard %d", heard)
	}
	got := 0
	for range slow.events { // it is closed, or this would wait for ever
		got++
	}
	if got != queuedEvents {
		t.Errorf("a client who takes nothing is sent %d events", got)
	}
	h.leave("x", slow) // once more does no harm
}

// countView has news at each look.
type countView struct{ n int }

func (v *countView) look(context.Context) (bool, error) { v.n++; return false, nil }
func (v *countView) hello() any                         { return 0 }
func (v *countView) news() any                          { return v.n }
func (v *countView) recent() any                        { return nil }
func (v *countView) name() string                       { return "count" }

// A client that does not read what it is sent loses its connection in time.
func TestUnreadEventsEndTheConnection(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Limits.Answer = 50 * time.Millisecond })
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(gone)
		out := stream{http.NewResponseController(w), w, f.server.o.Limits.Answer}
		for out.send(strings.Repeat("x", 1<<20)) == nil {
			continue
		}
	}))
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-gone // or the test would not end
}
