package stats

import (
	"cmp"
	"math"
	"slices"
)

// Confusion counts the answers: each element is a class, what its pictures were taken
// for, and how many, in that order, without the pairs that do not occur.
func Confusion(answers []Answer) [][3]int {
	counts := map[[2]int]int{}
	for _, a := range answers {
		counts[[2]int{a.Label, a.Predicted}]++
	}
	cells := make([][3]int, 0, len(counts))
	for pair, n := range counts {
		cells = append(cells, [3]int{pair[0], pair[1], n})
	}
	slices.SortFunc(cells, func(a, b [3]int) int { return slices.Compare(a[:], b[:]) })
	return cells
}

// ClassScore says how well one class is told from the rest. A share of nothing is
// NaN: the precision of a class that was never named, the recall of one without
// pictures.
type ClassScore struct {
	Precision, Recall, F1 float64
	Support               int // pictures of the class
}

// PerClass is every class's score.
func PerClass(answers []Answer, classes int) []ClassScore {
	named, right := make([]int, classes), make([]int, classes)
	scores := make([]ClassScore, classes)
	for _, a := range answers {
		scores[a.Label].Support++
		named[a.Predicted]++
		if a.Right() {
			right[a.Label]++
		}
	}
	for c := range scores {
		s, n := &scores[c], float64(right[c])
		s.Precision, s.Recall = n/float64(named[c]), n/float64(s.Support)
		s.F1 = 2 * n / float64(named[c]+s.Support)
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
		if a.own {
			positives++
		}
	}
	if positives == 0 {
		return nil, math.NaN()
	}
	recall, right := 0.0, 0
	for i := 0; i < len(sorted); {
		p, before := sorted[i].p, right
		for ; i < len(sorted) && sorted[i].p == p; i++ {
			if sorted[i].own {
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

// ranked is an answer as the curves of one class see it.
type ranked struct {
	p   float64
	own bool // the picture is of the class
}

// byProbability are the answers from the most probable of the class down.
func byProbability(answers []Answer, class int) []ranked {
	sorted := make([]ranked, len(answers))
	for i, a := range answers {
		sorted[i] = ranked{a.Probabilities[class], a.Label == class}
	}
	slices.SortFunc(sorted, func(a, b ranked) int { return cmp.Compare(b.p, a.p) })
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
