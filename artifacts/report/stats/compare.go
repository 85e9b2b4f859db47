package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Difference is a mean difference over folds with its confidence interval.
type Difference struct {
	Mean, Low, High float64
	P               float64 // two-sided
	Folds           int
}

// Confidence is that of the intervals.
const Confidence = 0.95

// Compare compares two classifiers that were tested on the same folds, by the
// corrected resampled t-test (Nadeau and Bengio 2003, "Inference for the
// generalization error"): the folds' training sets overlap, so that the variance
// of the mean is (1/k + test/train) s² rather than s²/k. Of repeated
// cross-validation, all folds of all repeats are counted in k, as Bouckaert and
// Frank do (2004, "Evaluating the replicability of significance tests for comparing
// learning algorithms"). test and train are the numbers of pictures in a fold.
// Fewer than two folds is an error.
func Compare(a, b []float64, test, train float64) (Difference, error) {
	k := len(a)
	if k != len(b) || k < 2 || !(test > 0) || !(train > 0) {
		return Difference{}, fmt.Errorf("compare %d with %d folds of %v test and %v training pictures: two or more folds of both are needed", len(a), len(b), test, train)
	}
	mean, squares := 0.0, 0.0
	for i := range a {
		mean += (a[i] - b[i]) / float64(k)
	}
	for i := range a {
		d := a[i] - b[i] - mean
		squares += d * d
	}
	d := Difference{Mean: mean, Low: mean, High: mean, P: 1, Folds: k}
	deviation := math.Sqrt((1/float64(k) + test/train) * squares / float64(k-1))
	if deviation == 0 {
		if mean != 0 {
			d.P = 0
		}
		return d, nil
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(k - 1)}
	reach := t.Quantile(1-(1-Confidence)/2) * deviation
	d.Low, d.High = mean-reach, mean+reach
	d.P = 2 * t.Survival(math.Abs(mean)/deviation)
	return d, nil
}
