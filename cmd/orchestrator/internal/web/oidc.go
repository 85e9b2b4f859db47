package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDC is a provider of identities, and who of those that it knows may do what.
type OIDC struct {
	Name         string // what the button says
	Issuer       string // its URL
	ClientID     string
	ClientSecret string
	Scopes       []string // openid is always asked for
	GroupsClaim  string   // the claim that lists somebody's groups; "groups"
	// Roles lists who has a role: an email address, group:NAME, or * for everybody
	// whom the provider knows. Of several roles somebody has the highest.
	Roles map[Role][]string
	HTTP  *http.Client // nil: http.DefaultClient
}

const (
	loginCookie = "orchestrator-login"
	loginTime   = 10 * time.Minute // to sign in at the provider
	maxLogins   = 1000             // at a time; beyond, the oldest has to begin anew
	callbackURL = "/login/oidc/callback"
)

// pendingLogin is somebody who is at the provider.
type pendingLogin struct {
	nonce, verifier string
	browser         [sha256.Size]byte // digest of the cookie that it got
	to              string
	began           time.Time
}

// oidcLogins is the code flow with PKCE (RFC 7636), a state that only the browser
// that began can bring back, and a nonce that binds the token to it.
type oidcLogins struct {
	o      *OIDC
	public *url.URL
	now    func() time.Time

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was reached
	pending  map[string]pendingLogin
}

func newOIDCLogins(a *Access) *oidcLogins {
	return &oidcLogins{o: a.OIDC, public: a.PublicURL, now: a.Now, pending: map[string]pendingLogin{}}
}

// setUp asks the provider about itself, once; the server may be up before it.
func (l *oidcLogins) setUp(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.provider == nil {
		provider, err := oidc.NewProvider(l.context(ctx), l.o.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask the identity provider about itself: %w", err)
		}
		l.provider = provider
	}
	return l.provider, &oauth2.Config{
		ClientID: l.o.ClientID, ClientSecret: l.o.ClientSecret, Endpoint: l.provider.Endpoint(),
		RedirectURL: l.public.JoinPath(callbackURL).String(), Scopes: append([]string{oidc.ScopeOpenID}, l.o.Scopes...),
	}, nil
}

func (l *oidcLogins) context(ctx context.Context) context.Context {
	if l.o.HTTP == nil {
		return ctx
	}
	return oidc.ClientContext(ctx, l.o.HTTP)
}

// begin notes a login and is the state by which it comes back, once.
func (l *oidcLogins) begin(p pendingLogin) (state string) {
	state = rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	p.began = l.now()
	oldest := ""
	for key, other := range l.pending {
		if l.now().Sub(other.began) >= loginTime {
			delete(l.pending, key)
		} else if oldest == "" || other.began.Before(l.pending[oldest].began) {
			oldest = key
		}
	}
	if len(l.pending) >= maxLogins {
		delete(l.pending, oldest)
	}
	l.pending[state] = p
	return state
}

// end is the login that a state stands for, if this browser began it.
func (l *oidcLogins) end(state, cookie string) (pendingLogin, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.pending[state]
	delete(l.pending, state)
	browser := sha256.Sum256([]byte(cookie))
	if !known || l.now().Sub(p.began) >= loginTime || subtle.ConstantTimeCompare(browser[:], p.browser[:]) != 1 {
		return pendingLogin{}, false
	}
	return p, true
}

// identity are the claims that we look at.
type identity struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Verified bool   `json:"email_verified"`
	Username string `json:"preferred_username"`
	groups   []string
}

// name is what somebody is called in the pages and in the log.
func (i identity) name() string {
	for _, name := range []string{i.Username, i.Email, i.Subject} {
		if name != "" {
			return name
		}
	}
	return "nameless"
}

// identify exchanges a code for a token, and checks the token.
func (l *oidcLogins) identify(ctx context.Context, p pendingLogin, code string) (identity, error) {
	provider, config, err := l.setUp(ctx)
	if err != nil {
		return identity{}, err
	}
	ctx = l.context(ctx)
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(p.verifier))
	if err != nil {
		return identity{}, fmt.Errorf("exchange the code: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return identity{}, errors.New("the provider sent no ID token")
	}
	checked, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: l.o.ClientID, Now: l.now}).Verify(ctx, raw)
	if err != nil {
		return identity{}, fmt.Errorf("check the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(checked.Nonce), []byte(p.nonce)) != 1 {
		return identity{}, errors.New("the ID token is of another login")
	}
	var who identity
	claims := map[string]any{}
	if err := errors.Join(checked.Claims(&who), checked.Claims(&claims)); err != nil {
		return identity{}, fmt.Errorf("read the ID token: %w", err)
	}
	who.groups = texts(claims[l.o.GroupsClaim])
	return who, nil
}

