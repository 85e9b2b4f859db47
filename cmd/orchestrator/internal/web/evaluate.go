package web

import (
	"context"
	"fmt"
	"net/http"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// curvePoints bounds the points of all classes' curves together.
const curvePoints = 8000

// evaluate says how well pictures were told apart, in curves that a page can draw; nil
// where there are no answers.
func evaluate(answers []stats.Answer, classes []string) *analysis.Evaluation {
	e := analysis.Evaluate(answers, classes)
	if e == nil {
		return nil
	}
	points := min(200, max(20, curvePoints/max(1, len(classes))))
	for _, curves := range [][]analysis.Curve{e.ROC, e.PR} {
		for i, c := range curves {
			keep := thin(c.X, c.Y, points)
			curves[i].X, curves[i].Y = pick(c.X, keep), pick(c.Y, keep)
		}
	}
	return e
}

// answersOf reads what a job answered to its fold's test pictures.
func (s *Server) answersOf(ctx context.Context, job string, classes []string, fold int) ([]stats.Answer, error) {
	r, _, err := s.o.Store.Get(ctx, plan.PredictionsKey(job))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	answers, err := analysis.ReadAnswers(r, classes, fold)
	if err != nil {
		return nil, fmt.Errorf("read the predictions of job %s: %w", job, err)
	}
	return answers, nil
}

// JobInput names a job by its ID.
type JobInput struct {
	Job string `path:"job" maxLength:"200" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]*$" doc:"the job's ID"`
}

func (s *Server) getEvaluation(ctx context.Context, in *JobInput) (*analysis.Evaluation, error) {
	o, err := s.o.Scheduler.Outcome(ctx, in.Job)
	if notFound(err) {
		return nil, problemf(http.StatusNotFound, "wait until it has completed", "job %s has no outcome", in.Job)
	}
	if err != nil {
		return nil, err
	}
	answers, err := s.answersOf(ctx, in.Job, o.Classes, 0)
	if err != nil {
		return nil, err
	}
	return evaluate(answers, o.Classes), nil
}
