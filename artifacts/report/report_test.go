package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"orchestrator/scheduler/plan"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// fold is a completed fold.
func fold(k int, accuracy, loss float64) plan.FoldResult {
	return plan.FoldResult{
		Fold: k, Name: string(rune('0' + k)), Job: "9b1c" + string(rune('0'+k)), State: plan.Completed, Attempts: 1, Epochs: 8, Seconds: 12.34,
		Metrics: plan.Metrics{"accuracy": accuracy, "loss": loss}, History: []plan.Epoch{},
	}
}

// grid is a sweep of two searched settings and one constant, completed.
func grid() *plan.Results {
	trial := func(n int, rate float64, batch int64, accuracy, deviation float64) plan.TrialResult {
		return plan.TrialResult{
			Trial: n, State: plan.Completed,
			Parameters: map[string]any{"training.learning_rate": rate, "training.batch_size": batch, "training.momentum": 0.9},
			Summary:    map[string]plan.Stat{"accuracy": {Mean: accuracy, Std: deviation}, "loss": {Mean: 1 - accuracy, Std: deviation}},
			Folds:      []plan.FoldResult{fold(0, accuracy-deviation, 0.5), fold(1, accuracy+deviation, 0.25)},
		}
	}
	return &plan.Results{
		Sweep: "quickstart-1a2b3c", State: plan.Completed, Metric: plan.Metric{Name: "accuracy", Goal: "maximize"}, Best: &plan.Best{Trial: 1},
		Baseline: &plan.Baseline{Accuracy: plan.Stat{Mean: 0.55, Std: 0.03}, Folds: []float64{0.53, 0.57}},
		Trials:   []plan.TrialResult{trial(0, 0.001, 64, 0.75, 0.05), trial(1, 0.01, 64, 0.8182, 0.038), trial(2, 0.0001, 128, 0.5, 0)},
	}
}

// hostile is a running sweep with everything that could break a format.
func hostile() *plan.Results {
	diverged := fold(0, math.NaN(), math.Inf(1))
	failed := plan.FoldResult{
		Fold: 1, Name: "1", Job: "9b1c1", State: plan.Failed, Attempts: 3, Metrics: plan.Metrics{}, History: []plan.Epoch{},
		Failure: &plan.Failure{
			Job: "9b1c1", Attempts: 3, Hint: "lower training.batch_size, or set training.micro_batch_size to train with less memory in the same steps",
			Reason: "=cmd|' /C calc'!A0: the trainer process was killed: \x1b[31mout of memory\x1b[0m\nafter 3 attempts \"x\", y",
		},
	}
	return &plan.Results{
		Sweep: "s-1a2b3c", State: plan.Running, Metric: plan.Metric{Name: "accuracy", Goal: "maximize"},
		Trials: []plan.TrialResult{
			{
				Trial: 0, State: plan.Failed,
				Parameters: map[string]any{"model.base": "=HYPERLINK(\"x\")", "training.lr_policy": map[string]any{"policy": "step", "every_epochs": int64(2)}},
				Summary:    map[string]plan.Stat{"accuracy": {Mean: math.NaN(), Std: math.NaN()}, "loss": {Mean: math.Inf(1), Std: math.NaN()}},
				Folds:      []plan.FoldResult{diverged, failed},
			},
			{
				Trial: 1, State: plan.Pending, Parameters: map[string]any{"model.base": `50%_$&#{}~^\<"日本.onnx`, "training.lr_policy": "fixed\x1b[2J"},
				Summary: map[string]plan.Stat{},
				Folds:   []plan.FoldResult{{Fold: 0, Name: "0", Job: "a", State: plan.Pending, History: []plan.Epoch{}}, {Fold: 1, Name: "1", Job: "b", State: plan.Pending, History: []plan.Epoch{}}},
			},
		},
	}
}

func single() *plan.Results {
	r := grid()
	r.Best = &plan.Best{Trial: 0}
	r.Trials = r.Trials[:1]
	r.Trials[0].Parameters = map[string]any{}
	r.Trials[0].Folds[0].History = []plan.Epoch{{Epoch: 1, TrainLoss: 0.5, Metrics: plan.Metrics{"loss": math.NaN(), "accuracy": 0.75}}}
	return r
}

