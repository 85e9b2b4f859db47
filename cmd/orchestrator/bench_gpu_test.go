package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"orchestrator/tools/testenv"
)

// TestBenchGPUSweep runs the part of bench/gpu that kills a trainer and then the whole
// run, with the processor in the GPU's place.
func TestBenchGPUSweep(t *testing.T) {
	testenv.Full(t, "TestKilledTrainerLosesNothing, TestInterruptedRunGoesOn")
	t.Parallel()
	w := newWorkspace(t, "DEVICE=cpu", "EPOCHS=10")
	folder := filepath.Join(w.dir, "sweep")
	cmd := exec.Command(filepath.Join(testenv.Root(t), "bench", "gpu", "sweep.sh"), w.command().Path, folder)
	cmd.Env = w.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(folder, "sweep.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		TrainerKilled bool `json:"trainer_killed"`
		RunKilled     bool `json:"run_killed"`
		SameBits      bool `json:"same_bits"`
		Attempts      int  `json:"attempts"`
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	// Three jobs, one of which was killed twice, or two once.
	if !report.TrainerKilled || !report.RunKilled || !report.SameBits || report.Attempts < 5 {
		t.Errorf("%s", text)
	}
}
