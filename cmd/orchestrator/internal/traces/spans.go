package traces

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/worker"
)

// Submit tells of a submission that began then and is over now; done is nil where it
// failed.
func (t *Traces) Submit(sweep string, done *scheduler.Submitted, began time.Time, err error) {
	switch {
	case err != nil:
		span := t.begin(sweep, "submit", trace.SpanID{}, began)
		span.SetStatus(codes.Error, err.Error())
		span.End()
	case done.Existed:
		span := t.begin(sweep, "submit", trace.SpanID{}, began)
		span.SetAttributes(submission(done)...)
		span.End()
	default:
		span := t.first(sweep, began)
		span.SetAttributes(submission(done)...)
		span.End()
	}
}

func submission(s *scheduler.Submitted) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.Bool("existed", s.Existed), attribute.Int64("uploaded", s.Uploaded),
		attribute.Int("jobs", s.Jobs), attribute.Int("completed", s.Completed), attribute.Int("enqueued", s.Enqueued)}
}

// Scheduler is what a scheduler tells; give it to scheduler.Scheduler.
func (t *Traces) Scheduler() scheduler.Tracer { return schedulerTracer{t} }

type schedulerTracer struct{ t *Traces }

func (s schedulerTracer) Reconciled(sweep string, r scheduler.Report, stopped int, began time.Time) {
	s.t.begin(sweep, "reconcile", trace.SpanID{}, began, attribute.String("state", string(r.State)),
		attribute.Int("enqueued", r.Enqueued), attribute.Int("withdrawn", r.Withdrawn), attribute.Int("stopped", stopped)).End()
}

// Worker is what a daemon tells; give it to worker.Options.
func (t *Traces) Worker() worker.Tracer { return workerTracer{t} }

type workerTracer struct{ t *Traces }

func (w workerTracer) Attempt(task worker.Task, a plan.Attempt) worker.AttemptTrace {
	about := []attribute.KeyValue{attribute.Int("trial", task.Trial), attribute.Int("fold", task.Fold),
		attribute.String("job", task.Job), attribute.Int("attempt", a.Number)}
	span := w.t.begin(task.Sweep, "attempt", AttemptSpan(task.Sweep, task.Job, a.Number), time.Time{},
		append(about, attribute.String("device", a.Device), attribute.String("host", a.Host))...)
	return attempt{w.t, span}
}

type attempt struct {
	t    *Traces
	span trace.Span
}

func (a attempt) Epoch(e plan.Epoch) {
	about := []attribute.KeyValue{attribute.Int("epoch", e.Epoch), attribute.Float64("train_loss", e.TrainLoss)}
	for name, score := range e.Metrics {
		about = append(about, attribute.Float64(name, score))
	}
	a.span.AddEvent("epoch", trace.WithAttributes(about...))
}

func (a attempt) Checkpoint(object string, took time.Duration) {
	ctx := trace.ContextWithSpan(context.Background(), a.span)
	_, span := a.t.tracer.Start(ctx, "checkpoint", trace.WithTimestamp(time.Now().Add(-took)), trace.WithAttributes(attribute.String("object", object)))
	span.End()
}

func (a attempt) End(end worker.End, cause, reason string) {
	a.span.SetAttributes(attribute.String("end", string(end)), attribute.String("cause", cause))
	switch end {
	case worker.Completed:
		a.span.SetStatus(codes.Ok, "")
	case worker.Failed, worker.Retry:
		a.span.SetStatus(codes.Error, reason)
	}
	a.span.End()
}