// Every format of every sweep is as the files in testdata show it.
func TestFormats(t *testing.T) {
	for name, r := range map[string]*plan.Results{"grid": grid(), "hostile": hostile(), "single": single(), "empty": {Sweep: "s-1", State: plan.Pending}} {
		for suffix, write := range map[string]func(io.Writer) error{
			"table.txt":  func(w io.Writer) error { return Table(w, r, TableOptions{}) },
			"narrow.txt": func(w io.Writer) error { return Table(w, r, TableOptions{Width: 40}) },
			"ansi.txt":   func(w io.Writer) error { return Table(w, r, TableOptions{Color: true}) },
			"json":       func(w io.Writer) error { return JSON(w, r) },
			"csv":        func(w io.Writer) error { return CSV(w, r) },
			"long.csv":   func(w io.Writer) error { return LongCSV(w, []*plan.Results{r}) },
			"epochs.csv": func(w io.Writer) error { return HistoryCSV(w, []*plan.Results{r, r}) },
			"tex":        func(w io.Writer) error { return LaTeX(w, r) },
		} {
			t.Run(name+"."+suffix, func(t *testing.T) {
				var got bytes.Buffer
				if err := write(&got); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join("testdata", name+"."+suffix)
				if *update {
					if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got.String()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	narrow := &runewidth.Condition{}
	for name, r := range map[string]*plan.Results{"grid": grid(), "hostile": hostile(), "single": single()} {
		for _, width := range []int{50, 80, 120} {
			var b bytes.Buffer
			if err := Table(&b, r, TableOptions{Width: width}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if w := narrow.StringWidth(strings.TrimRight(line, "\n")); w > width {
					t.Errorf("%s at %d columns: %d columns: %s", name, width, w, line)
				}
			}
			if regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f]`).Match(b.Bytes()) {
				t.Errorf("%s: control characters reach the terminal: %q", name, b.String())
			}
		}
	}
}

func TestColorChangesNothingButColor(t *testing.T) {
	var plainTable, colored bytes.Buffer
	if err := errors.Join(Table(&plainTable, grid(), TableOptions{}), Table(&colored, grid(), TableOptions{Color: true})); err != nil {
		t.Fatal(err)
	}
	stripped := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(colored.String(), "")
	if diff := cmp.Diff(plainTable.String(), stripped); diff != "" || stripped == colored.String() {
		t.Errorf("(-plain +coloured without codes):\n%s", diff)
	}
}

func TestFailuresAreExplainedOnceEach(t *testing.T) {
	r := grid()
	for i := range r.Trials {
		for k := range r.Trials[i].Folds {
			r.Trials[i].Folds[k].Failure = &plan.Failure{Reason: "out of memory", Hint: "use less", Attempts: 2}
		}
	}
	r.Trials[2].Folds[1].Failure = &plan.Failure{Reason: "disk full", Attempts: 1}
	var b bytes.Buffer
	if err := Table(&b, r, TableOptions{}); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "frequent class\n")
	const want = `
5 jobs failed, the first trial 0, fold 0, after 2 attempts:
  out of memory
  Try: use less

trial 2, fold 1 failed after 1 attempt:
  disk full
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCSVReadsBackWithAllDigits(t *testing.T) {
	r := grid()
	r.Trials[0].Folds[0].Metrics["accuracy"] = math.Nextafter(0.3, 1)
	var b bytes.Buffer
	if err := CSV(&b, r); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+3*2 {
		t.Fatalf("%d rows", len(rows))
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for name, want := range map[string]string{"accuracy": "0.30000000000000004", "training.batch_size": "64", "training.momentum": "0.9", "state": "completed", "sweep": "quickstart-1a2b3c"} {
		if got := rows[1][column[name]]; got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

func TestCSVHoldsNoFormula(t *testing.T) {
	var b bytes.Buffer
	if err := CSV(&b, hostile()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, text := range row {
			if text != "" && strings.ContainsAny(text[:1], "=@+\t\r\n") {
				t.Errorf("the cell %q begins like a formula", text)
			}
		}
	}
	for text, want := range map[string]string{"-1+2": "'-1+2", "+1": "'+1", "@x": "'@x", "x=1": "x=1", "": ""} {
		if got := cell(text); got != want {
			t.Errorf("cell(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestJSONIsTheContract(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, grid()); err != nil {
		t.Fatal(err)
	}
	var back plan.Results
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := JSON(&again, &back); err != nil || again.String() != b.String() {
		t.Errorf("read back: %v\n%s", err, cmp.Diff(b.String(), again.String()))
	}
}

func TestShortNames(t *testing.T) {
	paths := []string{"training.learning_rate", "model.surgery.0.append.init.gaussian", "model.surgery.1.append.init.gaussian", "training.lr_policy.epochs", "training.epochs"}
	want := []string{"learning_rate", "0.append.init.gaussian", "1.append.init.gaussian", "lr_policy.epochs", "training.epochs"}
	if diff := cmp.Diff(want, shortNames(paths)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Numbers look alike before and after a trip through JSON.
func TestValueText(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{int64(64), "64"}, {float64(64), "64"}, {1e-4, "0.0001"}, {1e-5, "1e-05"}, {1000000.0, "1000000"}, {true, "true"}, {"x", "x"}, {nil, ""},
		{[]any{int64(1), 2.5}, "[1,2.5]"}, {map[string]any{"b": 1.0, "a": "x"}, `{"a":"x","b":1}`},
	} {
		if got := valueText(c.value); got != c.want {
			t.Errorf("valueText(%#v) = %q, want %q", c.value, got, c.want)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrorsAreReported(t *testing.T) {
	for name, err := range map[string]error{
		"table": Table(brokenWriter{}, grid(), TableOptions{}), "json": JSON(brokenWriter{}, grid()),
		"csv": CSV(brokenWriter{}, grid()), "latex": LaTeX(brokenWriter{}, grid()),
	} {
		if err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
