package web

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/schedulertest"
)

var update = flag.Bool("update", false, "rewrite docs/api.openapi.json")

// description is what the server says of its API.
func (f *fixture) description() []byte {
	f.t.Helper()
	w := f.do("GET", "/api/openapi.json", nil)
	var b bytes.Buffer
	if err := json.Indent(&b, w.Body.Bytes(), "", " "); err != nil {
		f.t.Fatal(err)
	}
	return b.Bytes()
}

// TestDescriptionPage holds docs/api.openapi.json to what the server says.
func TestDescriptionPage(t *testing.T) {
	want := newFixture(t, nil).description()
	path := filepath.Join("..", "..", "..", "..", "docs", "api.openapi.json")
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/api.openapi.json is out of date, run with -update (-want +got):\n%s", diff)
	}
}

// TestEveryRouteIsDescribed: what is below /api/v1 is in the description, with the
// role that it asks for.
func TestEveryRouteIsDescribed(t *testing.T) {
	f := newFixture(t, nil)
	paths := f.server.api.OpenAPI().Paths
	for _, r := range routes() {
		if !strings.HasPrefix(r.path, "/api/v1/") {
			continue
		}
		item := paths[r.path]
		if item == nil {
			t.Errorf("%s %s is not described", r.method, r.path)
			continue
		}
		for _, op := range []struct {
			method string
			there  bool
		}{{"GET", item.Get != nil}, {"POST", item.Post != nil}, {"PATCH", item.Patch != nil}, {"DELETE", item.Delete != nil}} {
			if op.method == r.method && !op.there {
				t.Errorf("%s %s is not described", r.method, r.path)
			}
		}
	}
}

// lived is a server with a sweep as workers leave it: completed, failed and running
// jobs, attempts, predictions, pictures.
func lived(t *testing.T) (*fixture, *plan.Plan) {
	t.Helper()
	f := newFixture(t, func(o *Options) { o.Store = artifacts.Mem(); o.Scheduler = &scheduler.Scheduler{Store: o.Store} })
	p, err := schedulertest.Fill(t.Context(), f.server.o.Store, schedulertest.Shape{Trials: 12, Done: 30, Failed: 1, Running: 1})
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

// TestAnswersAreAsDescribed has another library hold real answers to the description.
func TestAnswersAreAsDescribed(t *testing.T) {
	f, p := lived(t)
	document, err := libopenapi.NewDocument(f.description())
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("the description: %s: %s", e.Message, e.Reason)
		}
	}
	sweep := "/api/v1/sweeps/" + p.ID
	targets := []string{
		"/api/v1/session", "/api/v1/sweeps", sweep, sweep + "/results", sweep + "/settings", sweep + "/importance", sweep + "/curves?trials=0,1&points=5", sweep + "/curves?metric=train_loss",
		sweep + "/trials/0", sweep + "/trials/5", sweep + "/pictures?limit=3", sweep + "/pictures?sort=unsure&order=asc&right=true&fold=1", sweep + "/picture/0?size=64",
		"/api/v1/jobs/" + p.Jobs[0].ID + "?sweep=" + p.ID, "/api/v1/jobs/" + p.Jobs[30].ID + "?sweep=" + p.ID, "/api/v1/jobs/" + p.Jobs[31].ID + "?sweep=" + p.ID,
		"/api/v1/jobs/" + p.Jobs[0].ID + "/evaluation", "/api/v1/compare?of=" + p.ID + "/0&of=" + p.ID + "/1", "/api/v1/workers",
	}
	asked := map[string]bool{}
	for _, target := range targets {
		w := f.do("GET", target, nil)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
			continue
		}
		request, err := http.NewRequest("GET", "http://127.0.0.1"+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		asked[f.pattern(request)] = true
		if ok, errs := v.ValidateHttpResponse(request, w.Result()); !ok {
			for _, e := range errs {
				t.Errorf("%s: %s: %s %v", target, e.Message, e.Reason, e.SchemaValidationErrors)
			}
		}
	}
	for _, target := range []string{sweep + "x", sweep + "/trials/99", sweep + "/curves?points=1", "/api/v1/jobs/nothing?sweep=" + p.ID, "/api/v1/compare?of=" + p.ID + "/0", "/api/v1/jobs/" + p.Jobs[0].ID + "/log?attempt=7"} {
		w := f.do("GET", target, nil)
		request, _ := http.NewRequest("GET", "http://127.0.0.1"+target, nil)
		if ok, errs := v.ValidateHttpResponse(request, w.Result()); !ok || w.Code < 400 || w.Code >= 500 {
			t.Errorf("%s: %d %s: %v", target, w.Code, w.Body, errs)
		}
	}
	for _, r := range routes() {
		pattern := r.method + " " + r.path
		elsewhere := r.path == "/api/v1/events" || r.path == "/api/v1/jobs/{job}/log" // no JSON; TestEvents, TestLogs
		if r.method == "GET" && strings.HasPrefix(r.path, "/api/v1/") && !elsewhere && !asked[pattern] {
			t.Errorf("no answer of %s was looked at", pattern)
		}
	}
}

// pattern is the route that answers a request.
func (f *fixture) pattern(r *http.Request) string {
	_, pattern := f.server.mux.Handler(r)
	return pattern
}
