package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
)

// Options are what a server works on.
type Options struct {
	Store     artifacts.Store
	Scheduler *scheduler.Scheduler // its queue, if any, is what pause and the like reach
	// Queue names the queue that is there now, without secrets; "" for none.
	Queue func() string
	// Workers lists the daemons that the queue knows of.
	Workers func(context.Context) ([]Worker, error)
	// Monitor shows the queue, below /queues; changes says whether it may change
	// anything. It is nil, or returns nil, where there is no queue.
	Monitor func(changes bool) http.Handler
	// Metrics is what Prometheus reads; nil: there is none.
	Metrics http.Handler

	CacheDir string // for fetched data sets
	Version  string
	Log      *slog.Logger // nil: discard

	Access Access
	Limits Limits
	Watch  time.Duration // how often to look at what somebody watches; 0: a second
}

// Server answers requests. Close it in the end.
type Server struct {
	o           Options
	api         huma.API
	mux         *http.ServeMux
	root        http.Handler
	sessions    *sessions
	attempts    *attempts
	answers     *answerCache
	pictures    *pictures
	importances *importances
	hub         *hub
	oidc        *oidcLogins // nil: not set up
}

// New makes a server. An Access that contradicts itself is an error.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Queue == nil {
		o.Queue = func() string { return "" }
	}
	if o.Watch == 0 {
		o.Watch = time.Second
	}
	o.Limits.fill()
	o.Access.fill()
	if err := o.Access.Check(); err != nil {
		return nil, err
	}
	s := &Server{o: o, mux: http.NewServeMux()}
	s.sessions, s.attempts = newSessions(&s.o.Access), newAttempts(o.Access.Now)
	s.answers, s.importances = newAnswerCache(), newImportances()
	pictures, err := newPictures(o.Store, o.CacheDir)
	if err != nil {
		return nil, err
	}
	s.pictures = pictures
	if s.o.Access.OIDC != nil {
		s.oidc = newOIDCLogins(&s.o.Access)
	}
	s.hub = newHub(o.Watch, o.Access.Now)
	s.mount()
	root, err := s.outer(s.mux)
	if err != nil {
		return nil, err
	}
	s.root = root
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.root.ServeHTTP(w, r) }

// Close ends what runs for clients that listen, and gives back what is held.
func (s *Server) Close() error {
	s.hub.close()
	s.pictures.close()
	return nil
}

// Limits bound what a client may take. Zero values are replaced by defaults.
type Limits struct {
	Header   time.Duration // until a request's header is there
	Request  time.Duration // until a request's body is there
	Answer   time.Duration // until the client has taken an answer, or one event
	Idle     time.Duration // between two requests of a connection
	Body     int64         // bytes of a request's body
	Shutdown time.Duration // for requests in progress at the end
}

func (l *Limits) fill() {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&l.Header, 10*time.Second)
	set(&l.Request, 30*time.Second)
	set(&l.Answer, time.Minute)
	set(&l.Idle, 2*time.Minute)
	set(&l.Shutdown, 5*time.Second)
	if l.Body == 0 {
		l.Body = 64 << 10
	}
}

// maxHeader bounds a request's header, in bytes.
const maxHeader = 32 << 10

// HTTP is the server of the connections, with the timeouts that keep slow clients
// from holding them.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.o.Limits.Header,
		ReadTimeout:       s.o.Limits.Request,
		WriteTimeout:      s.o.Limits.Answer,
		IdleTimeout:       s.o.Limits.Idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug), // broken connections
	}
}

// Serve answers on a listener until ctx ends, lets requests in progress finish, and
// ends those that listen for events.
func (s *Server) Serve(ctx context.Context, serve func(*http.Server) error) error {
	server := s.HTTP()
	server.RegisterOnShutdown(s.hub.close) // whoever listens for events would wait for ever
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Limits.Shutdown)
		defer cancel()
		err := server.Shutdown(limit)
		if err != nil {
			err = server.Close()
		}
		ended <- err
	})
	err := serve(server)
	if stop() { // it did not end because of ctx
		return errors.Join(err, server.Close())
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, <-ended)
}
