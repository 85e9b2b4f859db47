package page

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts/report"
	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// study is a sweep of two variants, each tested on one crop and on ten, on three
// folds; evil is put wherever users write text.
func study(t *testing.T, evil string) *Study {
	t.Helper()
	p := &plan.Plan{
		ID: "ablation" + evil + "-1a2b3c", Source: "name: " + evil, Metric: plan.Metric{Name: "accuracy", Goal: "maximize"}, Overrides: []string{"x=" + evil},
		Data: plan.Data{Pack: plan.Ref{Name: "data" + evil, Digest: "d"}, Classes: []string{"neg" + evil, "pos" + evil}, Labels: []int{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}},
	}
	for i := range 3 {
		p.Folds = append(p.Folds, plan.Fold{Number: i, Name: fmt.Sprint(i), Train: make([]int, 8), Test: make([]int, 2)})
	}
	views := map[string]plan.JobView{}
	scores := [][]float64{{0.8, 0.9, 0.85}, {0.82, 0.9, 0.86}, {0.7, 0.75, 0.8}, {0.7, 0.8, 0.84}}
	for trial, folds := range scores {
		p.Trials = append(p.Trials, plan.Trial{Number: trial, Parameters: map[string]any{
			"variant": []string{"fc8-2" + evil, "fc7|4096"}[trial/2], "evaluation.oversample": []int{1, 10}[trial%2],
		}})
		for fold, accuracy := range folds {
			id := fmt.Sprintf("j%d%d", trial, fold)
			p.Jobs = append(p.Jobs, plan.Job{ID: id, Trial: trial, Fold: fold})
			o := &plan.Outcome{Sweep: p.ID, Epochs: 2, Seconds: 1.5, Metrics: plan.Metrics{"accuracy": accuracy}, Attempts: 1, Device: "cpu",
				Versions: map[string]string{"engine": "1"}}
			for e := range 2 {
				o.History = append(o.History, plan.Epoch{Epoch: e + 1, TrainLoss: 1 / float64(e+fold+1), Metrics: plan.Metrics{"accuracy": accuracy - 0.1 + 0.1*float64(e), "loss": 0.5}})
			}
			views[id] = plan.JobView{State: plan.Completed, Outcome: o}
		}
	}
	r := plan.Summarize(p, views)
	s := &Study{Plan: p, Results: r, Outcomes: map[string]*plan.Outcome{}, Trial: r.Best.Trial, Baseline: -1, Pictures: 2}
	for id, v := range views {
		s.Outcomes[id] = v.Outcome
	}
	for i, x := range []float64{0.9, 0.8, 0.3, 0.6, 0.1, 0.45} {
		a := stats.Answer{File: fmt.Sprintf("p%s%d.jpg", evil, i), Label: i % 2, Probabilities: []float64{1 - x, x}, Fold: i / 2}
		if x > 0.5 {
			a.Predicted = 1
		}
		s.Answers = append(s.Answers, a)
	}
	s.Thumbnail = func(string) ([]byte, error) {
		var b bytes.Buffer
		err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 4, 4)), nil)
		return b.Bytes(), err
	}
	return s
}

func lay(t *testing.T, s *Study) []*Report {
	t.Helper()
	r, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return []*Report{r}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestTables(t *testing.T) {
	reports := lay(t, study(t, ""))
	var md, tex strings.Builder
	if err := errors.Join(Markdown(&md, reports, "figures"), LaTeX(&tex, reports, report.EscapeLaTeX)); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.md", md.String())
	golden(t, "report.tex", tex.String())
}

// A mean over the folds that are left says so in every format, and is never bold.
func TestIncompleteTrialsAreMarked(t *testing.T) {
	s := study(t, "")
	for _, trial := range []int{1, 2} { // 1 would be the best
		s.Results.Trials[trial].State, s.Results.Trials[trial].Folds[1].State = plan.Failed, plan.Failed
	}
	s.Results.Best, s.Trial = &plan.Best{Trial: 0}, 1
	reports := lay(t, s)
	var md, tex, html strings.Builder
	if err := errors.Join(Markdown(&md, reports, "figures"), LaTeX(&tex, reports, report.EscapeLaTeX), HTML(&html, reports)); err != nil {
		t.Fatal(err)
	}
	for format, text := range map[string]string{"markdown": md.String(), "latex": tex.String(), "html": html.String()} {
		if n := strings.Count(text, "(2/3 folds, failed)"); n < 2 {
			t.Errorf("%s marks %d incomplete means, not 2:\n%s", format, n, text)
		}
	}
	for _, bold := range []string{"**0.8600", `\boldmath$0.8600`, `class="best">0.8600`} {
		if strings.Contains(md.String()+tex.String()+html.String(), bold) {
			t.Errorf("an incomplete mean is bold: %s", bold)
		}
	}
	if got := reports[0].SummaryOf("accuracy"); !strings.Contains(got, "(2/3 folds, failed)") {
		t.Errorf("the summary of the trial that is shown is %q", got)
	}
}

// The rows are the variants, the columns how they are tested; each is compared
// with the reference in its own column.
func TestComparison(t *testing.T) {
	s := study(t, "")
	s.Baseline = 3 // of the second row
	c := lay(t, s)[0].Comparison
	if diff := cmp.Diff([]string{"central crop", "10 crops"}, c.Columns); diff != "" || c.Reference != 1 || len(c.Rows) != 2 {
		t.Fatalf("reference %d of %d rows, columns (-want +got):\n%s", c.Reference, len(c.Rows), diff)
	}
	want, err := stats.Compare([]float64{0.82, 0.9, 0.86}, []float64{0.7, 0.8, 0.84}, 2, 8)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Rows[0].Cells[1].Difference
	if diff := cmp.Diff([]float64{want.Mean, want.Low, want.High}, []float64{float64(got.Difference), float64(got.Low), float64(got.High)}); diff != "" || c.Rows[1].Cells[1].Difference != nil {
		t.Errorf("difference with ten crops (-want +got):\n%s", diff)
	}
	s.Baseline = 4
	if _, err := New(s); err == nil || !strings.Contains(err.Error(), "no trial 4") {
		t.Errorf("a baseline that is not there: %v", err)
	}
}

// Whatever users call things, the page holds no script, no markup of theirs, and
// no address of another host.
func TestHostileNames(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>`
	var b strings.Builder
	if err := HTML(&b, lay(t, study(t, evil))); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Contains(page, "<script") || strings.Contains(page, "<img src=http") {
		t.Error("the page holds markup of its input")
	}
	for _, address := range regexp.MustCompile(`(?i)<[^>]*\b(?:src|href)\s*=\s*"([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(address[1], "data:") {
			t.Errorf("the page refers to %.60s", address[1])
		}
	}
	if !strings.Contains(page, "&lt;script&gt;") || !strings.Contains(page, "default-src &#39;none&#39;") && !strings.Contains(page, "default-src 'none'") {
		t.Error("the names are missing, or the policy that forbids scripts")
	}
}

