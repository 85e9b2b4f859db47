package trainer

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// answers makes predictions of labels from the probability of each class.
func answers(labels []int, probabilities ...[]float32) []Prediction {
	out := make([]Prediction, len(labels))
	for i, l := range labels {
		out[i] = Prediction{Sample: i, Label: l, Probabilities: probabilities[i]}
		for c, p := range probabilities[i] {
			if p > probabilities[i][out[i].Predicted] {
				out[i].Predicted = c
			}
		}
	}
	return out
}

func TestScoresOfTwoClasses(t *testing.T) {
	// By hand: two of three of class 0 and one of two of class 1 are right;
	// of the 3 x 2 pairs the classes are in order in 3, and tie in 1.
	p := answers([]int{0, 0, 0, 1, 1},
		[]float32{0.9, 0.1}, []float32{0.6, 0.4}, []float32{0.2, 0.8}, []float32{0.6, 0.4}, []float32{0.3, 0.7})
	for i := range p {
		p[i].Loss = float64(i)
	}
	want := Scores{
		"accuracy": 3. / 5,
		"loss":     2,
		"f1":       (4./6 + 2./4) / 2,
		"auc":      (1 + 0.5 + 0 + 1 + 1 + 0) / 6,
	}
	got := Score(p, 2)
	for name, w := range want {
		if math.Abs(got[name]-w) > 1e-12 {
			t.Errorf("%s = %v, want %v", name, got[name], w)
		}
	}
	if m, want := Confusion(p), [][3]int{{0, 0, 2}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}}; !slices.Equal(m, want) {
		t.Errorf("confusion %v, want %v", m, want)
	}
}

func TestScoresOfOneClassOnlyHaveNoAUC(t *testing.T) {
	s := Score(answers([]int{1, 1}, []float32{0, 1}, []float32{1, 0}), 2)
	if _, ok := s["auc"]; ok || s["accuracy"] != 0.5 || math.Abs(s["f1"]-(0+2./3)/2) > 1e-12 {
		t.Errorf("scores %v", s)
	}
}

// The reference has folds that lack classes; testdata/scores/make.py made it.
func TestScoresAgainstScikitLearn(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "scores", "scores.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Classes       int
		Labels        []int
		Probabilities [][]float32
		Accuracy, F1  float64
		AUC           *float64
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 8 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for i, c := range cases {
		got := Score(answers(c.Labels, c.Probabilities...), c.Classes)
		auc, defined := got["auc"]
		if math.Abs(got["accuracy"]-c.Accuracy) > 1e-9 || math.Abs(got["f1"]-c.F1) > 1e-9 || defined != (c.AUC != nil) || defined && math.Abs(auc-*c.AUC) > 1e-9 {
			t.Errorf("case %d: %v; scikit-learn has accuracy %v, f1 %v, auc %v", i, got, c.Accuracy, c.F1, c.AUC)
		}
	}
}

// The rank formula must agree with counting the pairs, for any number of
// classes and with ties.
func TestAUCIsTheShareOfPairsInOrder(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 50 {
		classes, n := 2+r.IntN(3), 3+r.IntN(20)
		labels, probabilities := make([]int, n), make([][]float32, n)
		for i := range n {
			labels[i] = r.IntN(classes)
			probabilities[i] = make([]float32, classes)
			for c := range classes {
				probabilities[i][c] = float32(r.IntN(5)) / 4
			}
		}
		p := answers(labels, probabilities...)
		want, ok := pairAUC(p, classes)
		got, has := Score(p, classes)["auc"]
		if has != ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("seed %d, round %d: auc %v (%v), by pairs %v (%v)", seed, round, got, has, want, ok)
		}
	}
}

func pairAUC(p []Prediction, classes int) (float64, bool) {
	sum, counted := 0.0, 0
	for c := range classes {
		if classes == 2 && c == 0 {
			continue
		}
		ordered, pairs := 0.0, 0.0
		for _, a := range p {
			for _, b := range p {
				if a.Label != c || b.Label == c {
					continue
				}
				pairs++
				if x, y := a.Probabilities[c], b.Probabilities[c]; x > y {
					ordered++
				} else if x == y {
					ordered += 0.5
				}
			}
		}
		if pairs > 0 {
			sum += ordered / pairs
			counted++
		}
	}
	if counted == 0 {
		return 0, false
	}
	return sum / float64(counted), true
}

func TestNegLogLikelihoodOfExtremeScores(t *testing.T) {
	tests := []struct {
		scores []float32
		label  int
		want   float64
	}{
		{[]float32{0, 0}, 0, math.Ln2},
		{[]float32{1000, 0}, 1, 1000},
		{[]float32{1000, 0}, 0, 0},
		{[]float32{-1000, -1001}, 1, 1 + math.Log1p(math.Exp(-1))},
	}
	for _, test := range tests {
		if got := negLogLikelihood(test.scores, test.label); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("scores %v, label %d: %v, want %v", test.scores, test.label, got, test.want)
		}
	}
}
