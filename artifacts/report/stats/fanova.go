package stats

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// Trees is how many the forest of Decompose has.
const Trees = 64

// Decomposition says which share of a function's variance over its domain comes
// from each input alone and from each pair beyond its two inputs: mean and sample
// standard deviation over the trees.
type Decomposition struct {
	Single, SingleStd []float64
	Pairs             []PairShare // a < b, in order
	// Explained is the share of the variance among the samples that trees explain of
	// samples that they were not grown on (R², out of bag). Around zero or below it,
	// the shares are of noise.
	Explained float64
}

// PairShare is the share of a pair of inputs.
type PairShare struct {
	A, B       int
	Share, Std float64
}

// Decompose is functional ANOVA by a random forest (Hutter, Hoos and Leyton-Brown
// 2014, "An efficient approach for assessing hyperparameter importance"): a forest
// is grown on the samples, x by sample and input, and as each tree is constant on
// boxes, the variance of its marginals is a sum over boxes. The shares are fractions
// of each tree's whole variance over the domain, averaged.
//
// The same samples in any order give the same figures for a seed. Fewer than four
// samples are an error, as is a y that is constant or not finite.
func Decompose(dims []Dimension, x [][]float64, y []float64, seed uint64) (*Decomposition, error) {
	if len(y) < 4 || len(x) != len(y) || len(dims) == 0 {
		return nil, fmt.Errorf("decompose the variance of %d samples of %d inputs: at least four, and one, are needed", len(y), len(dims))
	}
	for _, v := range y {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("decompose the variance: %v is among the values", v)
		}
	}
	if slices.Min(y) == slices.Max(y) {
		return nil, fmt.Errorf("decompose the variance: all values are %v", y[0])
	}
	x, y = inOrder(x, y)
	trees := grownForest(dims, x, y, seed)
	d := collect(trees, len(dims))
	d.Explained = explained(trees, x, y)
	return d, nil
}

// inOrder sorts the samples, so that their order does not matter, and takes y from
// its mean, so that little is lost of small differences.
func inOrder(x [][]float64, y []float64) ([][]float64, []float64) {
	order := make([]int, len(y))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(slices.Compare(x[i], x[j]), cmp.Compare(y[i], y[j])) })
	a, b := make([][]float64, len(y)), make([]float64, len(y))
	for k, i := range order {
		a[k], b[k] = x[i], y[i]
	}
	mean := 0.0
	for _, v := range b {
		mean += v / float64(len(b))
	}
	for k := range b {
		b[k] -= mean
	}
	return a, b
}

// grown is a tree, what it was grown on, and its decomposition; nil shares where it
// is constant.
type grown struct {
	root          *node
	weight        []float64
	single, pairs []float64
}

func grownForest(dims []Dimension, x [][]float64, y []float64, seed uint64) []grown {
	sorted := make([][]int, len(dims))
	for f := range dims {
		order := make([]int, len(y))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(x[i][f], x[j][f]) })
		sorted[f] = order
	}
	trees := make([]grown, Trees)
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), Trees) {
		wait.Go(func() {
			for t := range next {
				root, weight := growTree(dims, x, y, sorted, rand.New(rand.NewPCG(seed, uint64(t))))
				single, pairs := newBoxes(dims, root).shares()
				trees[t] = grown{root, weight, single, pairs}
			}
		})
	}
	for t := range trees {
		next <- t
	}
	close(next)
	wait.Wait()
	return trees
}

// collect averages the trees' shares.
func collect(trees []grown, inputs int) *Decomposition {
	d := &Decomposition{}
	over := func(of func(grown) float64) (mean, std float64) {
		var all []float64
		for _, t := range trees {
			if t.single != nil {
				all = append(all, of(t))
			}
		}
		for _, v := range all {
			mean += v / float64(len(all))
		}
		for _, v := range all {
			std += (v - mean) * (v - mean)
		}
		return mean, math.Sqrt(std / float64(max(len(all)-1, 1)))
	}
	for f := range inputs {
		mean, std := over(func(t grown) float64 { return t.single[f] })
		d.Single, d.SingleStd = append(d.Single, mean), append(d.SingleStd, std)
	}
	k := 0
	for a := range inputs {
		for b := a + 1; b < inputs; b++ {
			p := PairShare{A: a, B: b}
			p.Share, p.Std = over(func(t grown) float64 { return t.pairs[k] })
			d.Pairs = append(d.Pairs, p)
			k++
		}
	}
	return d
}

// explained is R² over the samples that some tree has not seen.
func explained(trees []grown, x [][]float64, y []float64) float64 {
	var truth, guess []float64
	for i := range y {
		sum, n := 0.0, 0
		for _, t := range trees {
			if t.weight[i] == 0 {
				sum, n = sum+t.root.predict(x[i]), n+1
			}
		}
		if n > 0 {
			truth, guess = append(truth, y[i]), append(guess, sum/float64(n))
		}
	}
	mean, missed, whole := 0.0, 0.0, 0.0
	for _, v := range truth {
		mean += v / float64(len(truth))
	}
	for i, v := range truth {
		missed += (v - guess[i]) * (v - guess[i])
		whole += (v - mean) * (v - mean)
	}
	return 1 - missed/whole
}
