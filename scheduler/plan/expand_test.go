package plan

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a sweep of two trials on three folds with its data.
func sample(t testing.TB) (*Sweep, Data, []Fold, map[string]Ref) {
	t.Helper()
	return sampleOf(t, "testdata/full.yaml")
}

func sampleOf(t testing.TB, file string) (*Sweep, Data, []Fold, map[string]Ref) {
	t.Helper()
	full, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := mustParse(t, string(full)+"parameters: {training.momentum: {values: [0.8, 0.9]}}\n")
	data := Data{
		Pack:    Ref{Name: "data", Digest: "d1", Key: PackKey("d1"), Size: 5},
		Classes: []string{"ants", "bees"}, Labels: []int{0, 0, 0, 1, 1, 1},
	}
	folds, err := Folds(CrossValidation{Folds: 3, Stratified: true, Repeats: 1}, data.Labels, data.Classes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, data, folds, map[string]Ref{"caffenet.onnx": {Name: "caffenet.onnx", Digest: "b1", Key: BaseKey("b1"), Size: 7}}
}

func mustExpand(t testing.TB, s *Sweep, data Data, folds []Fold, bases map[string]Ref) *Plan {
	t.Helper()
	p, err := Expand(s, data, folds, bases)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExpand(t *testing.T) {
	s, data, folds, bases := sample(t)
	p := mustExpand(t, s, data, folds, bases)
	if !regexp.MustCompile(`^everything-[0-9a-f]{6}$`).MatchString(p.ID) {
		t.Errorf("sweep ID %q", p.ID)
	}
	var order [][2]int
	ids := map[string]bool{}
	for _, job := range p.Jobs {
		order = append(order, [2]int{job.Trial, job.Fold})
		ids[job.ID] = true
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(job.ID) {
			t.Errorf("job ID %q", job.ID)
		}
	}
	if diff := cmp.Diff([][2]int{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}}, order); diff != "" || len(ids) != 6 {
		t.Errorf("%d different jobs in the order (-want +got):\n%s", len(ids), diff)
	}
	first, _ := json.Marshal(p)
	s, data, folds, bases = sample(t)
	second, _ := json.Marshal(mustExpand(t, s, data, folds, bases))
	if string(first) != string(second) {
		t.Errorf("the same arguments give\n%s\nand\n%s", first, second)
	}
	var back Plan
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(&back); string(again) != string(first) {
		t.Errorf("a stored plan reads back as\n%s, not\n%s", again, first)
	}
}

func TestSpecs(t *testing.T) {
	s, data, folds, bases := sample(t)
	p := mustExpand(t, s, data, folds, bases)
	specs := p.Specs()
	if len(specs) != len(p.Jobs) {
		t.Fatalf("%d specs of %d jobs", len(specs), len(p.Jobs))
	}
	want := Spec{
		Job: p.Jobs[4].ID, Engine: Engine, Sweep: p.ID, Trial: 1, Fold: 1, Config: s.Trials[1].Config,
		Base: bases["caffenet.onnx"], Pack: data.Pack, Classes: data.Classes, Train: folds[1].Train, Test: folds[1].Test,
		Resources: s.Resources, Checkpoints: s.Checkpoints, Metric: s.Metric, SameTraining: specs[4].SameTraining, Rungs: specs[4].Rungs,
	}
	if diff := cmp.Diff(want, specs[4]); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

// Trials that differ in evaluation.oversample alone are different jobs, which know
// of each other's checkpoints; those that differ in their training do not.
func TestOversamplingSharesTheTraining(t *testing.T) {
	s, data, folds, bases := sample(t)
	s.EarlyTerminate = EarlyTerminate{}
	s.Trials = s.Trials[:1]
	for _, crops := range []int{1, 5, 10} {
		trial := s.Trials[0]
		trial.Config.Evaluation.Oversample = crops
		s.Trials = append(s.Trials, trial)
	}
	s.Trials = s.Trials[1:]
	p := mustExpand(t, s, data, folds, bases)
	specs, n := p.Specs(), len(folds)
	for fold := range folds {
		jobs := []string{specs[fold].Job, specs[n+fold].Job, specs[2*n+fold].Job}
		for i := range 3 {
			want := append(append([]string{}, jobs[:i]...), jobs[i+1:]...)
			if diff := cmp.Diff(want, specs[i*n+fold].SameTraining); diff != "" {
				t.Errorf("fold %d, trial %d (-want +got):\n%s", fold, i, diff)
			}
		}
	}
	if p.Trials[0].Config.Evaluation.Oversample != 0 {
		t.Error("one crop is not what plans held that knew no more")
	}
	s.Trials = s.Trials[:1]
	s.Trials[0].Config.Training.Momentum /= 2
	other := mustExpand(t, s, data, folds, bases).Specs()[0]
	for _, spec := range specs {
		if spec.Job == other.Job || slices.Contains(other.SameTraining, spec.Job) {
			t.Errorf("job %s is said to train with another momentum", spec.Job)
		}
	}
}

// Every setting of a trial is part of the job's identity: the test changes each
// leaf of Config in turn, so that a setting added later is covered by itself.
func TestEverySettingChangesTheJob(t *testing.T) {
	s, data, folds, bases := sample(t)
	trial := Trial{Config: s.Trials[0].Config, Base: bases["caffenet.onnx"]}
	id := func() string {
		part, err := trialPart(&trial, data)
		if err != nil {
			t.Fatal(err)
		}
		return jobID(part, trial.Base, foldPart(folds[0]), 0)
	}
	before, leaves := id(), 0
	eachLeaf(reflect.ValueOf(&trial.Config).Elem(), "config", func(path string, leaf reflect.Value) {
		leaves++
		was := reflect.New(leaf.Type()).Elem()
		was.Set(leaf)
		switch leaf.Kind() {
		case reflect.String:
			leaf.SetString(leaf.String() + "x")
		case reflect.Bool:
			leaf.SetBool(!leaf.Bool())
		case reflect.Int, reflect.Int64:
			leaf.SetInt(leaf.Int() + 1)
		case reflect.Float64:
			leaf.SetFloat(leaf.Float() + 1)
		default:
			t.Fatalf("%s has the kind %s", path, leaf.Kind())
		}
		if changed := id() != before; changed == (path == "config.Model.Base") {
			t.Errorf("changing %s changes the job: %v", path, changed)
		}
		leaf.Set(was)
	})
	if leaves < 50 || id() != before {
		t.Errorf("visited %d leaves", leaves)
	}
}

func eachLeaf(v reflect.Value, path string, visit func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			eachLeaf(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachLeaf(v.Index(i), fmt.Sprintf("%s.%d", path, i), visit)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			eachLeaf(v.Elem(), path, visit)
		}
	default:
		visit(path, v)
	}
}

func TestWhatElseChangesJobsAndSweeps(t *testing.T) {
	type inputs struct {
		s     *Sweep
		data  *Data
		folds []Fold
		bases map[string]Ref
	}
	cases := []struct {
		name       string
		change     func(inputs)
		job, sweep bool
	}{
		{"nothing", func(inputs) {}, false, false},
		{"data digest", func(in inputs) { in.data.Pack.Digest = "d2" }, true, true},
		{"data name", func(in inputs) { in.data.Pack.Name = "/elsewhere" }, false, true},
		{"base digest", func(in inputs) { in.bases["caffenet.onnx"] = Ref{Digest: "b2"} }, true, true},
		{"class name", func(in inputs) { in.data.Classes[0] = "wasps" }, true, true},
		{"training samples", func(in inputs) { in.folds[0].Train = in.folds[0].Train[1:] }, true, true},
		{"test samples", func(in inputs) { in.folds[0].Test = in.folds[0].Test[1:] }, true, true},
		{"fold name", func(in inputs) { in.folds[0].Name = "x" }, false, true},
		{"sweep name", func(in inputs) { in.s.Name = "other" }, false, true},
		{"resources", func(in inputs) { in.s.Resources.Priority++ }, false, true},
		{"checkpoints", func(in inputs) { in.s.Checkpoints.EveryEpochs++ }, false, true},
		{"metric", func(in inputs) { in.s.Metric.Name = "f1" }, false, true},
		{"method", func(in inputs) { in.s.Method = "random" }, false, false},
		{"other trials", func(in inputs) { in.s.Trials = in.s.Trials[:1] }, false, true},
		{"how the trial was found", func(in inputs) { in.s.Trials[0].Parameters = nil }, false, true},
		{"base renamed", func(in inputs) {
			for i := range in.s.Trials {
				in.s.Trials[i].Config.Model.Base = "copy.onnx"
			}
			in.bases["copy.onnx"] = in.bases["caffenet.onnx"]
		}, false, true},
	}
	s, data, folds, bases := sample(t)
	before := mustExpand(t, s, data, folds, bases)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, data, folds, bases := sample(t)
			c.change(inputs{s, &data, folds, bases})
			after := mustExpand(t, s, data, folds, bases)
			if changed := after.Jobs[0].ID != before.Jobs[0].ID; changed != c.job {
				t.Errorf("job changed: %v, want %v", changed, c.job)
			}
			if changed := after.ID != before.ID; changed != c.sweep {
				t.Errorf("sweep changed: %v, want %v", changed, c.sweep)
			}
		})
	}
}

