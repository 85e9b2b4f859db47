package prune

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// priorFolds bounds how many folds' worth the trials before count in the estimate
// of how much a difference varies from fold to fold.
const priorFolds = 8

// acrossFolds stops a trial whose first n folds leave it no chance to become the
// best: alpha or less.
func (r *Rules) acrossFolds(n int, own Record, before []Record) *Stop {
	if own.Out {
		return nil
	}
	best := Best(before)
	if best < 0 {
		return nil
	}
	differences := paired(own, before[best], n)
	prior, weight := spread(before, best)
	chance := ChanceToWin(differences, r.Folds, prior, weight)
	if !(chance <= r.Alpha) {
		return nil
	}
	mean := 0.0
	for _, d := range differences {
		mean += d / float64(n)
	}
	return &Stop{Folds: n, Reason: fmt.Sprintf("on its first %d folds it is behind trial %d by %.4f on average; its chance to win on all %d is %.2g",
		n, best, -mean, r.Folds, chance)}
}

// Best is the finished trial with the best mean over all folds, the first of
// equals; -1: none is finished.
func Best(records []Record) int {
	best, top := -1, 0.0
	for i := range records {
		if sum, done := records[i].Sum(); done && (best < 0 || sum > top) {
			best, top = i, sum
		}
	}
	return best
}

// Sum adds up the scores of all folds; false: the trial has failed, or is not done.
func (r *Record) Sum() (float64, bool) {
	sum := 0.0
	for _, s := range r.Final {
		sum += s // NaN where a fold is not done
	}
	return sum, !r.Out && !math.IsNaN(sum)
}

// paired are a trial's scores minus another's, on the same folds.
func paired(own, other Record, n int) []float64 {
	d := make([]float64, n)
	for f := range d {
		d[f] = own.Final[f] - other.Final[f]
	}
	return d
}

// spread estimates the variance of paired differences between folds from the
// trials before and the best of them, and how many degrees of freedom that is
// worth.
func spread(before []Record, best int) (variance, freedom float64) {
	squares := 0.0
	for i := range before {
		if i == best || before[i].Out {
			continue
		}
		var d []float64
		for f, s := range before[i].Final {
			if x := s - before[best].Final[f]; !math.IsNaN(x) && !math.IsInf(x, 0) {
				d = append(d, x)
			}
		}
		if len(d) > 1 {
			squares += sumOfSquares(d)
			freedom += float64(len(d) - 1)
		}
	}
	if freedom == 0 {
		return 0, 0
	}
	return squares / freedom, min(freedom, priorFolds)
}

func sumOfSquares(d []float64) float64 {
	mean, squares := 0.0, 0.0
	for _, x := range d {
		mean += x / float64(len(d))
	}
	for _, x := range d {
		squares += (x - mean) * (x - mean)
	}
	return squares
}

// ChanceToWin is the probability that the mean of k paired differences between
// two trials, one for each fold, is at least 0, given the first of them.
//
// It is the predictive probability of a sequential trial (D. J. Spiegelhalter et
// al., Controlled Clinical Trials 7, 1986): were the differences d_1..d_k normal
// and exchangeable, then the mean of those to come, less the mean of the n known,
// over s*sqrt(1/n + 1/(k-n)), would have Student's distribution. That holds also
// where folds are correlated all alike, as folds that share training pictures
// are: what is common to all drops out of the difference, and s estimates the
// rest. What is predicted is the cross-validation's own result, not performance on new
// data, so that no correction for overlapping training sets (C. Nadeau,
// Y. Bengio, 2003) is due.
//
// s is estimated from the known differences together with prior, a variance worth
// freedom degrees of freedom; 0: there is none. Where neither tells anything of
// the variance, as after one fold, the chance is 1.
func ChanceToWin(known []float64, k int, prior, freedom float64) float64 {
	n := len(known)
	mean := 0.0
	for _, d := range known {
		if math.IsNaN(d) || math.IsInf(d, -1) {
			return 0 // it diverged where the other did not
		}
		mean += d / float64(n)
	}
	if n >= k {
		if mean >= 0 {
			return 1
		}
		return 0
	}
	all := freedom + float64(n-1)
	if all <= 0 {
		return 1
	}
	variance := (prior*freedom + sumOfSquares(known)) / all
	rest := float64(k - n)
	needed := -mean*float64(n)/rest - mean // by how much those to come must be above those known
	scale := math.Sqrt(variance * (1/float64(n) + 1/rest))
	if scale == 0 {
		if needed <= 0 {
			return 1
		}
		return 0
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: all}.Survival(needed / scale)
}
