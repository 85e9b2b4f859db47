package search

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"orchestrator/tools/testenv"
)

// seeds is how many searches a method is judged by; Optuna's fixture has 40.
func seeds() int { return testenv.Size(0, 12, 40) }

// minimise runs a whole search, one trial after the other, and returns the
// best value.
func minimise(t testing.TB, method Method, f testFunction, seed int64) float64 {
	t.Helper()
	best, outcomes := math.Inf(1), make([]Outcome, 0, f.budget)
	for trial := range f.budget {
		point, err := Propose(method, f.space, seed, trial, outcomes)
		if err != nil {
			t.Fatal(err)
		}
		o := Outcome{Trial: trial, Point: point, Value: f.value(point)}
		best, outcomes = min(best, o.Value), append(outcomes, o)
	}
	return best
}

// bests minimises with every seed, on all cores.
func bests(t testing.TB, method Method, f testFunction) []float64 {
	values := make([]float64, seeds())
	var wg sync.WaitGroup
	for i := range values {
		wg.Go(func() { values[i] = minimise(t, method, f, int64(i)) })
	}
	wg.Wait()
	slices.Sort(values)
	return values
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// tolerance is how far above b's median that of a may be by chance: the
// difference of the medians has to be above 0 with 97.5 % of the bootstrap's
// resamplings before a is called worse.
func tolerance(a, b []float64) float64 {
	r := rand.New(rand.NewPCG(1, 2))
	resample := func(values []float64) float64 {
		s := make([]float64, len(values))
		for i := range s {
			s[i] = values[r.IntN(len(values))]
		}
		slices.Sort(s)
		return median(s)
	}
	differences := make([]float64, 2000)
	for i := range differences {
		differences[i] = resample(a) - resample(b)
	}
	slices.Sort(differences)
	return median(a) - median(b) - differences[len(differences)/40]
}

// optunaBests reads the fixture of bench/search/optuna.py: per function and
// sampler, the best value of each seed, sorted.
func optunaBests(t *testing.T) map[string]map[string][]float64 {
	t.Helper()
	data, err := os.ReadFile("testdata/optuna.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct {
		Functions map[string]struct {
			Budget int
			Best   map[string][]float64
		}
	}
	if err := json.Unmarshal(data, &fixture); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]float64{}
	for _, f := range testFunctions {
		if got := fixture.Functions[f.name].Budget; got != f.budget {
			t.Fatalf("%s: the fixture has a budget of %d trials, the test %d", f.name, got, f.budget)
		}
		all[f.name] = fixture.Functions[f.name].Best
		for _, values := range all[f.name] {
			slices.Sort(values)
		}
	}
	return all
}

// Each method reaches what Optuna's sampler of the same name reaches with the
// same budget, and the ones that learn reach more than random search.
func TestMediansOnTestFunctions(t *testing.T) {
	testenv.Daily(t)
	optuna := optunaBests(t)
	for _, f := range testFunctions {
		var chance []float64
		for _, method := range Methods() {
			ours := bests(t, method, f)
			for _, sampler := range []string{string(method), string(method) + "-group"} {
				theirs := optuna[f.name][sampler]
				if theirs == nil {
					continue // Optuna has it for TPE alone
				}
				slack := tolerance(ours, theirs)
				t.Logf("%-12s %-7s median %10.4g; Optuna's %-9s %10.4g (may be %.2g above)", f.name, method, median(ours), sampler, median(theirs), slack)
				if median(ours) > median(theirs)+slack {
					t.Errorf("%s: %s is worse than Optuna's %s", f.name, method, sampler)
				}
			}
			if ours[0] < f.least-1e-5 {
				t.Errorf("%s: %g is below the least value %g: the function is wrong", f.name, ours[0], f.least)
			}
			switch method {
			case Random:
				chance = ours
			case TPE, CMAES:
				if median(ours) >= median(chance) {
					t.Errorf("%s: %s is no better than random search", f.name, method)
				}
			}
		}
	}
}
