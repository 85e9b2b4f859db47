package web

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sessionInfo is who is signed in, and where. Who has not signed in learns only how
// to.
type sessionInfo struct {
	User     *string  `json:"user" doc:"null: nobody, or everybody where auth is none" nullable:"true"`
	Role     string   `json:"role" enum:",view,operate,admin" doc:"empty: nobody has signed in"`
	Auth     string   `json:"auth" enum:"none,required"`
	Logins   []string `json:"logins" doc:"how one may sign in: token, oidc"`
	OIDCName string   `json:"oidc_name,omitempty" doc:"what the provider of identities is called"`
	Version  string   `json:"version,omitempty"`
	Store    string   `json:"store,omitempty"`
	Queue    *string  `json:"queue" nullable:"true" doc:"null: none is reached"`
	Queues   bool     `json:"queues" doc:"whether /queues shows it"`
}

func (s *Server) getSession(ctx context.Context, _ *struct{}) (sessionInfo, error) {
	v := visitorOf(ctx)
	return s.sessionOf(v.user, v.role), nil
}

func (s *Server) sessionOf(user string, role Role) sessionInfo {
	info := sessionInfo{Role: role.String(), Auth: "none", Logins: []string{}}
	a := &s.o.Access
	if a.Required() {
		info.Auth = "required"
	}
	if len(a.Tokens) > 0 {
		info.Logins = append(info.Logins, "token")
	}
	if a.OIDC != nil {
		info.Logins, info.OIDCName = append(info.Logins, "oidc"), a.OIDC.Name
	}
	if user != "" {
		info.User = &user
	}
	if role == Nobody {
		return info
	}
	info.Version, info.Store = s.o.Version, s.o.Store.String()
	if queue := s.o.Queue(); queue != "" {
		info.Queue, info.Queues = &queue, s.o.Monitor != nil
	}
	return info
}

type tokenInput struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"1024"`
	}
}

type sessionOutput struct {
	Cookie http.Cookie `header:"Set-Cookie"`
	Body   sessionInfo
}

// signIn starts a session for whoever knows a token. A session that the browser had
// before ends: whoever planted it is left with nothing.
func (s *Server) signIn(ctx context.Context, in *tokenInput) (*sessionOutput, error) {
	v := visitorOf(ctx)
	if !s.attempts.allow(v.address) {
		return nil, tooManyAttempts()
	}
	t, ok := s.o.Access.token(in.Body.Token)
	if !ok {
		s.o.Log.Warn("sign-in refused", "from", v.address)
		return nil, problemf(http.StatusUnauthorized, "orchestrator serve token makes one", "the server does not know this token")
	}
	return &sessionOutput{Cookie: s.begin(v, t.Name, t.Role), Body: s.sessionOf(t.Name, t.Role)}, nil
}

func tooManyAttempts() *problem {
	return problemf(http.StatusTooManyRequests, "try again in a minute", "too many attempts to sign in")
}

// begin starts a session and is its cookie.
func (s *Server) begin(v visitor, user string, role Role) http.Cookie {
	s.sessions.end(v.session)
	s.o.Log.Info("signed in", "user", user, "role", role.String(), "from", v.address)
	return s.cookie(s.cookieName(), s.sessions.begin(user, role, v.agent), s.o.Access.Longest)
}

func (s *Server) signOut(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
	s.sessions.end(visitorOf(ctx).session)
	out := &sessionOutput{Cookie: s.cookie(s.cookieName(), "", 0)}
	if s.o.Access.Required() {
		out.Body = s.sessionOf("", Nobody)
	} else {
		out.Body = s.sessionOf("", Admin)
	}
	return out, nil
}

// attempts limits how often one may try to sign in: by address, and all together,
// which is far more than people need and far less than guessing does.
type attempts struct {
	mu        sync.Mutex
	all       *rate.Limiter
	byAddress map[string]*rate.Limiter
	now       func() time.Time
}

const (
	attemptsBurst  = 10              // at once, of one address
	attemptsEvery  = 6 * time.Second // one more
	attemptsTotal  = 100             // at once, of all
	attemptsPerSec = 10
	maxAddresses   = 10_000
)

func newAttempts(now func() time.Time) *attempts {
	return &attempts{all: rate.NewLimiter(attemptsPerSec, attemptsTotal), byAddress: map[string]*rate.Limiter{}, now: now}
}

func (a *attempts) allow(address string) bool {
	now := a.now()
	address = network(address)
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.byAddress[address]
	if l == nil {
		if len(a.byAddress) >= maxAddresses {
			a.forget(now)
		}
		l = rate.NewLimiter(rate.Every(attemptsEvery), attemptsBurst)
		a.byAddress[address] = l
	}
	return l.AllowN(now, 1) && a.all.AllowN(now, 1)
}

// forget drops those that have not tried for long; if there are none, all: the common
// limit holds.
func (a *attempts) forget(now time.Time) {
	for address, l := range a.byAddress {
		if l.TokensAt(now) >= attemptsBurst {
			delete(a.byAddress, address)
		}
	}
	if len(a.byAddress) >= maxAddresses {
		clear(a.byAddress)
	}
}

// network is an address, or of IPv6 the network that one customer is given.
func network(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Unmap().Is4() {
		return address
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
