package web

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// tokens are one of each role.
func tokens() []Token {
	var all []Token
	for _, role := range []Role{View, Operate, Admin} {
		all = append(all, Token{Name: role.String() + "er", Role: role, SHA256: sha256.Sum256([]byte(role.String() + "-secret"))})
	}
	return all
}

func withTokens(o *Options) { o.Access.Tokens = tokens() }

// clock is moved by hand.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) time() time.Time { return c.now }

// example is an address that a route answers.
func (r route) example(sweep string) string {
	path := strings.NewReplacer("{$}", "", "{sweep}", sweep, "{trial}", "0", "{index}", "0", "{job}", "a0", "{file...}", "theme.js", "{path...}", "").Replace(r.path)
	if strings.HasPrefix(r.path, "/api/v1/jobs/") {
		path += "?sweep=" + sweep
	}
	return path
}

func (f *fixture) as(role string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+role+"-secret") }
}

// open are the routes that nobody has to sign in for. Whoever adds one adds it here.
var open = map[string]bool{
	"GET /login": true, "GET /login/oidc": true, "GET /login/oidc/callback": true, "GET /assets/{file...}": true, "GET /healthz": true, "GET /readyz": true,
	"GET /api/v1/session": true, "POST /api/v1/session": true, "DELETE /api/v1/session": true,
}

func TestEveryRouteAsksForItsRole(t *testing.T) {
	seen := 0
	for _, r := range routes() {
		pattern := r.method + " " + r.path
		if r.role == Nobody != open[pattern] {
			t.Errorf("%s asks for the role %q", pattern, r.role)
		}
		if r.role == Nobody {
			continue
		}
		if r.method != http.MethodGet && r.role < Operate {
			t.Errorf("%s changes something and asks for %s alone", pattern, r.role)
		}
		seen++
		t.Run(pattern, func(t *testing.T) {
			f := newFixture(t, withTokens)
			if r.path == "/api/v1/events" {
				f.server.Close() // it answers that there is no more to come, and does not wait
			}
			for _, who := range []string{"", "nonsense", "view", "operate", "admin"} {
				w := f.do(r.method, r.example(f.plan.ID), nil, f.as(who))
				role, _ := ParseRole(who)
				switch refused := w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden; {
				case role == Nobody && w.Code != http.StatusUnauthorized:
					t.Errorf("%q: %d", who, w.Code)
				case role > Nobody && role < r.role && w.Code != http.StatusForbidden:
					t.Errorf("%q: %d", who, w.Code)
				case role >= r.role && refused:
					t.Errorf("%q: %d %s", who, w.Code, w.Body)
				}
				if refused := w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden; refused && !isProblem(w) {
					t.Errorf("%q: the refusal is %s", who, w.Body)
				}
			}
			if w := f.do(r.method, r.example(f.plan.ID), nil); w.Code != http.StatusUnauthorized {
				t.Errorf("without anything: %d", w.Code)
			}
		})
	}
	if seen < 25 {
		t.Errorf("only %d routes ask for a role", seen)
	}
}

func isProblem(w *httptest.ResponseRecorder) bool {
	var p problem
	return json.Unmarshal(w.Body.Bytes(), &p) == nil && p.Message != "" && p.Hint != ""
}

// Paths that no route of the table answers hold nothing, signed in or not.
func TestWhatIsNotInTheTable(t *testing.T) {
	f := newFixture(t, withTokens)
	for _, path := range []string{"/api/v1/nothing", "/.env", "/assets/../server.go", "/assets/%2e%2e/server.go", "/api/v1/sweeps/..%2f..%2fetc", "/debug/pprof/"} {
		w := f.do("GET", path, nil)
		if w.Code == http.StatusOK || strings.Contains(w.Body.String(), "package") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestPagesSendToTheLogin(t *testing.T) {
	f := newFixture(t, withTokens)
	w := f.do("GET", "/sweeps/x?a=b", nil, func(r *http.Request) { r.Header.Set("Accept", "text/html,*/*") })
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login?to=%2Fsweeps%2Fx%3Fa%3Db" {
		t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
	}
}

// signedIn signs in with a token and returns the cookie.
func (f *fixture) signedIn(role, agent string) *http.Cookie {
	f.t.Helper()
	w := f.do("POST", "/api/v1/session", map[string]string{"token": role + "-secret"}, browser(agent, nil))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		f.t.Fatalf("sign in: %d %s, cookies %v", w.Code, w.Body, w.Result().Cookies())
	}
	return w.Result().Cookies()[0]
}

// browser has a request come from a page of the server itself.
func browser(agent string, cookie *http.Cookie) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("User-Agent", agent)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if cookie != nil {
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
		}
	}
}

const sweepsPath = "/api/v1/sweeps"

