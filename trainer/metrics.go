package trainer

import (
	"math"
	"slices"
	"sort"
)

// Scores are the metrics of one evaluation, by their names in sweep.yaml:
//
//	accuracy  the share of correct predictions
//	loss      the mean of -ln p(label)
//	f1        the mean of 2TP / (2TP + FP + FN) over the classes that are there
//	          or predicted (macro F1, also with two classes)
//	auc       the area under the ROC curve, ties counted half: with two classes,
//	          of the second one's probability; with more, the mean over the
//	          classes of one against the rest. Classes without a sample, or with
//	          all of them, are left out; where none is left, auc is absent.
//
// f1 is scikit-learn's f1_score(average="macro"), auc the mean of roc_auc_score of
// each class against the rest where it is defined.
type Scores map[string]float64

// Score computes all metrics of labelled predictions.
func Score(predictions []Prediction, classes int) Scores {
	s := Scores{"accuracy": accuracy(predictions), "loss": meanLoss(predictions), "f1": macroF1(predictions, classes)}
	if auc, ok := areaUnderROC(predictions, classes); ok {
		s["auc"] = auc
	}
	return s
}

// Confusion counts: each element is a class, what was predicted for it, and the
// number of such samples, in that order. Pairs that do not occur are left out: of
// ten thousand classes there are a hundred million.
func Confusion(predictions []Prediction) [][3]int {
	counts := map[[2]int]int{}
	for _, p := range predictions {
		counts[[2]int{p.Label, p.Predicted}]++
	}
	cells := make([][3]int, 0, len(counts))
	for pair, n := range counts {
		cells = append(cells, [3]int{pair[0], pair[1], n})
	}
	slices.SortFunc(cells, func(a, b [3]int) int { return slices.Compare(a[:], b[:]) })
	return cells
}

func accuracy(predictions []Prediction) float64 {
	right := 0
	for _, p := range predictions {
		if p.Predicted == p.Label {
			right++
		}
	}
	return float64(right) / float64(len(predictions))
}

func meanLoss(predictions []Prediction) float64 {
	sum := 0.0
	for _, p := range predictions {
		sum += p.Loss
	}
	return sum / float64(len(predictions))
}

func macroF1(predictions []Prediction, classes int) float64 {
	right, named := make([]int, classes), make([]int, classes) // named: 2TP + FP + FN
	for _, p := range predictions {
		named[p.Label]++
		named[p.Predicted]++
		if p.Predicted == p.Label {
			right[p.Label]++
		}
	}
	sum, there := 0.0, 0
	for c, n := range named {
		if n > 0 {
			sum += 2 * float64(right[c]) / float64(n)
			there++
		}
	}
	return sum / float64(there)
}

func areaUnderROC(predictions []Prediction, classes int) (float64, bool) {
	if classes == 2 {
		return rankAUC(predictions, 1)
	}
	sum, n := 0.0, 0
	for c := range classes {
		if auc, ok := rankAUC(predictions, c); ok {
			sum += auc
			n++
		}
	}
	return sum / float64(n), n > 0
}

// rankAUC is the probability that a random sample of the class has a higher
// probability of it than a random other sample, ties counted half. Only the class's
// own samples are sorted, which are few where classes are many.
func rankAUC(predictions []Prediction, class int) (float64, bool) {
	var own []float32
	for _, p := range predictions {
		if p.Label == class {
			own = append(own, p.Probabilities[class])
		}
	}
	others := len(predictions) - len(own)
	if len(own) == 0 || others == 0 {
		return 0, false
	}
	slices.Sort(own)
	ordered := 0.0 // pairs; a multiple of one half, so that sums are exact
	for _, p := range predictions {
		if p.Label == class {
			continue
		}
		x := p.Probabilities[class]
		below, _ := slices.BinarySearch(own, x)
		notAbove := sort.Search(len(own), func(i int) bool { return own[i] > x })
		ordered += float64(len(own)-notAbove) + float64(notAbove-below)/2
	}
	return ordered / (float64(len(own)) * float64(others)), true
}

// negLogLikelihood is -ln softmax(scores)[label] in double precision.
func negLogLikelihood(scores []float32, label int) float64 {
	top := float64(slices.Max(scores))
	sum := 0.0
	for _, s := range scores {
		sum += math.Exp(float64(s) - top)
	}
	return math.Log(sum) + top - float64(scores[label])
}
