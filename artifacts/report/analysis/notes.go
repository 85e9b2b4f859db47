package analysis

import (
	"fmt"
	"slices"

	"orchestrator/scheduler/plan"
)

// fewFolds is below how many folds an interval rests on little, and the signed-rank
// test can hardly say anything.
const fewFolds = 10

// pairNotes are what to mind of one pair.
func pairNotes(a, b Subject, p *Pair, s shared) []string {
	var notes []string
	if s.open > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d folds: the others are not completed in both", p.Folds, p.Folds+s.open+s.diverged))
	}
	if s.diverged > 0 {
		notes = append(notes, fmt.Sprintf("%d completed folds without a finite score are left out, which flatters whoever diverged there", s.diverged))
	}
	switch {
	case p.Folds < 2:
		notes = append(notes, "one fold has no interval: the difference may be chance")
	case p.Folds < fewFolds:
		notes = append(notes, fmt.Sprintf("%d folds: the interval rests on few differences, and the signed-rank test cannot get below p = %.3g, however large they are",
			p.Folds, float64(p.WilcoxonMin)))
	}
	if sameJobs(a.result(), b.result()) {
		notes = append(notes, "both are the same jobs")
	}
	for _, one := range []Subject{a, b} {
		if stop := one.result().Stopped; stop != nil {
			notes = append(notes, fmt.Sprintf("%s was stopped before its end: %s", one, stop.Reason))
		}
		if one.Results.Best != nil && one.Results.Best.Trial == one.Trial && len(one.Results.Trials) > 1 {
			notes = append(notes, fmt.Sprintf("%s was chosen as the best of %d trials by these folds, so that its mean is too good", one, len(one.Results.Trials)))
		}
	}
	return notes
}

func sameJobs(a, b *plan.TrialResult) bool {
	return slices.EqualFunc(a.Folds, b.Folds, func(f, g plan.FoldResult) bool { return f.Job == g.Job })
}

// repeated tells whether some picture is tested in several folds.
func repeated(p *plan.Plan) bool {
	seen := map[int]bool{}
	for _, f := range p.Folds {
		for _, i := range f.Test {
			if seen[i] {
				return true
			}
			seen[i] = true
		}
	}
	return false
}

// notes are what to mind of all pairs.
func (c *Comparison) notes(of []Subject) []string {
	var notes []string
	paired := 0
	for _, p := range c.Pairs {
		if p.TP.Known() {
			paired++
		}
	}
	if paired > 0 {
		notes = append(notes,
			"The folds' training pictures overlap, so that folds are not independent. The interval and p allow for it by the corrected resampled t-test "+
				"(Nadeau and Bengio 2003); Wilcoxon's signed-rank test and the counts of folds do not, and are too sure.",
			"A p-value is no size: read the difference and its interval first. An interval around zero does not show that two trials are equal.")
	}
	if paired > 1 {
		notes = append(notes, fmt.Sprintf("%d pairs are tested at once: of twenty without any difference one lies below p = 0.05 by chance. Holm's correction allows for that (Holm 1979).", paired))
	}
	if slices.ContainsFunc(c.Pairs, func(p Pair) bool { return p.Refused != "" }) {
		notes = append(notes, "Only trials on the same folds of the same pictures can be paired; of others the means are shown.")
	}
	if paired > 0 && repeated(of[0].Plan) {
		notes = append(notes, "The folds of all repeats count as resamples, with the same correction (Bouckaert and Frank 2004).")
	}
	var sweeps []string
	for _, s := range of {
		if slices.Contains(sweeps, s.Results.Sweep) {
			continue
		}
		sweeps = append(sweeps, s.Results.Sweep)
		for _, w := range s.Results.Warnings {
			notes = append(notes, s.Results.Sweep+": "+w)
		}
	}
	return notes
}
