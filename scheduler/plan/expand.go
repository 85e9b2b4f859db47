package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Expand makes the plan of a sweep: every trial on every fold. bases holds the
// stored base model for every model.base that the trials name (Sweep.Bases).
// The same arguments give the same plan, byte by byte.
func Expand(s *Sweep, data Data, folds []Fold, bases map[string]Ref) (*Plan, error) {
	if err := checkData(s, data, folds); err != nil {
		return nil, err
	}
	if err := s.inertFolds(len(folds)); err != nil {
		return nil, err
	}
	p := &Plan{
		Name: s.Name, Source: s.Source, Engine: Engine, Metric: s.Metric, Data: data, Folds: folds,
		Trials: make([]Trial, 0, len(s.Trials)), Jobs: make([]Job, 0, len(s.Trials)*len(folds)),
		Resources: s.Resources, Checkpoints: s.Checkpoints, Budget: s.Budget,
	}
	for _, o := range s.Overrides {
		p.Overrides = append(p.Overrides, o.String())
	}
	p.Search = s.search(bases)
	parts := foldParts(p)
	for _, a := range s.Trials {
		if err := p.add(a, bases, s.FoldBases, parts); err != nil {
			return nil, fmt.Errorf("expand trial %d: %w", len(p.Trials), err)
		}
	}
	p.Data.Notes = nil
	content, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	p.ID = slug(s.Name) + "-" + digest(content)[:6]
	p.Data.Notes = data.Notes
	return p, nil
}

// add appends a trial and its jobs. parts are foldParts of the plan.
func (p *Plan) add(a Assignment, bases map[string]Ref, foldBases map[string][]Ref, parts []string) error {
	trial, err := p.trial(a, bases, foldBases)
	if err != nil {
		return err
	}
	jobs, err := p.jobsOf(&trial, parts)
	if err != nil {
		return err
	}
	p.Trials, p.Jobs = append(p.Trials, trial), append(p.Jobs, jobs...)
	return nil
}

// trial makes an assignment the next trial of the plan.
func (p *Plan) trial(a Assignment, bases map[string]Ref, foldBases map[string][]Ref) (Trial, error) {
	base, ok := bases[a.Config.Model.Base]
	own := foldBases[a.Config.Model.Base]
	if len(own) > 0 && len(own) != len(p.Folds) {
		return Trial{}, fmt.Errorf("base model %q has %d models for %d folds", a.Config.Model.Base, len(own), len(p.Folds))
	}
	if len(own) > 0 {
		base, ok = own[0], true
	}
	if !ok {
		return Trial{}, fmt.Errorf("base model %q was not given", a.Config.Model.Base)
	}
	if a.Config.Training.MicroBatchSize == AutoMicroBatch {
		return Trial{}, fmt.Errorf("its micro-batch size is still to be chosen")
	}
	config := a.Config
	if config.Evaluation.Oversample == 1 {
		config.Evaluation.Oversample = 0
	}
	return Trial{Number: len(p.Trials), Parameters: a.Parameters, Config: config, Base: base, FoldBases: own, Point: a.Point}, nil
}

// jobsOf are the jobs of a trial, one for each fold.
func (p *Plan) jobsOf(trial *Trial, parts []string) ([]Job, error) {
	part, err := trialPart(trial, p.Data)
	if err != nil {
		return nil, err
	}
	jobs := make([]Job, len(p.Folds))
	for i, fold := range p.Folds {
		jobs[i] = Job{ID: jobID(part, trial.BaseOf(fold.Number), parts[i], 0), Trial: trial.Number, Fold: fold.Number}
	}
	return jobs, nil
}

// SetMicroBatch writes what a trial's micro_batch_size: auto comes to. One that is
// the whole mini-batch is the same job as one without the setting.
func (s *Sweep) SetMicroBatch(trial, pictures int) {
	t := &s.Trials[trial].Config.Training
	t.MicroBatchSize = MicroBatch(pictures)
	if pictures >= t.BatchSize {
		t.MicroBatchSize = 0
	}
}

// Bases lists the distinct base models that the trials start from, as the user
// wrote them, in the order of the trials.
func (s *Sweep) Bases() []string {
	var bases []string
	seen := map[string]bool{}
	for _, trial := range slices.Concat(s.Trials, s.Corners) {
		if base := trial.Config.Model.Base; !seen[base] {
			seen[base] = true
			bases = append(bases, base)
		}
	}
	return bases
}

// checkData finds what would make every job fail.
func checkData(s *Sweep, data Data, folds []Fold) error {
	if len(data.Classes) < 2 {
		return s.Problem("dataset.path", fmt.Sprintf("the data set has %d class(es), but a classifier needs at least 2", len(data.Classes)), "put each class into a folder of its own")
	}
	if len(folds) == 0 {
		return s.Problem("dataset.folds", "there are no folds", "")
	}
	for i, fold := range folds {
		if fold.Number != i {
			return fmt.Errorf("expand: fold %d has number %d", i, fold.Number)
		}
		if err := checkFold(fold, len(data.Labels)); err != nil {
			return s.Problem("dataset.folds", fmt.Sprintf("fold %s %v", fold.Name, err), "each fold needs training and test samples, none in both")
		}
	}
	return nil
}

