package stats

import "slices"

// boxes are a tree's leaves as parts of the domain. Each input is cut into cells at
// the tree's edges (of categories: the categories), and a leaf spans runs of them.
type boxes struct {
	dims  []Dimension
	edges [][]float64 // between cells, by input; of categories none
	mass  [][]float64 // of each cell, by input
	sums  [][]float64 // of the masses of the cells before
	all   []box
}

// box is a leaf: the runs of cells that it spans in each input, and the share of
// each input's values and of the domain that it covers.
type box struct {
	runs  [][]run
	share []float64
	value float64
	whole float64
}

// run is cells from, from+1, ... to-1.
type run struct{ from, to int }

func newBoxes(dims []Dimension, root *node) *boxes {
	b := &boxes{dims: dims, edges: make([][]float64, len(dims)), mass: make([][]float64, len(dims)), sums: make([][]float64, len(dims))}
	b.cut(root)
	whole := make([][]run, len(dims))
	for f := range dims {
		d := &dims[f]
		slices.Sort(b.edges[f])
		b.edges[f] = slices.Compact(b.edges[f])
		if d.categorical() {
			b.mass[f] = d.Weights
		} else {
			before := 0.0
			for _, edge := range b.edges[f] {
				b.mass[f] = append(b.mass[f], d.below(edge)-before)
				before = d.below(edge)
			}
			b.mass[f] = append(b.mass[f], 1-before)
		}
		b.sums[f] = make([]float64, len(b.mass[f])+1)
		for c, m := range b.mass[f] {
			b.sums[f][c+1] = b.sums[f][c] + m
		}
		whole[f] = []run{{0, len(b.mass[f])}}
	}
	b.leaves(root, whole)
	return b
}

// cut collects the edges of a tree.
func (b *boxes) cut(n *node) {
	if n.input < 0 {
		return
	}
	if n.left == nil {
		b.edges[n.input] = append(b.edges[n.input], n.edge)
	}
	b.cut(n.low)
	b.cut(n.high)
}

// leaves collects the leaves below a node that spans the runs.
func (b *boxes) leaves(n *node, runs [][]run) {
	if n.input < 0 {
		leaf := box{runs: runs, share: make([]float64, len(runs)), value: n.value, whole: 1}
		for f, rs := range runs {
			for _, r := range rs {
				leaf.share[f] += b.sums[f][r.to] - b.sums[f][r.from]
			}
			leaf.whole *= leaf.share[f]
		}
		if leaf.whole > 0 {
			b.all = append(b.all, leaf)
		}
		return
	}
	low, high := slices.Clone(runs), slices.Clone(runs)
	low[n.input], high[n.input] = b.divide(n, runs[n.input])
	b.leaves(n.low, low)
	b.leaves(n.high, high)
}

func (b *boxes) divide(n *node, runs []run) (low, high []run) {
	if n.left == nil {
		at, _ := slices.BinarySearch(b.edges[n.input], n.edge)
		return []run{{runs[0].from, at + 1}}, []run{{at + 1, runs[0].to}}
	}
	for _, r := range runs {
		for c := r.from; c < r.to; c++ {
			if n.left[c] {
				low = extend(low, c)
			} else {
				high = extend(high, c)
			}
		}
	}
	return low, high
}

func extend(runs []run, c int) []run {
	if k := len(runs) - 1; k >= 0 && runs[k].to == c {
		runs[k].to++
		return runs
	}
	return append(runs, run{c, c + 1})
}

// shares are the fractions of the tree's variance of each input, and of each pair
// beyond its inputs; nil where the tree is constant.
func (b *boxes) shares() (single, pairs []float64) {
	mean, square := 0.0, 0.0
	for i := range b.all {
		mean += b.all[i].whole * b.all[i].value
		square += b.all[i].whole * b.all[i].value * b.all[i].value
	}
	whole := square - mean*mean
	if !(whole > 1e-12*square) {
		return nil, nil
	}
	single = make([]float64, len(b.dims))
	for f := range b.dims {
		single[f] = (b.square(f) - mean*mean) / whole
	}
	for f := range b.dims {
		for g := f + 1; g < len(b.dims); g++ {
			pairs = append(pairs, (b.squareOf(f, g)-mean*mean)/whole-single[f]-single[g])
		}
	}
	return single, pairs
}

// square is the mean square of the marginal of an input. The marginal of a cell is
// the sum of the leaves that span it, each by what it covers of the other inputs;
// they are added where their runs begin and subtracted where they end.
func (b *boxes) square(f int) float64 {
	steps := make([]float64, len(b.mass[f])+1)
	for i := range b.all {
		leaf := &b.all[i]
		height := leaf.value * leaf.whole / leaf.share[f]
		for _, r := range leaf.runs[f] {
			steps[r.from] += height
			steps[r.to] -= height
		}
	}
	square, marginal := 0.0, 0.0
	for c, m := range b.mass[f] {
		marginal += steps[c]
		square += m * marginal * marginal
	}
	return square
}

// squareOf is the same of a pair.
func (b *boxes) squareOf(f, g int) float64 {
	if len(b.mass[f]) == 1 || len(b.mass[g]) == 1 { // one of both is never split
		if len(b.mass[f]) == 1 {
			f = g
		}
		return b.square(f)
	}
	width := len(b.mass[g]) + 1
	steps := make([]float64, (len(b.mass[f])+1)*width)
	for i := range b.all {
		leaf := &b.all[i]
		height := leaf.value * leaf.whole / leaf.share[f] / leaf.share[g]
		for _, r := range leaf.runs[f] {
			for _, s := range leaf.runs[g] {
				steps[r.from*width+s.from] += height
				steps[r.from*width+s.to] -= height
				steps[r.to*width+s.from] -= height
				steps[r.to*width+s.to] += height
			}
		}
	}
	square := 0.0
	for c, m := range b.mass[f] {
		row, across := steps[c*width:(c+1)*width], 0.0
		if c > 0 {
			for k, v := range steps[(c-1)*width : c*width] { // summed already
				row[k] += v
			}
		}
		for k, w := range b.mass[g] {
			across += row[k]
			square += m * w * across * across
		}
	}
	return square
}
