package search

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
)

const (
	// cmaRun is how many trials one run of CMA-ES has before it starts anew
	// from the best point so far. It bounds what is replayed for a proposal.
	cmaRun = 400
	// cmaSigma is the first step size: a sixth of the range, as Optuna's.
	cmaSigma = 1.0 / 6
	// cmaTries is how often a point outside of the cube, or one that has been
	// proposed, is drawn again.
	cmaTries = 100
)

// cmaes replays the run that the trial belongs to, generation by generation,
// and draws a point from the distribution that it has come to.
func cmaes(space []Dimension, seed int64, trial int, outcomes []Outcome, seen *seen) []float64 {
	r := random(seed, "cma-es", trial)
	var axes []int // the dimensions that have an order
	for i, d := range space {
		if d.Kind != Categorical {
			axes = append(axes, i)
		}
	}
	point := prior(space, r)
	if len(axes) == 0 {
		return point
	}
	s := replay(axes, trial, outcomes)
	for range cmaTries {
		x, inside := s.sample(r)
		for k, i := range axes {
			point[i] = space[i].snap(x[k])
		}
		if inside && !seen.has(point) {
			break
		}
	}
	return point
}

// replay returns the state of the trial's run after all generations before
// the trial's own.
func replay(axes []int, trial int, outcomes []Outcome) *evolution {
	start := trial / cmaRun * cmaRun
	run := make([]*Outcome, cmaRun)
	last := 0 // how far the run has come
	var best *Outcome
	for i := range outcomes {
		o := &outcomes[i]
		switch {
		case o.Trial >= start && o.Trial < start+cmaRun:
			run[o.Trial-start] = o
			last = max(last, o.Trial-start)
		case o.Trial < start && o.State == Finished && o.hasValue() && (best == nil || compare(o, best) < 0):
			best = o
		}
	}
	s := newEvolution(axes, best)
	last = max(last, trial-start)
	for g := 0; (g+1)*s.lambda <= trial-start; g++ {
		generation, settled := members(run[g*s.lambda : (g+1)*s.lambda])
		if !settled && last < (g+2)*s.lambda {
			break // its last trials are still running: wait for them a generation long
		}
		s.update(axes, generation)
	}
	return s
}

// members returns a generation's trials that ended, the best first, and
// whether none is running.
func members(trials []*Outcome) (ended []*Outcome, settled bool) {
	for _, o := range trials {
		if o != nil && o.State != Running {
			ended = append(ended, o)
		}
	}
	slices.SortFunc(ended, compare)
	return ended, len(ended) == len(trials)
}

// evolution is the state of CMA-ES in the notation of Hansen's tutorial.
type evolution struct {
	n, lambda   int
	weights     []float64 // of ranks: positive ones sum to 1, then negative ones
	muEff       float64
	cSigma, d   float64 // of step-size control
	cc, c1, cMu float64 // of covariance adaptation
	chi         float64 // the expected length of a standard normal vector
	updates     int
	mean        []float64
	sigma       float64
	c           *mat.SymDense
	b           *mat.Dense // eigenvectors of c, in columns
	axes        []float64  // square roots of its eigenvalues
	pSigma, pc  []float64  // evolution paths
}

// newEvolution begins at the best point, or in the middle if there is none.
func newEvolution(axes []int, best *Outcome) *evolution {
	n := len(axes)
	s := &evolution{n: n, lambda: 4 + int(3*math.Log(float64(n))), sigma: cmaSigma}
	s.mean, s.pSigma, s.pc = make([]float64, n), make([]float64, n), make([]float64, n)
	s.c, s.b, s.axes = mat.NewSymDense(n, nil), mat.NewDense(n, n, nil), make([]float64, n)
	for k, i := range axes {
		s.mean[k] = 0.5
		if best != nil {
			s.mean[k] = best.Point[i]
		}
		s.c.SetSym(k, k, 1)
		s.b.Set(k, k, 1)
		s.axes[k] = 1
	}
	s.setRates()
	return s
}

// setRates sets the default weights and learning rates (Hansen 2016, table 1
// and equations 49 to 58).
func (s *evolution) setRates() {
	n, mu := float64(s.n), s.lambda/2
	s.weights = make([]float64, s.lambda)
	for i := range s.weights {
		s.weights[i] = math.Log((float64(s.lambda)+1)/2) - math.Log(float64(i+1))
	}
	plus, muEff := mass(s.weights[:mu])
	minus, muEffMinus := mass(s.weights[mu:])
	s.muEff = muEff
	s.cc = (4 + muEff/n) / (n + 4 + 2*muEff/n)
	s.cSigma = (muEff + 2) / (n + muEff + 5)
	s.d = 1 + 2*max(0, math.Sqrt((muEff-1)/(n+1))-1) + s.cSigma
	s.c1 = 2 / ((n+1.3)*(n+1.3) + muEff)
	s.cMu = min(1-s.c1, 2*(muEff-2+1/muEff)/((n+2)*(n+2)+muEff))
	s.chi = math.Sqrt(n) * (1 - 1/(4*n) + 1/(21*n*n))
	negative := min(1+s.c1/s.cMu, 1+2*muEffMinus/(muEff+2), (1-s.c1-s.cMu)/(n*s.cMu))
	for i := range s.weights {
		if i < mu {
			s.weights[i] /= plus
		} else {
			s.weights[i] *= negative / -minus
		}
	}
}

