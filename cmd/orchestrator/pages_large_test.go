package main

import (
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"orchestrator/artifacts"
	"orchestrator/cmd/orchestrator/internal/web/browsertest"
	"orchestrator/scheduler/schedulertest"
	"orchestrator/tools/testenv"
)

func testPagesOfThousandTrials(t *testing.T, b *browsertest.Browser) {
	w := newWorkspace(t)
	store, err := artifacts.Open(t.Context(), filepath.Join(w.dir, ".orchestrator", "store"), artifacts.S3Options{})
	if err != nil {
		t.Fatal(err)
	}
	filled, err := schedulertest.Fill(t.Context(), store, schedulertest.Shape{Name: "large", Trials: 1000, Folds: testenv.Size(0, 2, 10), Epochs: 100, Done: schedulertest.All, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	base := w.serve()
	eventually(t, 2*time.Minute, "the server has read the sweep once", func() bool {
		resp, err := http.Get(base + "/api/v1/sweeps/" + filled.ID)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	p := b.Page(t, base, browsertest.Light)
	p.Open("/")
	p.WaitText("tbody", "1,000")
	began := time.Now()
	p.Open("/sweeps/" + filled.ID)
	took := time.Since(began)
	t.Logf("the page of 1,000 trials is complete after %v", took.Round(time.Millisecond))
	p.WaitText(".pager", "1–50 of 1,000 trials")
	p.Check("thousand")
	p.Open("/sweeps/" + filled.ID + "?tab=curves&top=20")
	p.Wait(`document.querySelector("[data-metric=accuracy]")`, "curves of the accuracy are drawn")
	began = time.Now()
	p.Click(".segments button:nth-child(2)")
	p.Wait(`document.querySelector("[data-metric=loss]")`, "curves of the loss are drawn")
	t.Logf("other curves after %v", time.Since(began).Round(time.Millisecond))
	if n, err := strconv.Atoi(p.Eval(`document.querySelectorAll("[data-chart=curves]").length`)); err != nil || n != 1 {
		t.Errorf("%d charts of curves", n)
	}
	p.Check("thousand-curves")
	p.Open("/sweeps/" + filled.ID + "?tab=parameters")
	p.Check("thousand-parameters")
	p.Open("/sweeps/" + filled.ID + "?sort=loss&page=3")
	p.WaitText(".pager", "101–150 of 1,000 trials") // the address says which page
}
