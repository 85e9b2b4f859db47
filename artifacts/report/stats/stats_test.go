package stats

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var near = cmpopts.EquateApprox(0, 1e-9)

// By hand: differences 0.02, 0.04, 0.03, 0.01, 0.05 have the mean 0.03 and the
// variance 0.00025; with 1/5 + 20/80 the deviation of the mean is
// sqrt(0.45 * 0.00025) = 0.0106066, and t for 4 degrees of freedom is 2.776445.
func TestCompare(t *testing.T) {
	a := []float64{0.82, 0.84, 0.83, 0.81, 0.85}
	b := []float64{0.80, 0.80, 0.80, 0.80, 0.80}
	d, err := Compare(a, b, 20, 80)
	if err != nil {
		t.Fatal(err)
	}
	reach := 2.7764451052 * math.Sqrt(0.45*0.00025)
	want := Difference{Mean: 0.03, Low: 0.03 - reach, High: 0.03 + reach, P: d.P, Folds: 5}
	if diff := cmp.Diff(want, d, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// t = 2.8284 with 4 degrees of freedom: P(|T| > t) = 0.04742 by its closed form.
	x := d.Mean / math.Sqrt(0.45*0.00025)
	s := x / math.Sqrt(4+x*x)
	if p := 1 - s*(1+2/(4+x*x)); math.Abs(d.P-p) > 1e-6 {
		t.Errorf("P is %v, want %v", d.P, p)
	}
	if d, err := Compare(b, b, 20, 80); err != nil || d.P != 1 || d.High != 0 {
		t.Errorf("equal classifiers: %+v %v", d, err)
	}
	if _, err := Compare(a[:1], b[:1], 1, 4); err == nil {
		t.Error("one fold has an interval")
	}
}

func answersOf(rows ...[3]float64) []Answer { // label, probability of class 1, fold
	var out []Answer
	for _, r := range rows {
		a := Answer{Label: int(r[0]), Probabilities: []float64{1 - r[1], r[1]}, Fold: int(r[2])}
		if r[1] > 0.5 {
			a.Predicted = 1
		}
		out = append(out, a)
	}
	return out
}

// Of the four pairs of one positive and one negative, three are in order and one
// is a tie: an area of 3.5/4.
func TestROC(t *testing.T) {
	curve, area := ROC(answersOf([3]float64{1, 0.9}, [3]float64{1, 0.4}, [3]float64{0, 0.4}, [3]float64{0, 0.1}), 1)
	if diff := cmp.Diff([]Point{{0, 0}, {0, 0.5}, {0.5, 1}, {1, 1}}, curve, near); diff != "" || area != 3.5/4 {
		t.Errorf("area %v, curve (-want +got):\n%s", area, diff)
	}
	if curve, area := ROC(answersOf([3]float64{1, 0.9}), 1); curve != nil || !math.IsNaN(area) {
		t.Error("a curve of one class")
	}
}

// Two answers of confidence 0.9, one of them wrong, and two right ones of 0.6: the
// error is (2·|0.9 - 0.5| + 2·|0.6 - 1|) / 4 = 0.4.
func TestCalibration(t *testing.T) {
	bins, expected := Calibration(answersOf([3]float64{1, 0.9}, [3]float64{0, 0.9}, [3]float64{1, 0.6}, [3]float64{0, 0.4}), 10)
	if math.Abs(expected-0.4) > 1e-9 || bins[9].Count+bins[8].Count != 2 || len(bins) != 10 {
		t.Errorf("error %v, bins %+v", expected, bins)
	}
}

func TestHistogram(t *testing.T) {
	got := Histogram(answersOf([3]float64{1, 1}, [3]float64{1, 0.99}, [3]float64{0, 0}, [3]float64{0, 0.26}), 1, 2, 4)
	if diff := cmp.Diff([][]int{{1, 1, 0, 0}, {0, 0, 0, 2}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfident(t *testing.T) {
	all := answersOf([3]float64{1, 0.9}, [3]float64{1, 0.95}, [3]float64{0, 0.99}, [3]float64{0, 0.2})
	right, wrong := Confident(all, 1, true, 1), Confident(all, 1, false, 5)
	if len(right) != 1 || right[0].Probabilities[1] != 0.95 || len(wrong) != 1 || wrong[0].Probabilities[1] != 0.99 {
		t.Errorf("right %v, wrong %v", right, wrong)
	}
}
