package plan

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/scheduler/prune"
	"orchestrator/scheduler/search"
)

// DefaultConcurrent is max_concurrent_trials where what trials do depends on the
// outcomes of others: more would learn less.
const DefaultConcurrent = 4

// EarlyTerminate says when trials stop before their end. Package prune has the
// rules.
type EarlyTerminate struct {
	Type     string `yaml:"type" json:"type,omitempty"`         // one of prune.Types
	MinIter  int    `yaml:"min_iter" json:"min_iter,omitempty"` // epochs
	Eta      int    `yaml:"eta" json:"eta,omitempty"`
	Brackets int    `yaml:"brackets" json:"brackets,omitempty"` // of hyperband
	// Folds has trials stop after some of their folds.
	Folds FoldStop `yaml:"folds" json:"folds,omitzero"`
}

// FoldStop says when a trial stops after some of its folds.
type FoldStop struct {
	Min   int     `yaml:"min" json:"min,omitempty"`     // folds that every trial trains; 0: all
	Alpha float64 `yaml:"alpha" json:"alpha,omitempty"` // the chance to win below which a trial stops
}

// set tells whether the file has the section.
func (e EarlyTerminate) set() bool { return e != EarlyTerminate{} }

// Search is how the trials of a sweep come about, and go, where that depends on
// outcomes or is not all at once.
type Search struct {
	Method         string         `json:"method,omitempty"` // one that learns
	Trials         int            `json:"trials"`           // in the end, unless the space has fewer
	Concurrent     int            `json:"max_concurrent_trials"`
	EarlyTerminate EarlyTerminate `json:"early_terminate,omitzero"`
	// Bases and FoldBases are the models that trials to come may start from.
	Bases     map[string]Ref   `json:"bases,omitempty"`
	FoldBases map[string][]Ref `json:"fold_bases,omitempty"`
}

// Learns tells whether the method proposes trials from the outcomes of others.
func (s *Search) Learns() bool { return s != nil && learns(s.Method) }

// Ordered tells whether what trials do depends on the outcomes of others, so that
// each waits for those a fixed distance before it.
func (s *Search) Ordered() bool {
	return s != nil && (s.Learns() || s.EarlyTerminate.set() && s.EarlyTerminate.Type != string(prune.SuccessiveHalving))
}

// Adaptive tells whether what trials do depends on outcomes in any way.
func (s *Search) Adaptive() bool { return s != nil && (s.Learns() || s.EarlyTerminate.set()) }

// Growing tells whether a plan of so many trials will have more.
func (s *Search) Growing(trials int) bool { return s.Learns() && trials < s.Trials }

func learns(method string) bool {
	return method == string(search.TPE) || method == string(search.CMAES)
}

// search is what the plan keeps of how the sweep searches; nil where all its jobs
// are for all to do at once.
func (s *Sweep) search(bases map[string]Ref) *Search {
	if !learns(s.Method) && !s.EarlyTerminate.set() && s.MaxConcurrent == 0 {
		return nil
	}
	out := &Search{Trials: len(s.Trials), Concurrent: s.MaxConcurrent, EarlyTerminate: s.EarlyTerminate}
	if learns(s.Method) {
		out.Method, out.Trials, out.Bases, out.FoldBases = s.Method, s.RunCap, bases, s.FoldBases
	}
	if out.Concurrent == 0 && out.Ordered() {
		out.Concurrent = DefaultConcurrent
	}
	return out
}

// Rules are the rules by which the plan's trials stop.
func (p *Plan) Rules() *prune.Rules {
	if p.Search == nil {
		return &prune.Rules{Folds: len(p.Folds)}
	}
	e := p.Search.EarlyTerminate
	return &prune.Rules{Type: prune.Type(e.Type), MinIter: e.MinIter, Eta: e.Eta, Brackets: e.Brackets,
		Folds: len(p.Folds), MinFolds: e.Folds.Min, Alpha: e.Folds.Alpha}
}

// Ladder are the jobs that lead to a job of the plan: the same training up to each
// rung, the first first.
func (p *Plan) Ladder(job Job) ([]Job, error) {
	trial := p.Trials[job.Trial]
	rungs := p.Rules().Rungs(job.Trial, trial.Config.Training.Epochs)
	if len(rungs) == 0 {
		return nil, nil
	}
	trial = beforeItsEnd(trial)
	part, err := trialPart(&trial, p.Data)
	if err != nil {
		return nil, err
	}
	fold := p.foldPart(job.Fold)
	ladder := make([]Job, len(rungs))
	for i, until := range rungs {
		ladder[i] = Job{ID: jobID(part, trial.BaseOf(job.Fold), fold, until), Trial: job.Trial, Fold: job.Fold, Until: until}
	}
	return ladder, nil
}

// beforeItsEnd is a trial as far as it matters at a rung, where every picture is
// evaluated once.
func beforeItsEnd(t Trial) Trial {
	t.Config.Evaluation.Oversample = 0
	return t
}

