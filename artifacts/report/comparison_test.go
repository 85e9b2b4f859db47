package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
)

func TestComparison(t *testing.T) {
	unknown := analysis.Unknown
	c := &analysis.Comparison{
		Metric: "accuracy", Goal: "maximize", Notes: []string{"Folds overlap."},
		Of: []analysis.Trial{
			{Sweep: "a-1\x1b[31m", State: plan.Completed, Parameters: map[string]any{"training.epochs": int64(3)}, Mean: 0.9, Std: 0.01, Folds: []analysis.FoldScore{{Name: "0", Value: 0.9}, {Name: "1", Value: 0.9}}},
			{Sweep: "a-1\x1b[31m", Trial: 1, State: plan.Running, Parameters: map[string]any{"training.epochs": int64(5)}, Mean: 0.8, Std: unknown, Folds: []analysis.FoldScore{{Name: "0", Value: 0.8}, {Name: "1", Value: unknown}}},
			{Sweep: "b-2", State: plan.Completed, Mean: unknown, Std: unknown},
		},
		Pairs: []analysis.Pair{
			{A: 0, B: 1, Folds: 2, Difference: 0.1, Low: 0.05, High: 0.15, TP: 0.00001, HolmP: 0.03, WilcoxonP: 0.5, Sign: analysis.Sign{Better: 2}, Notes: []string{"2 folds"}},
			{A: 0, B: 2, Refused: "different pictures", Difference: unknown, Low: unknown, High: unknown, TP: unknown, HolmP: unknown, WilcoxonP: unknown},
		},
	}
	var b strings.Builder
	if err := Comparison(&b, c, TableOptions{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "comparison.txt")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("a name reaches the terminal as it is")
	}
}
