package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// serving is the server on a port of its own, as serve runs it, until the test ends.
func serving(t *testing.T, change func(*Options)) (*fixture, string) {
	t.Helper()
	f := newFixture(t, change)
	address, stop := f.serve(t)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("serve ends with %v", err)
		}
	})
	return f, address
}

// serve runs the server on a port of its own until stop, which tells how it ended.
func (f *fixture) serve(t *testing.T) (address string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.server.Serve(ctx, func(h *http.Server) error { return h.Serve(l) }) }()
	return l.Addr().String(), func() error { cancel(); return <-ended }
}

func TestPathsInNames(t *testing.T) {
	f := newFixture(t, nil)
	f.put("secrets.json", map[string]string{"secret": "hunter2"})
	for _, name := range []string{"..", "../secrets.json", "..%2f..%2fsecrets.json", "%2e%2e%2fsecrets.json", "a%00b", "%00", "a%2fplan.json", ".", "-x", "%5c..%5c", "a b", "%F0%9F%90%8D", strings.Repeat("a", 5000)} {
		for _, target := range []string{"/api/v1/sweeps/" + name, "/api/v1/sweeps/" + name + "/results", "/api/v1/jobs/" + name + "?sweep=" + f.plan.ID, "/api/v1/jobs/b0?sweep=" + name,
			"/api/v1/jobs/" + name + "/log?attempt=1", "/api/v1/jobs/" + name + "/evaluation", "/api/v1/compare?of=" + name + "/0&of=" + f.plan.ID + "/0", "/api/v1/events?sweep=" + name, "/assets/" + name} {
			r, err := http.NewRequest("GET", "http://127.0.0.1:8080"+strings.ReplaceAll(target, " ", "%20"), nil)
			if err != nil {
				continue // not even a request
			}
			w := httptest.NewRecorder()
			f.server.ServeHTTP(w, r)
			if w.Code < 300 || w.Code >= 500 || strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("%s: %d %.200s", target, w.Code, w.Body)
			}
		}
	}
	if w := f.do("POST", "/api/v1/sweeps/..%2fx/pause", nil); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a path as the name of a sweep: %d %s", w.Code, w.Body)
	}
}

func TestOversizedBodies(t *testing.T) {
	f, address := serving(t, func(o *Options) { o.Limits.Body = 1 << 10 })
	big := `{"priority": 1, "x": "` + strings.Repeat("x", 1<<12) + `"}`
	for _, c := range []struct{ method, path string }{{"PATCH", "/api/v1/sweeps/" + f.plan.ID}, {"POST", "/api/v1/session"}} {
		r, err := http.NewRequest(c.method, "http://"+address+c.path, io.MultiReader(strings.NewReader(big))) // of unknown length
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s %s: %d", c.method, c.path, answer.StatusCode)
		}
	}
	if w := f.do("GET", "/api/v1/sweeps", nil, func(r *http.Request) {
		r.Header.Set("Content-Type", "text/plain")
		r.Body = io.NopCloser(strings.NewReader(big))
	}); w.Code != http.StatusOK {
		t.Errorf("a body that nobody reads: %d", w.Code)
	}
}

// Clients that send their request drop by drop are cut off, whether they dawdle over
// the header or the body.
func TestSlowClientsAreCutOff(t *testing.T) {
	_, address := serving(t, func(o *Options) {
		o.Limits.Header, o.Limits.Request, o.Limits.Idle = 100*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	})
	for name, begin := range map[string]string{
		"nothing":         "",
		"half a header":   "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b",
		"a missing body":  "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"no next request": "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(begin)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s: the connection is held", name)
		}
		c.Close()
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestHeaders(t *testing.T) {
	f := newFixture(t, nil)
	for _, target := range []string{"/", "/login", "/api/v1/sweeps", "/api/v1/sweeps/nothing", "/nothing", "/assets/nothing"} {
		h := f.do("GET", target, nil).Header()
		policy := h.Get("Content-Security-Policy")
		for _, wanted := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, wanted) {
				t.Errorf("%s: the policy lacks %s: %s", target, wanted, policy)
			}
		}
		if strings.Contains(policy, "unsafe-eval") || strings.Contains(policy, "script-src 'self' 'unsafe-inline'") {
			t.Errorf("%s: %s", target, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": ""} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
	}
	f = newFixture(t, func(o *Options) { o.Access.TLS = true })
	if f.do("GET", "/", nil).Header().Get("Strict-Transport-Security") == "" {
		t.Error("with TLS browsers are not told to stay with it")
	}
}

func TestAPanicIsOneAnswer(t *testing.T) {
	f := newFixture(t, nil)
	h := f.server.recovered(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret detail") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || !isProblem(w) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// What goes wrong within is in the log and not in the answer.
func TestErrorsTellNoSecrets(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Store = broken{o.Store}; o.Scheduler.Store = o.Store })
	w := f.do("GET", "/api/v1/jobs/b0/evaluation", nil)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "hunter2") || !isProblem(w) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.do("GET", "/readyz", nil); w.Code != http.StatusServiceUnavailable {
		t.Errorf("ready: %d", w.Code)
	}
	if w := f.do("GET", "/healthz", nil); w.Code != http.StatusOK {
		t.Errorf("healthy: %d", w.Code)
	}
}

// broken is a store whose errors have secrets in them.
type broken struct{ artifacts.Store }

func (broken) Get(context.Context, string) (io.ReadCloser, artifacts.Info, error) {
	return nil, artifacts.Info{}, errors.New("password hunter2 refused")
}

func (broken) Stat(context.Context, string) (artifacts.Info, error) {
	return artifacts.Info{}, errors.New("password hunter2 refused")
}

func TestLogsAreText(t *testing.T) {
	f := newFixture(t, nil)
	text := "<script>alert(1)</script>\n" + strings.Repeat("x", mostLog)
	if err := f.store.Put(t.Context(), plan.AttemptLogKey("b0", 2), strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
	w := f.do("GET", "/api/v1/jobs/b0/log", nil)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || w.Body.Len() != mostLog {
		t.Errorf("%d %v, %d bytes", w.Code, w.Header(), w.Body.Len())
	}
	if w := f.do("GET", "/api/v1/jobs/b0/log?attempt=1", nil); w.Code != http.StatusNotFound || !isProblem(w) {
		t.Errorf("without a log: %d %s", w.Code, w.Body)
	}
}

// Shutting down ends those who listen, and lets the others finish.
func TestShutdown(t *testing.T) {
	f := newFixture(t, nil)
	address, stop := f.serve(t)
	client := &http.Client{Transport: &http.Transport{}}
	answer, err := client.Get("http://" + address + "/api/v1/events?sweep=" + f.plan.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	bufio.NewReader(answer.Body).ReadString('\n')
	if err := stop(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Errorf("a listener's connection ends with %v", err)
	}
	client.CloseIdleConnections()
}
