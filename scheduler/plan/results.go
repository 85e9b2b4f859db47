package plan

import (
	"fmt"
	"math"
	"slices"
)

// Results is what a sweep has yielded so far; its JSON is a stable contract.
type Results struct {
	Sweep  string `json:"sweep"`
	State  State  `json:"state"`
	Metric Metric `json:"metric"`
	Best   *Best  `json:"best"` // null until a trial has completed
	// Baseline is absent where the plan does not say what the folds hold.
	Baseline *Baseline     `json:"baseline,omitempty"`
	Trials   []TrialResult `json:"trials"`
	// ETA is an estimate of the seconds to the end, 0 where nothing runs.
	ETA float64 `json:"eta_seconds,omitempty"`
	// Warnings say what to mind when the figures are read.
	Warnings []string `json:"warnings,omitempty"`
}

// Best names the best completed trial: by the metric's mean over its folds, the
// first of equals.
type Best struct {
	Trial int `json:"trial"`
}

// TrialResult is what one trial has yielded so far.
type TrialResult struct {
	Trial      int             `json:"trial"`
	State      State           `json:"state"`
	Parameters map[string]any  `json:"parameters"`
	Summary    map[string]Stat `json:"summary"` // over the folds completed so far
	Folds      []FoldResult    `json:"folds"`
	Stopped    *Stop           `json:"stopped,omitempty"` // why the trial was pruned
}

// Partial says of how many folds the summary of a trial is that is not completed, as
// "2/3 folds, failed"; it is empty where all are there. Whatever shows a mean shows it.
func (t *TrialResult) Partial() string {
	if t.State == Completed {
		return ""
	}
	done := 0
	for _, f := range t.Folds {
		if f.State == Completed {
			done++
		}
	}
	return fmt.Sprintf("%d/%d folds, %s", done, len(t.Folds), t.State)
}

// Stat is a mean over folds and the sample standard deviation (n - 1), NaN (null
// in JSON) for fewer than two folds.
type Stat struct {
	Mean, Std float64
}

// FoldResult is what one job has yielded so far.
type FoldResult struct {
	Fold     int       `json:"fold"`
	Name     string    `json:"name"`
	Job      string    `json:"job"`
	State    State     `json:"state"`
	Attempts int       `json:"attempts"`
	Cached   bool      `json:"cached"` // trained by another sweep
	Epochs   int       `json:"epochs"` // completed
	Seconds  float64   `json:"seconds"`
	Metrics  Metrics   `json:"metrics"`
	History  []Epoch   `json:"history"`
	C        float64   `json:"c,omitempty"`        // of a linear classifier
	Progress *Progress `json:"progress,omitempty"` // of a running job
	Failure  *Failure  `json:"failure,omitempty"`
}

// JobView is what is known of a job when results are drawn up. A job without a
// view is pending.
type JobView struct {
	State    State
	At       string    // the job that the state is of: this one, or one that leads to it
	Outcome  *Outcome  // of a completed job
	Failure  *Failure  // of a failed one
	Attempts int       // so far
	Progress *Progress // of a running one; may be nil
	// Partial is the outcome at the last rung that a job without an outcome has
	// reached.
	Partial *Outcome
}

// Summarize draws up the results of a plan from what is known of its jobs, by
// job ID. It depends on its arguments alone.
func Summarize(p *Plan, jobs map[string]JobView) *Results {
	results := &Results{Sweep: p.ID, Metric: p.Metric, Baseline: majority(p), Trials: make([]TrialResult, len(p.Trials))}
	for i, trial := range p.Trials {
		results.Trials[i] = TrialResult{
			Trial: trial.Number, Parameters: trial.Parameters, Summary: map[string]Stat{}, Folds: []FoldResult{},
		}
		if trial.Parameters == nil {
			results.Trials[i].Parameters = map[string]any{}
		}
	}
	for _, job := range p.Jobs {
		trial := &results.Trials[job.Trial]
		trial.Folds = append(trial.Folds, foldResult(p, job, jobs[job.ID]))
	}
	results.Warnings = slices.Clone(p.Data.Notes)
	results.selectByTest(p, jobs)
	states := map[State]int{}
	for i := range results.Trials {
		trial := &results.Trials[i]
		folds := map[State]int{}
		for _, fold := range trial.Folds {
			folds[fold.State]++
		}
		trial.State = TrialState(folds)
		trial.Summary = summary(trial.Folds)
		states[trial.State]++
	}
	results.State = p.StateOf(states)
	results.warnOfUndefined(p)
	results.Best = best(results.Trials, p.Metric)
	results.ETA = results.eta(p)
	return results
}

func foldResult(p *Plan, job Job, view JobView) FoldResult {
	result := FoldResult{
		Fold: job.Fold, Name: p.Folds[job.Fold].Name, Job: job.ID,
		State: view.State, Attempts: view.Attempts, Metrics: Metrics{}, History: []Epoch{}, Failure: view.Failure,
	}
	if result.State == "" {
		result.State = Pending
	}
	if view.Progress != nil && result.State == Running {
		result.Progress = view.Progress
		result.Epochs, result.Seconds = view.Progress.Epoch, view.Progress.Seconds
	}
	if rung := view.Partial; rung != nil {
		result.Epochs, result.Seconds = max(result.Epochs, rung.Epochs), max(result.Seconds, rung.Seconds)
		result.Metrics = rung.Metrics
		if rung.History != nil {
			result.History = rung.History
		}
	}
	if outcome := view.Outcome; outcome != nil {
		result.State = Completed
		result.Failure = nil
		result.Attempts = max(view.Attempts, outcome.Attempts)
		result.Cached = outcome.Sweep != p.ID
		result.Epochs, result.Seconds = outcome.Epochs, outcome.Seconds
		if outcome.Probe != nil {
			result.C = outcome.Probe.C
		}
		if outcome.Metrics != nil {
			result.Metrics = outcome.Metrics
		}
		if outcome.History != nil {
			result.History = outcome.History
		}
	}
	return result
}

