package gc

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// The kinds of waste; doc.go says what each is.
const (
	Sweeps      = "sweeps"
	Checkpoints = "checkpoints"
	Unfinished  = "unfinished"
	Features    = "features"
	Jobs        = "jobs"
	Models      = "models"
	Packs       = "packs"
	Marks       = "marks"
)

// Kinds lists them in the order in which they are removed.
func Kinds() []string {
	return []string{Sweeps, Checkpoints, Unfinished, Features, Jobs, Models, Packs, Marks}
}

// Item is one thing that nobody needs: objects that go together, in the order in which
// they have to.
type Item struct {
	Kind    string
	Name    string // of the sweep, job, pass or object
	Objects []artifacts.Info
}

// Waste is what a store holds that nobody needs.
type Waste struct {
	Items []Item
	Notes []string // why something was left alone that may be waste
}

// Size sums up the objects of a kind; "": of all.
func (w *Waste) Size(kind string) (objects int, bytes int64) {
	for _, item := range w.Items {
		if kind == "" || item.Kind == kind {
			objects += len(item.Objects)
			for _, o := range item.Objects {
				bytes += o.Size
			}
		}
	}
	return objects, bytes
}

// Scope narrows what is looked for; the zero Scope is the whole store.
type Scope struct {
	Of     []string // sweeps, by whole IDs, of whose jobs what is not kept is looked for
	Delete []string // sweeps that go as a whole, whatever their age, with what no other needs
}

// Find looks for waste. It changes nothing.
func (c *Collector) Find(ctx context.Context, scope Scope) (*Waste, error) {
	found, err := c.list(ctx) // before the plans: what they refer to by then is not younger
	if err != nil {
		return nil, err
	}
	all, err := c.references(ctx, nil)
	if err != nil {
		return nil, err
	}
	kept, err := c.references(ctx, scope.Delete)
	if err != nil {
		return nil, err
	}
	var states map[string]plan.State
	if len(found.passes) > 0 || len(scope.Delete) > 0 { // else nobody asks
		if states, err = c.states(ctx); err != nil {
			return nil, err
		}
	}
	f := &finder{Collector: c, objects: found, kept: kept, dropped: all.only(scope.Delete), of: all.only(scope.Of), scope: scope, states: states, w: &Waste{}}
	if err := f.find(ctx); err != nil {
		return nil, err
	}
	return f.w, nil
}

// objects is what a store holds, by what it is for.
type objects struct {
	sweeps, jobs, passes map[string][]artifacts.Info // by name
	models, packs, marks []artifacts.Info
}

func (c *Collector) list(ctx context.Context) (*objects, error) {
	o := &objects{sweeps: map[string][]artifacts.Info{}, jobs: map[string][]artifacts.Info{}, passes: map[string][]artifacts.Info{}}
	for info, err := range c.Store.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("list the store: %w", err)
		}
		o.add(info)
	}
	return o, nil
}

// add sorts an object in; what the system does not write is left alone.
func (o *objects) add(info artifacts.Info) {
	folder, rest, _ := strings.Cut(info.Key, "/")
	name, _, below := strings.Cut(rest, "/")
	switch {
	case below && folder == "sweeps":
		o.sweeps[name] = append(o.sweeps[name], info)
	case below && folder == "jobs":
		o.jobs[name] = append(o.jobs[name], info)
	case below && folder+"/" == plan.FeaturesPrefix:
		o.passes[name] = append(o.passes[name], info)
	case below:
	case folder == "models":
		o.models = append(o.models, info)
	case folder == "packs":
		o.packs = append(o.packs, info)
	case folder+"/" == plan.CollectionPrefix && info.Key != plan.LastCollectionKey, folder == "probes":
		o.marks = append(o.marks, info)
	}
}

// finder is a Find under way.
type finder struct {
	*Collector
	objects *objects
	kept    *references // of the sweeps that stay
	dropped *references // of those that go
	of      *references // of those that are looked at, where they are named
	scope   Scope
	states  map[string]plan.State // of all sweeps
	w       *Waste
}

func (f *finder) find(ctx context.Context) error {
	if len(f.scope.Delete) > 0 {
		if err := f.deleted(); err != nil {
			return err
		}
	} else if err := f.checkpoints(ctx); err != nil {
		return err
	}
	if len(f.scope.Of) == 0 {
		f.features()
		f.jobs()
		f.inputs()
		f.rest()
	}
	slices.SortStableFunc(f.w.Items, func(a, b Item) int { return slices.Index(Kinds(), a.Kind) - slices.Index(Kinds(), b.Kind) })
	return nil
}

func (f *finder) add(kind, name string, all []artifacts.Info) {
	if len(all) > 0 {
		f.w.Items = append(f.w.Items, Item{Kind: kind, Name: name, Objects: all})
	}
}

