package stats

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// Dimension is the range of an input, and how its values are weighed.
//
// With Weights the input has levels 0, 1, ... of these shares (their sum is 1), in
// an order that matters if Ordered. Without, it is a number in [0, 1], all of which
// weigh the same; below zero where the input does not exist, which is of the share
// Absent.
type Dimension struct {
	Weights []float64
	Ordered bool
	Absent  float64
}

// categorical tells whether the levels have no order.
func (d *Dimension) categorical() bool { return d.Weights != nil && !d.Ordered }

// below is the share of the values below an edge between values.
func (d *Dimension) below(edge float64) float64 {
	if d.Weights != nil {
		share := 0.0
		for k, w := range d.Weights {
			if float64(k) < edge {
				share += w
			}
		}
		return share
	}
	if edge < 0 {
		return 0
	}
	return d.Absent + (1-d.Absent)*min(edge, 1)
}

// edge lies between two neighbours in a sorted list of values.
func (d *Dimension) edge(low, high float64) float64 {
	if low < 0 && high >= 0 {
		return 0 // what is absent apart from what is not
	}
	return low + (high-low)/2
}

// node splits a box in two, or is a leaf.
type node struct {
	input       int // -1: a leaf
	edge        float64
	left        []bool // levels that go left, of categorical inputs
	low, high   *node
	value       float64 // mean of the leaf
	weight, sum float64 // of the sample that it was grown on
}

func (n *node) goesLow(x []float64) bool {
	if n.left != nil {
		return n.left[int(x[n.input])]
	}
	return x[n.input] < n.edge
}

func (n *node) predict(x []float64) float64 {
	for n.input >= 0 {
		if n.goesLow(x) {
			n = n.low
		} else {
			n = n.high
		}
	}
	return n.value
}

// grower grows a regression tree to its end (Breiman et al. 1984): each node takes
// the split that leaves the least squared error, of all splits of all inputs.
type grower struct {
	dims   []Dimension
	x      [][]float64 // by sample
	y      []float64
	weight []float64 // how often a sample was drawn
	draw   *rand.Rand
	side   []bool // scratch: which samples go low
}

// grow takes the node's samples, sorted by each input.
func (g *grower) grow(sorted [][]int) *node {
	n := &node{input: -1}
	lowest, highest := g.y[sorted[0][0]], g.y[sorted[0][0]]
	for _, i := range sorted[0] {
		n.weight += g.weight[i]
		n.sum += g.weight[i] * g.y[i]
		lowest, highest = min(lowest, g.y[i]), max(highest, g.y[i])
	}
	n.value = n.sum / n.weight
	if lowest == highest || !g.split(n, sorted) {
		return n
	}
	for _, i := range sorted[0] {
		g.side[i] = n.goesLow(g.x[i])
	}
	low, high := make([][]int, len(sorted)), make([][]int, len(sorted))
	for f, order := range sorted {
		low[f], high[f] = g.part(order)
	}
	n.low, n.high = g.grow(low), g.grow(high)
	return n
}

// part divides a list by side, in its order and in its place.
func (g *grower) part(order []int) (low, high []int) {
	var rest []int
	kept := order[:0]
	for _, i := range order {
		if g.side[i] {
			kept = append(kept, i)
		} else {
			rest = append(rest, i)
		}
	}
	copy(order[len(kept):], rest)
	return order[:len(kept):len(kept)], order[len(kept):]
}

// split finds the node's split; false where all its samples have the same inputs.
// Of equal splits the first of a random order wins, so that no input is favoured.
func (g *grower) split(n *node, sorted [][]int) bool {
	best := 0.0
	for _, f := range g.draw.Perm(len(g.dims)) {
		if g.dims[f].categorical() {
			best = g.splitLevels(n, f, sorted[f], best)
		} else {
			best = g.splitNumbers(n, f, sorted[f], best)
		}
	}
	return n.input >= 0
}

// gain is how much a split lowers the squared error, but for what all splits of
// the node have in common.
func (n *node) gain(weight, sum float64) float64 {
	return sum*sum/weight + (n.sum-sum)*(n.sum-sum)/(n.weight-weight) - n.sum*n.sum/n.weight
}

// slack keeps rounding from making one of two equal splits the better.
const slack = 1 + 1e-9

func (g *grower) splitNumbers(n *node, f int, order []int, best float64) float64 {
	weight, sum := 0.0, 0.0
	for k, i := range order[:len(order)-1] {
		weight += g.weight[i]
		sum += g.weight[i] * g.y[i]
		this, next := g.x[i][f], g.x[order[k+1]][f]
		if this == next {
			continue
		}
		if gain := n.gain(weight, sum); n.input < 0 || gain > best*slack {
			best = gain
			n.input, n.edge, n.left = f, g.dims[f].edge(this, next), nil
		}
	}
	return best
}

// splitLevels sorts the levels by their mean: the best division of them in two is
// one of that order (Fisher 1958).
func (g *grower) splitLevels(n *node, f int, order []int, best float64) float64 {
	weight, sum := make([]float64, len(g.dims[f].Weights)), make([]float64, len(g.dims[f].Weights))
	for _, i := range order {
		level := int(g.x[i][f])
		weight[level] += g.weight[i]
		sum[level] += g.weight[i] * g.y[i]
	}
	var levels []int
	for level, w := range weight {
		if w > 0 {
			levels = append(levels, level)
		}
	}
	slices.SortStableFunc(levels, func(a, b int) int { return cmp.Compare(sum[a]/weight[a], sum[b]/weight[b]) })
	w, s := 0.0, 0.0
	for k, level := range levels[:len(levels)-1] {
		w += weight[level]
		s += sum[level]
		if gain := n.gain(w, s); n.input < 0 || gain > best*slack {
			best = gain
			n.input, n.left = f, g.sides(len(weight), levels[:k+1], levels[k+1:])
		}
	}
	return best
}

// sides sends some levels low. One that the node has not seen goes either way.
func (g *grower) sides(n int, low, high []int) []bool {
	left := make([]bool, n)
	for level := range left {
		left[level] = g.draw.IntN(2) == 0
	}
	for _, level := range low {
		left[level] = true
	}
	for _, level := range high {
		left[level] = false
	}
	return left
}

// tree is grown on a bootstrap sample (Breiman 2001); weight says of each sample
// how often it was drawn.
func growTree(dims []Dimension, x [][]float64, y []float64, sorted [][]int, draw *rand.Rand) (root *node, weight []float64) {
	g := &grower{dims: dims, x: x, y: y, weight: make([]float64, len(y)), draw: draw, side: make([]bool, len(y))}
	for range y {
		g.weight[draw.IntN(len(y))]++
	}
	own := make([][]int, len(sorted))
	for f, order := range sorted {
		for _, i := range order {
			if g.weight[i] > 0 {
				own[f] = append(own[f], i)
			}
		}
	}
	return g.grow(own), g.weight
}