func TestASessionEnds(t *testing.T) {
	c := newClock()
	setUp := func(t *testing.T) *fixture {
		return newFixture(t, func(o *Options) { withTokens(o); o.Access.Now = c.time })
	}
	status := func(f *fixture, agent string, cookie *http.Cookie) int {
		return f.do("GET", sweepsPath, nil, browser(agent, cookie)).Code
	}
	t.Run("at logout", func(t *testing.T) {
		f := setUp(t)
		cookie := f.signedIn("view", "firefox")
		if got := status(f, "firefox", cookie); got != http.StatusOK {
			t.Fatalf("signed in: %d", got)
		}
		w := f.do("DELETE", "/api/v1/session", nil, browser("firefox", cookie))
		if got := w.Result().Cookies(); w.Code != http.StatusOK || len(got) != 1 || got[0].MaxAge >= 0 {
			t.Errorf("signed out: %d, cookies %v", w.Code, got)
		}
		if got := status(f, "firefox", cookie); got != http.StatusUnauthorized {
			t.Errorf("a copy of the cookie still works: %d", got)
		}
	})
	t.Run("when unused for an hour", func(t *testing.T) {
		f := setUp(t)
		cookie := f.signedIn("view", "firefox")
		c.now = c.now.Add(59 * time.Minute)
		if got := status(f, "firefox", cookie); got != http.StatusOK {
			t.Errorf("before: %d", got)
		}
		c.now = c.now.Add(time.Hour)
		if got := status(f, "firefox", cookie); got != http.StatusUnauthorized {
			t.Errorf("after: %d", got)
		}
	})
	t.Run("after twelve hours", func(t *testing.T) {
		f := setUp(t)
		cookie := f.signedIn("view", "firefox")
		for range 15 {
			c.now = c.now.Add(50 * time.Minute)
			status(f, "firefox", cookie)
		}
		if got := status(f, "firefox", cookie); got != http.StatusUnauthorized {
			t.Errorf("used all the time: %d", got)
		}
	})
	t.Run("in another browser", func(t *testing.T) {
		f := setUp(t)
		cookie := f.signedIn("view", "firefox")
		if got := status(f, "curl", cookie); got != http.StatusUnauthorized {
			t.Errorf("the thief is let in: %d", got)
		}
		if got := status(f, "firefox", cookie); got != http.StatusUnauthorized {
			t.Errorf("a session that was stolen goes on: %d", got)
		}
	})
	t.Run("at the next sign-in", func(t *testing.T) {
		f := setUp(t)
		planted := f.signedIn("view", "firefox")
		w := f.do("POST", "/api/v1/session", map[string]string{"token": "admin-secret"}, browser("firefox", planted))
		fresh := w.Result().Cookies()[0]
		if fresh.Value == planted.Value {
			t.Error("the session's ID stays at sign-in")
		}
		if got := status(f, "firefox", planted); got != http.StatusUnauthorized {
			t.Errorf("the planted session lives on: %d", got)
		}
	})
	t.Run("not by an ID that somebody made up", func(t *testing.T) {
		f := setUp(t)
		if got := status(f, "firefox", &http.Cookie{Name: sessionCookie, Value: "made-up"}); got != http.StatusUnauthorized {
			t.Errorf("got %d", got)
		}
	})
}

func TestCookiesAreOutOfReach(t *testing.T) {
	f := newFixture(t, withTokens)
	if c := f.signedIn("view", "x"); !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || c.Name != sessionCookie {
		t.Errorf("without TLS: %+v", c)
	}
	f = newFixture(t, func(o *Options) { withTokens(o); o.Access.TLS = true })
	if c := f.signedIn("view", "x"); !c.Secure || c.Name != "__Host-"+sessionCookie || c.Domain != "" {
		t.Errorf("with TLS: %+v", c)
	}
}

func TestForgedOriginsAreRefused(t *testing.T) {
	f := newFixture(t, withTokens)
	cookie := f.signedIn("operate", "firefox")
	target := sweepsPath + "/" + f.plan.ID + "/pause"
	for name, header := range map[string][2]string{
		"another site": {"Sec-Fetch-Site", "cross-site"}, "a sister domain": {"Sec-Fetch-Site", "same-site"}, "an old browser": {"Origin", "https://evil.example"}, "no origin": {"Origin", "null"},
	} {
		w := f.do("POST", target, nil, browser("firefox", cookie), func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set(header[0], header[1])
		})
		if w.Code != http.StatusForbidden || !isProblem(w) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := f.do("POST", target, nil, browser("firefox", cookie)); w.Code != http.StatusOK {
		t.Errorf("from its own page: %d %s", w.Code, w.Body)
	}
	// A token in the header is no cookie that a browser would send along.
	if w := f.do("POST", target, nil, f.as("operate"), func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }); w.Code != http.StatusOK {
		t.Errorf("with a token: %d %s", w.Code, w.Body)
	}
}

