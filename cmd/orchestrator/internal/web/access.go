package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Access says who may use the server. Without Tokens and OIDC it is everybody who
// reaches it.
type Access struct {
	Tokens []Token
	OIDC   *OIDC

	// PublicURL is where users find the server when something stands before it;
	// nil: where it listens.
	PublicURL *url.URL
	TLS       bool // the server itself speaks TLS
	// Proxies are whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// AnyHost: without sign-in, answer under any name, not only under loopback's.
	AnyHost bool

	// Idle and Longest bound sessions; 0: an hour without requests, 12 hours in all.
	Idle, Longest time.Duration
	Now           func() time.Time // nil: time.Now
}

// Token is a secret with a role. The server keeps its digest alone.
type Token struct {
	Name   string
	Role   Role
	SHA256 [sha256.Size]byte
}

// Required tells whether one has to sign in.
func (a *Access) Required() bool { return len(a.Tokens) > 0 || a.OIDC != nil }

// secure tells whether browsers reach the server by TLS.
func (a *Access) secure() bool {
	return a.TLS || a.PublicURL != nil && a.PublicURL.Scheme == "https"
}

// Check finds what contradicts itself.
func (a *Access) Check() error {
	names := map[string]bool{}
	for _, t := range a.Tokens {
		if t.Name == "" || t.Role == Nobody {
			return errors.New("a token needs a name and a role")
		}
		if names[t.Name] {
			return fmt.Errorf("two tokens are named %q", t.Name)
		}
		names[t.Name] = true
	}
	if a.OIDC == nil {
		return nil
	}
	switch roles := a.OIDC.Roles; {
	case a.PublicURL == nil:
		return errors.New("sign-in by OIDC needs the server's public URL, to which the provider sends users back")
	case a.OIDC.Issuer == "" || a.OIDC.ClientID == "":
		return errors.New("sign-in by OIDC needs the provider's issuer and a client ID")
	case len(roles[View])+len(roles[Operate])+len(roles[Admin]) == 0:
		return errors.New("sign-in by OIDC needs to know who has which role")
	}
	return nil
}

func (a *Access) fill() {
	if a.Idle == 0 {
		a.Idle = time.Hour
	}
	if a.Longest == 0 {
		a.Longest = 12 * time.Hour
	}
	if a.Now == nil {
		a.Now = time.Now
	}
}

// token finds the token with that text. All are compared, each in the same time.
func (a *Access) token(text string) (Token, bool) {
	sum := sha256.Sum256([]byte(text))
	found, ok := Token{}, false
	for _, t := range a.Tokens {
		if subtle.ConstantTimeCompare(sum[:], t.SHA256[:]) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

// visitor is who sent a request.
type visitor struct {
	user    string // "" where nobody signed in
	role    Role
	session string // its ID, where that is how we know
	path    string
	address string // without the port
	agent   string // what its browser calls itself
}

type visitorKey struct{}

func visitorOf(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// bearer is the token that a request carries in its header.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// identify finds out who sent a request.
func (s *Server) identify(r *http.Request) visitor {
	v := visitor{path: r.URL.Path, address: s.address(r), agent: r.UserAgent()}
	if !s.o.Access.Required() {
		v.role = Admin
		return v
	}
	if text, given := bearer(r); given {
		if t, ok := s.o.Access.token(text); ok {
			v.user, v.role = t.Name, t.Role
		}
		return v
	}
	if cookie, err := r.Cookie(s.cookieName()); err == nil {
		if known, ok := s.sessions.find(cookie.Value, v.agent); ok {
			v.user, v.role, v.session = known.user, known.role, cookie.Value
		}
	}
	return v
}

// address is where a request comes from: of the addresses that trusted proxies
// name, the last that is not itself one of them.
func (s *Server) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(host); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		host = hop.Unmap().String()
	}
	return host
}

func (s *Server) trusted(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, prefix := range s.o.Access.Proxies {
		if prefix.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// admit lets those pass who have a role.
func (s *Server) admit(role Role, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := visitorOf(r.Context())
		if v.role >= role {
			h.ServeHTTP(w, r)
			return
		}
		if v.role > Nobody {
			writeProblem(w, problemf(http.StatusForbidden, "ask whoever runs the server for that role", "this needs the role %s; %s has %s", role, v.user, v.role))
			return
		}
		if wantsPage(r) {
			http.Redirect(w, r, "/login?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeProblem(w, problemf(http.StatusUnauthorized, "sign in at /login, or send a token: Authorization: Bearer TOKEN", "nobody has signed in"))
	})
}

// wantsPage tells whether a person's browser asks for a page, and not a program for data.
func wantsPage(r *http.Request) bool {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	return read && !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}
