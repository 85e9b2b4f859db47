package linear

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// pair is the SVM of one class against another, in the dual:
//
//	minimise ½ αᵀQα - Σα with 0 ≤ α ≤ C and Σ yα = 0, Q_ij = y_i y_j x_i·x_j
type pair struct {
	first, second int       // y = -1, +1
	rows          []int     // of the problem
	y             []float64 // of rows
	k             *Matrix   // inner products of rows
}

func (p *Problem) svm(c float64, from *Fit) *Fit {
	p.makePairs()
	f := &Fit{Classifier: SVM, C: c, Converged: true, classes: p.classes, pairs: p.pairs, weights: NewMatrix(len(p.pairs), p.x.Cols+1)}
	for i, pair := range p.pairs {
		s := &smo{pair: pair, c: c, alpha: make([]float64, len(pair.rows))}
		if from != nil {
			s.start(from.alphas[i], from.C)
		}
		o := s.solve()
		w := f.weights.Row(i)
		for t, r := range pair.rows {
			if s.alpha[t] > 0 {
				blas64.Axpy(o.scale*s.alpha[t]*pair.y[t], vector(p.x.Row(r)), vector(w[:p.x.Cols]))
			}
		}
		w[p.x.Cols] = o.bias
		f.alphas = append(f.alphas, s.alpha)
		f.Objective += o.primal
		f.Gap += math.Max(0, o.primal-o.dual)
		f.Iterations += s.iterations
	}
	f.Converged = f.Gap <= Tolerance*f.Objective
	return f
}

// makePairs makes one SVM for each two classes that have pictures.
func (p *Problem) makePairs() {
	if p.pairs != nil {
		return
	}
	of := make([][]int, p.classes)
	for i, label := range p.y {
		of[label] = append(of[label], i)
	}
	for a := range of {
		for b := a + 1; b < len(of); b++ {
			if len(of[a]) > 0 && len(of[b]) > 0 {
				p.pairs = append(p.pairs, p.newPair(a, b, of[a], of[b]))
			}
		}
	}
}

func (p *Problem) newPair(a, b int, ofA, ofB []int) *pair {
	out := &pair{first: a, second: b, rows: append(append([]int(nil), ofA...), ofB...)}
	for i := range out.rows {
		y := 1.0
		if i < len(ofA) {
			y = -1
		}
		out.y = append(out.y, y)
	}
	x := p.x.pick(out.rows)
	out.k = NewMatrix(x.Rows, x.Rows)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, x.general(), x.general(), 0, out.k.general())
	return out
}

// smo is sequential minimal optimisation with second-order choice of the two
// variables (Fan, Chen and Lin, JMLR 6, 2005), as LIBSVM.
type smo struct {
	*pair
	c          float64
	alpha      []float64
	gradient   []float64 // Qα - 1
	iterations int
}

// start takes over a solution for another C: scaled where the old bound held it
// back, so that Σ yα stays 0, and as it is otherwise.
func (s *smo) start(alpha []float64, c float64) {
	copy(s.alpha, alpha)
	bound := false
	for _, a := range alpha {
		bound = bound || a >= c
	}
	if !bound && s.c >= c {
		return
	}
	for i := range s.alpha {
		s.alpha[i] = math.Min(s.alpha[i]*(s.c/c), s.c)
		if alpha[i] >= c {
			s.alpha[i] = s.c
		}
	}
}

// LIBSVM stops where two multipliers are 1e-3 from optimal, in units of the
// margin. Here that is the first of several stops, until the duality gap is small:
// a picture off the margin counts C times in the primal objective. Below the last
// of them is rounding.
const (
	firstViolation = 1e-3
	lastViolation  = 1e-13
	// mostWork bounds iterations times rows: about a second. Few features, a
	// large C and classes that overlap may need more.
	mostWork = 5e8
)

func (s *smo) solve() optimum {
	s.gradient = make([]float64, len(s.rows))
	for i := range s.gradient {
		s.gradient[i] = -1
	}
	for j, a := range s.alpha {
		if a > 0 {
			for i, k := range s.k.Row(j) {
				s.gradient[i] += a * s.y[i] * s.y[j] * k
			}
		}
	}
	most := 20000 + mostWork/len(s.rows)
	for violation := firstViolation; ; violation /= 10 {
		for s.improve(violation) {
			if s.iterations++; s.iterations == most {
				return s.objectives()
			}
		}
		if o := s.objectives(); o.primal-o.dual <= Tolerance*o.primal || violation < lastViolation {
			return o
		}
	}
}

// improve changes two multipliers, unless all are optimal but for a violation.
func (s *smo) improve(violation float64) bool {
	i, j := s.choose(violation)
	if j < 0 {
		return false
	}
	s.update(i, j)
	return true
}

