package linear_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"orchestrator/trainer/linear"
)

// formula gives the features and classes of bench/probe/fixtures.py.
func formula(n, d, classes int) (x *linear.Matrix, y []int) {
	x = linear.NewMatrix(n, d)
	for i := range n {
		y = append(y, (i*7+i*i/5)%classes)
		for j := range d {
			v := float64((i*i*7919+(i+3)*(j+1)*(j+5)*104729+j*31)%100003)/100003 - 0.5
			if j%classes == y[i] && j < 3*classes {
				v += 0.4
			}
			x.Row(i)[j] = v
		}
	}
	return x, y
}

func count(from, to int) (rows []int) {
	for i := from; i < to; i++ {
		rows = append(rows, i)
	}
	return rows
}

// compressed is x as the product uses it.
func compressed(t testing.TB, x *linear.Matrix) *linear.Matrix {
	t.Helper()
	rows := make([][]float32, x.Rows)
	for i := range rows {
		for _, v := range x.Row(i) {
			rows[i] = append(rows[i], float32(v))
		}
	}
	z, err := linear.Compress(x.Rows, x.Cols, func(i int) []float32 { return rows[i] })
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func fit(t testing.TB, p *linear.Problem, c linear.Classifier, strength float64, from *linear.Fit) *linear.Fit {
	t.Helper()
	f, err := p.Fit(c, strength, from)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFitsAreScikitLearns compares with the fixture of bench/probe/fixtures.py:
// the same objective to a millionth, the same predictions.
func TestFitsAreScikitLearns(t *testing.T) {
	var fixture struct {
		Cases []struct {
			N, D, Classes       int
			Classifier          linear.Classifier
			C                   float64
			Objective, Accuracy float64
			Predicted           []int
		}
	}
	data, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) != 32 {
		t.Fatalf("%d cases in the fixture", len(fixture.Cases))
	}
	for _, c := range fixture.Cases {
		x, y := formula(c.N, c.D, c.Classes)
		train := c.N * 2 / 3
		for name, x := range map[string]*linear.Matrix{"features": x, "compressed": compressed(t, x)} {
			p, err := linear.NewProblem(x, y, c.Classes, count(0, train))
			if err != nil {
				t.Fatal(err)
			}
			f := fit(t, p, c.Classifier, c.C, nil)
			where := []any{c.Classifier, c.N, c.D, c.Classes, c.C, name}
			if !f.Converged || f.Gap > linear.Tolerance*f.Objective {
				t.Errorf("%v: not converged: gap %g of %g after %d iterations", where, f.Gap, f.Objective, f.Iterations)
			}
			if d := math.Abs(f.Objective-c.Objective) / c.Objective; d > 1e-6 {
				t.Errorf("%v: objective %.9g, scikit-learn's is %.9g: %.1g apart", where, f.Objective, c.Objective, d)
			}
			if got := f.Accuracy(x, y, count(train, c.N)); math.Abs(got-c.Accuracy) > 0.005 {
				t.Errorf("%v: accuracy %.4f, scikit-learn's is %.4f", where, got, c.Accuracy)
			}
			for i, want := range c.Predicted {
				if got := f.Predict(x.Row(train + i)); got != want {
					t.Errorf("%v: row %d is predicted as %d, by scikit-learn as %d", where, train+i, got, want)
				}
			}
		}
	}
}

func random(seed uint64, n, d, classes int, signal float64) (x *linear.Matrix, y []int) {
	r := rand.New(rand.NewPCG(seed, 1))
	x = linear.NewMatrix(n, d)
	for i := range n {
		y = append(y, i%classes)
		for j := range d {
			x.Row(i)[j] = r.NormFloat64()
		}
		x.Row(i)[y[i]] += signal
	}
	return x, y
}

func benchmarkSearch(b *testing.B, c linear.Classifier, n, d int, signal, scale float64) {
	x, y := random(1, n, d, 2, signal)
	for i := range x.Data {
		x.Data[i] *= scale
	}
	z := compressed(b, x)
	rows := count(0, n)
	for b.Loop() {
		for k := range 5 {
			s := linear.Search{X: z, Y: y, Classes: 2, Classifier: c, Grid: linear.PowersOfTwo(-5, 15), InnerFolds: 5, Seed: 1,
				Test: rows[k*n/5 : (k+1)*n/5], Train: slices.Concat(rows[:k*n/5], rows[(k+1)*n/5:])}
			f, err := s.Run()
			if err != nil {
				b.Fatal(err)
			}
			bad := 0
			for _, f := range f.Fits {
				if !f.Converged {
					bad++
				}
			}
			b.Logf("C %g, test %.3f, %d not converged", s.Grid[f.Chosen], f.Test[f.Chosen], bad)
		}
	}
}

// Benchmark800Pictures is the search for C of one layer: 21 values, 5 folds of 5
// inner folds each, of 800 pictures.
func Benchmark800Pictures(b *testing.B) {
	for _, c := range []linear.Classifier{linear.Softmax, linear.SVM} {
		b.Run(string(c)+"/wide", func(b *testing.B) { benchmarkSearch(b, c, 800, 4096, 3, 1) })
		b.Run(string(c)+"/narrow", func(b *testing.B) { benchmarkSearch(b, c, 800, 2, 2, 1) })
		b.Run(string(c)+"/large", func(b *testing.B) { benchmarkSearch(b, c, 800, 4096, 3, 30) })
	}
}
