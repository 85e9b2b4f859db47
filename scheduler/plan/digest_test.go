package plan

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A history that went through columns is the same, bit by bit; what is not finite is
// not a number, as in an outcome.
func TestHistoryByColumns(t *testing.T) {
	for name, tt := range map[string]struct {
		lines []Epoch
		loose bool // the lines have not all the same metrics
	}{
		"none": {lines: []Epoch{}},
		"even": {lines: []Epoch{
			{Epoch: 1, TrainLoss: 0.1 + 0.2, Metrics: Metrics{"accuracy": 1.0 / 3, "loss": 1e-300}, Seconds: 0.25},
			{Epoch: 2, TrainLoss: math.NaN(), Metrics: Metrics{"accuracy": math.NaN(), "loss": 1e21}},
		}},
		"one more": {loose: true, lines: []Epoch{
			{Epoch: 1, Metrics: Metrics{"accuracy": 0.5}}, {Epoch: 2, Metrics: Metrics{"accuracy": 0.6, "auc": 0.7}}}},
		"another": {loose: true, lines: []Epoch{
			{Epoch: 1, Metrics: Metrics{"accuracy": 0.5}}, {Epoch: 2, Metrics: Metrics{"auc": 0.7}}}},
	} {
		text, err := json.Marshal(Histories{Sweep: "s-1", Histories: []History{NewHistory("j", tt.lines)}})
		if err != nil {
			t.Fatal(err)
		}
		err = ReadHistories(json.NewDecoder(strings.NewReader(string(text))), func(h *History) error {
			got, err := h.Epochs()
			if err != nil {
				return err
			}
			if d := cmp.Diff(tt.lines, got, cmpopts.EquateNaNs()); d != "" || h.Job != "j" || (h.Lines != nil) != tt.loose {
				t.Errorf("%s: job %q, through %s:\n%s", name, h.Job, text, d)
			}
			curve, err := h.Curve("auc")
			if err != nil || len(curve) != len(tt.lines) {
				t.Errorf("%s: the curve is %v, %v", name, curve, err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedHistories(t *testing.T) {
	for _, text := range []string{
		"", "{", `{"histories":[{"job":"a"}`, `{"histories":[{"job":"a","epoch":[1],"train_loss":[1,2],"seconds":[1]}]}`,
		`{"histories":[{"job":"a","train_loss":["x"]}]}`, `{"histories":[{"job":"a","train_loss":3}]}`,
		`{"histories":[{"job":"a","epoch":[1],"train_loss":[1],"seconds":[1],"metrics":{"loss":[]}}]}`,
	} {
		err := ReadHistories(json.NewDecoder(strings.NewReader(text)), func(h *History) error {
			_, err := h.Epochs()
			return err
		})
		if err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

func FuzzReadHistories(f *testing.F) {
	f.Add(`{"sweep":"s-1","histories":[{"job":"a","epoch":[1,2],"train_loss":[0.5,null],"seconds":[1,1],"metrics":{"loss":[1,2e3]}}]}`)
	f.Add(`{"histories":[{"job":"a","lines":[{"epoch":1,"train_loss":0.5,"accuracy":null}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		_ = ReadHistories(json.NewDecoder(strings.NewReader(text)), func(h *History) error {
			lines, err := h.Epochs()
			if err != nil {
				return nil
			}
			if curve, err := h.Curve("loss"); err != nil || len(curve) != len(lines) {
				t.Errorf("%d lines and a curve of %d: %v", len(lines), len(curve), err)
			}
			return nil
		})
	})
}
