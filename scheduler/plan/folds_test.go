package plan

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever the labels, every sample is tested exactly once per repeat, training
// and test never overlap, and the folds are as even as they can be.
func TestFoldsArePartitions(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		cv := CrossValidation{Folds: 2 + r.IntN(6), Stratified: r.IntN(2) == 0, Repeats: 1 + r.IntN(3), Seed: r.Int64()}
		classes := []string{"a", "b", "c", "d"}[:1+r.IntN(4)]
		var labels []int
		for class := range classes {
			for range cv.Folds + r.IntN(20) {
				labels = append(labels, class)
			}
		}
		r.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		folds, err := Folds(cv, labels, classes, nil)
		if lacksAClass(cv, err) {
			continue
		}
		if err != nil {
			t.Fatalf("%+v: %v", cv, err)
		}
		if len(folds) != cv.Folds*cv.Repeats {
			t.Fatalf("%+v: %d folds", cv, len(folds))
		}
		for repeat := range cv.Repeats {
			checkRepeat(t, cv, folds[repeat*cv.Folds:][:cv.Folds], labels, len(classes))
		}
		again, err := Folds(cv, labels, classes, nil)
		if diff := cmp.Diff(folds, again); err != nil || diff != "" {
			t.Fatalf("%+v: the second call differs: %v\n%s", cv, err, diff)
		}
	}
}

// lacksAClass reports whether folds, drawn without regard to classes, were refused as one
// of them has all pictures of a class.
func lacksAClass(cv CrossValidation, err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Field == "cross_validation.stratified" && !cv.Stratified
}

// Pictures of a class in one fold alone would be tested by a network that has seen
// none.
func TestFoldsThatDoNotTrainOnAClassAreRefused(t *testing.T) {
	labels := []int{0, 0, 0, 1, 1, 1, 2}
	_, err := Folds(CrossValidation{Folds: 3}, labels, []string{"a", "b", "lone"}, nil)
	var e *Error
	if !errors.As(err, &e) || e.Field != "cross_validation.stratified" || !strings.Contains(e.Problem, `"lone"`) || e.Try == "" {
		t.Errorf("error %v", err)
	}
	if _, err := Folds(CrossValidation{Folds: 6}, labels[:6], []string{"a", "b"}, nil); err != nil {
		t.Errorf("leave one out: %v", err)
	}
}

func checkRepeat(t *testing.T, cv CrossValidation, folds []Fold, labels []int, classes int) {
	t.Helper()
	tested := make([]int, len(labels))
	perClass := make([][]int, classes+1) // the last: all classes
	for _, fold := range folds {
		if err := checkFold(fold, len(labels)); err != nil {
			t.Fatalf("%+v: fold %s %v", cv, fold.Name, err)
		}
		if len(fold.Train)+len(fold.Test) != len(labels) || !slices.IsSorted(fold.Train) || !slices.IsSorted(fold.Test) {
			t.Fatalf("%+v: fold %s does not hold all samples in order", cv, fold.Name)
		}
		counts := make([]int, classes)
		for _, sample := range fold.Test {
			tested[sample]++
			counts[labels[sample]]++
		}
		for class, n := range counts {
			perClass[class] = append(perClass[class], n)
		}
		perClass[classes] = append(perClass[classes], len(fold.Test))
	}
	if slices.Min(tested) != 1 || slices.Max(tested) != 1 {
		t.Fatalf("%+v: samples are tested %v times", cv, tested)
	}
	for class, n := range perClass {
		if slices.Max(n)-slices.Min(n) > 1 && (cv.Stratified || class == classes) {
			t.Fatalf("%+v: class %d is spread %v", cv, class, n)
		}
	}
}

func TestFoldNamesAndSeeds(t *testing.T) {
	labels := make([]int, 40)
	for i := range labels {
		labels[i] = i % 2
	}
	classes := []string{"ants", "bees"}
	names := func(cv CrossValidation) (names []string) {
		folds, err := Folds(cv, labels, classes, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, fold := range folds {
			if fold.Number != i {
				t.Errorf("fold %d has number %d", i, fold.Number)
			}
			names = append(names, fold.Name)
		}
		return names
	}
	if got := names(CrossValidation{Folds: 3, Repeats: 1}); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("names %v", got)
	}
	if got := names(CrossValidation{Folds: 2, Repeats: 2, Stratified: true}); !slices.Equal(got, []string{"0.0", "0.1", "1.0", "1.1"}) {
		t.Errorf("names of repeats %v", got)
	}
	for _, stratified := range []bool{false, true} {
		cv := CrossValidation{Folds: 2, Repeats: 2, Stratified: stratified}
		folds, _ := Folds(cv, labels, classes, nil)
		if slices.Equal(folds[0].Test, folds[2].Test) {
			t.Errorf("stratified %v: both repeats split alike", stratified)
		}
		cv.Seed++
		if other, _ := Folds(cv, labels, classes, nil); slices.Equal(folds[0].Test, other[0].Test) {
			t.Errorf("stratified %v: another seed splits alike", stratified)
		}
	}
}

