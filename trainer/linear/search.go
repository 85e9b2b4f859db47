package linear

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"orchestrator/trainer/rng"
)

// Search asks for a classifier on one split of the data, with C from a grid.
type Search struct {
	X           *Matrix
	Y           []int // class of every row of X
	Classes     int
	Train, Test []int // rows
	Classifier  Classifier
	Grid        []float64 // ascending
	InnerFolds  int       // of the training rows, at least 2
	Seed        int64     // of the inner folds
}

// Found is what each C came to.
type Found struct {
	// Inner is the mean accuracy of each C over the inner folds, Test that on the
	// test rows of the fit to all training rows.
	Inner, Test []float64
	// Chosen is the C of the best Inner, the smallest of several. Test has no part
	// in it.
	Chosen int
	// Fits are to all training rows, one for each C.
	Fits []*Fit
}

// PowersOfTwo are 2^from, ..., 2^to.
func PowersOfTwo(from, to int) []float64 {
	var grid []float64
	for e := from; e <= to; e++ {
		grid = append(grid, math.Ldexp(1, e))
	}
	return grid
}

// Best is the index of the largest accuracy, the first, with the smallest C, of
// several.
func Best(accuracies []float64) int { return argmax(accuracies) }

// Run fits every C to the inner folds and to all training rows.
func (s Search) Run() (*Found, error) {
	if len(s.Grid) == 0 || !slices.IsSorted(s.Grid) {
		return nil, fmt.Errorf("search C: the grid %v is empty or not ascending", s.Grid)
	}
	if len(s.Test) == 0 {
		return nil, fmt.Errorf("search C: there are no test rows")
	}
	out := &Found{Inner: make([]float64, len(s.Grid))}
	folds, err := s.inner()
	if err != nil {
		return nil, err
	}
	// Inner folds and the fit to all are independent of each other: they are done at
	// once, and summed up in order, so that the sums are the same.
	inner := make([][]float64, len(folds))
	errs := make([]error, len(folds)+1)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var running sync.WaitGroup
	once := func(do func()) {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			do()
		})
	}
	once(func() { out.Test, out.Fits, errs[len(folds)] = s.path(s.Train, s.Test) })
	for k, held := range folds {
		rest := slices.Concat(slices.Concat(folds[:k]...), slices.Concat(folds[k+1:]...))
		once(func() { inner[k], _, errs[k] = s.path(rest, held) })
	}
	running.Wait()
	for k, held := range folds {
		if errs[k] != nil {
			return nil, fmt.Errorf("inner fold %d of %d: %w", k+1, len(folds), errs[k])
		}
		for i, a := range inner[k] {
			out.Inner[i] += a * float64(len(held)) / float64(len(s.Train))
		}
	}
	if errs[len(folds)] != nil {
		return nil, errs[len(folds)]
	}
	out.Chosen = Best(out.Inner)
	return out, nil
}

// path fits each C in turn, each from the one before, and scores it.
func (s Search) path(train, test []int) (accuracies []float64, fits []*Fit, err error) {
	problem, err := NewProblem(s.X, s.Y, s.Classes, train)
	if err != nil {
		return nil, nil, err
	}
	var last *Fit
	for _, c := range s.Grid {
		if last, err = problem.Fit(s.Classifier, c, last); err != nil {
			return nil, nil, err
		}
		fits = append(fits, last)
		accuracies = append(accuracies, last.Accuracy(s.X, s.Y, test))
	}
	return accuracies, fits, nil
}

// inner divides the training rows, each class in equal parts.
func (s Search) inner() ([][]int, error) {
	if s.InnerFolds < 2 || s.InnerFolds > len(s.Train) {
		return nil, fmt.Errorf("search C: %d inner folds of %d training rows", s.InnerFolds, len(s.Train))
	}
	rows := slices.Clone(s.Train)
	rng.New(s.Seed, "inner folds").Shuffle(len(rows), func(i, k int) { rows[i], rows[k] = rows[k], rows[i] })
	slices.SortStableFunc(rows, func(a, b int) int { return s.Y[a] - s.Y[b] })
	folds := make([][]int, s.InnerFolds)
	for i, r := range rows {
		folds[i%len(folds)] = append(folds[i%len(folds)], r)
	}
	return folds, nil
}
