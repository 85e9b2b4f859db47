package traces

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/worker"
)

// Programs of any version must agree about the ids: these never change.
func TestIDsStayTheSame(t *testing.T) {
	for got, want := range map[string]string{
		TraceID("tiny-0123456789").String():                "575d721a158fab3079023bdff095dc69",
		SweepSpan("tiny-0123456789").String():              "a1b2b91c22f8b76d",
		AttemptSpan("tiny-0123456789", "job", 1).String():  "8be84f5a04132079",
		AttemptSpan("tiny-0123456789", "job", 11).String(): "48db479a6418acfc",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestWanted(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, false},
		{map[string]string{"OTEL_SERVICE_NAME": "name"}, false},
	} {
		setenv(t, c.env)
		if got := Wanted(); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}

// setenv makes these the only variables that matter here.
func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"ENDPOINT", "TRACES_ENDPOINT", "PROTOCOL", "TRACES_PROTOCOL"} {
		name = "OTEL_EXPORTER_OTLP_" + name
		t.Setenv(name, env[name])
	}
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"} {
		t.Setenv(name, env[name])
	}
}

func TestOtherProtocolsAreRefused(t *testing.T) {
	setenv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
	var log bytes.Buffer
	if Start("v", slog.New(slog.NewTextHandler(&log, nil))) != nil || !strings.Contains(log.String(), "http/protobuf alone") {
		t.Errorf("it says %s", log.String())
	}
}

// However much there is to tell, nobody waits for a collector that does not answer.
func TestSilentCollectorDelaysNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // whose connections nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	setenv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + listener.Addr().String()})
	var log bytes.Buffer
	traces := Start("v", slog.New(slog.NewTextHandler(&log, nil)))
	began := time.Now()
	for n := range 5000 { // more than the queue of spans holds
		a := traces.Worker().Attempt(worker.Task{Sweep: "sweep", Job: "job"}, plan.Attempt{Number: n})
		a.Checkpoint("object", time.Second)
		a.End(worker.Retry, "crash", "it crashed")
	}
	traces.Scheduler().Reconciled("sweep", scheduler.Report{Enqueued: 1}, 0, began)
	traces.Submit("sweep", nil, began, errors.New("no queue"))
	told := time.Since(began)
	traces.Close()
	if closed := time.Since(began) - told; told > 5*time.Second || closed < flushTime/2 || closed > flushTime+4*time.Second {
		t.Errorf("telling took %v, closing %v", told, closed)
	}
	if strings.Count(log.String(), "traces are not delivered") != 1 {
		t.Errorf("it says %s", log.String())
	}
}

func TestNoTracesAreClosed(t *testing.T) {
	var none *Traces
	none.Close()
}
