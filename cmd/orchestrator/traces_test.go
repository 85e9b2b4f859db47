package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"orchestrator/cmd/orchestrator/internal/traces"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// A sweep is one trace, whoever had a part in it: what was submitted, enqueued and
// attempted hangs on the span of the submission, by ids that nobody had to be told.
func TestSweepIsATrace(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	const key = "the collector's key"
	r := newReceiver(t)
	c := newCluster(t)
	c.env = append(c.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+r.server.URL, "OTEL_EXPORTER_OTLP_HEADERS=api-key="+strings.ReplaceAll(key, " ", "%20"),
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test")
	file := c.tiny()
	submit := []string{"submit", file, "--set", "training.epochs=2", "--set", "checkpoints.every_epochs=1"}
	c.run(submit...)
	c.run(submit...)
	worker := c.worker()
	c.finish(2 * time.Minute)
	worker.signal(syscall.SIGTERM)
	worker.wait(time.Minute)

	results := c.results()
	spans := r.ofSweep(t, results.Sweep)
	root := traces.SweepSpan(results.Sweep)
	first := spans[root.String()]
	if first == nil || first.Name != "submit" || len(first.ParentSpanId) != 0 || attributes(first.Attributes)["jobs"] != "4" {
		t.Errorf("the first span is %v", first)
	}
	attempts := 0
	eachFold(results, func(trial plan.TrialResult, f plan.FoldResult) {
		for number := 1; number <= f.Attempts; number++ {
			attempts++
			r.checkAttempt(t, spans, results.Sweep, trial.Trial, f, number)
		}
	})
	if attempts < 4 {
		t.Errorf("the results tell of %d attempts", attempts)
	}
	counts := map[string]int{}
	for _, s := range spans {
		counts[s.Name]++
		if s.Name != "checkpoint" && s != first && fmt.Sprintf("%x", s.ParentSpanId) != root.String() {
			t.Errorf("%s hangs on the span %x", s.Name, s.ParentSpanId)
		}
		if s.EndTimeUnixNano < s.StartTimeUnixNano || s.StartTimeUnixNano == 0 {
			t.Errorf("%s lasts from %d to %d", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
	}
	if want := map[string]int{"submit": 2, "reconcile": 1, "attempt": 4, "checkpoint": 8}; fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("the trace has the spans %v, want %v", counts, want)
	}
	r.checkSource(t, key)
	r.checkSecrets(t, key, c.secret())
}

// checkAttempt looks at the span of an attempt that trained two epochs.
func (r *receiver) checkAttempt(t *testing.T, spans map[string]*tracev1.Span, sweep string, trial int, f plan.FoldResult, number int) {
	t.Helper()
	id := traces.AttemptSpan(sweep, f.Job, number).String()
	span := spans[id]
	if span == nil {
		t.Fatalf("attempt %d of job %s has no span %s", number, f.Job, id)
	}
	got := attributes(span.Attributes)
	for name, want := range map[string]string{"sweep": sweep, "trial": fmt.Sprint(trial), "fold": fmt.Sprint(f.Fold), "job": f.Job,
		"attempt": fmt.Sprint(number), "device": "cpu", "end": "completed", "cause": "completed"} {
		if got[name] != want {
			t.Errorf("attempt %d of job %s: %s is %q, want %q", number, f.Job, name, got[name], want)
		}
	}
	if span.Status.GetCode() != tracev1.Status_STATUS_CODE_OK {
		t.Errorf("the status of an attempt that completed is %v", span.Status)
	}
	if len(span.Events) != 2 || span.Events[1].Name != "epoch" || attributes(span.Events[1].Attributes)["epoch"] != "2" {
		t.Errorf("the events of the attempt are %v", span.Events)
	}
	checkpoints := 0
	for _, s := range spans {
		if fmt.Sprintf("%x", s.ParentSpanId) != id {
			continue
		}
		checkpoints++
		if object := attributes(s.Attributes)["object"]; s.Name != "checkpoint" || !strings.Contains(object, f.Job) || s.EndTimeUnixNano <= s.StartTimeUnixNano {
			t.Errorf("a span of the attempt is %v", s)
		}
	}
	if checkpoints != 2 {
		t.Errorf("the attempt has %d checkpoints, not 2", checkpoints)
	}
}

// A collector that does not answer takes nothing from anybody, and is told of once.
func TestSilentCollectorFailsNothing(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // whose connections nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, endpoint := range map[string]string{"silent": "http://" + listener.Addr().String(), "absent": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			w := newWorkspace(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_EXPORTER_OTLP_HEADERS=not-a-header-but-secret")
			_, errOut, code := w.try("run", w.tiny(), "--set", "training.epochs=1", "--set", "parameters={}")
			if code != 0 {
				t.Errorf("exit code %d:\n%s", code, errOut)
			}
			if strings.Count(errOut, "traces are not delivered") != 1 || strings.Contains(errOut, "but-secret") {
				t.Errorf("it says\n%s", errOut)
			}
		})
	}
}

// receiver is a collector that keeps all it gets.
type receiver struct {
	server *httptest.Server

	mu      sync.Mutex
	batches []*tracev1.ResourceSpans
	bodies  []byte
	headers []http.Header
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var got collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &got)
		}
		if err != nil || req.URL.Path != "/v1/traces" {
			t.Errorf("the receiver got %s: %v", req.URL, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.batches = append(r.batches, got.ResourceSpans...)
		r.bodies, r.headers = append(r.bodies, body...), append(r.headers, req.Header)
	}))
	t.Cleanup(r.server.Close)
	return r
}

// ofSweep are the spans by their ids, all of which must be of this sweep's trace.
func (r *receiver) ofSweep(t *testing.T, sweep string) map[string]*tracev1.Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	spans := map[string]*tracev1.Span{}
	for _, batch := range r.batches {
		for _, scope := range batch.ScopeSpans {
			for _, s := range scope.Spans {
				id := fmt.Sprintf("%x", s.SpanId)
				if spans[id] != nil {
					t.Errorf("two spans have the id %s: %s and %s", id, spans[id].Name, s.Name)
				}
				if trace := fmt.Sprintf("%x", s.TraceId); trace != traces.TraceID(sweep).String() {
					t.Errorf("%s is of the trace %s", s.Name, trace)
				}
				spans[id] = s
			}
		}
	}
	return spans
}

// checkSource looks at who says it all.
func (r *receiver) checkSource(t *testing.T, key string) {
	t.Helper()
	for _, h := range r.headers {
		if h.Get("api-key") != key {
			t.Errorf("a batch has the headers %v", h)
		}
	}
	for _, batch := range r.batches {
		about := attributes(batch.Resource.Attributes)
		if about["service.name"] != "orchestrator" || about["deployment.environment"] != "test" {
			t.Errorf("the source is %v", about)
		}
	}
}

func (r *receiver) checkSecrets(t *testing.T, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(string(r.bodies), secret) {
			t.Errorf("%q is in the traces", secret)
		}
	}
}

func attributes(all []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			m[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.Key] = fmt.Sprint(v.IntValue)
		}
	}
	return m
}