// A job's ID must not change with the program's version, or caches are lost for
// nothing. Who means to change it raises Engine. first.yaml has the keys of the
// first version alone: a key added later leaves no trace where it is not set.
func TestJobIDsNeverChange(t *testing.T) {
	s, data, folds, bases := sampleOf(t, "testdata/first.yaml")
	const want = "f2e2595607287d0843b04aaf99b5293d"
	if got := mustExpand(t, s, data, folds, bases).Jobs[0].ID; got != want {
		t.Errorf("job ID %s, want %s", got, want)
	}
}

func TestExpandRefusesWhatWouldFailLater(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Data, []Fold) []Fold
		want   string
	}{
		"one class":      {func(d *Data, f []Fold) []Fold { d.Classes = d.Classes[:1]; return f }, "sweep.yaml:2:11: dataset.path: the data set has 1 class(es)"},
		"no folds":       {func(_ *Data, _ []Fold) []Fold { return nil }, "dataset.folds: there are no folds"},
		"leak":           {func(_ *Data, f []Fold) []Fold { f[1].Test[0] = f[1].Train[0]; return f }, "fold 1 has sample"},
		"unknown sample": {func(_ *Data, f []Fold) []Fold { f[1].Test[0] = 6; return f }, "fold 1 names sample 6 of 6"},
		"no tests":       {func(_ *Data, f []Fold) []Fold { f[2].Test = nil; return f }, "fold 2 has 4 training and 0 test samples"},
		"numbering":      {func(_ *Data, f []Fold) []Fold { f[2].Number = 7; return f }, "fold 2 has number 7"},
	} {
		t.Run(name, func(t *testing.T) {
			s, data, folds, bases := sample(t)
			folds = c.change(&data, folds)
			if _, err := Expand(s, data, folds, bases); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	s, data, folds, _ := sample(t)
	if _, err := Expand(s, data, folds, nil); err == nil || !strings.Contains(err.Error(), "caffenet.onnx") {
		t.Errorf("a missing base model: %v", err)
	}
}

func TestBases(t *testing.T) {
	s := mustParse(t, minimal+"parameters: {training.momentum: {values: [0.1, 0.2]}, model.base: {values: [b.onnx, a.onnx]}}\n")
	if got := s.Bases(); !slices.Equal(got, []string{"b.onnx", "a.onnx"}) {
		t.Errorf("bases %v", got)
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"deepsent-finetune": "deepsent-finetune", "Ants & Bees!": "ants-bees", "../../etc": "etc", "日本": "sweep", "": "sweep", "a__b": "a-b",
		strings.Repeat("x", 99): strings.Repeat("x", 40),
	} {
		if got := slug(name); got != want {
			t.Errorf("slug(%q) = %q, want %q", name, got, want)
		}
	}
}
