package stats

import (
	"cmp"
	"math"
	"slices"
)

// Confusion counts the answers: row i, column j are those of class i that were
// taken for class j.
func Confusion(answers []Answer, classes int) [][]int {
	m := make([][]int, classes)
	for i := range m {
		m[i] = make([]int, classes)
	}
	for _, a := range answers {
		m[a.Label][a.Predicted]++
	}
	return m
}

// ClassScore says how well one class is told from the rest. A share of nothing is
// NaN: the precision of a class that was never named, the recall of one without
// pictures.
type ClassScore struct {
	Precision, Recall, F1 float64
	Support               int // pictures of the class
}

// PerClass is every class's score from a confusion matrix.
func PerClass(confusion [][]int) []ClassScore {
	scores := make([]ClassScore, len(confusion))
	for c := range confusion {
		named, support := 0, 0
		for k := range confusion {
			named += confusion[k][c]
			support += confusion[c][k]
		}
		right := float64(confusion[c][c])
		scores[c] = ClassScore{
			Precision: right / float64(named), Recall: right / float64(support),
			F1: 2 * right / float64(named+support), Support: support,
		}
	}
	return scores
}

// PrecisionRecall is the curve of a class against the rest, recall on the x axis,
// and its average precision: the sum over thresholds of the gain in recall times
// the precision there, without interpolation. Straight lines between thresholds
// would promise too much (Davis and Goadrich 2006, "The relationship between
// precision-recall and ROC curves"), so the curve comes as the corners of its
// steps, below which the area is the average precision. Equal probabilities are
// one threshold. nil and NaN where the class is without pictures.
func PrecisionRecall(answers []Answer, class int) (curve []Point, average float64) {
	sorted := byProbability(answers, class)
	positives := 0
	for _, a := range sorted {
		if a.Label == class {
			positives++
		}
	}
	if positives == 0 {
		return nil, math.NaN()
	}
	recall, right := 0.0, 0
	for i := 0; i < len(sorted); {
		p, before := sorted[i].Probabilities[class], right
		for ; i < len(sorted) && sorted[i].Probabilities[class] == p; i++ {
			if sorted[i].Label == class {
				right++
			}
		}
		if right == before {
			continue // a drop that no step begins with
		}
		precision, next := float64(right)/float64(i), float64(right)/float64(positives)
		average += (next - recall) * precision
		curve = append(curve, Point{recall, precision}, Point{next, precision})
		recall = next
	}
	return straight(curve), average
}

// byProbability are the answers from the most probable of the class down.
func byProbability(answers []Answer, class int) []Answer {
	sorted := slices.Clone(answers)
	slices.SortStableFunc(sorted, func(a, b Answer) int { return cmp.Compare(b.Probabilities[class], a.Probabilities[class]) })
	return sorted
}

// straight leaves out the points in the middle of a horizontal or vertical line.
func straight(curve []Point) []Point {
	var out []Point
	for _, p := range curve {
		if n := len(out); n >= 2 && (out[n-2].X == out[n-1].X && out[n-1].X == p.X || out[n-2].Y == out[n-1].Y && out[n-1].Y == p.Y) {
			out[n-1] = p
			continue
		}
		out = append(out, p)
	}
	return out
}
