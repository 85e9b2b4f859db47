package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Three clouds in twenty dimensions stay three clouds: the nearest neighbour of
// nearly every point in the plane is of its own.
func TestTSNEKeepsNeighbours(t *testing.T) {
	const n, dims = 90, 20
	r := rand.New(rand.NewPCG(1, 1))
	x := make([][dims]float64, n)
	for i := range x {
		for k := range x[i] {
			x[i][k] = r.NormFloat64()
		}
		x[i][i%3] += 6
	}
	square := func(i, j int) float64 {
		d := 0.0
		for k := range dims {
			d += (x[i][k] - x[j][k]) * (x[i][k] - x[j][k])
		}
		return d
	}
	y, err := TSNE(n, square, 15, 7)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range y {
		nearest, best := -1, math.Inf(1)
		for j := range y {
			if d := math.Hypot(y[i].X-y[j].X, y[i].Y-y[j].Y); j != i && d < best {
				nearest, best = j, d
			}
		}
		if nearest%3 == i%3 {
			right++
		}
	}
	if right < n*95/100 {
		t.Errorf("%d of %d points have a neighbour of their own cloud", right, n)
	}
	again, err := TSNE(n, square, 15, 7)
	if err != nil || !slices.Equal(y, again) {
		t.Errorf("the same points were laid out differently: %v", err)
	}
}

// The entropy of each row is that of the perplexity asked for.
func TestPerplexity(t *testing.T) {
	row := []float64{0, 1, 4, 9, 16, 25, 36, 49, 64, 81}
	conditional(row, 0, math.Log(3))
	entropy, sum := 0.0, 0.0
	for _, p := range row[1:] {
		entropy -= p * math.Log(p)
		sum += p
	}
	if math.Abs(math.Exp(entropy)-3) > 1e-3 || math.Abs(sum-1) > 1e-9 || row[0] != 0 {
		t.Errorf("perplexity %v, sum %v, self %v", math.Exp(entropy), sum, row[0])
	}
	if _, err := TSNE(2, nil, 5, 1); err == nil {
		t.Error("two points were laid out")
	}
}