// selectByTest gives the trials with selection: test the C of their best mean test
// accuracy, as the study that it repeats did, and warns of it.
func (r *Results) selectByTest(p *Plan, jobs map[string]JobView) {
	warned := false
	for i := range r.Trials {
		if p.Trials[i].Config.Probe.Selection != "test" {
			continue
		}
		if folds := r.Trials[i].Folds; !warned {
			warned = true
			r.Warnings = append(r.Warnings, fmt.Sprintf("C was chosen by the accuracy on the test pictures of all %d folds: the figures are too good, "+
				"and differ from those of probe.selection: inner by what that is worth", len(folds)))
		}
		var tests [][]float64 // of the folds that are there
		var grid []float64
		for _, f := range r.Trials[i].Folds {
			if o := jobs[f.Job].Outcome; o != nil && o.Probe != nil {
				grid, tests = o.Probe.Grid, append(tests, o.Probe.Test)
			}
		}
		best := bestColumn(tests)
		for k, f := range r.Trials[i].Folds {
			if o := jobs[f.Job].Outcome; o != nil && o.Probe != nil && best < len(o.Probe.Test) {
				r.Trials[i].Folds[k].C, r.Trials[i].Folds[k].Metrics = grid[best], Metrics{"accuracy": o.Probe.Test[best]}
			}
		}
	}
}

// warnOfUndefined says in how many folds auc is undefined: their test pictures are of
// one class.
func (r *Results) warnOfUndefined(p *Plan) {
	completed, without := 0, 0
	for i, trial := range r.Trials {
		c := p.Trials[i].Config
		if !slices.Contains(c.Evaluation.Metrics, "auc") || c.Probe.Selection == "test" {
			continue
		}
		for _, f := range trial.Folds {
			if f.State != Completed {
				continue
			}
			completed++
			if _, defined := f.Metrics["auc"]; !defined {
				without++
			}
		}
	}
	switch {
	case without == 0:
	case without < completed:
		r.Warnings = append(r.Warnings, fmt.Sprintf("auc is undefined in %d of %d completed folds, whose test pictures are all of one class: means are over the others", without, completed))
	case p.Metric.Name == "auc":
		r.Warnings = append(r.Warnings, "auc is undefined in every completed fold, whose test pictures are all of one class: no trial is the best; use fewer folds, or rank by another metric")
	default:
		r.Warnings = append(r.Warnings, "auc is undefined in every completed fold, whose test pictures are all of one class")
	}
}

// bestColumn is the first column with the largest sum.
func bestColumn(rows [][]float64) int {
	best, top := 0, 0.0
	if len(rows) == 0 {
		return 0
	}
	for c := range rows[0] {
		sum := 0.0
		for _, row := range rows {
			sum += row[c]
		}
		if c == 0 || sum > top {
			best, top = c, sum
		}
	}
	return best
}

// StateOf is the state of the plan's sweep with so many trials in each state.
func (p *Plan) StateOf(trials map[State]int) State {
	state := combine(trials)
	if p.Search.Growing(len(p.Trials)) && (state == Completed || state == Failed) {
		return Running
	}
	return state
}

// TrialState is the state of a trial with so many folds in each state.
func TrialState(folds map[State]int) State {
	if state := combine(folds); state != Completed || folds[Pruned] == 0 {
		return state
	}
	return Pruned
}

// combine derives the state of a whole from those of its parts: what still
// moves first, then what went wrong. Pruned parts are as good as completed.
func combine(count map[State]int) State {
	parts := 0
	for _, n := range count {
		parts += n
	}
	switch open := count[Pending] + count[Paused]; {
	case count[Running] > 0:
		return Running
	case count[Paused] > 0:
		return Paused
	case open == parts:
		return Pending
	case open > 0:
		return Running
	case count[Failed] > 0:
		return Failed
	case count[Canceled] > 0:
		return Canceled
	}
	return Completed
}

// summary is the mean and deviation of every metric over the completed folds that
// have it, as undefined counts for nothing; where none is completed, over those that
// were pruned at a rung.
func summary(folds []FoldResult) map[string]Stat {
	state := Completed
	if !slices.ContainsFunc(folds, func(f FoldResult) bool { return f.State == Completed }) {
		state = Pruned
	}
	values := map[string][]float64{}
	for _, fold := range folds {
		if fold.State != state {
			continue
		}
		for name, score := range fold.Metrics {
			values[name] = append(values[name], score)
		}
	}
	stats := map[string]Stat{}
	for name, scores := range values {
		stats[name] = stat(scores)
	}
	return stats
}

func stat(values []float64) Stat {
	n := float64(len(values))
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / n
	if n < 2 {
		return Stat{Mean: mean, Std: math.NaN()}
	}
	squares := 0.0
	for _, v := range values {
		squares += float64((v - mean) * (v - mean)) // float64: no fused multiply-add, so that all machines agree
	}
	return Stat{Mean: mean, Std: math.Sqrt(squares / (n - 1))}
}

func best(trials []TrialResult, metric Metric) *Best {
	found, top := -1, 0.0
	for i, trial := range trials {
		s, ok := trial.Summary[metric.Name]
		if trial.State != Completed || !ok || math.IsNaN(s.Mean) {
			continue
		}
		better := s.Mean > top
		if metric.Goal == "minimize" {
			better = s.Mean < top
		}
		if found < 0 || better {
			found, top = i, s.Mean
		}
	}
	if found < 0 {
		return nil
	}
	return &Best{Trial: trials[found].Trial}
}