// goes tells whether what no sweep refers to goes: with the sweeps that go just what
// they referred to, else what is old enough.
func (f *finder) goes(dropped bool, all []artifacts.Info) bool {
	if len(f.scope.Delete) > 0 {
		return dropped
	}
	return f.aged(all)
}

// deleted are the sweeps that go as a whole.
func (f *finder) deleted() error {
	for _, id := range f.scope.Delete {
		if f.dropped.sweeps[id] == nil {
			return &NotOverError{Sweep: id, problem: "does not exist"}
		}
		if err := f.over(id); err != nil {
			return err
		}
		// Without its plan there is no sweep: that goes first.
		f.add(Sweeps, id, first(f.objects.sweeps[id], func(key string) bool { return key == plan.PlanKey(id) }))
	}
	return nil
}

func first(all []artifacts.Info, is func(key string) bool) []artifacts.Info {
	ordered := slices.Clone(all)
	slices.SortStableFunc(ordered, func(a, b artifacts.Info) int {
		switch {
		case is(a.Key) == is(b.Key):
			return 0
		case is(a.Key):
			return -1
		}
		return 1
	})
	return ordered
}

// features are the passes that no job of a living sweep has used.
func (f *finder) features() {
	living := f.living()
	for pass, all := range inOrder(f.objects.passes) {
		used, dropped := false, false
		for _, o := range all {
			name, isUse := strings.CutPrefix(o.Key, plan.FeatureUsePrefix(pass))
			job := strings.TrimSuffix(name, ".json")
			used = used || isUse && living[job]
			dropped = dropped || isUse && f.dropped.jobs[job]
		}
		if !used && f.goes(dropped, all) {
			// Records go before what they name.
			f.add(Features, pass, first(all, func(key string) bool {
				return strings.HasSuffix(key, ".json") && !strings.HasPrefix(key, plan.FeatureUsePrefix(pass))
			}))
		}
	}
}

func (f *finder) living() map[string]bool {
	var ids []string
	for id := range f.kept.sweeps {
		if f.states[id] != plan.Completed { // the others can be resumed or retried
			ids = append(ids, id)
		}
	}
	return f.kept.only(ids).jobs
}

// jobs are those that no sweep refers to. Networks that a sweep starts from stay, with
// the outcomes that tell of them.
func (f *finder) jobs() {
	for id, one := range f.kept.sweeps {
		if one.plan.Engine != plan.Engine {
			f.w.Notes = append(f.w.Notes, fmt.Sprintf("sweep %s was planned by engine %s and this program has engine %s: jobs that no sweep refers to are left alone, as its own may be among them",
				id, one.plan.Engine, plan.Engine))
			return
		}
	}
	for job, all := range inOrder(f.objects.jobs) {
		if f.kept.jobs[job] || !f.goes(f.dropped.jobs[job], all) {
			continue
		}
		if f.kept.keys[plan.ModelKey(job)] {
			all = slices.DeleteFunc(slices.Clone(all), func(o artifacts.Info) bool { return o.Key == plan.ModelKey(job) || o.Key == plan.OutcomeKey(job) })
		}
		// Without its outcome a job is not done, whatever else is left of it.
		all = first(all, func(key string) bool { return strings.HasSuffix(key, plan.PointerSuffix) })
		f.add(Jobs, job, first(all, func(key string) bool { return key == plan.OutcomeKey(job) }))
	}
}

// inputs are the data sets and base models that no sweep refers to.
func (f *finder) inputs() {
	for kind, all := range map[string][]artifacts.Info{Models: f.objects.models, Packs: f.objects.packs} {
		for _, o := range all {
			one := []artifacts.Info{o}
			if !f.kept.keys[o.Key] && f.goes(f.dropped.keys[o.Key], one) {
				f.add(kind, o.Key, one)
			}
		}
	}
}

// rest is what deletions and processes that were killed have left.
func (f *finder) rest() {
	if len(f.scope.Delete) > 0 {
		return
	}
	for id, all := range inOrder(f.objects.sweeps) {
		if f.kept.sweeps[id] == nil && f.aged(all) {
			f.add(Sweeps, id, all)
		}
	}
	for _, o := range f.objects.marks {
		if one := []artifacts.Info{o}; f.aged(one) {
			f.add(Marks, o.Key, one)
		}
	}
}

func inOrder[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// over is an error unless the sweep does nothing more by itself.
func (f *finder) over(id string) error {
	state := f.states[id]
	if scheduler.Over(state) {
		return nil
	}
	return &NotOverError{Sweep: id, problem: "is " + string(state)}
}

// NotOverError says that a sweep that is to be deleted cannot be.
type NotOverError struct{ Sweep, problem string }

func (e *NotOverError) Error() string {
	return fmt.Sprintf("sweep %s %s: it is not deleted", e.Sweep, e.problem)
}

// Hint says what to do first.
func (e *NotOverError) Hint() string { return "orchestrator cancel " + e.Sweep + ", then delete it" }

// ExitCode is that of a mistake in the command line.
func (e *NotOverError) ExitCode() int { return 2 }