// mass returns the sum of weights and how many equal ones have its variance.
func mass(weights []float64) (sum, effective float64) {
	squares := 0.0
	for _, w := range weights {
		sum += w
		squares += float64(w * w)
	}
	return sum, sum * sum / squares
}

// sample draws a point around the mean, and says whether it is in the cube:
// one outside is drawn again, and its nearest point inside is used if all are.
func (s *evolution) sample(r *rand.Rand) (x []float64, inside bool) {
	z := make([]float64, s.n)
	for i := range z {
		z[i] = s.axes[i] * r.NormFloat64()
	}
	x, inside = s.rotate(z, false), true
	for i := range x {
		x[i] = s.mean[i] + float64(s.sigma*x[i])
		inside = inside && x[i] >= 0 && x[i] < 1
	}
	return x, inside
}

// rotate returns B v, or the transposed B times v.
func (s *evolution) rotate(v []float64, transposed bool) []float64 {
	var product mat.VecDense
	if transposed {
		product.MulVec(s.b.T(), mat.NewVecDense(s.n, v))
	} else {
		product.MulVec(s.b, mat.NewVecDense(s.n, v))
	}
	return product.RawVector().Data
}

// whiten returns the inverse square root of the covariance times v.
func (s *evolution) whiten(v []float64) []float64 {
	w := s.rotate(v, true)
	for i := range w {
		w[i] /= s.axes[i]
	}
	return s.rotate(w, false)
}

// update moves the distribution by one generation, the best first (Hansen
// 2016, section 6 and appendix A). A generation with too few members to be
// ranked teaches nothing.
func (s *evolution) update(axes []int, generation []*Outcome) {
	mu := s.lambda / 2
	if len(generation) < mu || !generation[mu-1].hasValue() {
		return
	}
	steps := make([][]float64, len(generation))
	for k, o := range generation {
		steps[k] = make([]float64, s.n)
		for j, i := range axes {
			steps[k][j] = (o.Point[i] - s.mean[j]) / s.sigma
		}
	}
	s.updates++
	move := make([]float64, s.n)
	for k := range mu {
		for j := range move {
			move[j] += float64(s.weights[k] * steps[k][j])
		}
	}
	for j := range move {
		s.mean[j] += float64(s.sigma * move[j])
	}
	s.adaptCovariance(steps, s.adaptPaths(move))
	s.decompose()
}

// adaptPaths lengthens the evolution paths, sets the step size, and returns
// h: 1, or 0 while the step size grows too fast for the covariance's path.
func (s *evolution) adaptPaths(move []float64) (h float64) {
	white := s.whiten(move)
	length := 0.0
	for j := range white {
		s.pSigma[j] = float64((1-s.cSigma)*s.pSigma[j]) + float64(math.Sqrt(s.cSigma*(2-s.cSigma)*s.muEff)*white[j])
		length += float64(s.pSigma[j] * s.pSigma[j])
	}
	length = math.Sqrt(length)
	s.sigma *= math.Exp(min(1, s.cSigma/s.d*(length/s.chi-1)))
	s.sigma = min(s.sigma, 1) // the cube is no wider
	if length/math.Sqrt(1-math.Pow(1-s.cSigma, float64(2*s.updates))) < (1.4+2/float64(s.n+1))*s.chi {
		h = 1
	}
	for j := range s.pc {
		s.pc[j] = float64((1-s.cc)*s.pc[j]) + float64(h*math.Sqrt(s.cc*(2-s.cc)*s.muEff)*move[j])
	}
	return h
}

// adaptCovariance is the rank-one and the active rank-mu update.
func (s *evolution) adaptCovariance(steps [][]float64, h float64) {
	weights, sum := make([]float64, len(steps)), 0.0
	for k, y := range steps {
		weights[k] = s.weights[k]
		sum += weights[k]
		if weights[k] < 0 {
			length := 1e-8
			for _, w := range s.whiten(y) {
				length += float64(w * w)
			}
			weights[k] *= float64(s.n) / length
		}
	}
	keep := 1 + s.c1*(1-h)*s.cc*(2-s.cc) - s.c1 - s.cMu*sum
	for i := range s.n {
		for j := range i + 1 {
			v := float64(keep*s.c.At(i, j)) + float64(s.c1*s.pc[i]*s.pc[j])
			for k, y := range steps {
				v += float64(s.cMu * weights[k] * y[i] * y[j])
			}
			s.c.SetSym(i, j, v)
		}
	}
}

// decompose finds the covariance's axes.
func (s *evolution) decompose() {
	var e mat.EigenSym
	if !e.Factorize(s.c, true) {
		return // it keeps the axes that it had
	}
	e.VectorsTo(s.b)
	for i, v := range e.Values(nil) {
		s.axes[i] = math.Sqrt(max(v, 1e-20))
	}
}
