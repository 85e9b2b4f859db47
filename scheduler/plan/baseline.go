package plan

import "slices"

// Baseline is what a classifier scores that has learned nothing but which class
// is the most frequent one: on each fold it answers with the most frequent class of
// the training samples, the first of equals. An accuracy says little without it.
type Baseline struct {
	Accuracy Stat      `json:"accuracy"` // over all folds
	Folds    []float64 `json:"folds"`    // accuracy on each fold's test samples
}

// majority is the baseline of a plan's folds; nil where they are not known.
func majority(p *Plan) *Baseline {
	b := &Baseline{}
	for _, fold := range p.Folds {
		if len(fold.Train) == 0 || len(fold.Test) == 0 || max(slices.Max(fold.Train), slices.Max(fold.Test)) >= len(p.Data.Labels) {
			return nil
		}
		counts := make([]int, len(p.Data.Classes))
		for _, sample := range fold.Train {
			counts[p.Data.Labels[sample]]++
		}
		class, right := slices.Index(counts, slices.Max(counts)), 0
		for _, sample := range fold.Test {
			if p.Data.Labels[sample] == class {
				right++
			}
		}
		b.Folds = append(b.Folds, float64(right)/float64(len(fold.Test)))
	}
	if len(b.Folds) == 0 {
		return nil
	}
	b.Accuracy = stat(b.Folds)
	return b
}
