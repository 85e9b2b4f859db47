package linear

import (
	"fmt"
	"math"
	"slices"
)

// Classifier says what is fitted.
type Classifier string

// The classifiers, with w and b the weights and the bias, which is not
// penalised.
const (
	// Softmax is logistic regression, ½‖w‖² + C Σ -ln p(class): with two classes
	// one w, with more one for each class, as scikit-learn's LogisticRegression
	// with lbfgs.
	Softmax Classifier = "softmax"
	// SVM is ½‖w‖² + C Σ max(0, 1 - y (w·x + b)), with more than two classes one
	// for each pair of them, which vote; as scikit-learn's SVC with a linear
	// kernel.
	SVM Classifier = "svm"
)

// Problem is a training set. Its methods are not for concurrent use.
type Problem struct {
	x       *Matrix
	y       []int
	classes int
	pairs   []*pair // of the SVMs; made when first asked for
}

// NewProblem takes the training set of some rows of x, y the class of every row
// of x. All but the rows of at least two classes is an error.
func NewProblem(x *Matrix, y []int, classes int, rows []int) (*Problem, error) {
	p := &Problem{x: x.pick(rows), classes: classes}
	seen := map[int]bool{}
	for _, r := range rows {
		if y[r] < 0 || y[r] >= classes {
			return nil, fmt.Errorf("fit a linear classifier: row %d has class %d of %d", r, y[r], classes)
		}
		seen[y[r]] = true
		p.y = append(p.y, y[r])
	}
	if len(seen) < 2 {
		return nil, fmt.Errorf("fit a linear classifier: %d training pictures of %d class(es); two classes are needed", len(rows), len(seen))
	}
	return p, nil
}

// Fit is a fitted classifier.
type Fit struct {
	Classifier Classifier
	C          float64
	// Objective is what was minimised; of several SVMs the sum.
	Objective float64
	// Gap bounds or estimates how much of Objective is left to gain: an SVM's
	// duality gap, half of the squared Newton decrement of Softmax.
	Gap        float64
	Iterations int
	Converged  bool // Gap is at most Tolerance times Objective

	classes int
	weights *Matrix // a row for each score, the bias last
	pairs   []*pair
	alphas  [][]float64 // of each pair, to start the next fit from
}

// Tolerance is the relative Gap at which a fit has converged.
const Tolerance = 1e-7

// Fit fits the classifier. A fit of the same problem and classifier with another
// C may be given to start from: it saves time and does not change the result
// beyond Tolerance.
func (p *Problem) Fit(c Classifier, strength float64, from *Fit) (*Fit, error) {
	if !(strength > 0) || math.IsInf(strength, 0) {
		return nil, fmt.Errorf("fit a linear classifier: C is %v, not a positive number", strength)
	}
	if from != nil && from.Classifier != c {
		from = nil
	}
	switch c {
	case Softmax:
		return p.softmax(strength, from), nil
	case SVM:
		return p.svm(strength, from), nil
	}
	return nil, fmt.Errorf("fit a linear classifier: %q is not known (known: softmax, svm)", c)
}

// Scores are the decision values of a row: with two classes one, positive for
// class 1; otherwise one of each class (softmax) or of each pair (svm).
func (f *Fit) Scores(row []float64) []float64 {
	out := make([]float64, f.weights.Rows)
	for k := range out {
		w := f.weights.Row(k)
		sum := w[len(row)]
		for j, x := range row {
			sum += w[j] * x
		}
		out[k] = sum
	}
	return out
}

// Predict is the class of a row. Equal scores or votes go to the first class.
func (f *Fit) Predict(row []float64) int {
	scores := f.Scores(row)
	if f.Classifier == SVM {
		return argmax(f.votes(scores))
	}
	if len(scores) == 1 {
		scores = []float64{0, scores[0]}
	}
	return argmax(scores)
}

// Accuracy is the part of some rows whose class is predicted.
func (f *Fit) Accuracy(x *Matrix, y, rows []int) float64 {
	right := 0
	for _, r := range rows {
		if f.Predict(x.Row(r)) == y[r] {
			right++
		}
	}
	return float64(right) / float64(len(rows))
}

func argmax(x []float64) int {
	best := 0
	for i := range x {
		if x[i] > x[best] {
			best = i
		}
	}
	return best
}

// Shares are numbers from 0 to 1 for each class, with sum 1, that order the answers
// as Predict does: the probabilities of Softmax; for an SVM of two classes the
// logistic function of the score, for more the share of the votes.
func (f *Fit) Shares(row []float64) []float64 {
	scores := f.Scores(row)
	switch {
	case len(scores) == 1 && f.classes == 2:
		p := 1 / (1 + math.Exp(-scores[0]))
		return []float64{1 - p, p}
	case f.Classifier == SVM:
		return f.votes(scores)
	}
	top, sum := slices.Max(scores), 0.0
	for k, s := range scores {
		scores[k] = math.Exp(s - top)
		sum += scores[k]
	}
	for k := range scores {
		scores[k] /= sum
	}
	return scores
}

// votes are the parts of all pairs that each class wins.
func (f *Fit) votes(scores []float64) []float64 {
	votes := make([]float64, f.classes)
	for k, p := range f.pairs {
		winner := p.first
		if scores[k] > 0 {
			winner = p.second
		}
		votes[winner] += 1 / float64(len(f.pairs))
	}
	return votes
}
