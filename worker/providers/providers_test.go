package providers

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// playEnv has the test binary be a process that tries a provider, or one that is ill.
const playEnv = "PROVIDERS_TEST_PLAY"

func TestMain(m *testing.M) {
	switch os.Getenv(playEnv) {
	case "":
		goleak.VerifyTestMain(m, goleak.Cleanup(testenv.Exit))
	case "serve":
		fmt.Println("a library says something\n{\"and\": \"something else\"}")
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "crash":
		fmt.Fprintln(os.Stderr, "cuInit: first\nsecond\nthird\nlast words")
		os.Exit(3)
	case "hang":
		select {}
	}
}

func play(t *testing.T, role string) func(context.Context) *exec.Cmd {
	t.Helper()
	self := testenv.Binary(t)
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), playEnv+"="+role)
		return cmd
	}
}

func TestCPUTrains(t *testing.T) {
	o := Order{Library: orttest.Library(t), Device: "cpu", Train: Networks}
	a := Ask(t.Context(), play(t, "serve"), nil, o)
	if err := a.Failure(); err != nil {
		t.Fatal(err)
	}
	if !a.Opens || a.Left() != 0 || len(a.Trained) != len(Networks) || a.Version == "" || len(a.Providers) == 0 {
		t.Fatalf("the answer is %+v", a)
	}
	for _, n := range a.Trained {
		if len(n.Losses) != 2*epochs || n.StepSeconds <= 0 || n.Error != "" {
			t.Errorf("trained %+v", n)
		}
	}
	if losses := a.Trained[1].Losses; !(losses[len(losses)-1] < 0.7*losses[0]) {
		t.Errorf("the network learns nothing: the losses are %v", losses)
	}
	again := Ask(t.Context(), play(t, "serve"), nil, o)
	if c, ok := again.Compare(a); !ok || c.Deviation != 0 || c.StepTime <= 0 {
		t.Errorf("the same again compares as %+v", c)
	}
	o.Train = nil
	if a := Ask(t.Context(), play(t, "serve"), nil, o); !a.Opens || a.Trained != nil {
		t.Errorf("without training the answer is %+v", a)
	}
}

// A graphics processor in software, by another provider than the CPU's: it learns the
// same.
func TestGraphicsTrains(t *testing.T) {
	testenv.Daily(t)
	orttest.Graphics(t)
	o := Order{Library: orttest.Library(t), Device: "webgpu", Train: Networks[:1]}
	a := Ask(t.Context(), play(t, "serve"), nil, o)
	if err := a.Failure(); err != nil || !a.Opens {
		t.Fatalf("the answer is %+v (%v)", a, err)
	}
	o.Device = "cpu"
	cpu := Ask(t.Context(), play(t, "serve"), nil, o)
	if c, ok := a.Compare(cpu); !ok || c.Deviation > 1e-3 || c.Deviation == 0 {
		t.Errorf("%+v compares with %+v as %+v", a, cpu, c)
	}
	for _, n := range a.Trained {
		if n.Error != "" {
			t.Errorf("training %s: %s", n.Network, n.Error)
		}
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	lib := orttest.Library(t)
	empty := t.TempDir()
	for what, test := range map[string]struct {
		order Order
		want  string
	}{
		"a provider": {Order{Library: lib, Device: "cuda"}, "device cuda: "},
		"a device":   {Order{Library: lib, Device: "abacus"}, "there is no such device"},
		"a library":  {Order{Library: empty, Device: "cpu"}, filepath.Base(empty)},
		"a word":     {Order{Library: lib, Device: "cpu", Tuning: ort.Tuning{Arena: "huge"}}, `arena "huge"`},
	} {
		a := Ask(t.Context(), play(t, "serve"), nil, test.order)
		if err := a.Failure(); err == nil || a.Opens || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the answer is %+v, want an error with %q", what, a, test.want)
		}
	}
}

func TestAskSurvivesIllProcesses(t *testing.T) {
	a := Ask(t.Context(), play(t, "crash"), nil, Order{Device: "cuda"})
	if a.Device != "cuda" || a.Error != "the process that tried it ended without an answer: exit status 3; it said last: second | third | last words" {
		t.Errorf("after a crash the answer is %+v", a)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if a := Ask(ctx, play(t, "hang"), nil, Order{Device: "cuda"}); !strings.Contains(a.Error, "did not answer") {
		t.Errorf("after a hang the answer is %+v", a)
	}
	none := func(ctx context.Context) *exec.Cmd {
		return exec.CommandContext(ctx, filepath.Join(t.TempDir(), "none"))
	}
	if a := Ask(t.Context(), none, nil, Order{Device: "cuda"}); !strings.Contains(a.Error, "no such file") {
		t.Errorf("without a program the answer is %+v", a)
	}
}

func TestServeWantsAnOrder(t *testing.T) {
	var out bytes.Buffer
	for _, in := range []string{"", "{}\n", "x\n"} {
		if err := Serve(t.Context(), strings.NewReader(in), &out); err == nil || out.Len() > 0 {
			t.Errorf("%q: error %v, output %q", in, err, out.String())
		}
	}
}

func TestCompare(t *testing.T) {
	reference := Answer{Trained: []Trained{{Network: "a", Losses: []float64{2, 1, 0.5}, StepSeconds: 2}, {Network: "b", Losses: []float64{1}, StepSeconds: 4}}}
	for what, test := range map[string]struct {
		trained []Trained
		want    Compared
		ok      bool
	}{
		"the same":     {[]Trained{{Network: "a", Losses: []float64{2, 1, 0.5}, StepSeconds: 1}}, Compared{0, 0.5}, true},
		"another loss": {[]Trained{{Network: "b", Losses: []float64{1}, StepSeconds: 4}, {Network: "a", Losses: []float64{2, 1.25, 0.5}, StepSeconds: 8}}, Compared{0.25, 2}, true},
		"no number":    {[]Trained{{Network: "a", Losses: []float64{2, math.NaN(), 0.5}, StepSeconds: 2}}, Compared{math.Inf(1), 1}, true},
		"one failed":   {[]Trained{{Network: "a", Error: "no kernel"}, {Network: "b", Losses: []float64{1}, StepSeconds: 4}}, Compared{0, 1}, true},
		"all failed":   {[]Trained{{Network: "a", Error: "no kernel"}}, Compared{}, false},
		"none":         {nil, Compared{}, false},
	} {
		if c, ok := (Answer{Trained: test.trained}).Compare(reference); ok != test.ok || ok && c != test.want {
			t.Errorf("%s: %+v, %v; want %+v", what, c, ok, test.want)
		}
	}
}