// Grown is the plan with trials that its search has added. It shares memory with
// the plan: only the newest of a plan and its growths may be grown again.
func (p *Plan) Grown(trials ...Trial) (*Plan, error) {
	grown := *p
	if grown.parts == nil {
		grown.parts = foldParts(p)
	}
	for _, t := range trials {
		if t.Number != len(grown.Trials) {
			return nil, fmt.Errorf("trial %d was added as number %d", t.Number, len(grown.Trials))
		}
		jobs, err := p.jobsOf(&t, grown.parts)
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w", t.Number, err)
		}
		grown.Trials, grown.Jobs = append(grown.Trials, t), append(grown.Jobs, jobs...)
	}
	return &grown, nil
}

// Next makes an assignment that the search proposed the next trial of the plan.
func (p *Plan) Next(a Assignment) (Trial, error) {
	return p.trial(a, p.Search.Bases, p.Search.FoldBases)
}

// Exhausted is the plan of a search that has nothing left to try.
func (p *Plan) Exhausted() *Plan {
	ended, s := *p, *p.Search
	s.Trials = len(p.Trials)
	ended.Search = &s
	return &ended
}

// Stop says why a trial did not go on: recorded once.
type Stop struct {
	Trial  int    `json:"trial"`
	Epoch  int    `json:"epoch,omitempty"` // of the rung; 0: it was stopped across folds
	Folds  int    `json:"folds"`           // how many folds the decision saw
	Reason string `json:"reason"`
}

// searchSection checks what decides about trials.
func (c *checker) searchSection(doc *document) {
	if c.set("max_concurrent_trials") {
		c.count("max_concurrent_trials", doc.MaxConcurrent, 1, maxRunCap)
	}
	if learns(doc.Method) && doc.Training.MicroBatchSize == AutoMicroBatch {
		c.bad("training.micro_batch_size", "is auto, but method "+doc.Method+" proposes trials whose size is not known beforehand", "write a number")
	}
	if learns(doc.Method) && c.set("probe") {
		c.bad("method", doc.Method+" learns from trainings, but the sweep fits linear classifiers", "write method: grid")
	}
	e, field := doc.EarlyTerminate, "early_terminate"
	if !c.set(field) {
		return
	}
	if c.set("probe") {
		c.bad(field, "stops trainings, but the sweep fits linear classifiers", "remove it")
		return
	}
	var types []string
	for _, t := range prune.Types() {
		types = append(types, string(t))
	}
	switch {
	case e.Type != "":
		c.word(field+".type", e.Type, types, nil)
	case !c.set(field + ".folds"):
		c.bad(field, "does not say when to stop", "give it a type ("+list(types)+") or folds: {min: 2}")
	}
	for _, key := range []string{"min_iter", "eta", "brackets"} {
		needs := map[string][]string{"min_iter": types, "eta": {"asha", "hyperband", "successive_halving"}, "brackets": {"hyperband"}}[key]
		if c.set(field+"."+key) && !slices.Contains(needs, e.Type) && (e.Type == "" || slices.Contains(types, e.Type)) {
			c.bad(field+"."+key, "has no effect without type: "+strings.Join(needs, " or "), "remove it")
		}
	}
	if e.Type != "" {
		c.count(field+".min_iter", e.MinIter, 1, 99_999)
	}
	if c.set(field + ".eta") {
		c.count(field+".eta", e.Eta, 2, 16)
	}
	if c.set(field + ".brackets") {
		c.count(field+".brackets", e.Brackets, 1, 8)
	}
	c.foldStop(doc)
	if e.Type == string(prune.SuccessiveHalving) && learns(doc.Method) {
		c.bad(field+".type", "successive_halving compares all trials at a rung, but method "+doc.Method+" proposes them one after the other", "write type: asha")
	}
}

func (c *checker) foldStop(doc *document) {
	e, field := doc.EarlyTerminate, "early_terminate.folds"
	if !c.set(field) {
		return
	}
	c.count(field+".min", e.Folds.Min, 1, 1000)
	if a := e.Folds.Alpha; !(a > 0 && a < 1) {
		c.bad(field+".alpha", fmt.Sprintf("must be between 0 and 1, but is %v", a), "it is a chance: 0.05 stops trials whose chance to win is below 5 %")
	}
	if e.Type == string(prune.SuccessiveHalving) {
		c.bad(field, "does not go with successive_halving, whose trials end together", "write type: asha")
	}
}

// derive fills in what the rules have where the file is silent.
func (e *EarlyTerminate) derive(set map[string]position) {
	fill := func(key string, field *int, x int) {
		if _, ok := set["early_terminate."+key]; !ok {
			*field = x
		}
	}
	if e.Type != "" {
		fill("min_iter", &e.MinIter, 1)
	}
	switch prune.Type(e.Type) {
	case prune.Hyperband:
		fill("brackets", &e.Brackets, 3)
		fallthrough
	case prune.ASHA, prune.SuccessiveHalving:
		fill("eta", &e.Eta, 3)
	}
	if _, ok := set["early_terminate.folds"]; ok {
		fill("folds.min", &e.Folds.Min, 2)
		if _, ok := set["early_terminate.folds.alpha"]; !ok {
			e.Folds.Alpha = 0.05
		}
	}
}