func TestNobodyGuessesTokens(t *testing.T) {
	c := newClock()
	f := newFixture(t, func(o *Options) { withTokens(o); o.Access.Now = c.time })
	attempt := func(address, token string) int {
		return f.do("POST", "/api/v1/session", map[string]string{"token": token}, func(r *http.Request) { r.RemoteAddr = address + ":99" }).Code
	}
	for i := range attemptsBurst {
		if got := attempt("10.0.0.1", fmt.Sprint("guess", i)); got != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	if got := attempt("10.0.0.1", "view-secret"); got != http.StatusTooManyRequests {
		t.Errorf("one more, and right: %d", got)
	}
	if got := attempt("10.0.0.2", "view-secret"); got != http.StatusOK {
		t.Errorf("somebody else: %d", got)
	}
	c.now = c.now.Add(attemptsEvery)
	if got := attempt("10.0.0.1", "view-secret"); got != http.StatusOK {
		t.Errorf("a while later: %d", got)
	}
	for i := range attemptsTotal { // many addresses of one network that somebody was given, and of many
		attempt(fmt.Sprintf("10.1.%d.%d", i/250, i%250), "x")
	}
	if got := attempt("10.2.0.1", "view-secret"); got != http.StatusTooManyRequests {
		t.Errorf("all together too many: %d", got)
	}
	if network("2001:db8::1") != network("2001:db8::2") || network("2001:db8::1") == network("2001:db8:0:1::1") {
		t.Error("an IPv6 network is not one address")
	}
}

func TestAddressBehindProxies(t *testing.T) {
	s := &Server{o: Options{Access: Access{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.1:1", "203.0.113.9", "192.0.2.1"}, // not a proxy of ours: what it says counts for nothing
		{"10.0.0.1:1", "203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"}, // the first is what the client wrote itself
		{"10.0.0.1:1", "nonsense", "10.0.0.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := s.address(r); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestOtherNamesAreRefusedWithoutSignIn(t *testing.T) {
	name := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	f := newFixture(t, nil)
	for host, want := range map[string]int{"127.0.0.1:8080": 200, "localhost:8080": 200, "[::1]:8080": 200, "evil.example": 421, "127.0.0.1.evil.example:8080": 421, "": 421} {
		if w := f.do("GET", sweepsPath, nil, name(host)); w.Code != want {
			t.Errorf("%q: %d", host, w.Code)
		}
	}
	f = newFixture(t, func(o *Options) { o.Access.AnyHost = true })
	if w := f.do("GET", sweepsPath, nil, name("host.example")); w.Code != http.StatusOK {
		t.Errorf("told so: %d", w.Code)
	}
	f = newFixture(t, func(o *Options) { o.Access.PublicURL = &url.URL{Scheme: "https", Host: "sweeps.example"} })
	if w := f.do("GET", sweepsPath, nil, name("sweeps.example")); w.Code != http.StatusOK {
		t.Errorf("the public name: %d", w.Code)
	}
}

func TestAccessThatContradictsItself(t *testing.T) {
	u := &url.URL{Scheme: "https", Host: "x"}
	for name, a := range map[string]Access{
		"a nameless token":     {Tokens: []Token{{Role: View}}},
		"a token without role": {Tokens: []Token{{Name: "a"}}},
		"two of a name":        {Tokens: []Token{{Name: "a", Role: View}, {Name: "a", Role: View}}},
		"oidc without a URL":   {OIDC: &OIDC{Issuer: "i", ClientID: "c", Roles: map[Role][]string{View: {"*"}}}},
		"oidc without roles":   {PublicURL: u, OIDC: &OIDC{Issuer: "i", ClientID: "c"}},
		"oidc without issuer":  {PublicURL: u, OIDC: &OIDC{ClientID: "c", Roles: map[Role][]string{View: {"*"}}}},
	} {
		if a.Check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Whoever has not signed in learns how to, and nothing else.
func TestSessionTellsStrangersNothing(t *testing.T) {
	f := newFixture(t, withTokens)
	w := f.do("GET", "/api/v1/session", nil)
	if body := w.Body.String(); strings.Contains(body, "memory") || strings.Contains(body, `"version"`) || !strings.Contains(body, `"logins":["token"]`) {
		t.Errorf("a stranger learns %s", body)
	}
	if body := f.do("GET", "/api/v1/session", nil, f.as("view")).Body.String(); !strings.Contains(body, `"user":"viewer","role":"view"`) || !strings.Contains(body, "memory") {
		t.Errorf("a viewer learns %s", body)
	}
}
