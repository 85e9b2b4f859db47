package search

import "math"

// A testFunction is one to minimise, over the space's points, with so many
// trials. bench/search/optuna.py has the same ones for Optuna.
type testFunction struct {
	name   string
	space  []Dimension
	budget int
	value  func(point []float64) float64
	least  float64 // its minimum, of the literature
}

var testFunctions = []testFunction{
	{"branin", make([]Dimension, 2), 100, branin, 0.397887},
	{"hartmann6", make([]Dimension, 6), 150, hartmann6, -3.32237},
	{"rosenbrock5", make([]Dimension, 5), 150, rosenbrock, 0},
	{"rastrigin5", make([]Dimension, 5), 150, rastrigin, 0},
	{"sphere10", make([]Dimension, 10), 200, sphere, 0},
	{"mixed", []Dimension{{Kind: Categorical, Levels: 4}, {Kind: Ordinal, Levels: 20}, {}}, 100, mixed, 0},
	{"conditional", []Dimension{
		{Kind: Categorical, Levels: 3}, {},
		{When: on(0, 0)}, {When: on(0, 0)},
		{When: on(0, 1)},
		{Kind: Ordinal, Levels: 20, When: on(0, 2)}, {When: on(5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)},
	}, 100, conditionally, 0},
}

// on is the condition that a dimension has one of the levels.
func on(dimension int, levels ...int) []Condition {
	return []Condition{{{Dimension: dimension, Levels: levels}}}
}

// between maps the unit interval to [low, high).
func between(u, low, high float64) float64 { return low + u*(high-low) }

// branin has three minima of 0.397887.
func branin(u []float64) float64 {
	x, y := between(u[0], -5, 10), between(u[1], 0, 15)
	a := y - 5.1/(4*math.Pi*math.Pi)*x*x + 5/math.Pi*x - 6
	return a*a + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10
}

// hartmann6 has its least value, -3.32237, near (0.2017, 0.1500, 0.4769,
// 0.2753, 0.3117, 0.6573).
func hartmann6(u []float64) float64 {
	alpha := []float64{1.0, 1.2, 3.0, 3.2}
	a := [][]float64{{10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}}
	p := [][]float64{{1312, 1696, 5569, 124, 8283, 5886}, {2329, 4135, 8307, 3736, 1004, 9991},
		{2348, 1451, 3522, 2883, 3047, 6650}, {4047, 8828, 8732, 5743, 1091, 381}}
	sum := 0.0
	for i := range alpha {
		e := 0.0
		for j, x := range u {
			d := x - p[i][j]*1e-4
			e += a[i][j] * d * d
		}
		sum -= alpha[i] * math.Exp(-e)
	}
	return sum
}

// rosenbrock is a curved valley; its least value is 0 at (1, ..., 1).
func rosenbrock(u []float64) float64 {
	sum := 0.0
	for i := range len(u) - 1 {
		x, y := between(u[i], -5, 10), between(u[i+1], -5, 10)
		sum += 100*(y-x*x)*(y-x*x) + (1-x)*(1-x)
	}
	return sum
}

// rastrigin has a local minimum around every integer from its optimum, which
// is moved off the middle, where CMA-ES begins.
func rastrigin(u []float64) float64 {
	sum := 10 * float64(len(u))
	for i := range u {
		z := between(u[i], -5.12, 5.12) - 1.5*math.Sin(float64(i+1))
		sum += z*z - 10*math.Cos(2*math.Pi*z)
	}
	return sum
}

// sphere is moved off the middle, too.
func sphere(u []float64) float64 {
	sum := 0.0
	for i := range u {
		z := between(u[i], -5.12, 5.12) - 2*math.Sin(float64(i+1))
		sum += z * z
	}
	return sum
}

// mixed is of a category, an integer from 1 to 20 and a rate from 1e-5 to 1
// on a logarithmic scale.
func mixed(u []float64) float64 {
	c, n, e := u[0], 1+math.Floor(u[1]*20), between(u[2], -5, 0)
	penalty := []float64{1, 0.3, 0, 0.6}[int(c)]
	return (e+3-0.3*c)*(e+3-0.3*c) + (n-12)*(n-12)/40 + penalty
}

// conditionally has other coordinates for each category, and one that depends on an
// integer from 1 to 20; its least value, 0, is where both conditions hold.
func conditionally(u []float64) float64 {
	at := func(i int, best float64) float64 {
		z := between(u[i], -5, 5) - best
		return z * z
	}
	shared := at(1, 1) / 4
	switch n := 1 + math.Floor(u[5]*20); {
	case u[0] == 0:
		return shared + 1 + at(2, 2) + at(3, -1)
	case u[0] == 1:
		return shared + 0.5 + at(4, -3)
	case n <= 10:
		return shared + 0.4 + (n-7)*(n-7)/20
	default:
		return shared + (n-14)*(n-14)/20 + at(6, 2)
	}
}