// texts are the texts of a claim that is one or a list of them.
func texts(claim any) []string {
	if one, ok := claim.(string); ok {
		return []string{one}
	}
	var all []string
	list, _ := claim.([]any)
	for _, x := range list {
		if text, ok := x.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// role is the highest that somebody has. An address that the provider has not
// verified is nobody's.
func (o *OIDC) role(who identity) Role {
	for _, role := range []Role{Admin, Operate, View} {
		for _, whom := range o.Roles[role] {
			group, isGroup := strings.CutPrefix(whom, "group:")
			switch {
			case whom == "*":
				return role
			case isGroup:
				for _, g := range who.groups {
					if g == group {
						return role
					}
				}
			case who.Verified && strings.EqualFold(whom, who.Email):
				return role
			}
		}
	}
	return Nobody
}

// goToProvider sends a browser to the provider.
func (s *Server) goToProvider(w http.ResponseWriter, r *http.Request) {
	if s.oidc == nil {
		s.nothing(w, r)
		return
	}
	if !s.attempts.allow(visitorOf(r.Context()).address) {
		writeProblem(w, tooManyAttempts())
		return
	}
	_, config, err := s.oidc.setUp(r.Context())
	if err != nil {
		s.o.Log.Error("sign-in by OIDC", "error", err)
		backToLogin(w, r, "The identity provider cannot be reached.")
		return
	}
	browser := rand.Text()
	p := pendingLogin{nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), browser: sha256.Sum256([]byte(browser)), to: localPath(r.URL.Query().Get("to"))}
	state := s.oidc.begin(p)
	cookie := s.cookie(s.loginCookieName(), browser, loginTime)
	http.SetCookie(w, &cookie)
	http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(p.nonce), oauth2.S256ChallengeOption(p.verifier)), http.StatusSeeOther)
}

// backFromProvider signs somebody in who comes back from the provider.
func (s *Server) backFromProvider(w http.ResponseWriter, r *http.Request) {
	if s.oidc == nil {
		s.nothing(w, r)
		return
	}
	query, v := r.URL.Query(), visitorOf(r.Context())
	began := ""
	if c, err := r.Cookie(s.loginCookieName()); err == nil {
		began = c.Value
	}
	used := s.cookie(s.loginCookieName(), "", 0)
	http.SetCookie(w, &used)
	p, ok := s.oidc.end(query.Get("state"), began)
	if !ok {
		backToLogin(w, r, "The login took too long, or began in another browser: try again.")
		return
	}
	if query.Get("error") != "" {
		s.o.Log.Warn("sign-in refused by the identity provider", "error", query.Get("error"), "description", query.Get("error_description"), "from", v.address)
		backToLogin(w, r, "The identity provider refused the login.")
		return
	}
	who, err := s.oidc.identify(r.Context(), p, query.Get("code"))
	if err != nil {
		s.o.Log.Error("sign-in by OIDC", "error", err, "from", v.address)
		backToLogin(w, r, "The login at the identity provider could not be completed.")
		return
	}
	role := s.o.Access.OIDC.role(who)
	if role == Nobody {
		s.o.Log.Warn("sign-in refused: no role", "user", who.name(), "from", v.address)
		backToLogin(w, r, "You have no role here: ask whoever runs this server.")
		return
	}
	cookie := s.begin(v, who.name(), role)
	http.SetCookie(w, &cookie)
	http.Redirect(w, r, p.to, http.StatusSeeOther)
}

func (s *Server) loginCookieName() string {
	if s.o.Access.secure() {
		return "__Host-" + loginCookie
	}
	return loginCookie
}

func backToLogin(w http.ResponseWriter, r *http.Request, message string) {
	http.Redirect(w, r, "/login?error="+url.QueryEscape(message), http.StatusSeeOther)
}

// localPath is a path of this server, "/" for whatever would lead elsewhere.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(text, "/") ||
		strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\\r\n\t") {
		return "/"
	}
	return text
}
