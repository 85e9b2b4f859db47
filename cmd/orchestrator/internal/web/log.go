package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// mostLog is how much of the end of a log is shown.
const mostLog = 1 << 20

type logInput struct {
	JobInput
	Attempt int `query:"attempt" minimum:"0" maximum:"999999" default:"0" doc:"its number; the last that has a log where it is left out"`
}

type textOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *Server) getLog(ctx context.Context, in *logInput) (*textOutput, error) {
	if in.Attempt == 0 {
		for info, err := range s.o.Store.List(ctx, plan.AttemptPrefix(in.Job)) {
			if err != nil {
				return nil, err
			}
			if name, isLog := strings.CutSuffix(path.Base(info.Key), ".log"); isLog {
				in.Attempt, _ = strconv.Atoi(name) // the last one wins; another name is 0, which has no log
			}
		}
	}
	r, info, err := s.o.Store.Get(ctx, plan.AttemptLogKey(in.Job, in.Attempt))
	if errors.Is(err, artifacts.ErrNotFound) {
		return nil, problemf(http.StatusNotFound, "a log is stored when its attempt ends", "there is no such log of job %s", in.Job)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, max(0, info.Size-mostLog)); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, mostLog))
	return &textOutput{ContentType: "text/plain; charset=utf-8", Body: text}, err
}
