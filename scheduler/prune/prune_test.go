package prune_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/scheduler/prune"
)

// full is a finished trial with one curve for all folds.
func full(folds int, curve ...float64) prune.Record {
	r := prune.NewRecord(len(curve), folds)
	for f := range folds {
		r.Curves[f], r.Final[f] = curve, curve[len(curve)-1]
	}
	return r
}

// until is a trial whose folds are at these epochs of the curve.
func until(epochs, folds int, curve ...float64) prune.Record {
	r := prune.NewRecord(epochs, folds)
	for f := range folds {
		r.Curves[f] = curve
	}
	return r
}

func TestRungs(t *testing.T) {
	tests := map[string]struct {
		rules prune.Rules
		trial int
		want  []int
	}{
		"none":                        {prune.Rules{}, 0, nil},
		"asha":                        {prune.Rules{Type: prune.ASHA, MinIter: 2, Eta: 3}, 5, []int{2, 6, 18}},
		"a rung at the end is none":   {prune.Rules{Type: prune.ASHA, MinIter: 9, Eta: 3}, 0, []int{9}},
		"halving":                     {prune.Rules{Type: prune.SuccessiveHalving, MinIter: 1, Eta: 4}, 0, []int{1, 4, 16}},
		"median":                      {prune.Rules{Type: prune.Median, MinIter: 10}, 0, []int{10, 20}},
		"the first bracket":           {prune.Rules{Type: prune.Hyperband, MinIter: 1, Eta: 3, Brackets: 3}, 0, []int{1, 3, 9}},
		"the second":                  {prune.Rules{Type: prune.Hyperband, MinIter: 1, Eta: 3, Brackets: 3}, 9, []int{3, 9}},
		"the third":                   {prune.Rules{Type: prune.Hyperband, MinIter: 1, Eta: 3, Brackets: 3}, 12, []int{9}},
		"and the first of next round": {prune.Rules{Type: prune.Hyperband, MinIter: 1, Eta: 3, Brackets: 3}, 13, []int{1, 3, 9}},
	}
	for name, tt := range tests {
		if got := tt.rules.Rungs(tt.trial, 27); !cmp.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Stages come one after the other: rungs on the first folds, their ends, then fold
// by fold.
func TestStages(t *testing.T) {
	rules := prune.Rules{Type: prune.ASHA, MinIter: 1, Eta: 3, Folds: 4, MinFolds: 2, Alpha: 0.05}
	r := prune.NewRecord(4, 4)
	for _, want := range [][]prune.Step{
		{{0, 1}, {1, 1}}, {{0, 3}, {1, 3}}, {{0, 0}, {1, 0}}, {{2, 0}}, {{3, 0}},
	} {
		got := rules.Next(7, r, nil, nil)
		if !cmp.Equal(got.Wanted, want) || got.Stop != nil || got.Done {
			t.Fatalf("%+v, want the steps %v", got, want)
		}
		for _, step := range want {
			if step.Until > 0 {
				r.Curves[step.Fold] = []float64{0.1, 0.2, 0.3}[:step.Until]
			} else {
				r.Curves[step.Fold], r.Final[step.Fold] = []float64{0.1, 0.2, 0.3, 0.4}, 0.4
			}
		}
	}
	if got := rules.Next(7, r, nil, nil); !got.Done {
		t.Errorf("%+v after the last fold", got)
	}
}

func TestASHA(t *testing.T) {
	rules := prune.Rules{Type: prune.ASHA, MinIter: 1, Eta: 3, Folds: 2}
	before := []prune.Record{full(2, 0.1, 0.9), full(2, 0.5, 0.5), full(2, 0.3, 0.3), full(2, 0.2, 0.2), full(2, 0.6, 0.6)}
	for score, stops := range map[float64]bool{0.7: false, 0.55: false, 0.5: true, 0.4: true, math.NaN(): true} {
		got := rules.Next(9, until(2, 2, score), before, nil)
		if (got.Stop != nil) != stops {
			t.Errorf("at %v among the best %d of 6: %+v", score, 2, got)
		}
		if stops && (got.Stop.Epoch != 1 || got.Stop.Folds != 2 || !strings.Contains(got.Stop.Reason, "5 trials that were there")) {
			t.Errorf("%+v", got.Stop)
		}
	}
	if got := rules.Next(9, until(2, 2, 0), before[:1], nil); got.Stop != nil {
		t.Errorf("stopped among fewer than eta trials: %+v", got.Stop)
	}
	// A trial that failed is worse than any other; one that never came there does not count.
	lost := prune.NewRecord(2, 2)
	lost.Out = true
	if got := rules.Next(9, until(2, 2, 0), []prune.Record{lost, lost}, nil); got.Stop != nil {
		t.Errorf("worse than two trials that failed: %+v", got.Stop)
	}
}

func TestBracketsDoNotMix(t *testing.T) {
	rules := prune.Rules{Type: prune.Hyperband, MinIter: 1, Eta: 2, Brackets: 2, Folds: 1}
	good := full(1, 0.9, 0.9, 0.9, 0.9)
	before := []prune.Record{good, good, good, good, good} // brackets 0 0 1 0 0
	if got := rules.Next(5, until(4, 1, 0.1, 0.1), before, nil); rules.Bracket(5) != 1 || got.Stop == nil || !strings.Contains(got.Stop.Reason, "1 of the 1 ") {
		t.Errorf("bracket %d: %+v", rules.Bracket(5), got)
	}
}

// Successive halving compares all trials at once, and waits for them.
func TestSuccessiveHalving(t *testing.T) {
	rules := prune.Rules{Type: prune.SuccessiveHalving, MinIter: 1, Eta: 2, Folds: 1}
	all := []prune.Record{until(8, 1, 0.4), until(8, 1, 0.8), prune.NewRecord(8, 1), until(8, 1, 0.6), full(1, 0.9)} // the last has one epoch and no rung
	for n := range all {
		if got := rules.Next(n, all[n], nil, rules.Cohort(all)); got.Stop != nil || n != 2 && len(got.Wanted) > 0 {
			t.Errorf("trial %d did not wait: %+v", n, got)
		}
	}
	all[2] = until(8, 1, 0.6) // as good as trial 3, which comes later
	var stopped []int
	for n := range all[:4] {
		switch got := rules.Next(n, all[n], nil, rules.Cohort(all)); {
		case got.Stop != nil:
			stopped = append(stopped, n)
		case !cmp.Equal(got.Wanted, []prune.Step{{0, 2}}):
			t.Errorf("trial %d goes on with %v", n, got.Wanted)
		}
	}
	if !cmp.Equal(stopped, []int{0, 3}) {
		t.Errorf("stopped %v", stopped)
	}
	all[1].Out = true // it fails on its way to the next rung, and is behind there
	all[2].Curves[0] = []float64{0.6, 0.1}
	if got := rules.Next(2, all[2], nil, rules.Cohort(all)); got.Stop != nil || !cmp.Equal(got.Wanted, []prune.Step{{0, 4}}) {
		t.Errorf("the only one left: %+v", got)
	}
}

func TestMedian(t *testing.T) {
	rules := prune.Rules{Type: prune.Median, MinIter: 2, Folds: 1}
	before := []prune.Record{full(1, 0.2, 0.4, 0.9), full(1, 0.4, 0.6, 0.6), full(1, 0.6, 0.8, 0.8)} // means up to epoch 2: 0.3 0.5 0.7
	for _, tt := range []struct {
		curve []float64
		stops bool
	}{
		{[]float64{0.1, 0.55}, false}, {[]float64{0.5, 0.1}, false}, {[]float64{0.45, 0.49}, true},
	} {
		if got := rules.Next(5, until(3, 1, tt.curve...), before, nil); (got.Stop != nil) != tt.stops {
			t.Errorf("%v: %+v", tt.curve, got)
		}
	}
	if got := rules.Next(5, until(3, 1, 0, 0), before[:2], nil); got.Stop != nil {
		t.Errorf("stopped by a median of two: %+v", got.Stop)
	}
}

// finals is a trial with these folds done.
func finals(k int, scores ...float64) prune.Record {
	r := prune.NewRecord(1, k)
	for f, s := range scores {
		r.Curves[f], r.Final[f] = []float64{s}, s
	}
	return r
}

func TestAcrossFolds(t *testing.T) {
	rules := prune.Rules{Folds: 5, MinFolds: 2, Alpha: 0.05}
	best := finals(5, 0.9, 0.8, 0.9, 0.8, 0.9)
	other := finals(5, 0.86, 0.78, 0.85, 0.77, 0.84)
	before := []prune.Record{other, best, finals(5, 0.99)} // the third was stopped early
	got := rules.Next(8, finals(5, 0.7, 0.61), before, nil)
	if got.Stop == nil || got.Stop.Folds != 2 || !strings.Contains(got.Stop.Reason, "behind trial 1 by 0.1950") {
		t.Errorf("far behind: %+v", got)
	}
	if got := rules.Next(8, finals(5, 0.88, 0.79), before, nil); got.Stop != nil || !cmp.Equal(got.Wanted, []prune.Step{{2, 0}}) {
		t.Errorf("close behind: %+v", got)
	}
	if got := rules.Next(8, finals(5, 0.1, 0.1), nil, nil); got.Stop != nil {
		t.Errorf("stopped without anybody to compare with: %+v", got.Stop)
	}
}

// ChanceToWin predicts exactly: the predicted probability of coming out at least as
// well as a trial then does is uniformly distributed, whatever the folds have in
// common (overlapping training sets) and however much they vary.
func TestChanceToWinPredictsExactly(t *testing.T) {
	const k, trials = 10, 100_000
	for _, n := range []int{2, 4, 7} {
		for _, share := range []float64{0, 0.8} { // of the variance that all folds have in common
			r := rand.New(rand.NewPCG(uint64(n), 7))
			var below [10]float64
			for range trials {
				common, mean := math.Sqrt(share)*r.NormFloat64(), 0.0
				d := make([]float64, k)
				for i := range d {
					d[i] = 5 * (common + math.Sqrt(1-share)*r.NormFloat64())
					mean += d[i] / k
				}
				for i := range d {
					d[i] -= mean
				}
				below[min(int(10*prune.ChanceToWin(d[:n], k, 0, 0)), 9)]++
			}
			for bin, count := range below {
				if math.Abs(count/trials-0.1) > 0.005 { // five standard deviations
					t.Errorf("after %d of %d folds, %v in common: a chance from 0.%d to 0.%d in %.4f of all cases", n, k, share, bin, bin+1, count/trials)
				}
			}
		}
	}
}

func TestChanceToWinAtTheEdges(t *testing.T) {
	tests := []struct {
		name           string
		known          []float64
		k              int
		prior, freedom float64
		want           float64
	}{
		{"one fold tells nothing of the variance", []float64{-0.5}, 5, 0, 0, 1},
		{"all folds done, behind", []float64{-1, 0.5}, 2, 0, 0, 0},
		{"all folds done, equal", []float64{-1, 1}, 2, 0, 0, 1},
		{"equal so far", []float64{-1, 1}, 4, 0, 0, 0.5},
		{"always equal", []float64{0, 0}, 4, 0, 0, 1},
		{"always behind by the same", []float64{-1, -1}, 4, 0, 0, 0},
		{"it diverged", []float64{math.Inf(-1), 1}, 4, 0, 0, 0},
		// d = -1 and -3: mean -2, s = sqrt(2); to come: 2 folds, which must be 4
		// better on average; 4/(sqrt(2)*sqrt(1/2+1/2)) = 2.828; one degree of freedom:
		// 1/2 - atan(2.828)/pi.
		{"by hand", []float64{-1, -3}, 4, 0, 0, 0.5 - math.Atan(2*math.Sqrt2)/math.Pi},
		// A prior variance of 2 worth infinitely much: the normal distribution.
		{"by hand, the variance known", []float64{-1, -3}, 4, 2, 1e9, 0.5 * math.Erfc(2)},
	}
	for _, tt := range tests {
		if got := prune.ChanceToWin(tt.known, tt.k, tt.prior, tt.freedom); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
