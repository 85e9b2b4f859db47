package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// exactPairs is up to how many pairs the signed-rank test counts all assignments
// of signs; beyond it the normal distribution is as good.
const exactPairs = 200

// SignedRank is the outcome of Wilcoxon's signed-rank test.
type SignedRank struct {
	W     float64 // the sum of the ranks of positive differences
	P     float64 // two-sided
	Pairs int     // with a difference
	Exact bool    // P counts all assignments of signs
}

// Wilcoxon tests whether paired differences are as often, and as far, above zero
// as below (Wilcoxon 1945). Zeros are ranked with the rest and then left out
// (Pratt 1959, "Remarks on zeros and ties in the Wilcoxon signed rank
// procedures"); ties get their mean rank. P is exact given the ranks, ties and
// zeros included: of the 2^n equally probable assignments of signs, the share
// whose W is as far from its mean as the observed one. Beyond 200 pairs it is by
// the normal distribution, with the variance that the ranks have, and without a
// correction for continuity. Differences that are equal but for rounding are
// ties. The test takes the pairs to be independent, which folds are not quite.
// No pair at all is an error; without any difference P is 1.
func Wilcoxon(a, b []float64) (SignedRank, error) {
	if len(a) != len(b) || len(a) == 0 {
		return SignedRank{}, fmt.Errorf("rank the differences of %d and %d scores: one pair at least is needed", len(a), len(b))
	}
	d := differences(a, b)
	sizes := make([]float64, len(d))
	for i, x := range d {
		sizes[i] = math.Abs(x)
	}
	var ranks []float64
	out := SignedRank{P: 1, Exact: true}
	for i, rank := range Ranks(sizes) {
		switch {
		case d[i] > 0:
			out.W += rank
			fallthrough
		case d[i] < 0:
			ranks = append(ranks, rank)
		}
	}
	if out.Pairs = len(ranks); out.Pairs == 0 {
		return out, nil
	}
	if out.Exact = out.Pairs <= exactPairs; out.Exact {
		out.P = exactSignedRank(ranks, out.W)
	} else {
		out.P = normalSignedRank(ranks, out.W)
	}
	return out, nil
}

// differences are a - b, rounded to 12 digits of the largest score, so that 0.9 -
// 0.8 and 0.8 - 0.7 tie.
func differences(a, b []float64) []float64 {
	largest := 0.0
	for i := range a {
		largest = max(largest, math.Abs(a[i]), math.Abs(b[i]))
	}
	step := largest * 1e-12
	d := make([]float64, len(a))
	for i := range a {
		if d[i] = a[i] - b[i]; step > 0 {
			d[i] = math.Round(d[i]/step) * step
		}
	}
	return d
}

// exactSignedRank builds the distribution of twice the rank sum, a whole number
// even where ties have half ranks, sign by sign.
func exactSignedRank(ranks []float64, w float64) float64 {
	total := 0
	for _, r := range ranks {
		total += int(math.Round(2 * r))
	}
	share := make([]float64, total+1)
	share[0] = 1
	for _, r := range ranks {
		by := int(math.Round(2 * r))
		for s := total; s >= 0; s-- {
			share[s] /= 2
			if s >= by {
				share[s] += share[s-by] / 2
			}
		}
	}
	far, p := math.Abs(4*w-float64(total)), 0.0 // twice the distance from the mean, total/2, of 2w
	for s, q := range share {
		if math.Abs(float64(2*s-total)) >= far-1e-9 {
			p += q
		}
	}
	return min(p, 1)
}

func normalSignedRank(ranks []float64, w float64) float64 {
	mean, variance := 0.0, 0.0
	for _, r := range ranks {
		mean += r / 2
		variance += r * r / 4
	}
	return 2 * distuv.UnitNormal.Survival(math.Abs(w-mean)/math.Sqrt(variance))
}

// Ranks numbers values from 1 up; equal ones share the mean of their ranks.
func Ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	ranks := make([]float64, len(values))
	for i := 0; i < len(order); {
		end := i + 1
		for end < len(order) && values[order[end]] == values[order[i]] {
			end++
		}
		for _, k := range order[i:end] {
			ranks[k] = float64(i+1+end) / 2
		}
		i = end
	}
	return ranks
}

// Signs counts the pairs in which a is above, below and equal to b.
func Signs(a, b []float64) (above, below, equal int) {
	for _, d := range differences(a, b) {
		switch {
		case d > 0:
			above++
		case d < 0:
			below++
		default:
			equal++
		}
	}
	return above, below, equal
}

// Holm adjusts the p-values of several tests, so that the chance of even one false
// alarm among them stays below what each is compared with (Holm 1979, "A simple
// sequentially rejective multiple test procedure"). NaN stands for a test that
// was not made: it stays, and does not count.
func Holm(p []float64) []float64 {
	var order []int
	for i, x := range p {
		if !math.IsNaN(x) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	adjusted, highest := slices.Clone(p), 0.0
	for k, i := range order {
		highest = max(highest, min(1, float64(len(order)-k)*p[i]))
		adjusted[i] = highest
	}
	return adjusted
}

// Spearman is the correlation of the ranks of pairs (Spearman 1904), and its
// two-sided p by Student's distribution, which is rough below ten pairs. NaN for
// fewer than three pairs and where one side is constant.
func Spearman(x, y []float64) (rho, p float64) {
	if len(x) != len(y) || len(x) < 3 {
		return math.NaN(), math.NaN()
	}
	a, b := Ranks(x), Ranks(y)
	mean := float64(len(x)+1) / 2
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - mean) * (b[i] - mean)
		aa += (a[i] - mean) * (a[i] - mean)
		bb += (b[i] - mean) * (b[i] - mean)
	}
	if aa == 0 || bb == 0 {
		return math.NaN(), math.NaN()
	}
	rho = min(max(ab/math.Sqrt(aa*bb), -1), 1)
	freedom := float64(len(x) - 2)
	t := math.Abs(rho) * math.Sqrt(freedom/(1-rho*rho)) // infinite for |rho| = 1
	return rho, 2 * distuv.StudentsT{Sigma: 1, Nu: freedom}.Survival(t)
}
