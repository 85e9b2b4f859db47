package traces

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// TraceID is that of a sweep's trace.
func TraceID(sweep string) trace.TraceID {
	d := digest("trace", sweep)
	return trace.TraceID(d[:16])
}

// SweepSpan is the id of the first span of a sweep's trace.
func SweepSpan(sweep string) trace.SpanID { return spanID("sweep", sweep) }

// AttemptSpan is the id of an attempt's span. The same job may be in several sweeps: it
// is that on behalf of which the attempt was made.
func AttemptSpan(sweep, job string, attempt int) trace.SpanID {
	return spanID("attempt", sweep, job, strconv.Itoa(attempt))
}

func spanID(parts ...string) trace.SpanID {
	d := digest(parts...)
	return trace.SpanID(d[:8])
}

// digest is of parts that contain no zero byte: ids are letters, digits and dashes.
func digest(parts ...string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(append([]string{"orchestrator"}, parts...), "\x00")))
}

// derived gives spans the ids that their contexts say.
type derived struct{}

type idsKey struct{}

type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

func withIDs(ctx context.Context, t trace.TraceID, s trace.SpanID) context.Context {
	return context.WithValue(ctx, idsKey{}, ids{t, s})
}

// NewIDs are those of a first span.
func (g derived) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	said, _ := ctx.Value(idsKey{}).(ids)
	return said.trace, g.NewSpanID(ctx, said.trace)
}

// NewSpanID is that of any other one; random where the context says none.
func (derived) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	said, _ := ctx.Value(idsKey{}).(ids)
	for !said.span.IsValid() {
		_, _ = rand.Read(said.span[:]) // never fails
	}
	return said.span
}
