package prune_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"

	"orchestrator/scheduler/prune"
	"orchestrator/tools/testenv"
)

// recordedTrial is a trial of testdata/recorded5.yaml or recorded10.yaml: the accuracy after each
// epoch, by fold.
type recordedTrial struct {
	Folds [][]float64 `json:"folds"`
}

func recorded(t testing.TB, file string) []prune.Record {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var trials []recordedTrial
	if err := json.Unmarshal(data, &trials); err != nil {
		t.Fatal(err)
	}
	records := make([]prune.Record, len(trials))
	for i, trial := range trials {
		records[i] = prune.NewRecord(len(trial.Folds[0]), len(trial.Folds))
		for f, curve := range trial.Folds {
			records[i].Curves[f], records[i].Final[f] = curve, curve[len(curve)-1]
		}
	}
	return records
}

// replay goes through the trials in an order, with the folds in an order, as the
// scheduler would with so many trials under way. It returns which trials were
// completed and how many epochs were trained.
func replay(rules prune.Rules, all []prune.Record, order, folds []int, window int) (completed []bool, epochs int) {
	completed = make([]bool, len(order))
	var records []prune.Record // as far as they were trained
	for n, trial := range order {
		full := all[trial]
		own := prune.NewRecord(full.Epochs, rules.Folds)
		for {
			verdict := rules.Next(n, own, records[:max(0, n-window+1)], nil)
			if len(verdict.Wanted) == 0 {
				completed[n] = verdict.Done
				break
			}
			for _, step := range verdict.Wanted {
				until := step.Until
				if until == 0 {
					until = full.Epochs
					own.Final[step.Fold] = full.Final[folds[step.Fold]]
				}
				epochs += until - len(own.Curves[step.Fold])
				own.Curves[step.Fold] = full.Curves[folds[step.Fold]][:until]
			}
		}
		records = append(records, own)
	}
	return completed, epochs
}

// pruned is what rules do to the recorded trials, over many orders of trials and
// folds.
func pruned(rules prune.Rules, all []prune.Record, window, runs int) (kept, saved, lossOfMean float64) {
	r := rand.New(rand.NewPCG(1, 2))
	best := prune.Best(all)
	top := all[best].Reached(rules.Folds, 0)
	for range runs {
		order, folds := r.Perm(len(all)), r.Perm(rules.Folds)
		completed, epochs := replay(rules, all, order, folds, window)
		found := 0.0
		for n, trial := range order {
			if !completed[n] {
				continue
			}
			mean := all[trial].Reached(rules.Folds, 0)
			found = max(found, mean)
		}
		if found >= top-1e-12 {
			kept++
		}
		lossOfMean += top - found
		saved += 1 - float64(epochs)/float64(len(all)*rules.Folds*all[0].Epochs)
	}
	n := float64(runs)
	return kept / n, saved / n, lossOfMean / n
}

// The rules as they are by default, on recorded outcomes of real photographs, must
// keep the sweep's winner and save what docs/pruning.md says. With -v the test
// prints that page's table.
func TestRecordedSweeps(t *testing.T) {
	tests := []struct {
		name        string
		file        string
		rules       prune.Rules
		kept, saved float64 // at least
	}{
		{"across folds", "recorded10.json", prune.Rules{Folds: 10, MinFolds: 2, Alpha: 0.05}, 0.95, 0.40},
		{"across folds, alpha 0.1", "recorded10.json", prune.Rules{Folds: 10, MinFolds: 2, Alpha: 0.1}, 0.95, 0.45},
		{"across folds, min 1", "recorded10.json", prune.Rules{Folds: 10, MinFolds: 1, Alpha: 0.05}, 0.95, 0.42},
		{"asha", "recorded10.json", prune.Rules{Type: prune.ASHA, MinIter: 1, Eta: 3, Folds: 10}, 0, 0.4},
		{"median", "recorded10.json", prune.Rules{Type: prune.Median, MinIter: 1, Folds: 10}, 0, 0.3},
		{"asha and across folds", "recorded10.json", prune.Rules{Type: prune.ASHA, MinIter: 1, Eta: 3, Folds: 10, MinFolds: 2, Alpha: 0.05}, 0, 0.6},
		{"across folds", "recorded5.json", prune.Rules{Folds: 5, MinFolds: 2, Alpha: 0.05}, 0.95, 0.20},
		{"across folds, alpha 0.1", "recorded5.json", prune.Rules{Folds: 5, MinFolds: 2, Alpha: 0.1}, 0.95, 0.25},
		{"across folds, min 1", "recorded5.json", prune.Rules{Folds: 5, MinFolds: 1, Alpha: 0.05}, 0.95, 0.27},
		{"asha", "recorded5.json", prune.Rules{Type: prune.ASHA, MinIter: 1, Eta: 3, Folds: 5}, 0, 0.4},
		{"median", "recorded5.json", prune.Rules{Type: prune.Median, MinIter: 1, Folds: 5}, 0, 0.3},
		{"asha and across folds", "recorded5.json", prune.Rules{Type: prune.ASHA, MinIter: 1, Eta: 3, Folds: 5, MinFolds: 2, Alpha: 0.05}, 0, 0.6},
	}
	const window = 4
	runs := testenv.Size(50, 200, 1000)
	for _, tt := range tests {
		all := recorded(t, tt.file)
		kept, saved, loss := pruned(tt.rules, all, window, runs)
		t.Logf("| %s | %d × %d | %.1f %% | %.1f %% | %.4f |", tt.name, len(all), tt.rules.Folds, 100*kept, 100*saved, loss)
		if kept < tt.kept || saved < tt.saved {
			t.Errorf("%s, %s: the winner is kept in %.3f of %d orders and %.3f of the epochs saved; want %v and %v", tt.file, tt.name, kept, runs, saved, tt.kept, tt.saved)
		}
	}
}
