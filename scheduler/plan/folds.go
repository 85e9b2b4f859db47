package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Folds splits the samples for cross-validation: in every repeat each sample is
// tested exactly once. labels holds one class index per sample.
//
// Stratified folds hold every class in equal parts, up to one sample; plain
// folds are of equal size, up to one sample. The split depends on the arguments
// alone. More folds than samples of a class (stratified) or than samples is an
// *Error, and so is a fold that tests a class which it does not train on.
//
// copies gives for each sample the first one with the same content, or is nil where
// there are no two. Copies are tested in the same fold, since a network would
// remember them, and count as one sample where folds are too many; folds are then
// as even as the numbers of copies let them.
func Folds(cv CrossValidation, labels []int, classes []string, copies []int) ([]Fold, error) {
	if copies == nil {
		copies = make([]int, len(labels))
		for i := range copies {
			copies[i] = i
		}
	}
	if err := checkFolds(cv, labels, classes, copies); err != nil {
		return nil, err
	}
	var folds []Fold
	for repeat := range max(1, cv.Repeats) {
		assigned := assign(cv, labels, len(classes), copies, repeat)
		for k := range cv.Folds {
			fold := Fold{Number: len(folds), Name: fmt.Sprint(k)}
			if cv.Repeats > 1 {
				fold.Name = fmt.Sprintf("%d.%d", repeat, k)
			}
			trained := make([]bool, len(classes))
			for sample, in := range assigned {
				if in == k {
					fold.Test = append(fold.Test, sample)
				} else {
					fold.Train = append(fold.Train, sample)
					trained[labels[sample]] = true
				}
			}
			for _, sample := range fold.Test {
				if class := labels[sample]; !trained[class] {
					return nil, untrained(cv, fold, classes[class])
				}
			}
			folds = append(folds, fold)
		}
	}
	return folds, nil
}

// untrained says that a fold would test a class that it was not trained on; of
// stratified folds none does.
func untrained(cv CrossValidation, fold Fold, class string) error {
	return &Error{
		Field:   "cross_validation.stratified",
		Problem: fmt.Sprintf("is false, and in fold %s of %d all pictures of class %q are test pictures: it would be tested and not trained on", fold.Name, cv.Folds, class),
		Try:     "set cross_validation.stratified: true, another cross_validation.seed, or leave classes of very few pictures out",
	}
}

// Folds is Folds with the sweep's settings; its errors point into the file.
func (s *Sweep) Folds(labels []int, classes []string, copies []int) ([]Fold, error) {
	folds, err := Folds(s.CrossValidation, labels, classes, copies)
	if e := (*Error)(nil); errors.As(err, &e) {
		return nil, s.Problem(e.Field, e.Problem, e.Try)
	}
	return folds, err
}

func checkFolds(cv CrossValidation, labels []int, classes []string, copies []int) error {
	if cv.Folds < 2 {
		return &Error{Field: "cross_validation.folds", Problem: fmt.Sprintf("is %d, but a cross-validation has at least 2 folds", cv.Folds)}
	}
	counts := make([]int, len(classes))
	distinct := 0
	for sample, label := range labels {
		if label < 0 || label >= len(classes) {
			return fmt.Errorf("make folds: sample %d has label %d of %d classes", sample, label, len(classes))
		}
		if copies[sample] == sample {
			distinct++
			counts[label]++
		}
	}
	samples := "samples"
	if distinct < len(labels) {
		samples = "different samples"
	}
	if cv.Folds > distinct {
		return &Error{
			Field:   "cross_validation.folds",
			Problem: fmt.Sprintf("%d folds are more than the data set's %d %s", cv.Folds, distinct, samples),
			Try:     fmt.Sprintf("use at most %d folds or add samples", distinct),
		}
	}
	if !cv.Stratified || len(counts) == 0 {
		return nil
	}
	smallest := slices.Index(counts, slices.Min(counts))
	if cv.Folds > counts[smallest] {
		return &Error{
			Field:   "cross_validation.folds",
			Problem: fmt.Sprintf("%d stratified folds are more than the %d %s of class %q", cv.Folds, counts[smallest], samples, classes[smallest]),
			Try:     "use fewer folds, add samples to the class, or set cross_validation.stratified: false",
		}
	}
	return nil
}

// assign deals the samples out to the folds of one repeat, those with most copies
// first, each to the fold with the fewest of its class. Where one class ends in the
// round the next goes on, so that the folds' sizes stay even as well.
func assign(cv CrossValidation, labels []int, classes int, copies []int, repeat int) []int {
	assigned, size := make([]int, len(labels)), make([]int, len(labels))
	for _, first := range copies {
		size[first]++
	}
	next := 0
	for _, group := range groups(cv, labels, classes) {
		r := random(cv.Seed, "folds", int64(repeat))
		if len(group) > 0 && cv.Stratified {
			r = random(cv.Seed, "folds", int64(repeat), int64(labels[group[0]]))
		}
		r.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
		slices.SortStableFunc(group, func(a, b int) int { return size[b] - size[a] })
		held := make([]int, cv.Folds)
		for _, sample := range group {
			if copies[sample] != sample {
				continue
			}
			fold := next % cv.Folds
			for k := range cv.Folds { // the first of the least filled, from the next on
				if at := (next + k) % cv.Folds; held[at] < held[fold] {
					fold = at
				}
			}
			assigned[sample], next = fold, fold+1
			held[fold] += size[sample]
		}
	}
	for sample, first := range copies {
		assigned[sample] = assigned[first]
	}
	return assigned
}

// groups are the samples of each class, or of all together.
func groups(cv CrossValidation, labels []int, classes int) [][]int {
	if !cv.Stratified {
		classes = 1
	}
	groups := make([][]int, classes)
	for sample, label := range labels {
		if !cv.Stratified {
			label = 0
		}
		groups[label] = append(groups[label], sample)
	}
	return groups
}

// random returns the generator for one purpose: its numbers depend on the
// arguments alone, on every machine and with every Go release.
func random(seed int64, purpose string, counters ...int64) *rand.Rand {
	h := sha256.New()
	for _, n := range append([]int64{seed, int64(len(purpose))}, counters...) {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	}
	h.Write([]byte(purpose))
	sum := h.Sum(nil)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])))
}
