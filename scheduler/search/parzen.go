package search

import (
	"math"
	"math/rand/v2"
	"slices"
)

// parzen is a mixture density over a space: a kernel for each observation,
// and one that is as wide as the space. A kernel is a product over the
// dimensions of a normal density cut off at 0 and 1, or of the
// probabilities of levels. Where a dimension does not count at a point, it has no
// part in the density there; where it does not count at an observation, that one's
// kernel is the prior in it. So the density integrates to 1 over the tree of what
// can count together.
type parzen struct {
	space   []Dimension
	weights []float64 // of kernels, to sum 1; the prior's is the last
	logs    []float64 // their logarithms
	mu      [][]float64
	sigma   [][]float64 // per dimension and kernel; nil for categorical ones
	mass    [][]float64 // of the normal density within [0, 1]
	norm    [][]float64 // the logarithm of sigma times mass
	counts  [][]bool    // per kernel and dimension: nil where all count
	scratch []float64
}

// newParzen estimates the density of observations ordered by trial.
func newParzen(space []Dimension, observations []*Outcome) *parzen {
	n := len(observations) + 1
	p := &parzen{space: space, weights: ages(n - 1), scratch: make([]float64, n)}
	for _, table := range []*[][]float64{&p.mu, &p.sigma, &p.mass, &p.norm} {
		*table = make([][]float64, len(space))
	}
	p.normalise()
	p.counts = make([][]bool, n)
	for k, o := range observations {
		p.counts[k] = counting(space, o.Point)
	}
	for i, d := range space {
		mu := make([]float64, n)
		for k, o := range observations {
			mu[k] = o.Point[i]
		}
		mu[n-1] = 0.5
		p.mu[i] = mu
		if d.Kind != Categorical {
			p.spread(i)
		}
	}
	return p
}

// spread sets the widths of the kernels of an ordered dimension.
func (p *parzen) spread(i int) {
	mu := p.mu[i]
	n := len(mu)
	p.sigma[i], p.mass[i], p.norm[i] = make([]float64, n), make([]float64, n), make([]float64, n)
	var there []int // the kernels in which the dimension counts
	var at []float64
	for k := range n - 1 {
		if p.has(k, i) {
			there, at = append(there, k), append(at, mu[k])
		}
	}
	sigma := widths(at)
	for j, k := range append(there, n-1) {
		s := sigma[j]
		p.sigma[i][k] = s
		p.mass[i][k] = phi((1-mu[k])/s) - phi(-mu[k]/s)
		p.norm[i][k] = math.Log(s * p.mass[i][k])
	}
}

// has tells whether dimension i counts in kernel k.
func (p *parzen) has(k, i int) bool { return p.counts[k] == nil || p.counts[k][i] }

// normalise scales the weights to sum 1.
func (p *parzen) normalise() {
	sum := 0.0
	for _, w := range p.weights {
		sum += w
	}
	p.logs = make([]float64, len(p.weights))
	for k := range p.weights {
		p.weights[k] /= sum
		p.logs[k] = math.Log(p.weights[k])
	}
}

// ages weighs n observations and the prior: the newest 25 and the prior by
// 1, older ones the less the older they are.
func ages(n int) []float64 {
	w := make([]float64, n+1)
	for i := range w {
		w[i] = 1
	}
	for i := range n - 25 {
		w[i] = 1 / float64(n)
		if n > 26 {
			w[i] += (1 - 1/float64(n)) * float64(i) / float64(n-26)
		}
	}
	return w
}

// widths returns the standard deviation of each kernel and of the prior: the
// distance to the farther neighbour, within bounds that keep the first
// kernels wide and later ones from collapsing.
func widths(mu []float64) []float64 {
	n := len(mu)
	order := make([]int, n)
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if mu[a] < mu[b] {
			return -1
		} else if mu[a] > mu[b] {
			return 1
		}
		return 0
	})
	sigma := make([]float64, n+1)
	sigma[n] = 1
	narrowest := 1 / min(100, float64(n)+2)
	for i, k := range order {
		left, right := mu[k], 1-mu[k]
		if i > 0 {
			left = mu[k] - mu[order[i-1]]
		}
		if i < n-1 {
			right = mu[order[i+1]] - mu[k]
		}
		switch { // the ends of the interval are no neighbours
		case n > 1 && i == 0:
			left = 0
		case n > 1 && i == n-1:
			right = 0
		}
		sigma[k] = min(max(left, right, narrowest), 1)
	}
	return sigma
}

