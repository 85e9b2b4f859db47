package web

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
)

// A matrix and the curves of ten thousand classes would be a hundred million numbers:
// a page gets the pairs that occur instead.
func TestPagesOfTenThousandClasses(t *testing.T) {
	f := newFixture(t, nil)
	p := samplePlan()
	p.Data.Classes, p.Jobs, p.Trials = make([]string, 10_000), p.Jobs[:1], p.Trials[:1]
	for i := range p.Data.Classes {
		p.Data.Classes[i] = fmt.Sprintf("c%05d", i)
	}
	p.Folds = p.Folds[:1]
	// Picture 2 is of class 1 and rightly named, 3 of class 2 and taken for 9999.
	answers := []trainer.Prediction{{Sample: 2, Label: 1, Predicted: 1}, {Sample: 3, Label: 2, Predicted: 9999}}
	for i := range answers {
		answers[i].Probabilities = make([]float32, len(p.Data.Classes))
		answers[i].Probabilities[answers[i].Predicted], answers[i].Probabilities[7] = 0.75, 0.25
	}
	var csv bytes.Buffer
	if err := trainer.WritePredictions(&csv, p.Data.Classes, func(i int) string { return fmt.Sprint(i, ".png") }, answers); err != nil {
		t.Fatal(err)
	}
	job := p.Jobs[0].ID
	o := outcomeOf(p, p.Jobs[0], 0.5)
	o.SetConfusion(trainer.Confusion(answers))
	f.put(plan.PlanKey(p.ID), p)
	f.put(plan.OutcomeKey(job), o)
	if err := f.store.Put(t.Context(), plan.PredictionsKey(job), bytes.NewReader(csv.Bytes()), int64(csv.Len())); err != nil {
		t.Fatal(err)
	}

	want := "[[1 1 1] [2 9999 1]]"
	var page jobPage
	f.get("/api/v1/jobs/"+job+"?sweep="+p.ID, &page)
	if got := fmt.Sprint(page.Outcome.Cells); got != want || page.Outcome.Confusion != nil {
		t.Errorf("the job has the confusion %s", got)
	}
	var e analysis.Evaluation
	f.get("/api/v1/jobs/"+job+"/evaluation?sweep="+p.ID, &e)
	if got := fmt.Sprint(e.ConfusionCells); got != want || e.Confusion != nil || len(e.ROC)+len(e.PR) > 0 {
		t.Errorf("the evaluation has the confusion %s and %d curves", got, len(e.ROC))
	}
	if c := e.PerClass[1]; len(e.PerClass) != 10_000 || c.Precision != 1 || c.Recall != 1 || c.F1 != 1 || c.Support != 1 {
		t.Errorf("the scores of class 1 are %+v", c)
	}
	body := f.do("GET", "/api/v1/sweeps/"+p.ID+"/pictures?sort=unsure", nil).Body.String()
	if !strings.Contains(body, `"confidence":0.75,"probabilities":null`) {
		t.Errorf("the pictures' page has %s", body[len(body)-min(len(body), 400):])
	}
}
