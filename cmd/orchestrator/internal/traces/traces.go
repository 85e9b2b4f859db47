// Package traces sends OpenTelemetry traces of sweeps, from the submission to the ends
// of attempts, where the OTEL_* variables of the environment say so. The other packages
// tell it through interfaces of their own (worker.Tracer, scheduler.Tracer) and know
// nothing of OpenTelemetry.
//
// Nothing travels between those who submit and those who train: what waits in the queue
// is ids alone. So the ids of a trace are digests. A sweep is one trace, whose id and
// whose first span's are of the sweep's id; an attempt's span is of the ids of sweep and
// job and its number. Whoever knows these finds the trace.
//
//	submit              the first submission; its span is the parent of all the others
//	├── submit          the same sweep submitted again, or in vain
//	├── reconcile       jobs enqueued or withdrawn, or trials stopped, by any process
//	└── attempt         by the daemon; epochs are its events
//	    └── checkpoint  encoded, hashed and stored
//
// Nothing waits for the collector, but for flushTime at the end of the process.
package traces

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// flushTime is how long the end of a process may wait for the collector.
const flushTime = time.Second

// Traces sends what it is told. Its methods may be called from any number of goroutines.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Wanted tells whether the environment names a collector, and nothing there speaks
// against sending it traces.
func Wanted() bool {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != "" &&
		!strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// Start makes traces as the environment says. version is this program's. That traces
// are not delivered is logged once, and is no error of anything else; nil: they cannot
// be sent at all, which is logged too.
func Start(version string, log *slog.Logger) *Traces {
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	if protocol != "http/protobuf" {
		log.Warn("no traces: they are sent by http/protobuf alone", "OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
		return nil
	}
	otel.SetLogger(logr.Discard()) // it would print headers that it cannot read, and they are secrets
	var once sync.Once
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		once.Do(func() { log.Warn("traces are not delivered; this is said once", "error", err) })
	}))
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		log.Warn("no traces", "error", err)
		return nil
	}
	about, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "orchestrator"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		otel.Handle(err) // about is what could be found
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about), sdk.WithIDGenerator(derived{}))
	return &Traces{provider: provider, tracer: provider.Tracer("orchestrator", trace.WithInstrumentationVersion(version))}
}

// Close sends what is left, if the collector takes it at once.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// begin starts a span of a sweep under its first one. Zero began: now; zero id: any.
func (t *Traces) begin(sweep, name string, id trace.SpanID, began time.Time, attributes ...attribute.KeyValue) trace.Span {
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), t.first(sweep, time.Time{}).SpanContext())
	_, span := t.tracer.Start(withIDs(ctx, trace.TraceID{}, id), name, trace.WithTimestamp(began),
		trace.WithAttributes(append(attributes, attribute.String("sweep", sweep))...))
	return span
}

// first makes the first span of a sweep. Those who only need its context, which says
// whether this trace is sampled, do not end it: then nothing is sent.
func (t *Traces) first(sweep string, began time.Time) trace.Span {
	_, span := t.tracer.Start(withIDs(context.Background(), TraceID(sweep), SweepSpan(sweep)), "submit",
		trace.WithNewRoot(), trace.WithTimestamp(began), trace.WithAttributes(attribute.String("sweep", sweep)))
	return span
}
