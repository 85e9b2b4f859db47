package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// MostEmbedded is how many points TSNE lays out: its time grows with their square.
const MostEmbedded = 3000

// TSNE lays n points out in the plane so that neighbours stay neighbours (van der
// Maaten and Hinton 2008, "Visualizing data using t-SNE"), exactly, with early
// exaggeration of 12 and a learning rate of n/12 (Belkina et al. 2019). square is
// the squared distance of two points; perplexity is about the number of
// neighbours that count, and at most a third of n. The same arguments give the
// same layout. Distances between clusters mean little.
func TSNE(n int, square func(i, j int) float64, perplexity float64, seed uint64) ([]Point, error) {
	if n < 4 || n > MostEmbedded {
		return nil, fmt.Errorf("lay %d points out in the plane: between 4 and %d can be", n, MostEmbedded)
	}
	p := similarities(n, square, min(perplexity, float64(n-1)/3))
	r := rand.New(rand.NewPCG(seed, 0x7453)) // a stream of its own
	y, speed, gain := make([]Point, n), make([]Point, n), make([]Point, n)
	for i := range y {
		y[i] = Point{1e-4 * r.NormFloat64(), 1e-4 * r.NormFloat64()}
		gain[i] = Point{1, 1}
	}
	const steps, exaggerated = 750, 250
	rate := max(float64(n)/12, 50)
	gradient := make([]Point, n)
	for step := range steps {
		exaggeration, momentum := 1.0, 0.8
		if step < exaggerated {
			exaggeration, momentum = 12, 0.5
		}
		descend(p, y, gradient, exaggeration)
		for i := range y {
			y[i].X += move(&speed[i].X, &gain[i].X, gradient[i].X, momentum, rate)
			y[i].Y += move(&speed[i].Y, &gain[i].Y, gradient[i].Y, momentum, rate)
		}
		center(y)
	}
	return y, nil
}

// move is one coordinate's step, with Jacobs' adaptive gains as in the paper.
func move(speed, gain *float64, gradient, momentum, rate float64) float64 {
	if (gradient > 0) != (*speed > 0) {
		*gain += 0.2
	} else {
		*gain = max(*gain*0.8, 0.01)
	}
	*speed = momentum**speed - rate**gain*gradient
	return *speed
}

// similarities are the joint probabilities p_ij, row by row.
func similarities(n int, square func(i, j int) float64, perplexity float64) []float64 {
	p := make([]float64, n*n)
	for i := range n {
		row := p[i*n : (i+1)*n]
		for j := range row {
			row[j] = square(i, j)
		}
		conditional(row, i, math.Log(perplexity))
	}
	joint := make([]float64, n*n)
	for i := range n {
		for j := range n {
			joint[i*n+j] = max((p[i*n+j]+p[j*n+i])/float64(2*n), 1e-12)
		}
	}
	return joint
}

// conditional turns a row of squared distances into probabilities whose entropy is
// that given, by bisection of the Gaussian's precision.
func conditional(row []float64, self int, entropy float64) {
	nearest := math.Inf(1)
	for j, d := range row {
		if j != self {
			nearest = min(nearest, d)
		}
	}
	low, high, precision := 0.0, math.Inf(1), 1.0
	out := make([]float64, len(row))
	for range 100 {
		sum, weighted := 0.0, 0.0
		for j, d := range row {
			if out[j] = 0; j != self {
				out[j] = math.Exp(-precision * (d - nearest))
				sum, weighted = sum+out[j], weighted+(d-nearest)*out[j]
			}
		}
		excess := math.Log(sum) + precision*weighted/sum - entropy
		for j := range out {
			out[j] /= sum
		}
		switch {
		case math.Abs(excess) < 1e-6:
			copy(row, out)
			return
		case excess > 0:
			low = precision
			precision = min(2*precision, (precision+high)/2)
		default:
			high = precision
			precision = (precision + low) / 2
		}
	}
	copy(row, out)
}

// descend computes the gradient of the Kullback-Leibler divergence.
func descend(p []float64, y, gradient []Point, exaggeration float64) {
	n := len(y)
	q := make([]float64, n*n)
	sum := 0.0
	for i := range n {
		for j := range i {
			dx, dy := y[i].X-y[j].X, y[i].Y-y[j].Y
			w := 1 / (1 + dx*dx + dy*dy)
			q[i*n+j], q[j*n+i] = w, w
			sum += 2 * w
		}
	}
	for i := range n {
		g := Point{}
		for j := range n {
			if i == j {
				continue
			}
			w := q[i*n+j]
			f := 4 * (exaggeration*p[i*n+j] - w/sum) * w
			g.X += f * (y[i].X - y[j].X)
			g.Y += f * (y[i].Y - y[j].Y)
		}
		gradient[i] = g
	}
}

func center(y []Point) {
	var m Point
	for _, p := range y {
		m.X += p.X / float64(len(y))
		m.Y += p.Y / float64(len(y))
	}
	for i := range y {
		y[i].X -= m.X
		y[i].Y -= m.Y
	}
}
