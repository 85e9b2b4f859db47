package search

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// sorted is split in few words.
func sorted(outcomes []Outcome) (good, bad []int) {
	var ended []*Outcome
	for i := range outcomes {
		if o := &outcomes[i]; o.State == Running {
			bad = append(bad, o.Trial)
		} else {
			ended = append(ended, o)
		}
	}
	if len(ended) < tpeStartup {
		return nil, nil
	}
	slices.SortFunc(ended, compare)
	for i, o := range ended {
		if i < min((len(ended)+9)/10, tpeMaxGood) && o.hasValue() {
			good = append(good, o.Trial)
		} else {
			bad = append(bad, o.Trial)
		}
	}
	slices.Sort(good)
	slices.Sort(bad)
	return good, bad[max(0, len(bad)-tpeMaxBad):]
}

func TestSplit(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{0, 3, 10, 11, 40, 260, 700} {
		outcomes := make([]Outcome, n)
		for i := range outcomes {
			outcomes[i] = Outcome{Trial: i, State: State(r.IntN(4)), Value: float64(r.IntN(9)), Steps: r.IntN(3)}
			if r.IntN(10) == 0 {
				outcomes[i].Value = math.NaN()
			}
		}
		if n == 40 { // the order does not matter
			r.Shuffle(n, func(i, j int) { outcomes[i], outcomes[j] = outcomes[j], outcomes[i] })
		}
		wantGood, wantBad := sorted(outcomes)
		good, bad := split(outcomes)
		numbers := func(all []*Outcome) []int {
			var trials []int
			for _, o := range all {
				trials = append(trials, o.Trial)
			}
			return trials
		}
		if !slices.Equal(numbers(good), wantGood) || !slices.Equal(numbers(bad), wantBad) {
			t.Errorf("%d outcomes: %v and %v, want %v and %v", n, numbers(good), numbers(bad), wantGood, wantBad)
		}
		if !slices.IsSortedFunc(good, func(a, b *Outcome) int { return cmp.Compare(a.Trial, b.Trial) }) {
			t.Errorf("the good ones are not in order: %v", numbers(good))
		}
	}
}
