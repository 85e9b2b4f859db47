package page

import (
	"fmt"
	"slices"
	"strconv"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
)

// Table is one of the report's tables that are the same in every format.
type Table struct {
	Name, Title string
	Header      []string
	Rows        [][]string
	Notes       []string
}

// Tables are those after the table of variants, of the given names or all; ones
// without rows are left out.
func (r *Report) Tables(names ...string) []Table {
	all := []Table{r.statisticsTable(), r.importanceTable(), r.pairsTable(), r.classTable(), r.foldTable(), r.stoppedTable(), r.dataTable(), r.costTable()}
	return slices.DeleteFunc(all, func(t Table) bool {
		return len(t.Rows) == 0 || len(names) > 0 && !slices.Contains(names, t.Name)
	})
}

func (r *Report) statisticsTable() Table {
	t := Table{Name: "statistics", Title: "Differences, tested", Header: []string{"trial", "difference", "95 % interval", "p", "p (Holm)", "p (Wilcoxon)", "better/worse/equal", "folds"}}
	c := r.Statistics
	if c == nil {
		return t
	}
	for _, p := range c.Pairs {
		interval := "–"
		if p.Low.Known() {
			interval = fmt.Sprintf("[%+.4f, %+.4f]", float64(p.Low), float64(p.High))
		}
		t.Title = fmt.Sprintf("Differences in %s to trial %d, tested", c.Metric, c.Of[p.B].Trial)
		t.Rows = append(t.Rows, []string{
			strconv.Itoa(c.Of[p.A].Trial), signed(p.Difference), interval, probability(p.TP), probability(p.HolmP), probability(p.WilcoxonP),
			fmt.Sprintf("%d/%d/%d", p.Sign.Better, p.Sign.Worse, p.Sign.Equal), strconv.Itoa(p.Folds),
		})
		for _, n := range p.Notes {
			if !slices.Contains(t.Notes, n) {
				t.Notes = append(t.Notes, n)
			}
		}
	}
	const most = 6 // of the pairs' own; those of all pairs always stand
	t.Notes = append(slices.Clone(t.Notes[:min(most, len(t.Notes))]), c.Notes...)
	return t
}

func (r *Report) importanceTable() Table {
	t := Table{Name: "importance", Title: "Which parameters matter", Header: []string{"parameter", "share of the variance", "std over trees", "rank correlation"}}
	i := r.Importance
	if i == nil {
		return t
	}
	for _, p := range i.Parameters {
		t.Rows = append(t.Rows, []string{p.Name, share(p.Importance), share(p.Std), signed(p.Direction)})
	}
	t.Notes = []string{fmt.Sprintf("%s. %d trials; R² for trials that trees have not seen: %s.", i.Source, i.Trials, share(i.Explained)), i.Note}
	return t
}

// mostPairs is how many pairs of parameters a report lists.
const mostPairs = 5

func (r *Report) pairsTable() Table {
	t := Table{Name: "pairs", Title: "Parameters that matter together", Header: []string{"parameters", "share of the variance beyond each alone", "std over trees"}}
	if r.Importance == nil {
		return t
	}
	for _, p := range r.Importance.Pairs[:min(mostPairs, len(r.Importance.Pairs))] {
		t.Rows = append(t.Rows, []string{p.Names[0] + ", " + p.Names[1], share(p.Importance), share(p.Std)})
	}
	return t
}

func (r *Report) classTable() Table {
	t := Table{Name: "classes", Header: []string{"class", "precision", "recall", "F1", "test pictures"}}
	if r.Evaluation == nil {
		return t
	}
	t.Title = fmt.Sprintf("Trial %d, class by class", r.Shown.Trial)
	for _, c := range r.Evaluation.PerClass {
		t.Rows = append(t.Rows, []string{c.Class, share(c.Precision), share(c.Recall), share(c.F1), strconv.Itoa(c.Support)})
	}
	t.Notes = []string{"Over the test pictures of all folds, each in the fold that does not train on it."}
	return t
}

// foldTable is the metric of every trial in every fold.
func (r *Report) foldTable() Table {
	t := Table{Name: "folds", Title: "Every trial, fold by fold: " + r.Results.Metric.Name, Header: []string{"trial"}}
	paths := searched(r.Results)
	t.Header = append(t.Header, paths...)
	for _, f := range r.Plan.Folds {
		t.Header = append(t.Header, "fold "+f.Name)
	}
	t.Header = append(t.Header, "state")
	for _, trial := range r.Results.Trials {
		row := []string{strconv.Itoa(trial.Trial)}
		for _, path := range paths {
			if v, exists := trial.Parameters[path]; exists {
				row = append(row, shorten(text(v), 40))
			} else {
				row = append(row, "–")
			}
		}
		for _, f := range trial.Folds {
			row = append(row, r.MetricOf(f, r.Results.Metric.Name))
		}
		t.Rows = append(t.Rows, append(row, string(trial.State)))
	}
	return t
}

// stoppedTable says why trials did not come to their end.
func (r *Report) stoppedTable() Table {
	t := Table{Name: "stopped", Title: "Trials that were stopped or failed", Header: []string{"trial", "where", "why"}}
	for _, trial := range r.Results.Trials {
		if s := trial.Stopped; s != nil {
			where := fmt.Sprintf("after %d folds", s.Folds)
			if s.Epoch > 0 {
				where = fmt.Sprintf("epoch %d", s.Epoch)
			}
			t.Rows = append(t.Rows, []string{strconv.Itoa(trial.Trial), where, s.Reason})
		}
		for _, f := range trial.Folds {
			if f.Failure != nil {
				t.Rows = append(t.Rows, []string{strconv.Itoa(trial.Trial), "fold " + f.Name, f.Failure.Reason})
			}
		}
	}
	return t
}

// dataTable counts the pictures of each class.
func (r *Report) dataTable() Table {
	t := Table{Name: "data", Title: "The data set", Header: []string{"class", "pictures", "share"}}
	counts := make([]int, len(r.Classes))
	for _, label := range r.Plan.Data.Labels {
		counts[label]++
	}
	for c, n := range counts {
		t.Rows = append(t.Rows, []string{r.Classes[c], strconv.Itoa(n), percent(float64(n) / float64(max(len(r.Plan.Data.Labels), 1)))})
	}
	return t
}

// costTable sums what the jobs took, by how they stand.
func (r *Report) costTable() Table {
	t := Table{Name: "cost", Title: "What it took", Header: []string{"state", "jobs", "epochs", "attempts", "seconds"}}
	for _, state := range []plan.State{plan.Completed, plan.Running, plan.Pruned, plan.Failed, plan.Canceled, plan.Paused, plan.Pending} {
		jobs, epochs, attempts, seconds := 0, 0, 0, 0.0
		for _, trial := range r.Results.Trials {
			for _, f := range trial.Folds {
				if f.State == state {
					jobs, epochs, attempts, seconds = jobs+1, epochs+f.Epochs, attempts+f.Attempts, seconds+f.Seconds
				}
			}
		}
		if jobs > 0 {
			t.Rows = append(t.Rows, []string{string(state), strconv.Itoa(jobs), strconv.Itoa(epochs), strconv.Itoa(attempts), strconv.FormatFloat(seconds, 'f', 1, 64)})
		}
	}
	return t
}

func signed(n analysis.Number) string {
	if !n.Known() {
		return "–"
	}
	return fmt.Sprintf("%+.4f", float64(n))
}

func share(n analysis.Number) string { return score(float64(n)) }

func probability(n analysis.Number) string {
	if n.Known() && n < 0.0001 {
		return "< 0.0001"
	}
	return score(float64(n))
}
