package stats

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reference is what bench/stats/reference.py wrote of SciPy and scikit-learn.
type reference struct {
	Wilcoxon []struct {
		A, B []float64
		W, P float64
	}
	Curves []struct {
		Labels, Predicted []int
		Probabilities     [][]float64
		Classes           []struct {
			AveragePrecision float64 `json:"average_precision"`
			ROC              float64 `json:"roc_auc"`
			Precision        float64
			Recall           float64
			F1               float64
			Support          int
		}
	}
	Spearman []struct {
		X, Y   []float64
		Rho, P float64
	}
}

func readReference(t *testing.T) reference {
	t.Helper()
	data, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Wilcoxon) < 9 || len(r.Curves) < 3 || len(r.Spearman) < 3 {
		t.Fatal("the reference is not whole")
	}
	return r
}

func TestWilcoxonAgainstSciPy(t *testing.T) {
	for i, c := range readReference(t).Wilcoxon {
		got, err := Wilcoxon(c.A, c.B)
		if err != nil || math.Abs(got.W-c.W) > 1e-9 || math.Abs(got.P-c.P) > 1e-9 {
			t.Errorf("case %d of %d pairs: %+v %v; SciPy has W %v, P %v", i, len(c.A), got, err, c.W, c.P)
		}
		if got.Exact != (len(c.A) <= exactPairs) {
			t.Errorf("case %d: exact %v", i, got.Exact)
		}
		other, err := Wilcoxon(c.B, c.A)
		if err != nil || math.Abs(other.P-got.P) > 1e-12 {
			t.Errorf("case %d: the other way round P is %v", i, other.P)
		}
	}
}

func TestCurvesAgainstScikitLearn(t *testing.T) {
	for i, c := range readReference(t).Curves {
		answers := make([]Answer, len(c.Labels))
		for k := range answers {
			answers[k] = Answer{Label: c.Labels[k], Predicted: c.Predicted[k], Probabilities: c.Probabilities[k]}
		}
		scores := PerClass(answers, len(c.Classes))
		for class, want := range c.Classes {
			curve, average := PrecisionRecall(answers, class)
			_, area := ROC(answers, class)
			if math.Abs(average-want.AveragePrecision) > 1e-9 || math.Abs(area-want.ROC) > 1e-9 {
				t.Errorf("case %d, class %d: average precision %v, area %v; scikit-learn has %+v", i, class, average, area, want)
			}
			if below := areaBelow(curve); math.Abs(below-average) > 1e-9 {
				t.Errorf("case %d, class %d: the area below the curve is %v, the average precision %v", i, class, below, average)
			}
			if diff := cmp.Diff(ClassScore{want.Precision, want.Recall, want.F1, want.Support}, scores[class], near); diff != "" {
				t.Errorf("case %d, class %d (-want +got):\n%s", i, class, diff)
			}
		}
	}
}

func areaBelow(curve []Point) float64 {
	area := 0.0
	for i := 1; i < len(curve); i++ {
		area += (curve[i].X - curve[i-1].X) * (curve[i].Y + curve[i-1].Y) / 2
	}
	return area
}

func TestSpearmanAgainstSciPy(t *testing.T) {
	for i, c := range readReference(t).Spearman {
		if rho, p := Spearman(c.X, c.Y); math.Abs(rho-c.Rho) > 1e-9 || math.Abs(p-c.P) > 1e-9 {
			t.Errorf("case %d: %v %v; SciPy has %v %v", i, rho, p, c.Rho, c.P)
		}
	}
}
