package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
)

// provider is a real server of identities, whose tokens are signed.
type provider struct {
	t *testing.T
	*mockoidc.MockOIDC
	client *http.Client
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, MockOIDC: m, client: &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		if err := m.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// serve makes a server at which those of the provider may sign in.
func (p *provider) serve(roles map[Role][]string) *fixture {
	return newFixture(p.t, func(o *Options) {
		o.Access.PublicURL = &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}
		o.Access.OIDC = &OIDC{Name: "Example", Issuer: p.Issuer(), ClientID: p.Config().ClientID, ClientSecret: p.Config().ClientSecret,
			Scopes: []string{"email", "profile", "groups"}, GroupsClaim: "groups", Roles: roles, HTTP: p.client}
	})
}

// away is a browser that was sent to the provider: its cookie, and where it was sent.
func (p *provider) away(f *fixture, to string) (*http.Cookie, string) {
	p.t.Helper()
	w := f.do("GET", "/login/oidc?to="+url.QueryEscape(to), nil)
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		p.t.Fatalf("begin: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0], w.Header().Get("Location")
}

// consent has the user sign in at the provider, and is where that sends the browser.
func (p *provider) consent(location string) string {
	p.t.Helper()
	answer, err := p.client.Get(location)
	if err != nil {
		p.t.Fatal(err)
	}
	answer.Body.Close()
	back, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || answer.StatusCode != http.StatusFound || back.Host != "127.0.0.1:8080" || back.Path != callbackURL {
		p.t.Fatalf("the provider answers %d, to %v: %v", answer.StatusCode, back, err)
	}
	return back.RequestURI()
}

func (p *provider) signIn(f *fixture, user mockoidc.User, to string) *httptest.ResponseRecorder {
	p.t.Helper()
	cookie, location := p.away(f, to)
	p.QueueUser(user)
	return f.do("GET", p.consent(location), nil, browser("firefox", cookie))
}

func sessionOfAnswer(w *httptest.ResponseRecorder) *http.Cookie {
	for _, c := range w.Result().Cookies() {
		if c.Name == sessionCookie {
			return c
		}
	}
	return nil
}

func TestRolesByOIDC(t *testing.T) {
	p := newProvider(t)
	f := p.serve(map[Role][]string{View: {"*"}, Operate: {"group:design"}, Admin: {"Boss@Example.com"}})
	for _, c := range []struct {
		user mockoidc.MockUser
		role string
	}{
		{mockoidc.MockUser{Subject: "1", Email: "a@example.com", EmailVerified: true}, "view"},
		{mockoidc.MockUser{Subject: "2", PreferredUsername: "dora", Groups: []string{"engineering", "design"}}, "operate"},
		{mockoidc.MockUser{Subject: "3", Email: "boss@example.com", EmailVerified: true}, "admin"},
		{mockoidc.MockUser{Subject: "4", Email: "boss@example.com"}, "view"}, // an address that the provider has not verified
		{mockoidc.MockUser{Subject: "5", Groups: []string{"designers", "group:design"}}, "view"},
	} {
		w := p.signIn(f, &c.user, "/sweeps/x?tab=curves")
		cookie := sessionOfAnswer(w)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/sweeps/x?tab=curves" || cookie == nil {
			t.Fatalf("%+v: %d to %s", c.user, w.Code, w.Header().Get("Location"))
		}
		got := f.do("GET", "/api/v1/session", nil, browser("firefox", cookie)).Body.String()
		if !strings.Contains(got, `"role":"`+c.role+`"`) {
			t.Errorf("%+v: %s", c.user, got)
		}
	}
}

func TestWhoHasNoRoleIsNotLetIn(t *testing.T) {
	p := newProvider(t)
	f := p.serve(map[Role][]string{Admin: {"group:ops"}})
	w := p.signIn(f, &mockoidc.MockUser{Subject: "1", Email: "a@example.com", EmailVerified: true}, "/")
	if sessionOfAnswer(w) != nil || !strings.HasPrefix(w.Header().Get("Location"), "/login?error=You+have+no+role") {
		t.Errorf("got %d to %s", w.Code, w.Header().Get("Location"))
	}
}

