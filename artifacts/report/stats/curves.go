package stats

import (
	"cmp"
	"math"
	"slices"
)

// Answer is a classifier's answer for one picture.
type Answer struct {
	File          string
	Label         int // the true class
	Predicted     int
	Probabilities []float64
	Brief         *Brief // where Probabilities is nil
	Fold          int
}

// Brief is what is kept of the probabilities of very many classes.
type Brief struct{ Label, Predicted, Second float64 }

// Right tells whether the answer is.
func (a Answer) Right() bool { return a.Label == a.Predicted }

// Confidence is the probability of the predicted class.
func (a Answer) Confidence() float64 {
	if a.Brief != nil {
		return a.Brief.Predicted
	}
	return a.Probabilities[a.Predicted]
}

// OfLabel is the probability of the true class.
func (a Answer) OfLabel() float64 {
	if a.Brief != nil {
		return a.Brief.Label
	}
	return a.Probabilities[a.Label]
}

// Margin is how far the most probable class is ahead of the second.
func (a Answer) Margin() float64 {
	if a.Brief != nil {
		return a.Brief.Predicted - a.Brief.Second
	}
	first, second := topTwo(a.Probabilities)
	return first - second
}

// InBrief is the answer without the probabilities of most classes.
func (a Answer) InBrief() Answer {
	_, second := topTwo(a.Probabilities)
	a.Brief = &Brief{a.OfLabel(), a.Confidence(), second}
	a.Probabilities = nil
	return a
}

func topTwo(probabilities []float64) (first, second float64) {
	first, second = math.Inf(-1), math.Inf(-1)
	for _, p := range probabilities {
		first, second = max(first, p), max(second, min(first, p))
	}
	return first, second
}

// Point is one of a curve.
type Point struct{ X, Y float64 }

// ROC is the curve of a class against the rest, from (0, 0) to (1, 1), and the
// area below it; nil where one of both is without pictures. Equal probabilities
// are one step, so that the order of the answers does not matter; points in the
// middle of a straight run of steps are left out.
func ROC(answers []Answer, class int) (curve []Point, area float64) {
	sorted := byProbability(answers, class)
	positives := 0
	for _, a := range sorted {
		if a.own {
			positives++
		}
	}
	negatives := len(sorted) - positives
	if positives == 0 || negatives == 0 {
		return nil, math.NaN()
	}
	curve = []Point{{}}
	for i, right, wrong := 0, 0, 0; i < len(sorted); {
		p := sorted[i].p
		for ; i < len(sorted) && sorted[i].p == p; i++ {
			if sorted[i].own {
				right++
			} else {
				wrong++
			}
		}
		next, last := Point{float64(wrong) / float64(negatives), float64(right) / float64(positives)}, curve[len(curve)-1]
		area += (next.X - last.X) * (next.Y + last.Y) / 2
		curve = append(curve, next)
	}
	return straight(curve), area
}

// Bin is an interval of confidence.
type Bin struct {
	Low, High  float64
	Count      int
	Confidence float64 // mean
	Accuracy   float64
}

// Calibration compares confidence with accuracy in n bins of equal width, and
// gives the expected calibration error: the mean distance of both, weighed by the
// bins' pictures (Guo et al. 2017).
func Calibration(answers []Answer, n int) (bins []Bin, expected float64) {
	bins = make([]Bin, n)
	for i := range bins {
		bins[i].Low, bins[i].High = float64(i)/float64(n), float64(i+1)/float64(n)
	}
	for _, a := range answers {
		b := &bins[min(int(a.Confidence()*float64(n)), n-1)]
		b.Count++
		b.Confidence += a.Confidence()
		if a.Right() {
			b.Accuracy++
		}
	}
	for i := range bins {
		b := &bins[i]
		if b.Count == 0 {
			continue
		}
		b.Confidence /= float64(b.Count)
		b.Accuracy /= float64(b.Count)
		expected += float64(b.Count) / float64(len(answers)) * math.Abs(b.Confidence-b.Accuracy)
	}
	return bins, expected
}

// Histogram counts the probabilities of a class in n bins, by true class.
func Histogram(answers []Answer, class, classes, n int) [][]int {
	counts := make([][]int, classes)
	for c := range counts {
		counts[c] = make([]int, n)
	}
	for _, a := range answers {
		counts[a.Label][min(int(a.Probabilities[class]*float64(n)), n-1)]++
	}
	return counts
}

// Confident are the n answers that name a class with the most confidence, right
// ones or wrong ones.
func Confident(answers []Answer, class int, right bool, n int) []Answer {
	var chosen []Answer
	for _, a := range answers {
		if a.Predicted == class && a.Right() == right {
			chosen = append(chosen, a)
		}
	}
	slices.SortStableFunc(chosen, func(a, b Answer) int {
		return cmp.Or(cmp.Compare(b.Confidence(), a.Confidence()), cmp.Compare(a.File, b.File))
	})
	return chosen[:min(n, len(chosen))]
}
