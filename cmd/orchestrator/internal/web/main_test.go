package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a server with one sweep in a store in memory: two trials on two folds,
// the first trial completed, one job of the second failed.
type fixture struct {
	t      *testing.T
	store  artifacts.Store
	plan   *plan.Plan
	server *Server
}

// classes have names that would do harm if a page took them for markup.
var classes = []string{`<img src=x onerror=alert(1)>`, `b"&'`}

func samplePlan() *plan.Plan {
	config := plan.Config{Evaluation: plan.Evaluation{Metrics: []string{"accuracy", "loss"}}, Training: plan.Training{Epochs: 4}}
	p := &plan.Plan{
		ID: "sample-abc123", Name: "sample", Engine: plan.Engine, Metric: plan.Metric{Name: "accuracy", Goal: "maximize"},
		Source: "name: sample\n", Data: plan.Data{Classes: classes, Labels: []int{0, 1, 0, 1}},
		Folds: []plan.Fold{{Number: 0, Name: "0", Train: []int{0, 1}, Test: []int{2, 3}}, {Number: 1, Name: "1", Train: []int{2, 3}, Test: []int{0, 1}}},
	}
	for n, rate := range []float64{0.1, 0.01} {
		p.Trials = append(p.Trials, plan.Trial{Number: n, Parameters: map[string]any{"training.learning_rate": rate}, Config: config})
		for f := range p.Folds {
			p.Jobs = append(p.Jobs, plan.Job{ID: string(rune('a'+n)) + string(rune('0'+f)), Trial: n, Fold: f})
		}
	}
	return p
}

func outcomeOf(p *plan.Plan, job plan.Job, accuracy float64) *plan.Outcome {
	o := &plan.Outcome{Job: job.ID, Sweep: p.ID, Metrics: plan.Metrics{"accuracy": accuracy, "loss": 1 - accuracy}, Epochs: 4, Attempts: 1, Seconds: 3,
		Confusion: [][]int{{1, 0}, {0, 1}}, Classes: p.Data.Classes, Host: "h", Device: "cpu", Finished: "2026-01-02T03:04:05Z"}
	for e := range 4 {
		o.History = append(o.History, plan.Epoch{Epoch: e + 1, TrainLoss: 1 / float64(e+1), Metrics: plan.Metrics{"accuracy": accuracy * float64(e+1) / 4, "loss": 1}})
	}
	return o
}

func newFixture(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, store: artifacts.Mem(), plan: samplePlan()}
	f.put(plan.PlanKey(f.plan.ID), f.plan)
	f.put(plan.OutcomeKey("a0"), outcomeOf(f.plan, f.plan.Jobs[0], 0.5))
	f.put(plan.OutcomeKey("a1"), outcomeOf(f.plan, f.plan.Jobs[1], 1))
	f.put(plan.FailureKey("b0"), plan.Failure{Job: "b0", Reason: "<b>boom</b>", Attempts: 4})
	f.put(plan.AttemptKey("b0", 1), plan.Attempt{Job: "b0", Number: 1, Host: "h", Device: "cpu", Started: "2026-01-02T03:04:05Z", End: "failed"})
	o := Options{Store: f.store, Scheduler: &scheduler.Scheduler{Store: f.store}, CacheDir: t.TempDir(), Version: "test"}
	if change != nil {
		change(&o)
	}
	var err error
	if f.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.server.Close() })
	return f
}

func (f *fixture) put(key string, v any) {
	f.t.Helper()
	if err := artifacts.PutJSON(f.t.Context(), f.store, key, v); err != nil {
		f.t.Fatal(err)
	}
}

// do sends a request as somebody on this machine.
func (f *fixture) do(method, target string, body any, change ...func(*http.Request)) *httptest.ResponseRecorder {
	f.t.Helper()
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			f.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req := httptest.NewRequest(method, target, r)
	req.Host, req.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:4711"
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, c := range change {
		c(req)
	}
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, req)
	return w
}

// get asks for JSON that must be there.
func (f *fixture) get(target string, into any) {
	f.t.Helper()
	w := f.do("GET", target, nil)
	if w.Code != http.StatusOK {
		f.t.Fatalf("GET %s: %d %s", target, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		f.t.Fatalf("GET %s: %v in %s", target, err, w.Body)
	}
}
