package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
)

// problem is the body of every answer that is not the one asked for.
type problem struct {
	Message string `json:"error" doc:"what went wrong"`
	Hint    string `json:"hint,omitempty" doc:"what to try"`
	status  int
}

func (p *problem) Error() string { return p.Message }

// GetStatus is the status of the answer.
func (p *problem) GetStatus() int { return p.status }

// ContentType overrides the library's own.
func (p *problem) ContentType(string) string { return "application/json" }

func problemf(status int, hint, format string, args ...any) *problem {
	return &problem{Message: fmt.Sprintf(format, args...), Hint: hint, status: status}
}

// The library's errors, such as those of parameters, take our form. They are made
// by a function that is the library's one variable.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		var details []string
		for _, err := range errs {
			var d *huma.ErrorDetail
			switch {
			case errors.As(err, &d):
				details = append(details, d.Location+": "+d.Message)
			case err != nil:
				details = append(details, err.Error())
			}
		}
		if len(details) > 0 {
			message += ": " + strings.Join(details, "; ")
		}
		hint := ""
		if status == http.StatusUnprocessableEntity {
			hint = "/api/openapi.json describes what is accepted"
		}
		return &problem{Message: message, Hint: hint, status: status}
	}
}

// explain turns an error into an answer. Of what is nobody's mistake but ours only
// the log has the details.
func (s *Server) explain(ctx context.Context, err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	hint := ""
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	var coded interface{ ExitCode() int }
	switch {
	case errors.Is(err, scheduler.ErrUnknownSweep):
		return &problem{err.Error(), hint, http.StatusNotFound}
	case errors.Is(err, artifacts.ErrNotFound), errors.Is(err, artifacts.ErrInvalidKey):
		return problemf(http.StatusNotFound, "it may have been deleted", "there is no such thing in the store")
	case errors.Is(err, artifacts.ErrUnavailable):
		s.o.Log.Warn("the store is not available", "error", err)
		return problemf(http.StatusServiceUnavailable, "try again in a moment", "%v", artifacts.ErrUnavailable)
	case errors.Is(err, context.Canceled):
		return problemf(http.StatusServiceUnavailable, "", "the request was given up")
	case errors.As(err, &coded) && coded.ExitCode() == exitUsage:
		return &problem{err.Error(), hint, http.StatusUnprocessableEntity}
	}
	s.o.Log.Error("a request failed", "path", visitorOf(ctx).path, "error", err)
	return problemf(http.StatusInternalServerError, "the server's log says why", "the server could not answer")
}

// exitUsage is what errors say whose cause is what somebody wrote.
const exitUsage = 2