// The split is part of a job's identity: it must never change between versions.
func TestFoldsNeverChange(t *testing.T) {
	folds, err := Folds(CrossValidation{Folds: 3, Stratified: true, Repeats: 1, Seed: 1}, []int{0, 0, 0, 0, 0, 1, 1, 1, 1}, []string{"a", "b"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var tests [][]int
	for _, fold := range folds {
		tests = append(tests, fold.Test)
	}
	if diff := cmp.Diff([][]int{{0, 3, 8}, {1, 2, 7}, {4, 5, 6}}, tests); diff != "" {
		t.Errorf("test samples (-want +got):\n%s", diff)
	}
}

// Copies of one picture are on one side of every fold, and folds are as even as
// that lets them.
func TestCopiesShareAFold(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		cv := CrossValidation{Folds: 2 + r.IntN(4), Stratified: r.IntN(2) == 0, Repeats: 1 + r.IntN(2), Seed: r.Int64()}
		var labels, copies []int
		most := 1
		for class := range 2 {
			for range cv.Folds + r.IntN(10) {
				first, n := len(labels), 1+r.IntN(3)
				most = max(most, n)
				for range n {
					labels, copies = append(labels, class), append(copies, first)
				}
			}
		}
		folds, err := Folds(cv, labels, []string{"a", "b"}, copies)
		if lacksAClass(cv, err) {
			continue
		}
		if err != nil {
			t.Fatalf("%+v: %v", cv, err)
		}
		for _, fold := range folds {
			if err := checkFold(fold, len(labels)); err != nil || len(fold.Train)+len(fold.Test) != len(labels) {
				t.Fatalf("%+v: fold %s: %v", cv, fold.Name, err)
			}
			for _, i := range fold.Test {
				if slices.ContainsFunc(fold.Train, func(k int) bool { return copies[k] == copies[i] }) {
					t.Fatalf("%+v: fold %s trains on a copy of sample %d", cv, fold.Name, i)
				}
			}
			if even := len(labels) / cv.Folds; len(fold.Test) < even-2*most || len(fold.Test) > even+2*most {
				t.Errorf("%+v: %d samples in fold %s of %d", cv, len(fold.Test), fold.Name, len(labels))
			}
		}
	}
	_, err := Folds(CrossValidation{Folds: 3, Stratified: true}, []int{0, 0, 0, 1, 1, 1}, []string{"ants", "bees"}, []int{0, 1, 2, 3, 3, 5})
	if want := `cross_validation.folds: 3 stratified folds are more than the 2 different samples of class "bees"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFoldsThatCannotBe(t *testing.T) {
	labels, classes := []int{0, 0, 0, 0, 0, 1, 1}, []string{"ants", "bees"}
	for name, c := range map[string]struct {
		cv   CrossValidation
		want string
	}{
		"more than a class":   {CrossValidation{Folds: 3, Stratified: true}, `cross_validation.folds: 3 stratified folds are more than the 2 samples of class "bees"`},
		"more than samples":   {CrossValidation{Folds: 8}, "cross_validation.folds: 8 folds are more than the data set's 7 samples"},
		"no cross-validation": {CrossValidation{Folds: 1}, "cross_validation.folds: is 1, but a cross-validation has at least 2 folds"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Folds(c.cv, labels, classes, nil)
			var e *Error
			if !errors.As(err, &e) || e.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := Folds(CrossValidation{Folds: 3}, labels, classes, nil); err != nil {
		t.Errorf("plain folds need no class to be large: %v", err)
	}
	if _, err := Folds(CrossValidation{Folds: 2}, []int{0, 2}, classes, nil); err == nil {
		t.Error("a label beyond the classes is accepted")
	}
	s := mustParse(t, minimal+"cross_validation:\n  folds: 3\n")
	_, err := s.Folds(labels, classes, nil)
	if want := `sweep.yaml:6:3: cross_validation.folds: 3 stratified folds are more than the 2 samples of class "bees"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
