package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/artifacts/report/figure"
	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

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
		partial := ""
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
			partial = cmp.Or(partial, inBrackets(cell.Partial))
		}
		names = append(names, shorten(row.Name, 28)+partial)
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

// mostTrials is of how many trials one figure has curves: as many as there are
// colours.
const mostTrials = 7

// incomplete is 1 for a trial that is not completed: its mean is of other folds than
// those of the others.
func incomplete(t *plan.TrialResult) int {
	if t.Partial() != "" {
		return 1
	}
	return 0
}

// drawTrials draws the metric by epoch of the best trials, means over folds.
func (r *Report) drawTrials() error {
	name := r.Results.Metric.Name
	var trials []*plan.TrialResult
	for i := range r.Results.Trials {
		if s, ok := r.Results.Trials[i].Summary[name]; ok && !math.IsNaN(s.Mean) {
			trials = append(trials, &r.Results.Trials[i])
		}
	}
	slices.SortStableFunc(trials, func(a, b *plan.TrialResult) int {
		order := cmp.Compare(b.Summary[name].Mean, a.Summary[name].Mean)
		if r.Results.Metric.Goal == "minimize" {
			order = -order
		}
		return cmp.Or(incomplete(a)-incomplete(b), order)
	})
	var series []figure.Series
	longest := 0
	for _, t := range trials[:min(mostTrials, len(trials))] {
		s := curveOf(t, fmt.Sprintf("trial %d", t.Trial)+inBrackets(t.Partial()), func(e plan.Epoch) float64 { return scoreOf(e, name) })
		s.Low, s.High = nil, nil // bands of several trials hide each other
		series, longest = append(series, s), max(longest, len(s.X))
	}
	if len(series) < 2 || longest < 2 {
		return nil
	}
	f, err := figure.Lines(figure.Axes{X: "epoch", Y: name}, series...)
	return r.add("trials", fmt.Sprintf("The metric on the test pictures by epoch, mean over folds, of the best %d trials.", len(series)), f, err)
}

// curve is a value of the shown trial by epoch.
func (r *Report) curve(name string, value func(plan.Epoch) float64) figure.Series {
	return curveOf(r.Shown, name, value)
}

// curveOf is a value by epoch, over the folds that have come that far.
func curveOf(t *plan.TrialResult, name string, value func(plan.Epoch) float64) figure.Series {
	s := figure.Series{Name: name}
	for epoch := 1; ; epoch++ {
		n, sum, low, high := 0, 0.0, math.Inf(1), math.Inf(-1)
		for _, f := range t.Folds {
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
