package web

import "math"

// thin chooses at most n of a line's points so that its look is kept, first and last
// included: largest triangle three buckets (Steinarsson 2013, "Downsampling time
// series for visual representation"). Of each bucket it takes the point that spans
// the largest triangle with the one taken before and the mean of the next bucket. It
// returns the points' indices, in order. The y must be finite; n is at least 3.
func thin(x, y []float64, n int) []int {
	if len(x) <= n {
		all := make([]int, len(x))
		for i := range all {
			all[i] = i
		}
		return all
	}
	chosen := make([]int, 0, n)
	chosen = append(chosen, 0)
	last := len(x) - 1
	// bucket k of n-2 holds the points from start(k) up to start(k+1).
	start := func(k int) int { return 1 + k*(last-1)/(n-2) }
	for k := range n - 2 {
		from, to := start(k), start(k+1)
		mx, my := middle(x, y, to, min(start(k+2), last+1))
		if k == n-3 {
			mx, my = x[last], y[last]
		}
		a := chosen[len(chosen)-1]
		best, largest := from, -1.0
		for i := from; i < to; i++ {
			area := math.Abs((x[a]-mx)*(y[i]-y[a]) - (x[a]-x[i])*(my-y[a]))
			if area > largest {
				best, largest = i, area
			}
		}
		chosen = append(chosen, best)
	}
	return append(chosen, last)
}

// middle is the mean of the points from one to before another.
func middle(x, y []float64, from, to int) (mx, my float64) {
	n := float64(to - from)
	for i := from; i < to; i++ {
		mx += x[i] / n
		my += y[i] / n
	}
	return mx, my
}