func TestHTML(t *testing.T) {
	var b strings.Builder
	s := study(t, "")
	s.Embedding = &Embedding{Title: "laid out", Points: []stats.Point{{X: 1, Y: 2}, {X: 3, Y: 1}}, Labels: []int{0, 1}}
	s.Units = []Unit{{Name: "Unit 3 of conv5", Patches: []Patch{{File: "p0.jpg", Value: 7, JPEG: []byte("x")}}}}
	s.Results.Warnings = []string{"mind this"}
	reports := lay(t, s)
	var names []string
	for _, f := range reports[0].Figures {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"variants", "loss", "metric", "trials", "histogram", "roc", "pr", "calibration", "embedding"}, names); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if err := HTML(&b, reports); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.8600 ± 0.0400", "Taken for pos, wrongly", "mind this", "Unit 3 of conv5", "laid out", "-0.1000 [-0.2643", "corrected resampled t-test"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// A sweep that has only begun has a report, too.
func TestNothingYet(t *testing.T) {
	s := study(t, "")
	s.Results = plan.Summarize(s.Plan, nil)
	s.Answers, s.Trial = nil, -1
	var b strings.Builder
	if err := HTML(&b, lay(t, s)); err != nil || !strings.Contains(b.String(), "pending") {
		t.Errorf("error %v", err)
	}
}

// What went wrong is said, in every format, and names do no harm in any.
func TestTablesOfTroubles(t *testing.T) {
	const evil = "x|y\n\\input{z} <b>"
	s := study(t, "")
	s.Results.Trials[2].Stopped = &plan.Stop{Trial: 2, Epoch: 3, Reason: evil}
	s.Results.Trials[3].Folds[1].Failure = &plan.Failure{Reason: "out of memory"}
	reports := lay(t, s)
	var page, md, tex strings.Builder
	if err := errors.Join(HTML(&page, reports), Markdown(&md, reports, "figures"), LaTeX(&tex, reports, report.EscapeLaTeX)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, has, hasNot string }{
		"html":     {page.String(), "&lt;b&gt;", "<b>"},
		"markdown": {md.String(), `| 2 | epoch 3 | x\|y \\input{z} &lt;b>`, "<b>"},
		"latex":    {tex.String(), "out of memory", `\input`},
	} {
		if !strings.Contains(c.text, c.has) || strings.Contains(c.text, c.hasNot) {
			t.Errorf("%s: no %q, or %q", name, c.has, c.hasNot)
		}
	}
}

// Ten trials with a parameter that matters have a table and a figure of it.
func TestImportance(t *testing.T) {
	s := study(t, "")
	s.Plan.Source = ""
	s.Results.Trials = s.Results.Trials[:1]
	for i := range 12 {
		trial := s.Results.Trials[0]
		trial.Trial, trial.Parameters = i, map[string]any{"training.learning_rate": 0.01 * float64(i), "training.momentum": i % 3}
		trial.Summary = map[string]plan.Stat{"accuracy": {Mean: 0.5 + 0.01*float64(i)}}
		s.Results.Trials = append(s.Results.Trials[:i:i], trial)
	}
	r := lay(t, s)[0]
	tables := r.Tables("importance", "pairs")
	if len(tables) != 2 || tables[0].Rows[0][0] != "training.learning_rate" || r.NoImportance != "" {
		t.Fatalf("%s, tables %+v", r.NoImportance, tables)
	}
	if !slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.Name == "importance" }) {
		t.Error("no figure of importance")
	}
}
