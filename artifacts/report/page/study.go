package page

import (
	"fmt"
	"math"
	"slices"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/artifacts/report/figure"
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
	for _, draw := range []func() error{r.drawComparison, r.drawCurves, r.drawImportance, r.drawHistogram, r.drawROC, r.drawPrecisionRecall, r.drawCalibration, r.drawEmbedding} {
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

func (r *Report) add(name, caption string, f *figure.Figure, err error) error {
	if err != nil {
		return err
	}
	out := Figure{Name: name, Caption: caption}
	if out.SVG, err = f.SVG(); err != nil {
		return err
	}
	if out.PNG, err = f.PNG(); err != nil {
		return err
	}
	r.Figures = append(r.Figures, out)
	return nil
}

// most is how many variants a figure can show side by side.
const most = 40

// drawComparison draws the variants with their standard deviations: of probes
// the layer-wise figure.
func (r *Report) drawComparison() error {
	c := r.Comparison
	if len(c.Rows) < 2 || len(c.Rows) > most {
		return nil
	}
	var names []string
	series := make([]figure.Series, len(c.Columns))
	for k := range series {
		series[k].Name = c.Columns[k]
		if series[k].Name == "" {
			series[k].Name = c.Metric
		}
	}
	for _, row := range c.Rows {
		names = append(names, shorten(row.Name, 28))
		for k, cell := range row.Cells {
			mean, std := cell.Stat.Mean, cell.Stat.Std
			if !cell.Known {
				return nil // a figure with gaps would mislead; the table says what is missing
			}
			if math.IsNaN(std) {
				std = 0
			}
			series[k].Y = append(series[k].Y, mean)
			series[k].Low, series[k].High = append(series[k].Low, mean-std), append(series[k].High, mean+std)
		}
	}
	guess := math.NaN()
	if b := r.Results.Baseline; b != nil && c.Metric == "accuracy" {
		guess = b.Accuracy.Mean
	}
	f, err := figure.Categories(figure.Axes{Y: c.Metric}, names, guess, series...)
	return r.add("variants", fmt.Sprintf("Mean %s over folds; bars are the sample standard deviation.", c.Metric), f, err)
}

// drawCurves draws loss and metric by epoch: the mean of the folds, and the range
// between the lowest and the highest.
func (r *Report) drawCurves() error {
	if r.Shown == nil {
		return nil
	}
	loss := r.curve("training loss", func(e plan.Epoch) float64 { return e.TrainLoss })
	if len(loss.X) < 2 {
		return nil
	}
	series := []figure.Series{loss}
	if test := r.curve("test loss", func(e plan.Epoch) float64 { return scoreOf(e, "loss") }); !math.IsNaN(test.Y[0]) {
		series = append(series, test)
	}
	f, err := figure.Lines(figure.Axes{X: "epoch", Y: "loss"}, series...)
	if err := r.add("loss", "Loss by epoch: mean over folds, and the range from the lowest to the highest fold.", f, err); err != nil {
		return err
	}
	name := r.Results.Metric.Name
	if name == "loss" {
		return nil
	}
	f, err = figure.Lines(figure.Axes{X: "epoch", Y: name}, r.curve(name, func(e plan.Epoch) float64 { return scoreOf(e, name) }))
	return r.add("metric", "The metric on the test pictures by epoch: mean over folds, and the range of the folds.", f, err)
}

func scoreOf(e plan.Epoch, name string) float64 {
	if x, ok := e.Metrics[name]; ok {
		return x
	}
	return math.NaN()
}

// curve is a value by epoch, over the folds that have come that far.
func (r *Report) curve(name string, value func(plan.Epoch) float64) figure.Series {
	s := figure.Series{Name: name}
	for epoch := 1; ; epoch++ {
		n, sum, low, high := 0, 0.0, math.Inf(1), math.Inf(-1)
		for _, f := range r.Shown.Folds {
			for _, e := range f.History {
				if e.Epoch == epoch {
					x := value(e)
					n, sum, low, high = n+1, sum+x, min(low, x), max(high, x)
				}
			}
		}
		if n == 0 {
			return s
		}
		s.X, s.Y = append(s.X, float64(epoch)), append(s.Y, sum/float64(n))
		s.Low, s.High = append(s.Low, low), append(s.High, high)
	}
}

const bins = 20

// positive is the class that figures of one probability are of: the second of
// two, as the study's positive; of more, none.
func (r *Report) positive() (int, bool) { return 1, len(r.Classes) == 2 }

func (r *Report) drawHistogram() error {
	class, two := r.positive()
	if r.Shown == nil || !two {
		return nil
	}
	f, err := figure.Histogram(figure.Axes{X: "probability of " + r.Classes[class], Y: "test pictures"}, r.Classes, stats.Histogram(r.Answers, class, 2, bins))
	return r.add("histogram", fmt.Sprintf("Probability of %s by true class, all folds' test pictures.", r.Classes[class]), f, err)
}

// mostCurves is of how many classes one figure has curves.
const mostCurves = 10

// drawCurvesOf draws a figure of a curve for each class; of two classes the second
// alone, as the first says the same.
func (r *Report) drawCurvesOf(name, caption string, of func(*analysis.Evaluation) []analysis.Curve, draw func(series ...figure.Series) (*figure.Figure, error)) error {
	if r.Evaluation == nil || len(r.Classes) > mostCurves {
		return nil
	}
	var series []figure.Series
	for _, c := range of(r.Evaluation) {
		if class, two := r.positive(); two && c.Class != r.Classes[class] {
			continue
		}
		series = append(series, figure.Series{Name: fmt.Sprintf("%s, %.3f", c.Class, c.Area), X: c.X, Y: c.Y})
	}
	if len(series) == 0 {
		return nil
	}
	f, err := draw(series...)
	return r.add(name, caption, f, err)
}

func (r *Report) drawROC() error {
	return r.drawCurvesOf("roc", "ROC of each class against the rest, the test pictures of all folds together, and the area below it.",
		func(e *analysis.Evaluation) []analysis.Curve { return e.ROC },
		func(series ...figure.Series) (*figure.Figure, error) {
			return figure.ROC(figure.Axes{X: "false positives", Y: "true positives"}, series...)
		})
}

func (r *Report) drawPrecisionRecall() error {
	return r.drawCurvesOf("pr", "Precision and recall of each class against the rest, the test pictures of all folds together, and the average precision.",
		func(e *analysis.Evaluation) []analysis.Curve { return e.PR },
		func(series ...figure.Series) (*figure.Figure, error) {
			return figure.Unit(figure.Axes{X: "recall", Y: "precision"}, series...)
		})
}

// drawImportance draws each parameter's share and its deviation over trees.
func (r *Report) drawImportance() error {
	if r.Importance == nil || len(r.Importance.Parameters) > most {
		return nil
	}
	var names []string
	var s figure.Series
	for _, p := range r.Importance.Parameters {
		names = append(names, shorten(p.Name, 28))
		share, std := float64(p.Importance), float64(p.Std)
		s.Y, s.Low, s.High = append(s.Y, share), append(s.Low, share-std), append(s.High, share+std)
	}
	f, err := figure.Categories(figure.Axes{Y: "share of the variance"}, names, math.NaN(), s)
	return r.add("importance", fmt.Sprintf("How much of the variance of %s over the searched space each parameter alone accounts for; bars are the deviation over trees.", r.Importance.Metric), f, err)
}

func (r *Report) drawCalibration() error {
	if r.Shown == nil {
		return nil
	}
	c := r.Evaluation.Calibration
	s := figure.Series{Name: fmt.Sprintf("error %.3f", c.Error)}
	for _, b := range c.Bins {
		if b.Count > 0 {
			s.X, s.Y = append(s.X, float64(b.Confidence)), append(s.Y, float64(b.Accuracy))
		}
	}
	f, err := figure.ROC(figure.Axes{X: "confidence", Y: "accuracy"}, s)
	return r.add("calibration", "Calibration: accuracy by confidence in ten bins. On the dashed line the network knows how often it is right.", f, err)
}

func (r *Report) drawEmbedding() error {
	if r.Embedding == nil {
		return nil
	}
	groups := make([]figure.Series, len(r.Classes))
	for c := range groups {
		groups[c].Name = r.Classes[c]
	}
	for i, p := range r.Embedding.Points {
		g := &groups[r.Embedding.Labels[i]]
		g.X, g.Y = append(g.X, p.X), append(g.Y, p.Y)
	}
	groups = slices.DeleteFunc(groups, func(s figure.Series) bool { return len(s.X) == 0 })
	f, err := figure.Scatter(figure.Axes{}, groups...)
	return r.add("embedding", r.Embedding.Title, f, err)
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
