package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"orchestrator/tools/testenv"
)

// TestZoo runs tools/zoo.sh, which trains networks through the command line, with fewer
// pictures and steps: on a small network and the smallest of the light models, and in
// the full tier on CaffeNet.
func TestZoo(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	models := []string{"builtin:smallnet"}
	if testenv.IsFull() {
		models = append(models, "builtin:caffenet")
	}
	if light := testenv.DataPath(t, "models", "light_squeezenet.onnx"); exists(light) {
		models = append(models, light)
	}
	w := newWorkspace(t)
	cmd := w.command()
	out, err := runZoo(w, cmd.Path, models, "ZOO_BATCH=2", "ZOO_STEPS="+strconv.Itoa(testenv.Size(0, 3, 5)))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := len(regexp.MustCompile(`(?m)^\S+ +\d+\.\d+ +\d+\.\d+ +\d+$`).FindAllString(out, -1)); n != len(models) {
		t.Errorf("%d networks in the table, want %d:\n%s", n, len(models), out)
	}
	t.Log("\n" + out)
	// The test of the test: the loss of a single step cannot fall.
	if out, err := runZoo(w, cmd.Path, []string{"builtin:tinynet"}, "ZOO_STEPS=1"); err == nil {
		t.Errorf("a loss that does not fall passes:\n%s", out)
	}
}

// runZoo runs the script with the test binary as the program.
func runZoo(w *workspace, program string, models []string, env ...string) (string, error) {
	cmd := exec.Command(filepath.Join(testenv.Root(w.t), "tools", "zoo.sh"), models...)
	cmd.Env = append(append(w.env, "ZOO_ORCHESTRATOR="+program), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
