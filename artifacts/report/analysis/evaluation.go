package analysis

import (
	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// Evaluation is how good a set of answers is: those of one job, or of all folds of
// a trial together, where every picture is answered by the network that was not
// trained on it. Pooled answers are of several networks, whose probabilities may
// differ in scale.
type Evaluation struct {
	Classes  []string `json:"classes"`
	Pictures int      `json:"pictures"`
	// Confusion[i][j] counts pictures of class i that were taken for class j. Of more
	// than plan.MostDense classes it is null, and ConfusionCells has [i, j, count] of
	// every pair that occurs; there are no curves then.
	Confusion      [][]int      `json:"confusion"`
	ConfusionCells [][3]int     `json:"confusion_cells,omitempty"`
	PerClass       []ClassScore `json:"per_class"`
	ROC            []Curve      `json:"roc"` // of the classes that have pictures, and others do
	PR             []Curve      `json:"pr"`  // of the classes that have pictures
	Calibration    Calibration  `json:"calibration"`
}

// ClassScore says how well a class is told from the rest. Precision is unknown
// where the class is never named, recall where it has no pictures.
type ClassScore struct {
	Class     string `json:"class"`
	Precision Number `json:"precision"`
	Recall    Number `json:"recall"`
	F1        Number `json:"f1"`
	Support   int    `json:"support"`
}

// Curve is of one class against the rest. The points of ROC are joined by straight
// lines; those of precision and recall are the corners of steps, so that straight
// lines between them are right as well. Area is that below it; of precision and
// recall the average precision.
type Curve struct {
	Class string    `json:"class"`
	Area  float64   `json:"area"`
	X     []float64 `json:"x"`
	Y     []float64 `json:"y"`
}

// Calibration compares how sure the answers are with how often they are right.
type Calibration struct {
	Error float64 `json:"error"` // expected calibration error (Guo et al. 2017)
	Bins  []Bin   `json:"bins"`
}

// Bin is an interval of confidence; its means are unknown where it is empty.
type Bin struct {
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Count      int     `json:"count"`
	Confidence Number  `json:"confidence"`
	Accuracy   Number  `json:"accuracy"`
}

// bins is in how many intervals calibration is looked at.
const bins = 10

// Evaluate looks at answers; nil where there are none.
func Evaluate(answers []stats.Answer, classes []string) *Evaluation {
	if len(answers) == 0 {
		return nil
	}
	e := &Evaluation{
		Classes: classes, Pictures: len(answers),
		PerClass: make([]ClassScore, len(classes)), ROC: []Curve{}, PR: []Curve{},
	}
	e.Confusion, e.ConfusionCells = plan.SplitConfusion(stats.Confusion(answers), len(classes))
	for c, s := range stats.PerClass(answers, len(classes)) {
		e.PerClass[c] = ClassScore{classes[c], Number(s.Precision), Number(s.Recall), Number(s.F1), s.Support}
		if len(classes) > plan.MostDense {
			continue
		}
		if curve, area := stats.ROC(answers, c); curve != nil {
			e.ROC = append(e.ROC, newCurve(classes[c], area, curve))
		}
		if curve, area := stats.PrecisionRecall(answers, c); curve != nil {
			e.PR = append(e.PR, newCurve(classes[c], area, curve))
		}
	}
	all, expected := stats.Calibration(answers, bins)
	e.Calibration.Error = expected
	for _, b := range all {
		bin := Bin{b.Low, b.High, b.Count, Number(b.Confidence), Number(b.Accuracy)}
		if b.Count == 0 {
			bin.Confidence, bin.Accuracy = Unknown, Unknown
		}
		e.Calibration.Bins = append(e.Calibration.Bins, bin)
	}
	return e
}

func newCurve(class string, area float64, points []stats.Point) Curve {
	c := Curve{Class: class, Area: area}
	for _, p := range points {
		c.X, c.Y = append(c.X, p.X), append(c.Y, p.Y)
	}
	return c
}
