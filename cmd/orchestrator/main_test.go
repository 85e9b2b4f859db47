package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// asProgram makes the test binary behave as the orchestrator itself, for real
// processes that tests can kill.
const asProgram = "ORCHESTRATOR_TEST_AS_PROGRAM"

// clockSkew makes a daemon's clock wrong by a duration, which its host name tells.
const clockSkew = "ORCHESTRATOR_TEST_CLOCK_SKEW"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		busyEvery = time.Hour // what is said must not depend on how fast the machine is
		if skew, err := time.ParseDuration(os.Getenv(clockSkew)); err == nil {
			hostName, now = skew.String(), func() time.Time { return time.Now().Add(skew) }
		}
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testenv.Exit(m.Run())
}

// workspace is a folder with settings of its own: what one user has.
type workspace struct {
	t   *testing.T
	dir string
	env []string
}

func newWorkspace(t *testing.T, env ...string) *workspace {
	t.Helper()
	dir := t.TempDir()
	w := &workspace{t: t, dir: dir}
	w.env = append(cleanEnviron(), asProgram+"=1",
		"HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"),
		"ORCHESTRATOR_ONNXRUNTIME_LIBRARY="+library(t))
	w.env = append(w.env, env...)
	return w
}

// cleanEnviron is the environment without our own settings.
func cleanEnviron() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "ORCHESTRATOR_") {
			env = append(env, e)
		}
	}
	return env
}

// library finds the ONNX Runtime library that `make setup` installed.
func library(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("ORCHESTRATOR_ONNXRUNTIME_LIBRARY"); path != "" {
		return path
	}
	found, err := filepath.Glob(filepath.Join(testenv.Root(t), "build", "onnxruntime", "lib", "libonnxruntime*"))
	if err != nil || len(found) == 0 {
		t.Fatal("the ONNX Runtime library is missing: run `make setup`")
	}
	return found[0]
}

// programPath is the file that tests run as the orchestrator: this binary, which
// TestMain makes the program.
func programPath(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// command is the orchestrator as a process of its own.
func (w *workspace) command(args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(programPath(w.t), args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	return cmd
}

// run executes a command that must succeed and returns what it printed.
func (w *workspace) run(args ...string) string {
	w.t.Helper()
	out, errOut, code := w.try(args...)
	if code != 0 {
		w.t.Fatalf("orchestrator %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// try executes a command and returns its output and exit code.
func (w *workspace) try(args ...string) (out, errOut string, code int) {
	w.t.Helper()
	cmd := w.command(args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// start runs a command in the background; the test's end kills it.
func (w *workspace) start(args ...string) *process {
	w.t.Helper()
	p := &process{t: w.t, cmd: w.command(args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if w.t.Failed() {
			w.t.Logf("orchestrator %s said:\n%s", strings.Join(args, " "), p.log.String())
		}
	})
	return p
}

type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  syncBuffer
	done chan struct{}
	err  error
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the process's end and returns its exit code.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(testenv.Patience * limit):
		p.t.Fatalf("%s did not end within %v", p.cmd.Args, limit)
		return -1
	}
}

// results reads a sweep's results as scripts do.
func (w *workspace) results() *plan.Results {
	w.t.Helper()
	return parseResults(w.t, w.run("results", "--output", "json"))
}

func parseResults(t *testing.T, text string) *plan.Results {
	t.Helper()
	var r plan.Results
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return &r
}

// write puts a file into the workspace.
func (w *workspace) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// figures maps trial and fold to everything that must be the same bits however
// a sweep was run: the metrics and the whole history but for its timings.
func figures(t *testing.T, r *plan.Results) map[string]string {
	t.Helper()
	all := map[string]string{}
	eachFold(r, func(trial plan.TrialResult, f plan.FoldResult) {
		var history []string
		for _, e := range f.History {
			e.Seconds = 0
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			history = append(history, string(text))
		}
		metrics, err := json.Marshal(f.Metrics)
		if err != nil {
			t.Fatal(err)
		}
		all[fmt.Sprintf("trial %d fold %d", trial.Trial, f.Fold)] = fmt.Sprintf("%s %s %s", f.State, metrics, history)
	})
	return all
}
