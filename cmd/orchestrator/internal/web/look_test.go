package web

import (
	"bytes"
	"context"
	"image"
	_ "image/jpeg"
	"math"
	"net/http"
	"strings"
	"testing"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/scheduler/schedulertest"
	"orchestrator/trainer"
)

func TestGalleryOrdersAndFilters(t *testing.T) {
	f, p := lived(t)
	base := "/api/v1/sweeps/" + p.ID + "/pictures?trial=0&limit=500"
	var all gallery
	f.get(base, &all)
	if all.Total != len(p.Data.Labels) || len(all.Items) != all.Total {
		t.Fatalf("%d of %d pictures, of %d", len(all.Items), all.Total, len(p.Data.Labels))
	}
	at := func(g gallery, i int) float64 { // the probability of the true class
		for k, c := range g.Classes {
			if c == g.Items[i].Label {
				return g.Items[i].Probabilities[k]
			}
		}
		t.Fatalf("no class %s", g.Items[i].Label)
		return 0
	}
	for i := 1; i < all.Total; i++ {
		if at(all, i) < at(all, i-1) {
			t.Fatalf("the error of picture %d is larger than that of the one before", i)
		}
	}
	var sure gallery
	f.get(base+"&sort=confidence&order=asc", &sure)
	for i := 1; i < sure.Total; i++ {
		if sure.Items[i].Confidence < sure.Items[i-1].Confidence {
			t.Fatal("not by confidence")
		}
	}
	var wrong, right, some gallery
	f.get(base+"&right=false", &wrong)
	f.get(base+"&right=true", &right)
	if wrong.Total+right.Total != all.Total || wrong.Total == 0 || wrong.Items[0].Right {
		t.Errorf("%d wrong and %d right of %d", wrong.Total, right.Total, all.Total)
	}
	f.get(strings.TrimSuffix(base, "&limit=500")+"&fold=1&label="+p.Data.Classes[0]+"&offset=1&limit=2", &some)
	for _, x := range some.Items {
		if x.Fold != 1 || x.Label != p.Data.Classes[0] {
			t.Errorf("got %+v", x)
		}
	}
	if len(some.Items) != min(2, some.Total-1) {
		t.Errorf("%d of %d from the second on", len(some.Items), some.Total)
	}
}

