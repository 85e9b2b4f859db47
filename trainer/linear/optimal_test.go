package linear

import (
	"math"
	"math/rand/v2"
	"testing"

	"orchestrator/tools/testenv"
)

// noisy are pictures of which some lie on the wrong side, or of more features
// than pictures, so that all lie on the right one.
func noisy(seed uint64, n, d, classes int) (x *Matrix, y []int) {
	r := rand.New(rand.NewPCG(seed, 2))
	x = NewMatrix(n, d)
	for i := range n {
		y = append(y, i%classes)
		for j := range d {
			x.Row(i)[j] = 3 * r.NormFloat64()
		}
		x.Row(i)[y[i]%d] += 4
	}
	return x, y
}

func rowsTo(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

func mustFit(t *testing.T, p *Problem, c Classifier, strength float64, from *Fit) *Fit {
	t.Helper()
	f, err := p.Fit(c, strength, from)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestOptimality checks, for random problems, the conditions that hold at the
// optimum and nowhere else.
func TestOptimality(t *testing.T) {
	testenv.Daily(t)
	for seed := range uint64(6) {
		n, d, classes := 40+10*int(seed), []int{2, 5, 120}[seed%3], 2+int(seed%2)
		x, y := noisy(seed, n, d, classes)
		p, err := NewProblem(x, y, classes, rowsTo(n))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []float64{1.0 / 32, 1, 64} {
			softmax, svm := mustFit(t, p, Softmax, c, nil), mustFit(t, p, SVM, c, nil)
			for _, f := range []*Fit{softmax, svm} {
				if !f.Converged || f.Gap < 0 || f.Gap > Tolerance*f.Objective {
					t.Errorf("seed %d, %s, C %g: gap %g of %g", seed, f.Classifier, c, f.Gap, f.Objective)
				}
			}
			checkStationary(t, softmax, x, y, c)
			for k := range svm.pairs {
				checkKKT(t, svm, k, x, c)
			}
		}
	}
}

// checkStationary holds the weights to w = C Σ (1[class] - p) x, and the biases
// to Σ (1[class] - p) = 0. A step along one weight alone gains at least half of
// the squared difference divided by the curvature, and no more than the gap is
// left to gain.
func checkStationary(t *testing.T, f *Fit, x *Matrix, y []int, c float64) {
	t.Helper()
	for k := range f.weights.Rows {
		class := k
		if f.weights.Rows == 1 {
			class = 1
		}
		sum, curvature := make([]float64, x.Cols+1), make([]float64, x.Cols+1)
		for i := range x.Rows {
			scores := f.Scores(x.Row(i))
			if len(scores) == 1 {
				scores = []float64{0, scores[0]}
			}
			top, total := math.Inf(-1), 0.0
			for _, s := range scores {
				top = math.Max(top, s)
			}
			for _, s := range scores {
				total += math.Exp(s - top)
			}
			r := -math.Exp(scores[class]-top) / total
			if y[i] == class {
				r++
			}
			for j, v := range append(append([]float64(nil), x.Row(i)...), 1) {
				sum[j] += c * r * v
				curvature[j] += c * v * v / 4 // p (1-p) is at most 1/4
			}
		}
		for j, want := range sum {
			got := f.weights.Row(k)[j]
			if j == x.Cols {
				got = 0
			}
			if math.Abs(got-want) > math.Sqrt(2*Tolerance*f.Objective*(1+curvature[j])) {
				t.Errorf("softmax, C %g: weight %d of score %d is %g, stationary is %g", c, j, k, got, want)
			}
		}
	}
}

// checkKKT holds an SVM to 0 ≤ α ≤ C, Σ yα = 0, and to margins of at least 1
// where α = 0, at most 1 where α = C, and 1 between.
func checkKKT(t *testing.T, f *Fit, k int, x *Matrix, c float64) {
	t.Helper()
	const slack = 1e-3
	balance := 0.0
	pair := f.pairs[k]
	for i, r := range pair.rows {
		alpha := f.alphas[k][i]
		margin := pair.y[i] * f.Scores(x.Row(r))[k]
		balance += alpha * pair.y[i]
		if alpha < 0 || alpha > c || alpha == 0 && margin < 1-slack || alpha == c && margin > 1+slack ||
			alpha > 0 && alpha < c && math.Abs(margin-1) > slack {
			t.Errorf("svm %d, C %g: α %g with margin %g", k, c, alpha, margin)
		}
	}
	if math.Abs(balance) > 1e-9*c*float64(len(pair.rows)) {
		t.Errorf("svm %d, C %g: Σ yα is %g", k, c, balance)
	}
}

// TestOrderAndStartDoNotMatter fits the rows in another order, and from another
// C's fit: the objective stays, and so do the scores.
func TestOrderAndStartDoNotMatter(t *testing.T) {
	testenv.Daily(t)
	for seed := range uint64(3) {
		n := 50
		x, y := noisy(seed, n, []int{4, 90, 12}[seed], 3)
		rows := rowsTo(n)
		p, err := NewProblem(x, y, 3, rows)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 3))
		r.Shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		q, err := NewProblem(x, y, 3, rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Classifier{Softmax, SVM} {
			want := mustFit(t, p, c, 4, nil)
			for name, f := range map[string]*Fit{
				"shuffled":           mustFit(t, q, c, 4, nil),
				"from a smaller C":   mustFit(t, p, c, 4, mustFit(t, p, c, 0.25, nil)),
				"from a larger C":    mustFit(t, p, c, 4, mustFit(t, p, c, 512, nil)),
				"from another's fit": mustFit(t, p, c, 4, mustFit(t, p, map[Classifier]Classifier{Softmax: SVM, SVM: Softmax}[c], 4, nil)),
			} {
				if d := math.Abs(f.Objective-want.Objective) / want.Objective; d > 2*Tolerance {
					t.Errorf("seed %d, %s, %s: objective %g instead of %g", seed, c, name, f.Objective, want.Objective)
				}
				// The objective is strongly convex in the weights, so that those
				// are as near as its value is.
				apart := math.Sqrt(8 * Tolerance * want.Objective)
				for i := range n {
					for k, s := range f.Scores(x.Row(i)) {
						if w := want.Scores(x.Row(i))[k]; math.Abs(s-w) > 2*apart*math.Sqrt(1+dot(x.Row(i), x.Row(i))) {
							t.Errorf("seed %d, %s, %s: score %d of row %d is %g instead of %g", seed, c, name, k, i, s, w)
						}
					}
				}
			}
		}
	}
}

// TestFactorKeepsInnerProducts: Z Zᵀ is the Gram matrix, with repeated rows too.
func TestFactorKeepsInnerProducts(t *testing.T) {
	const n, d = 70, 5000
	r := rand.New(rand.NewPCG(4, 4))
	rows := make([][]float32, n)
	for i := range rows {
		for range d {
			rows[i] = append(rows[i], float32(r.NormFloat64()))
		}
	}
	rows[9] = rows[3]
	z, err := Compress(n, d, func(i int) []float32 { return rows[i] })
	if err != nil {
		t.Fatal(err)
	}
	if z.Cols != n-1 {
		t.Errorf("%d columns for %d different rows", z.Cols, n-1)
	}
	for i := range n {
		for j := range n {
			want := 0.0
			for k := range d {
				want += float64(rows[i][k]) * float64(rows[j][k])
			}
			if got := dot(z.Row(i), z.Row(j)); math.Abs(got-want) > 1e-9*d {
				t.Fatalf("rows %d and %d: %g instead of %g", i, j, got, want)
			}
		}
	}
	rows[5][17] = float32(math.NaN())
	if _, err := Compress(n, d, func(i int) []float32 { return rows[i] }); err == nil {
		t.Error("features that are not numbers are taken")
	}
}

// TestSearchChoosesByInnerFolds: the smallest of equally good values, whatever
// the test rows say; and bad requests are refused.
func TestSearchChoosesByInnerFolds(t *testing.T) {
	x, y := noisy(7, 60, 3, 2)
	for i := range y { // far apart: every C is right everywhere
		x.Row(i)[0] = float64(100 * (1 - 2*y[i]))
	}
	s := Search{X: x, Y: y, Classes: 2, Train: rowsTo(40), Test: []int{40, 41, 42}, Classifier: SVM, Grid: PowersOfTwo(-2, 3), InnerFolds: 4}
	f, err := s.Run()
	if err != nil {
		t.Fatal(err)
	}
	if f.Chosen != 0 || f.Inner[0] != 1 || len(f.Fits) != 6 || f.Fits[5].C != 8 || f.Test[0] != 1 {
		t.Errorf("%+v", f)
	}
	flipped := s
	flipped.Y = append([]int(nil), y...)
	for _, i := range s.Test {
		flipped.Y[i] = 1 - y[i]
	}
	if g, err := flipped.Run(); err != nil || g.Chosen != 0 || g.Test[0] != 0 {
		t.Errorf("with other test labels: %+v, %v", g, err)
	}
	for name, bad := range map[string]func(s *Search){
		"no grid":        func(s *Search) { s.Grid = nil },
		"grid order":     func(s *Search) { s.Grid = []float64{2, 1} },
		"C of 0":         func(s *Search) { s.Grid = []float64{0} },
		"no test rows":   func(s *Search) { s.Test = nil },
		"one inner fold": func(s *Search) { s.InnerFolds = 1 },
		"one class":      func(s *Search) { s.Train = []int{0, 2, 4, 6} },
		"classes":        func(s *Search) { s.Classes = 1 },
		"classifier":     func(s *Search) { s.Classifier = "tree" },
	} {
		s := s
		bad(&s)
		if _, err := s.Run(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
