package trainer

import (
	"math"
	"slices"
)

// Scores are the metrics of one evaluation, by their names in sweep.yaml:
//
//	accuracy  the share of correct predictions
//	loss      the mean of -ln p(label)
//	f1        the mean over the classes of 2TP / (2TP + FP + FN), 0 for a class
//	          that is neither there nor predicted (macro F1, also with two classes)
//	auc       the area under the ROC curve, ties counted half: with two classes,
//	          of the second one's probability; with more, the mean over the
//	          classes of one against the rest. Classes without a sample, or with
//	          all of them, are left out; where none is left, auc is absent.
type Scores map[string]float64

// Score computes all metrics of labelled predictions.
func Score(predictions []Prediction, classes int) Scores {
	confusion := Confusion(predictions, classes)
	s := Scores{"accuracy": accuracy(confusion), "loss": meanLoss(predictions), "f1": macroF1(confusion)}
	if auc, ok := areaUnderROC(predictions, classes); ok {
		s["auc"] = auc
	}
	return s
}

// Confusion counts: element [i][j] is the number of samples of class i that were
// predicted as class j.
func Confusion(predictions []Prediction, classes int) [][]int {
	m := make([][]int, classes)
	for i := range m {
		m[i] = make([]int, classes)
	}
	for _, p := range predictions {
		m[p.Label][p.Predicted]++
	}
	return m
}

func accuracy(confusion [][]int) float64 {
	right, all := 0, 0
	for i, row := range confusion {
		right += row[i]
		for _, n := range row {
			all += n
		}
	}
	return float64(right) / float64(all)
}

func meanLoss(predictions []Prediction) float64 {
	sum := 0.0
	for _, p := range predictions {
		sum += p.Loss
	}
	return sum / float64(len(predictions))
}

func macroF1(confusion [][]int) float64 {
	sum := 0.0
	for c := range confusion {
		row, column := 0, 0
		for k := range confusion {
			row += confusion[c][k]
			column += confusion[k][c]
		}
		if row+column > 0 { // 2TP + FP + FN
			sum += 2 * float64(confusion[c][c]) / float64(row+column)
		}
	}
	return sum / float64(len(confusion))
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
// probability of it than a random other sample, ties counted half
// (Mann-Whitney U / n1 n0, from mean ranks).
func rankAUC(predictions []Prediction, class int) (float64, bool) {
	sorted := slices.Clone(predictions)
	slices.SortFunc(sorted, func(a, b Prediction) int {
		x, y := a.Probabilities[class], b.Probabilities[class]
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	rankSum, positives := 0.0, 0
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to].Probabilities[class] == sorted[from].Probabilities[class] {
			to++
		}
		rank := float64(from+to+1) / 2 // mean of the ranks from+1 ... to
		for _, p := range sorted[from:to] {
			if p.Label == class {
				rankSum += rank
				positives++
			}
		}
		from = to
	}
	negatives := len(sorted) - positives
	if positives == 0 || negatives == 0 {
		return 0, false
	}
	n1 := float64(positives)
	return (rankSum - n1*(n1+1)/2) / (n1 * float64(negatives)), true
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
