package probe

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"orchestrator/trainer/linear"
)

// clouds are points of two or three classes with many more features than points.
func clouds(n, features, classes int) (rows [][]float32, labels []int) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		row := make([]float32, features)
		for k := range row {
			row[k] = float32(r.NormFloat64())
		}
		row[i%classes] += 30
		rows, labels = append(rows, row), append(labels, i%classes)
	}
	return rows, labels
}

func open(t *testing.T, dir string, rows [][]float32, computed *int) *Inputs {
	t.Helper()
	in, err := Open(context.Background(), dir, "key", len(rows), func(context.Context) (*Rows, error) {
		*computed++
		return &Rows{Features: len(rows[0]), Row: func(i int) []float32 { return rows[i] }, Close: func() {}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

// The inputs are computed once, and have the features' inner products.
func TestInputsAreComputedOnce(t *testing.T) {
	for _, features := range []int{5, 200} { // fewer and more than pictures
		rows, _ := clouds(12, features, 2)
		dir, computed := t.TempDir(), 0
		for range 2 {
			in := open(t, dir, rows, &computed)
			if in.Features != features || in.Matrix.Cols > 12 {
				t.Errorf("%d features in %d columns", in.Features, in.Matrix.Cols)
			}
			for i := range rows {
				for j := range rows {
					want, got := 0.0, 0.0
					for k := range rows[i] {
						want += float64(rows[i][k]) * float64(rows[j][k])
					}
					for k, x := range in.Matrix.Row(i) {
						got += x * in.Matrix.Row(j)[k]
					}
					if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
						t.Errorf("the product of %d and %d is %v, want %v", i, j, got, want)
					}
				}
			}
		}
		if computed != 1 {
			t.Errorf("the features were read %d times", computed)
		}
	}
}

func TestFailedComputationLeavesNothing(t *testing.T) {
	dir, broken := t.TempDir(), errors.New("broken")
	_, err := Open(context.Background(), dir, "key", 3, func(context.Context) (*Rows, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "probes", "*.f64")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestRun(t *testing.T) {
	for _, classes := range []int{2, 3} {
		for _, c := range []linear.Classifier{linear.Softmax, linear.SVM} {
			rows, labels := clouds(36, 50, classes)
			computed := 0
			in := open(t, t.TempDir(), rows, &computed)
			job := Job{Labels: labels, Classes: classes, Classifier: c, Grid: linear.PowersOfTwo(-3, 3), InnerFolds: 3, Seed: 1}
			for i := range rows {
				if i < 24 {
					job.Train = append(job.Train, i)
				} else {
					job.Test = append(job.Test, i)
				}
			}
			r, err := Run(in, job)
			if err != nil {
				t.Fatal(err)
			}
			_, loss := r.Scores["loss"]
			if r.Scores["accuracy"] != 1 || !r.Converged || len(r.Inner) != 7 || loss == (c == linear.SVM) {
				t.Errorf("%s, %d classes: %v, converged %v, inner %v", c, classes, r.Scores, r.Converged, r.Inner)
			}
			for _, p := range r.Predictions {
				sum, top := 0.0, 0
				for k, x := range p.Probabilities {
					sum += float64(x)
					if x > p.Probabilities[top] {
						top = k
					}
				}
				if math.Abs(sum-1) > 1e-6 || top != p.Predicted {
					t.Errorf("%s: picture %d is %d with %v", c, p.Sample, p.Predicted, p.Probabilities)
				}
			}
		}
	}
}
