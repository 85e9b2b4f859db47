package analysis

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"orchestrator/scheduler/plan"
)

// shared are the scores of the folds of two trials that are the same.
type shared struct {
	a, b        []float64
	test, train float64 // mean numbers of pictures
	open        int     // folds of both that one has not completed
	diverged    int     // completed folds in which a score is not finite
	refused     string
}

// pairFolds pairs the folds of two trials that test and train on the same pictures
// of the same data.
func pairFolds(a, b Subject, metric string) shared {
	var s shared
	if a.Plan.Data.Pack.Digest != b.Plan.Data.Pack.Digest {
		s.refused = fmt.Sprintf("%s and %s have different pictures (data sets %.12s and %.12s)", a.Results.Sweep, b.Results.Sweep, a.Plan.Data.Pack.Digest, b.Plan.Data.Pack.Digest)
		return s
	}
	same, alike := 0, sameFolds(a, b)
	for _, f := range a.result().Folds {
		at := slices.IndexFunc(b.result().Folds, func(g plan.FoldResult) bool { return alike(f.Fold, g.Fold) })
		if at < 0 {
			continue
		}
		same++
		g := b.result().Folds[at]
		switch x, y := score(f, metric), score(g, metric); {
		case x.Known() && y.Known():
			s.a, s.b = append(s.a, float64(x)), append(s.b, float64(y))
			s.test += float64(len(a.Plan.Folds[f.Fold].Test))
			s.train += float64(len(a.Plan.Folds[f.Fold].Train))
		case f.State == plan.Completed && g.State == plan.Completed:
			s.diverged++
		default:
			s.open++
		}
	}
	switch {
	case same == 0:
		s.refused = fmt.Sprintf("%s and %s have no fold in common: the same pictures are split otherwise (cross_validation, dataset.folds)", a.Results.Sweep, b.Results.Sweep)
	case len(s.a) == 0:
		s.refused = fmt.Sprintf("no fold is completed with a finite %s in both %s and %s", metric, a, b)
	default:
		s.test, s.train = s.test/float64(len(s.a)), s.train/float64(len(s.a))
	}
	return s
}

// sameFolds tells whether fold i of a tests and trains on the same pictures as fold
// j of b.
func sameFolds(a, b Subject) func(i, j int) bool {
	if a.Plan == b.Plan {
		return func(i, j int) bool { return i == j }
	}
	x, y := a.foldKeys(), b.foldKeys()
	return func(i, j int) bool { return x[i] == y[j] }
}

// withFolds has the folds of each plan identified once.
func withFolds(of []Subject) []Subject {
	known := map[*plan.Plan][]string{}
	of = slices.Clone(of)
	for i := range of {
		if known[of[i].Plan] == nil {
			known[of[i].Plan] = of[i].foldKeys()
		}
		of[i].folds = known[of[i].Plan]
	}
	return of
}

// foldKeys are the same for folds with the same pictures, in whatever order.
func (s Subject) foldKeys() []string {
	if s.folds != nil {
		return s.folds
	}
	keys := make([]string, len(s.Plan.Folds))
	for i, f := range s.Plan.Folds {
		var data []byte
		for _, set := range [][]int{f.Test, f.Train} {
			data = binary.AppendUvarint(data, uint64(len(set)))
			for _, picture := range slices.Sorted(slices.Values(set)) {
				data = binary.AppendUvarint(data, uint64(picture))
			}
		}
		sum := sha256.Sum256(data)
		keys[i] = string(sum[:])
	}
	return keys
}