func TestThumbnails(t *testing.T) {
	f, p := lived(t)
	target := "/api/v1/sweeps/" + p.ID + "/picture/3?size=16"
	w := f.do("GET", target, nil)
	img, kind, err := image.Decode(bytes.NewReader(w.Body.Bytes()))
	if err != nil || kind != "jpeg" || max(img.Bounds().Dx(), img.Bounds().Dy()) != 16 {
		t.Fatalf("%d, %s: %v", w.Code, kind, err)
	}
	tag := w.Header().Get("ETag")
	again := f.do("GET", target, nil, func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 || tag == "" {
		t.Errorf("asked again: %d, %d bytes", again.Code, again.Body.Len())
	}
	for _, bad := range []string{"/picture/100000", "/picture/-1", "/picture/0?size=100000", "/picture/x"} {
		if w := f.do("GET", "/api/v1/sweeps/"+p.ID+bad, nil); w.Code != http.StatusNotFound && w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

// A job that runs has the curve of its newest checkpoint.
func TestCurvesOfRunningJobs(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Scheduler.Queue = running{} })
	var c bytes.Buffer
	if err := trainer.EncodeCheckpoint(&c, trainer.Checkpoint{Epoch: 2, History: []trainer.EpochResult{
		{Epoch: 1, TrainLoss: 1, Scores: trainer.Scores{"accuracy": 0.25, "loss": 1}}, {Epoch: 2, TrainLoss: 0.5, Scores: trainer.Scores{"accuracy": 0.5, "loss": math.MaxFloat64}},
	}}); err != nil {
		t.Fatal(err)
	}
	key := plan.CheckpointPrefix("b1") + "000002-00000000-0001"
	if err := f.store.Put(t.Context(), key+".safetensors", bytes.NewReader(c.Bytes()), int64(c.Len())); err != nil {
		t.Fatal(err)
	}
	f.put(key+".json", map[string]any{"epoch": 2, "object": key + ".safetensors"})
	var got curves
	f.get("/api/v1/sweeps/"+f.plan.ID+"/curves?trials=1", &got)
	if line := got.Trials[0].Folds[1]; len(line.Value) != 2 || line.Value[1] != 0.5 {
		t.Errorf("the curve is %+v", line)
	}
}

// running is a queue in which everything that waits runs.
type running struct{ scheduler.Queue }

func (running) States(_ context.Context, jobs []string) (map[string]plan.State, error) {
	all := map[string]plan.State{}
	for _, job := range jobs {
		all[job] = plan.Running
	}
	return all, nil
}

func (running) Progress(context.Context, []string) (map[string]plan.Progress, error) { return nil, nil }

func TestDamagedCheckpointsAreErrors(t *testing.T) {
	for _, text := range []string{"", "x", "\xff\xff\xff\xff\xff\xff\xff\x7f", "\x02\x00\x00\x00\x00\x00\x00\x00{", "\x02\x00\x00\x00\x00\x00\x00\x00{}"} {
		if _, err := readHistory(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func FuzzReadHistory(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		history, err := readHistory(bytes.NewReader(data))
		if err == nil && len(history) > len(data) {
			t.Errorf("%d lines out of %d bytes", len(history), len(data))
		}
	})
}

// The queue's own pages, with a real Redis: to look at for those who may look, to
// change for admins; nothing comes from elsewhere, and inline scripts by digest alone.
func TestQueuePages(t *testing.T) {
	r := queuetest.StartRedis(t)
	q, err := queue.Open(t.Context(), r.Options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	pages := map[bool]queue.Monitor{}
	for _, changes := range []bool{true, false} {
		if pages[changes], err = q.Monitor("/queues", !changes); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pages[changes].Close() })
	}
	f := newFixture(t, func(o *Options) {
		withTokens(o)
		o.Monitor = func(changes bool) http.Handler { return pages[changes] }
	})
	w := f.do("GET", "/queues", nil, f.as("view"))
	policy := w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "googleapis") || !strings.Contains(w.Body.String(), "Asynq") {
		t.Fatalf("%d %.300s", w.Code, w.Body)
	}
	if strings.Count(policy, "sha256-") != 2 || strings.Contains(policy, "script-src 'self' 'unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the policy is %s", policy)
	}
	if w := f.do("GET", "/queues/api/queues", nil, f.as("view")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "queues") {
		t.Errorf("its data: %d %s", w.Code, w.Body)
	}
	for who, want := range map[string]int{"view": http.StatusForbidden, "operate": http.StatusForbidden} {
		if w := f.do("POST", "/queues/api/queues/any:pause", nil, f.as(who)); w.Code != want {
			t.Errorf("%s pauses a queue: %d", who, w.Code)
		}
	}
	if w := f.do("GET", "/queues", nil, f.as("view")); !strings.Contains(w.Body.String(), `READ_ONLY="true"`) {
		t.Error("a viewer's page has buttons")
	}
}

// The page of a sweep of two thousand jobs is complete, and neither it nor its curves
// are large; make bench has the times of ten thousand.
func TestManyJobs(t *testing.T) {
	store := artifacts.Mem()
	p, err := schedulertest.Fill(t.Context(), store, schedulertest.Shape{Trials: 200, Folds: 10, Epochs: 20, Done: schedulertest.All, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(o *Options) { o.Store = store; o.Scheduler = &scheduler.Scheduler{Store: store} })
	var page sweepBrief
	f.get("/api/v1/sweeps/"+p.ID, &page)
	if len(page.Trials) != 200 || page.Counts["completed"] != 2000 {
		t.Errorf("%d trials, %v", len(page.Trials), page.Counts)
	}
	small := f.do("GET", "/api/v1/sweeps/"+p.ID+"/curves?points=5", nil)
	if small.Code != http.StatusOK || small.Body.Len() > 200<<10 {
		t.Errorf("curves of the best 20 trials take %d bytes", small.Body.Len())
	}
	w := f.do("GET", "/api/v1/sweeps/"+p.ID, nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 400<<10 {
		t.Errorf("the page takes %d bytes, %s", w.Body.Len(), w.Header().Get("Content-Encoding"))
	}
}

type sweepBrief struct {
	Trials []struct{ Trial int }
	Counts map[string]int
}