// choose finds the two whose update promises most; j is -1 at the optimum.
func (s *smo) choose(violation float64) (i, j int) {
	i, j = -1, -1
	top := math.Inf(-1)
	for t, g := range s.gradient {
		if v := -s.y[t] * g; s.mayRise(t) && v > top {
			top, i = v, t
		}
	}
	if i < 0 {
		return -1, -1
	}
	row, bottom, best := s.k.Row(i), math.Inf(1), math.Inf(-1)
	for t, g := range s.gradient {
		if !s.mayFall(t) {
			continue
		}
		v := -s.y[t] * g
		bottom = math.Min(bottom, v)
		if gain := top - v; gain > 0 {
			curvature := math.Max(row[i]+s.k.Data[t*s.k.Cols+t]-2*row[t], tiny)
			if promise := gain * gain / curvature; promise > best {
				best, j = promise, t
			}
		}
	}
	if top-bottom <= violation {
		return -1, -1
	}
	return i, j
}

// tiny stands for a curvature of 0, of two equal pictures.
const tiny = 1e-12

// mayRise says whether y·α may rise, mayFall whether it may fall.
func (s *smo) mayRise(t int) bool {
	return s.y[t] > 0 && s.alpha[t] < s.c || s.y[t] < 0 && s.alpha[t] > 0
}

func (s *smo) mayFall(t int) bool {
	return s.y[t] > 0 && s.alpha[t] > 0 || s.y[t] < 0 && s.alpha[t] < s.c
}

// room is how far y·α may move up or down.
func (s *smo) room(t int, up bool) float64 {
	if up == (s.y[t] > 0) {
		return s.c - s.alpha[t]
	}
	return s.alpha[t]
}

// update raises y·α of i and lowers that of j by the same, to the minimum along
// this line or to a bound.
func (s *smo) update(i, j int) {
	a, b := s.k.Row(i), s.k.Row(j)
	curvature := math.Max(a[i]+b[j]-2*a[j], tiny)
	size := (-s.y[i]*s.gradient[i] + s.y[j]*s.gradient[j]) / curvature
	roomI, roomJ := s.room(i, true), s.room(j, false)
	size = math.Min(size, math.Min(roomI, roomJ))
	s.move(i, size*s.y[i], size == roomI)
	s.move(j, -size*s.y[j], size == roomJ)
	for t := range s.gradient {
		s.gradient[t] += s.y[t] * size * (a[t] - b[t])
	}
}

// move changes a multiplier; one that reaches a bound is set to it exactly.
func (s *smo) move(t int, by float64, bound bool) {
	s.alpha[t] += by
	if bound && by > 0 {
		s.alpha[t] = s.c
	} else if bound {
		s.alpha[t] = 0
	}
}

// objectives works out the bias, the factor that both it and the weights of α
// take, and the primal and the dual objective.
func (s *smo) objectives() (o optimum) {
	bias := s.bias()
	square, sum, off := 0.0, 0.0, 0.0
	margins := make([]float64, len(s.rows)) // y (w·x + b)
	for t, g := range s.gradient {
		square += s.alpha[t] * (g + 1) // αᵀQα
		sum += s.alpha[t]
		margins[t] = g + 1 + s.y[t]*bias
		if s.alpha[t] < s.c {
			off = math.Max(off, 1-margins[t])
		}
	}
	o = optimum{scale: 1, bias: bias, primal: s.primal(square, margins, 1), dual: sum - square/2}
	// Pictures that rounding leaves a little inside the margin cost C times that;
	// slightly larger weights bring them out.
	if larger := 1 / (1 - off); off < 0.5 {
		if p := s.primal(square, margins, larger); p < o.primal {
			o.scale, o.bias, o.primal = larger, bias*larger, p
		}
	}
	return o
}

type optimum struct{ scale, bias, primal, dual float64 }

func (s *smo) primal(square float64, margins []float64, scale float64) float64 {
	loss := 0.0
	for _, m := range margins {
		loss += math.Max(0, 1-scale*m)
	}
	return scale*scale*square/2 + s.c*loss
}

// bias is the mean over the multipliers between the bounds, whose pictures lie on
// the margin; without any, the middle of what the bounds allow.
func (s *smo) bias() float64 {
	sum, free := 0.0, 0
	low, high := math.Inf(-1), math.Inf(1)
	for t, g := range s.gradient {
		v := -s.y[t] * g
		if s.alpha[t] > 0 && s.alpha[t] < s.c {
			sum += v
			free++
		} else if s.mayRise(t) {
			low = math.Max(low, v)
		} else {
			high = math.Min(high, v)
		}
	}
	if free > 0 {
		return sum / float64(free)
	}
	return (low + high) / 2
}
