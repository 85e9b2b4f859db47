package queue

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Server is a Redis inside this process, for those who have none: it keeps
// everything in memory and listens on the loopback interface, at a port of the
// system's choice, behind a random password.
type Server struct {
	redis    *miniredis.Miniredis
	password string
	stop     chan struct{}
	stopped  chan struct{}
}

// clockTick is how exactly keys of the embedded server expire.
const clockTick = 100 * time.Millisecond

// Embedded starts such a server.
func Embedded() (*Server, error) {
	s := &Server{redis: miniredis.NewMiniRedis(), password: rand.Text(), stop: make(chan struct{}), stopped: make(chan struct{})}
	s.redis.RequireAuth(s.password)
	if err := s.redis.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded queue: %w", err)
	}
	go s.clock()
	return s, nil
}

// clock lets time pass: keys of miniredis expire only when told so, and
// asynq's and our own signs of life are keys that expire.
func (s *Server) clock() {
	defer close(s.stopped)
	tick := time.NewTicker(clockTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}

// Options are for connecting to the server.
func (s *Server) Options() Options {
	return Options{Addr: s.redis.Addr(), Password: s.password}
}

// Close stops the server and forgets everything in it.
func (s *Server) Close() error {
	close(s.stop)
	<-s.stopped
	s.redis.Close()
	return nil
}
