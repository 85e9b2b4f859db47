package web

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/scheduler/plan"
)

func TestSweepsAreListedWithTheirBest(t *testing.T) {
	f := newFixture(t, nil)
	var list struct {
		Sweeps []struct {
			Sweep, Name, State              string
			Trials, Jobs, Completed, Failed int
			Best                            *struct {
				Trial     int
				Mean, Std float64
			}
		}
	}
	f.get("/api/v1/sweeps", &list)
	if len(list.Sweeps) != 1 {
		t.Fatalf("%d sweeps", len(list.Sweeps))
	}
	s := list.Sweeps[0]
	if s.Sweep != f.plan.ID || s.Trials != 2 || s.Jobs != 4 || s.Completed != 2 || s.Failed != 1 {
		t.Errorf("got %+v", s)
	}
	if s.Best == nil || s.Best.Mean != 0.75 || math.Abs(s.Best.Std-math.Sqrt(0.125)) > 1e-12 {
		t.Errorf("the best is %+v", s.Best)
	}
}

func TestASweepIsWholeWithoutHistories(t *testing.T) {
	f := newFixture(t, nil)
	var page struct {
		plan.Results
		Counts     map[string]int
		Seconds    float64
		Parameters []string
		Classes    []string
		Folds      []string
	}
	f.get("/api/v1/sweeps/"+f.plan.ID, &page)
	if page.Counts["completed"] != 2 || page.Counts["failed"] != 1 || page.Counts["pending"] != 1 || page.Seconds != 6 {
		t.Errorf("counts %v, %v seconds", page.Counts, page.Seconds)
	}
	if diff := cmp.Diff([]string{"training.learning_rate"}, page.Parameters); diff != "" {
		t.Error(diff)
	}
	if len(page.Trials[0].Folds[0].History) != 0 {
		t.Error("it has histories")
	}
	var whole plan.Results
	f.get("/api/v1/sweeps/"+f.plan.ID+"/results", &whole)
	if len(whole.Trials[0].Folds[0].History) != 4 {
		t.Error("the results have no histories")
	}
}

func TestNamesAreEscapedInJSON(t *testing.T) {
	f := newFixture(t, nil)
	for _, path := range []string{"/api/v1/sweeps/" + f.plan.ID, "/api/v1/jobs/b0?sweep=" + f.plan.ID} {
		w := f.do("GET", path, nil)
		if body := w.Body.String(); w.Code != http.StatusOK || strings.ContainsAny(body, "<>") || !strings.Contains(body, `\u003c`) {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, w.Header())
		}
	}
}

func TestCurves(t *testing.T) {
	f := newFixture(t, nil)
	var c curves
	f.get("/api/v1/sweeps/"+f.plan.ID+"/curves?trials=0&points=3", &c)
	if len(c.Trials) != 1 || len(c.Trials[0].Folds[1].Epoch) != 3 {
		t.Fatalf("got %+v", c)
	}
	m := c.Trials[0].Mean
	if m.Value[len(m.Value)-1] != 0.75 || m.Low[len(m.Low)-1] != 0.5 || m.High[len(m.High)-1] != 1 {
		t.Errorf("the mean is %+v", m)
	}
	if w := f.do("GET", "/api/v1/sweeps/"+f.plan.ID+"/curves?trials=9", nil); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "0 to 1") {
		t.Errorf("a trial that is not there: %d %s", w.Code, w.Body)
	}
}

func TestControls(t *testing.T) {
	f := newFixture(t, nil)
	for _, c := range []struct{ do, key string }{{"pause", plan.PauseKey(f.plan.ID)}, {"cancel", plan.CancelKey(f.plan.ID)}} {
		if w := f.do("POST", "/api/v1/sweeps/"+f.plan.ID+"/"+c.do, nil); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", c.do, w.Code, w.Body)
		}
		if _, err := f.store.Stat(t.Context(), c.key); err != nil {
			t.Errorf("%s: %v", c.do, err)
		}
	}
	if w := f.do("POST", "/api/v1/sweeps/"+f.plan.ID+"/resume", nil); w.Code != http.StatusOK {
		t.Fatalf("resume: %d %s", w.Code, w.Body)
	}
	if _, err := f.store.Stat(t.Context(), plan.PauseKey(f.plan.ID)); err == nil {
		t.Error("the sweep is still paused")
	}
	if w := f.do("POST", "/api/v1/sweeps/"+f.plan.ID+"/retry", nil); w.Code != http.StatusOK {
		t.Fatalf("retry: %d %s", w.Code, w.Body)
	}
	if _, err := f.store.Stat(t.Context(), plan.FailureKey("b0")); err == nil {
		t.Error("the failure is not forgotten")
	}
	if w := f.do("PATCH", "/api/v1/sweeps/"+f.plan.ID, map[string]any{"priority": 7, "budget": map[string]any{"time": 60}}); w.Code != http.StatusOK {
		t.Errorf("update: %d %s", w.Code, w.Body)
	}
	var shown settingsPage
	if w := f.do("GET", "/api/v1/sweeps/"+f.plan.ID+"/settings", nil); json.Unmarshal(w.Body.Bytes(), &shown) != nil ||
		shown.Changeable.Priority.Value != 7 || shown.Changeable.Budget.Time != 60 {
		t.Errorf("the settings that hold now: %d %s", w.Code, w.Body)
	}
	if w := f.do("PATCH", "/api/v1/sweeps/"+f.plan.ID, map[string]any{"priority": 100}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("priority 100: %d %s", w.Code, w.Body)
	}
	if w := f.do("POST", "/api/v1/sweeps/nothing/pause", nil); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "hint") {
		t.Errorf("a sweep that is not there: %d %s", w.Code, w.Body)
	}
}

// The description of the API says of priorities what everything else says.
func TestPriorityHasOneRange(t *testing.T) {
	field, _ := reflect.TypeFor[change]().FieldByName("Priority")
	want := fmt.Sprintf("%d %d %s", plan.FirstPriority, plan.LastPriority, plan.PriorityWords)
	if got := strings.Join([]string{field.Tag.Get("minimum"), field.Tag.Get("maximum"), field.Tag.Get("doc")}, " "); got != want {
		t.Errorf("a request may change it %s, not %s", got, want)
	}
	if want := fmt.Sprintf("from %d (first) to %d (last)", plan.FirstPriority, plan.LastPriority); plan.PriorityWords != want {
		t.Errorf("the words are %q, not %q", plan.PriorityWords, want)
	}
}

// By hand: of nine points in three buckets between first and last, the spike is what
// the eye sees.
func TestThin(t *testing.T) {
	x := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8}
	y := []float64{0, 0, 0, 0, 9, 0, 0, 0, 0}
	got := thin(x, y, 4)
	if len(got) != 4 || got[0] != 0 || got[3] != 8 || got[1] != 4 && got[2] != 4 {
		t.Errorf("kept %v", got)
	}
	if diff := cmp.Diff([]int{0, 1, 2}, thin(x[:3], y[:3], 3)); diff != "" {
		t.Error(diff)
	}
	if len(thin(nil, nil, 5)) != 0 {
		t.Error("points of an empty line")
	}
}