func checkFold(fold Fold, samples int) error {
	if len(fold.Train) == 0 || len(fold.Test) == 0 {
		return fmt.Errorf("has %d training and %d test samples", len(fold.Train), len(fold.Test))
	}
	seen := make([]bool, samples)
	for _, part := range [][]int{fold.Train, fold.Test} {
		for _, sample := range part {
			if sample < 0 || sample >= samples {
				return fmt.Errorf("names sample %d of %d", sample, samples)
			}
			if seen[sample] {
				return fmt.Errorf("has sample %d twice", sample)
			}
			seen[sample] = true
		}
	}
	return nil
}

// identity is what determines a job's outcome besides its fold, its base model and
// its end, and nothing else. Its JSON is canonical: structs keep their field order,
// maps are sorted.
type identity struct {
	Engine  string   `json:"engine"`
	Config  Config   `json:"config"` // without the base model's name
	Pack    string   `json:"pack"`
	Classes []string `json:"classes"`
}

// trialPart is what a trial contributes to the identities of its jobs.
func trialPart(trial *Trial, data Data) (string, error) {
	config := trial.Config
	config.Model.Base = ""
	content, err := json.Marshal(identity{Engine: Engine, Config: config, Pack: data.Pack.Digest, Classes: data.Classes})
	if err != nil {
		return "", fmt.Errorf("encode a job's identity: %w", err)
	}
	return digest(content), nil
}

// foldParts are what the folds of a plan contribute.
func foldParts(p *Plan) []string {
	parts := make([]string, len(p.Folds))
	for i, fold := range p.Folds {
		parts[i] = foldPart(fold)
	}
	return parts
}

func (p *Plan) foldPart(fold int) string {
	if p.parts != nil {
		return p.parts[fold]
	}
	return foldPart(p.Folds[fold])
}

func foldPart(fold Fold) string {
	return digest(fmt.Appendf(nil, "train %d test %d", fold.Train, fold.Test))
}

// jobID is the identity of a job in 128 bits.
func jobID(trial string, base Ref, fold string, until int) string {
	return digest(fmt.Appendf(nil, "trial %s base %s fold %s until %d", trial, base.Digest, fold, until))[:32]
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// slug makes a name fit for keys, file names and URLs.
func slug(name string) string {
	const longest = 40
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case b.Len() >= longest:
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "sweep"
}

// Spec returns what a worker needs to run a job of the plan.
func (p *Plan) Spec(job Job) Spec {
	trial, fold := p.Trials[job.Trial], p.Folds[job.Fold]
	if job.Until > 0 {
		trial = beforeItsEnd(trial)
	}
	rungs := p.rungsBefore(job)
	return Spec{
		Job: job.ID, Engine: p.Engine, Sweep: p.ID, Trial: job.Trial, Fold: job.Fold, Until: job.Until,
		Config: trial.Config, Base: trial.BaseOf(job.Fold), Pack: p.Data.Pack, Classes: p.Data.Classes,
		Train: fold.Train, Test: fold.Test, Resources: p.Resources, Checkpoints: p.Checkpoints, Metric: p.Metric,
		SameTraining: append(p.otherCrops(job), rungs...), Rungs: rungs,
	}
}

// otherCrops lists the jobs that differ from this one in nothing but
// evaluation.oversample.
func (p *Plan) otherCrops(job Job) []string {
	trial := p.Trials[job.Trial]
	if trial.Config.Preprocessing.Crop == 0 || job.Until > 0 {
		return nil
	}
	var same []string
	own := trial.Config.Evaluation.Oversample
	for _, trial.Config.Evaluation.Oversample = range []int{0, 5, 10} {
		part, err := trialPart(&trial, p.Data)
		if err == nil && own != trial.Config.Evaluation.Oversample { // as it was for the job itself
			same = append(same, jobID(part, trial.BaseOf(job.Fold), p.foldPart(job.Fold), 0))
		}
	}
	return same
}

// rungsBefore lists the jobs that end at earlier rungs of this one's training.
func (p *Plan) rungsBefore(job Job) []string {
	ladder, _ := p.Ladder(job) // as it was for the job itself
	var before []string
	for _, rung := range ladder {
		if job.Until == 0 || rung.Until < job.Until {
			before = append(before, rung.ID)
		}
	}
	return before
}

// Specs returns the specs of all jobs, trial-major.
func (p *Plan) Specs() []Spec {
	specs := make([]Spec, len(p.Jobs))
	for i, job := range p.Jobs {
		specs[i] = p.Spec(job)
	}
	return specs
}