// The state, the browser and the code each count once, and together.
func TestForgedCallbacks(t *testing.T) {
	p := newProvider(t)
	f := p.serve(map[Role][]string{View: {"*"}})
	refused := func(name string, w *httptest.ResponseRecorder) {
		t.Helper()
		if sessionOfAnswer(w) != nil || !strings.HasPrefix(w.Header().Get("Location"), "/login?error=") {
			t.Errorf("%s: %d to %s", name, w.Code, w.Header().Get("Location"))
		}
	}
	cookie, location := p.away(f, "/")
	back := p.consent(location)
	refused("in a browser that did not begin it", f.do("GET", back, nil, browser("firefox", nil)))
	refused("a state that was used", f.do("GET", back, nil, browser("firefox", cookie)))

	cookie, location = p.away(f, "/")
	refused("with the cookie of another login", f.do("GET", p.consent(location), nil, browser("firefox", &http.Cookie{Name: cookie.Name, Value: "other"})))

	_, theirs := p.away(f, "/")
	cookie, ours := p.away(f, "/")
	code, err := url.Parse(p.consent(theirs)) // a code that was given to somebody else
	if err != nil {
		t.Fatal(err)
	}
	mine, err := url.Parse(ours)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"code": {code.Query().Get("code")}, "state": {mine.Query().Get("state")}}
	refused("a code of another login", f.do("GET", callbackURL+"?"+q.Encode(), nil, browser("firefox", cookie)))

	cookie, ours = p.away(f, "/")
	mine, _ = url.Parse(ours)
	q = url.Values{"error": {"access_denied"}, "state": {mine.Query().Get("state")}}
	refused("an error", f.do("GET", callbackURL+"?"+q.Encode(), nil, browser("firefox", cookie)))
	refused("nothing", f.do("GET", callbackURL, nil))
}

// What a login asks the provider for binds its answer: PKCE by S256, state, nonce.
func TestLoginsAreBound(t *testing.T) {
	p := newProvider(t)
	f := p.serve(map[Role][]string{View: {"*"}})
	_, location := p.away(f, "/")
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(u.Query().Get(name)) < 20 {
			t.Errorf("%s is %q", name, u.Query().Get(name))
		}
	}
	if got := u.Query().Get("code_challenge_method"); got != "S256" {
		t.Errorf("the challenge is %q", got)
	}
	// A token for another login is not ours, though the provider signed it.
	began, location := p.away(f, "/")
	other, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	q := other.Query()
	q.Set("nonce", "of-another-login")
	other.RawQuery = q.Encode()
	if w := f.do("GET", p.consent(other.String()), nil, browser("firefox", began)); sessionOfAnswer(w) != nil {
		t.Error("a token with another nonce is accepted")
	}
}

func TestOpenRedirects(t *testing.T) {
	for text, want := range map[string]string{
		"/sweeps/x?a=b#c": "/sweeps/x?a=b#c", "": "/", "sweeps": "/", "https://evil.example/": "/", "//evil.example": "/", "/\\evil.example": "/",
		"/\n/evil.example": "/", "javascript:alert(1)": "/", "///evil.example": "/", "\t//evil.example": "/", "/%2f/evil": "/%2f/evil",
	} {
		if got := localPath(text); got != want {
			t.Errorf("%q leads to %q", text, got)
		}
	}
	p := newProvider(t)
	f := p.serve(map[Role][]string{View: {"*"}})
	w := p.signIn(f, mockoidc.DefaultUser(), "//evil.example/")
	if got := w.Header().Get("Location"); got != "/" {
		t.Errorf("after the login a browser goes to %s", got)
	}
}

func TestProviderThatIsAway(t *testing.T) {
	p := newProvider(t)
	f := p.serve(map[Role][]string{View: {"*"}})
	f.server.o.Access.OIDC.Issuer = "http://127.0.0.1:1"
	if w := f.do("GET", "/login/oidc", nil); w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Location"), "cannot+be+reached") {
		t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
	}
}
