package page

import (
	"fmt"
	"slices"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// Study is what a report is made of.
type Study struct {
	Plan     *plan.Plan
	Results  *plan.Results
	Outcomes map[string]*plan.Outcome // by job
	// Answers are those of the shown trial's folds, for their test pictures.
	Answers []stats.Answer
	// Thumbnail is a small JPEG of a picture of the data set; nil: none are shown.
	Thumbnail func(file string) ([]byte, error)
	Embedding *Embedding // nil: none
	Units     []Unit

	Trial    int // that is shown in detail
	Baseline int // trial that the others are compared with; -1: the first
	Pictures int // shown for each class, right and wrong
}

// Embedding is pictures laid out in the plane.
type Embedding struct {
	Title  string
	Points []stats.Point
	Labels []int // class of each point
}

// Unit is a unit of a layer and the patches of pictures that drive it most.
type Unit struct {
	Name    string
	Patches []Patch
}

// Patch is a part of a picture.
type Patch struct {
	File  string
	Value float64
	JPEG  []byte
}

// Report is a study laid out.
type Report struct {
	*Study
	Comparison *Comparison
	Figures    []Figure
	Shown      *plan.TrialResult // nil where no fold of it has ended
	Metrics    []string
	Evaluation *analysis.Evaluation // of the shown trial; nil where it has no answers
	Statistics *analysis.Comparison // of all trials with the baseline; nil where there are no two
	Importance *analysis.Importance // of parameters; nil: NoImportance says why
	Classes    []string
	Gallery    []Shelf

	NoImportance string
}

// Figure is a chart of the report.
type Figure struct {
	Name, Caption string
	SVG, PNG      []byte
}

// Shelf is a row of pictures.
type Shelf struct {
	Title    string
	Pictures []Picture
}

// Picture is one of a shelf.
type Picture struct {
	File, Text string
	JPEG       []byte
}

// New lays a study out.
func New(s *Study) (*Report, error) {
	c, err := compare(s.Plan, s.Results, s.Baseline)
	if err != nil {
		return nil, err
	}
	r := &Report{Study: s, Comparison: c, Classes: s.Plan.Data.Classes}
	if s.Trial >= 0 && s.Trial < len(s.Results.Trials) && len(s.Answers) > 0 {
		r.Shown = &s.Results.Trials[s.Trial]
		r.Metrics = metricsOf(r.Shown, s.Results.Metric.Name)
		r.Evaluation = analysis.Evaluate(s.Answers, r.Classes)
	}
	r.Statistics = statistics(s)
	if r.Importance, err = analysis.Weigh(s.Plan, s.Results, ""); err != nil {
		r.NoImportance = err.Error()
	}
	for _, draw := range []func() error{r.drawComparison, r.drawCurves, r.drawImportance, r.drawTrials, r.drawHistogram, r.drawROC, r.drawPrecisionRecall, r.drawCalibration, r.drawEmbedding} {
		if err := draw(); err != nil {
			return nil, err
		}
	}
	return r, r.hang()
}

func metricsOf(t *plan.TrialResult, first string) []string {
	names := []string{first}
	for _, f := range t.Folds {
		for name := range f.Metrics {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names[1:])
	return names
}

// statistics compares the trials that have completed a fold with the baseline, or
// the first of them; nil where there are not two.
func statistics(s *Study) *analysis.Comparison {
	var of []analysis.Subject
	baseline := 0
	for i, t := range s.Results.Trials {
		if slices.ContainsFunc(t.Folds, func(f plan.FoldResult) bool { return f.State == plan.Completed }) {
			if t.Trial == s.Baseline {
				baseline = len(of)
			}
			of = append(of, analysis.Subject{Plan: s.Plan, Results: s.Results, Trial: i})
		}
	}
	c, err := analysis.Compare(of, s.Results.Metric.Name, baseline)
	if err != nil {
		return nil // fewer than two: the table of variants shows what there is
	}
	return c
}

// hang fills the gallery: of each class the most confident right and wrong answers.
func (r *Report) hang() error {
	if r.Shown == nil || r.Thumbnail == nil || r.Pictures == 0 || len(r.Classes) > 20 {
		return nil
	}
	for c, class := range r.Classes {
		for _, right := range []bool{true, false} {
			shelf := Shelf{Title: fmt.Sprintf("%s, rightly", class)}
			if !right {
				shelf.Title = fmt.Sprintf("%s, wrongly", class)
			}
			for _, a := range stats.Confident(r.Answers, c, right, r.Pictures) {
				jpeg, err := r.Thumbnail(a.File)
				if err != nil {
					return err
				}
				shelf.Pictures = append(shelf.Pictures, Picture{
					File: a.File, JPEG: jpeg, Text: fmt.Sprintf("%.3f, is %s", a.Confidence(), r.Classes[a.Label]),
				})
			}
			r.Gallery = append(r.Gallery, shelf)
		}
	}
	return nil
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
