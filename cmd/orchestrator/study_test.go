package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// The whole study of examples/diving-deep, scaled down: every sweep file as it is,
// on drawn pictures in the authors' form of lists, then the report and the maps.
// Started again it trains nothing.
func TestDivingDeepScaledDown(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	study := func() string {
		script, err := filepath.Abs("../../examples/diving-deep/run-all.sh")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(script, "--small", "out")
		cmd.Dir, cmd.Env = w.dir, append(w.env, "ORCHESTRATOR="+programPath(t))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	study()
	for sweep, want := range map[string]struct{ trials, folds int }{
		"dd-finetune-five": {2, 2}, "dd-ablation": {10, 2}, "dd-addition": {4, 2}, "dd-layers": {26, 2}, "dd-initialisation": {4, 2},
	} {
		var r plan.Results
		if err := json.Unmarshal([]byte(w.run("results", sweep, "--output", "json")), &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Trials) != want.trials || len(r.Trials[0].Folds) != want.folds || r.State != plan.Completed || r.Baseline == nil {
			t.Errorf("%s: %d trials × %d folds, %s", sweep, len(r.Trials), len(r.Trials[0].Folds), r.State)
		}
		if sweep == "dd-finetune-five" && r.Trials[0].Summary["accuracy"].Mean < r.Baseline.Accuracy.Mean+0.1 {
			t.Errorf("fine-tuning reaches %v, guessing %v", r.Trials[0].Summary["accuracy"], r.Baseline.Accuracy)
		}
	}
	page, err := os.ReadFile(filepath.Join(w.dir, "out", "study.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fc7-4096", "fc6-2", "fc8-1000", "fc9-2", "scratch", "relu7", "10 crops", "most frequent class", "accuracy, svm"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the study does not say %q", want)
		}
	}
	if maps, err := filepath.Glob(filepath.Join(w.dir, "out", "maps", "*.map.png")); err != nil || len(maps) != 12 {
		t.Errorf("%d maps: %v", len(maps), err)
	}
	if again := study(); strings.Contains(again, ": running") {
		t.Errorf("the second time something was trained:\n%s", again)
	}
}
