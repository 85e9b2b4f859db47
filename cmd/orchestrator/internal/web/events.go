package web

import (
	"fmt"
	"net/http"
	"time"
)

// keepAlive is how often somebody who listens gets a sign of life, so that nothing on
// the way takes the connection for dead. Whether they may still listen is asked then, too.
const keepAlive = 15 * time.Second

// events sends changes as they happen, as server-sent events: of all sweeps, or of one.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	sweep := r.URL.Query().Get("sweep")
	if sweep != "" {
		if _, err := s.o.Scheduler.Plan(r.Context(), sweep); err != nil {
			writeProblem(w, s.explain(r.Context(), err))
			return
		}
	}
	c := s.hub.join(sweep, func() view { return s.listen(sweep) })
	if c == nil {
		writeProblem(w, problemf(http.StatusServiceUnavailable, "close some of the pages", "too many listen already"))
		return
	}
	defer s.hub.leave(sweep, c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	out := stream{http.NewResponseController(w), w, s.o.Limits.Answer}
	_ = out.SetReadDeadline(time.Time{}) // the request has been read
	if out.send(": hello\n\n") != nil {
		return
	}
	v := visitorOf(r.Context())
	for {
		text := ": still here\n\n"
		select {
		case <-r.Context().Done():
			return
		case e, more := <-c.events:
			if !more {
				return
			}
			text = fmt.Sprintf("event: %s\ndata: %s\n\n", e.name, e.data)
		case <-s.hub.after(keepAlive):
		}
		if v.session != "" && !s.sessions.live(v.session) {
			return // signed out meanwhile
		}
		if out.send(text) != nil {
			return // left, or too slow to take it
		}
	}
}

// stream writes each piece in a limited time.
type stream struct {
	*http.ResponseController
	w     http.ResponseWriter
	limit time.Duration
}

func (s stream) send(text string) error {
	_ = s.SetWriteDeadline(time.Now().Add(s.limit)) // not all writers can; those of real connections do
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.Flush()
}
