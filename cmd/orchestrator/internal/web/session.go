package web

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// The session's cookie. The prefix has browsers refuse it unless it came by TLS and
// belongs to this host alone.
const (
	sessionCookie       = "orchestrator-session"
	secureSessionCookie = "__Host-" + sessionCookie
)

// maxSessions bounds them; beyond, the one unused for longest ends.
const maxSessions = 10_000

// session is what the server knows of somebody who has signed in.
type session struct {
	user    string
	role    Role
	agent   [sha256.Size]byte // of the browser that signed in
	began   time.Time
	lastUse time.Time
}

// sessions are held in memory: whoever restarts the server signs everybody out. They
// are known by digests of their IDs, so that what a memory dump holds opens nothing.
type sessions struct {
	access *Access
	mu     sync.Mutex
	all    map[[sha256.Size]byte]*session
}

func newSessions(a *Access) *sessions {
	return &sessions{access: a, all: map[[sha256.Size]byte]*session{}}
}

// begin starts a session with an ID that nobody has seen before.
func (s *sessions) begin(user string, role Role, agent string) string {
	id := rand.Text() // 130 random bits
	now := s.access.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	s.all[sha256.Sum256([]byte(id))] = &session{user: user, role: role, agent: sha256.Sum256([]byte(agent)), began: now, lastUse: now}
	return id
}

// find is the session with that ID, of that browser. Where another browser shows the
// ID it has been stolen, and ends.
func (s *sessions) find(id, agent string) (session, bool) {
	now := s.access.Now()
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.all[key]
	if found == nil {
		return session{}, false
	}
	if s.over(found, now) || found.agent != sha256.Sum256([]byte(agent)) {
		delete(s.all, key)
		return session{}, false
	}
	found.lastUse = now
	return *found, true
}

// live tells whether a session goes on, and is no use of it.
func (s *sessions) live(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.all[sha256.Sum256([]byte(id))]
	return found != nil && !s.over(found, s.access.Now())
}

// end ends a session.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(id)))
}

func (s *sessions) over(x *session, now time.Time) bool {
	return now.Sub(x.lastUse) >= s.access.Idle || now.Sub(x.began) >= s.access.Longest
}

// sweep makes room for one more.
func (s *sessions) sweep(now time.Time) {
	var oldest [sha256.Size]byte
	last := now
	for key, x := range s.all {
		if s.over(x, now) {
			delete(s.all, key)
			continue
		}
		if !x.lastUse.After(last) {
			oldest, last = key, x.lastUse
		}
	}
	if len(s.all) >= maxSessions {
		delete(s.all, oldest)
	}
}

func (s *Server) cookieName() string {
	if s.o.Access.secure() {
		return secureSessionCookie
	}
	return sessionCookie
}

// cookie carries a session's ID; an empty one removes it from the browser.
func (s *Server) cookie(name, value string, age time.Duration) http.Cookie {
	c := http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.o.Access.secure(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(age.Seconds())}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