// sample draws a point: a kernel by its weight, and each coordinate from it.
func (p *parzen) sample(r *rand.Rand) []float64 {
	k := pick(p.weights, r.Float64())
	point := make([]float64, len(p.space))
	for i, d := range p.space {
		switch {
		case d.Kind == Categorical:
			point[i] = p.sampleLevel(i, k, r)
		case p.has(k, i):
			point[i] = d.snap(truncated(p.mu[i][k], p.sigma[i][k], r))
		default:
			point[i] = d.snap(r.Float64())
		}
	}
	return point
}

// truncated draws from the normal density within [0, 1]. Its mean lies
// inside and its width is at most 1, so every third draw or more is kept.
func truncated(mu, sigma float64, r *rand.Rand) float64 {
	for {
		if u := mu + float64(sigma*r.NormFloat64()); u >= 0 && u < 1 {
			return u
		}
	}
}

// sampleLevel draws a categorical level from kernel k: its own level, or
// any from the prior.
func (p *parzen) sampleLevel(i, k int, r *rand.Rand) float64 {
	own := r.Float64() < p.own(i)
	u := r.Float64()
	if own && k < len(p.weights)-1 && p.has(k, i) {
		return p.mu[i][k]
	}
	return float64(p.space[i].level(u))
}

// own is the probability that a kernel gives to its own level of dimension i
// besides what it has from the prior: the more observations, the surer.
func (p *parzen) own(i int) float64 {
	n := float64(len(p.weights))
	return n / (n + float64(p.space[i].Levels))
}

// pick returns the index that u in [0, 1) falls to by the weights.
func pick(weights []float64, u float64) int {
	for k, w := range weights {
		if u -= w; u < 0 {
			return k
		}
	}
	return len(weights) - 1
}

// logDensity returns the logarithm of the density at a point; of an ordinal
// level, of the mass of its cell.
func (p *parzen) logDensity(point []float64) float64 {
	copy(p.scratch, p.logs)
	counts := counting(p.space, point)
	for i, d := range p.space {
		if counts != nil && !counts[i] {
			continue
		}
		switch d.Kind {
		case Continuous:
			p.addContinuous(i, point[i])
		case Ordinal:
			p.addOrdinal(i, d.level(point[i]))
		case Categorical:
			p.addCategorical(i, int(point[i]))
		}
	}
	top := slices.Max(p.scratch)
	sum := 0.0
	for _, l := range p.scratch {
		sum += math.Exp(l - top)
	}
	return top + math.Log(sum)
}

func (p *parzen) addContinuous(i int, u float64) {
	for k, s := range p.sigma[i] {
		if !p.has(k, i) {
			continue // the prior's density is 1
		}
		z := (u - p.mu[i][k]) / s
		p.scratch[k] -= float64(z*z/2) + p.norm[i][k]
	}
}

func (p *parzen) addOrdinal(i, level int) {
	low, high := p.space[i].cell(level)
	for k, s := range p.sigma[i] {
		if !p.has(k, i) {
			p.scratch[k] += math.Log(high - low)
			continue
		}
		mu := p.mu[i][k]
		p.scratch[k] += math.Log(max((phi((high-mu)/s)-phi((low-mu)/s))/p.mass[i][k], tiny))
	}
}

func (p *parzen) addCategorical(i, level int) {
	low, high := p.space[i].cell(level)
	own := p.own(i)
	for k := range p.weights {
		q := high - low
		if k < len(p.weights)-1 && p.has(k, i) {
			q *= 1 - own
			if int(p.mu[i][k]) == level {
				q += own
			}
		}
		p.scratch[k] += math.Log(max(q, tiny))
	}
}

// tiny stands for masses that vanish in float64.
const tiny = 1e-300

// phi is the distribution function of the standard normal distribution.
func phi(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
