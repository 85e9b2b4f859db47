package stats

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Five differences of one sign: two of the 32 assignments are as far out, 0.0625.
// With five folds P is never smaller.
func TestWilcoxonByHand(t *testing.T) {
	a := []float64{0.82, 0.84, 0.83, 0.81, 0.85}
	b := []float64{0.80, 0.80, 0.80, 0.80, 0.80}
	got, err := Wilcoxon(a, b)
	if diff := cmp.Diff(SignedRank{W: 15, P: 0.0625, Pairs: 5, Exact: true}, got, near); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	got, err = Wilcoxon(a, a)
	if diff := cmp.Diff(SignedRank{P: 1, Exact: true}, got); err != nil || diff != "" {
		t.Errorf("no difference: error %v (-want +got):\n%s", err, diff)
	}
	// 0.9 - 0.8 and 0.8 - 0.7 differ in floating point, and tie all the same: ranks
	// 1.5 and 1.5 of two signs, so that every assignment of signs is as far out.
	got, err = Wilcoxon([]float64{0.9, 0.7}, []float64{0.8, 0.8})
	if err != nil || got.P != 1 || got.W != 1.5 {
		t.Errorf("a tie: %+v %v", got, err)
	}
	if _, err := Wilcoxon(nil, nil); err == nil {
		t.Error("no pairs have a rank sum")
	}
	if _, err := Wilcoxon(a, b[:4]); err == nil {
		t.Error("five and four scores are pairs")
	}
}

func TestSigns(t *testing.T) {
	above, below, equal := Signs([]float64{0.3, 0.1, 0.5, 0.1 + 0.2}, []float64{0.2, 0.2, 0.4, 0.3})
	if above != 2 || below != 1 || equal != 1 {
		t.Errorf("%d above, %d below, %d equal", above, below, equal)
	}
}

// By hand: 3 * 0.01, then 2 * 0.02 = 0.04, then 0.03, which may not be smaller.
func TestHolm(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct{ p, want []float64 }{
		{[]float64{0.03, nan, 0.01, 0.02}, []float64{0.04, nan, 0.03, 0.04}},
		{[]float64{0.5, 0.9}, []float64{1, 1}},
		{nil, nil},
	} {
		if diff := cmp.Diff(c.want, Holm(c.p), near, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.p, diff)
		}
	}
}

func TestSpearmanAtItsEdges(t *testing.T) {
	if rho, p := Spearman([]float64{1, 2, 3}, []float64{1, 10, 100}); rho != 1 || p != 0 {
		t.Errorf("the same order: %v %v", rho, p)
	}
	if rho, _ := Spearman([]float64{1, 2, 3}, []float64{7, 7, 7}); !math.IsNaN(rho) {
		t.Errorf("a constant correlates by %v", rho)
	}
	if rho, _ := Spearman([]float64{1, 2}, []float64{1, 2}); !math.IsNaN(rho) {
		t.Errorf("two pairs correlate by %v", rho)
	}
}

// Four answers by probability: right, wrong, right, wrong. Precision is 1 up to a
// recall of 1/2, then 2/3.
func TestPrecisionRecall(t *testing.T) {
	answers := answersOf([3]float64{1, 0.9}, [3]float64{0, 0.8}, [3]float64{1, 0.4}, [3]float64{0, 0.1})
	curve, average := PrecisionRecall(answers, 1)
	if diff := cmp.Diff([]Point{{0, 1}, {0.5, 1}, {0.5, 2. / 3}, {1, 2. / 3}}, curve, near); diff != "" || math.Abs(average-5./6) > 1e-12 {
		t.Errorf("average precision %v, curve (-want +got):\n%s", average, diff)
	}
	if curve, average := PrecisionRecall(answersOf([3]float64{0, 0.9}), 1); curve != nil || !math.IsNaN(average) {
		t.Error("a curve of a class without pictures")
	}
	// A class that is never named has no precision; one without pictures no recall.
	scores := PerClass([]Answer{{}, {}, {}, {Label: 1}, {Label: 1}}, 3)
	want := []ClassScore{{0.6, 1, 0.75, 3}, {math.NaN(), 0, 0, 2}, {math.NaN(), math.NaN(), math.NaN(), 0}}
	if diff := cmp.Diff(want, scores, near, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
