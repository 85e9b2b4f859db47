package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const probing = `
name: s
dataset: {path: data}
model: {base: m.onnx}
preprocessing: {resize: [8, 8]}
probe: {layers: [conv1, fc], powers_of_two: [0, 2], selection: %s}
`

func TestProbeTrials(t *testing.T) {
	s := mustParse(t, fmt.Sprintf(probing, "inner"))
	want := `{"probe.classifier":"softmax","probe.layer":"conv1"}
{"probe.classifier":"svm","probe.layer":"conv1"}
{"probe.classifier":"softmax","probe.layer":"fc"}
{"probe.classifier":"svm","probe.layer":"fc"}
`
	if diff := cmp.Diff(want, trials(s)); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
	probe := Probe{Layers: []string{"conv1", "fc"}, PowersOfTwo: []int{0, 2}, InnerFolds: 5, Selection: "inner", Layer: "fc", Classifier: "svm"}
	if diff := cmp.Diff(probe, s.Trials[3].Config.Probe); diff != "" {
		t.Errorf("the last trial (-want +got):\n%s", diff)
	}
	if got := s.Trials[0].Config.Evaluation.Metrics; !cmp.Equal(got, []string{"accuracy"}) {
		t.Errorf("metrics %v", got)
	}
}

// C is the same in all folds of a trial, that of the best mean on the test
// pictures: here 2, although no fold's own best is.
func TestSelectionByTest(t *testing.T) {
	s := mustParse(t, fmt.Sprintf(probing, "test"))
	data := Data{Pack: Ref{Digest: "d"}, Classes: []string{"a", "b"}, Labels: []int{0, 1, 0, 1}}
	folds := []Fold{{Number: 0, Name: "0", Train: []int{0, 1}, Test: []int{2, 3}}, {Number: 1, Name: "1", Train: []int{2, 3}, Test: []int{0, 1}}}
	p := mustExpand(t, s, data, folds, map[string]Ref{"m.onnx": {Digest: "b"}})
	grid := []float64{1, 2, 4}
	views := map[string]JobView{}
	for i, test := range [][]float64{{0.9, 0.8, 0.3}, {0.4, 0.7, 0.75}} {
		views[p.Jobs[i].ID] = JobView{State: Completed, Outcome: &Outcome{Sweep: p.ID, Metrics: Metrics{"accuracy": test[0]},
			Probe: &ProbeOutcome{C: 1, Grid: grid, Test: test}}}
	}
	r := Summarize(p, views)
	first := r.Trials[0]
	if first.Summary["accuracy"].Mean != 0.75 || first.Folds[0].C != 2 || first.Folds[1].C != 2 {
		t.Errorf("accuracy %v, C %v and %v; want 0.75 with C = 2", first.Summary["accuracy"], first.Folds[0].C, first.Folds[1].C)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "test pictures of all 2 folds") {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// A model.base that stands for one model in each fold makes jobs of their own.
func TestFoldBases(t *testing.T) {
	s, data, folds, bases := sample(t)
	s.FoldBases = map[string][]Ref{"caffenet.onnx": nil}
	plain := mustExpand(t, s, data, folds, bases)
	own := make([]Ref, len(folds))
	for i := range own {
		own[i] = Ref{Digest: fmt.Sprintf("fold %d", i), Key: "k"}
	}
	own[0] = bases["caffenet.onnx"]
	s.FoldBases["caffenet.onnx"] = own
	p := mustExpand(t, s, data, folds, bases)
	for i, job := range p.Jobs {
		if got := p.Spec(job).Base; got != own[job.Fold] {
			t.Errorf("fold %d starts from %v", job.Fold, got)
		}
		if same := job.ID == plain.Jobs[i].ID; same != (job.Fold == 0) {
			t.Errorf("fold %d has the same job as with one model for all: %v", job.Fold, same)
		}
	}
	s.FoldBases["caffenet.onnx"] = own[:1]
	if _, err := Expand(s, data, folds, bases); err == nil || !strings.Contains(err.Error(), "1 models for") {
		t.Errorf("too few models: %v", err)
	}
}
