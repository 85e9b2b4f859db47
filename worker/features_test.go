package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
)

// freeze has the study's job train the last layer alone, on what the layers below
// answer to the pictures.
func (s *study) freeze() {
	s.Helper()
	s.spec.Config.Preprocessing.Mirror, s.spec.Config.Preprocessing.CenterCrop = false, true
	s.spec.Config.Training.LRMult = plan.Factors{{Glob: "conv*"}}
	s.plan(studyJob, s.spec)
}

func (s *study) plan(job string, spec plan.Spec) {
	s.Helper()
	spec.Job = job
	if err := artifacts.PutJSON(s.Context(), s.store, plan.SpecKey(job), spec); err != nil {
		s.Fatal(err)
	}
}

// stages runs a job in this process and returns what it says of its progress.
func (s *study) stages(job string) []plan.Progress {
	s.Helper()
	in, tell := io.Pipe()
	defer tell.Close()
	go func() { _, _ = fmt.Fprintf(tell, `{"job": %q, "attempt": 1, "device": "cpu"}`+"\n", job) }()
	var out bytes.Buffer
	err := RunJob(s.Context(), JobProcess{Store: s.store, CacheDir: s.cache, Library: library(s.T), Exit: func(int) {}}, in, &out)
	if err != nil {
		s.Fatal(err)
	}
	var said []plan.Progress
	for line := range strings.Lines(out.String()) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.Fatal(err)
		}
		if e.Progress != nil {
			said = append(said, *e.Progress)
		}
	}
	return said
}

func TestFeaturesAreComputedOnceForAllJobs(t *testing.T) {
	s := newStudy(t, t.TempDir())
	s.freeze()
	said := s.stages(studyJob)
	if said[0].Stage != plan.FeaturesStage || said[0].Step != 8 || said[0].Steps != 60 {
		t.Errorf("the first progress is %+v", said[0])
	}
	if last := said[len(said)-1]; last.Stage != "" || last.Epoch != studyEpochs {
		t.Errorf("the last progress is %+v", last)
	}
	kept := keysOf(t, s.store, "features/")
	if len(kept) != 3 || !strings.HasSuffix(kept[2], "/uses/"+studyJob+".json") { // one chunk of one layer, its record, and who used it
		t.Fatalf("stored are %q", kept)
	}

	// Another fold and another trial, on another machine.
	other := s.spec
	other.Train, other.Test = s.spec.Test, s.spec.Train
	other.Config.Training.LearningRate *= 2
	s.plan("other", other)
	s.cache = t.TempDir()
	for _, p := range s.stages("other") {
		if p.Stage != "" && p.Step != p.Steps {
			t.Errorf("computed again: %+v", p)
		}
	}
	kept = slices.Insert(kept, 2, strings.Replace(kept[2], studyJob, "other", 1))
	if diff := cmp.Diff(kept, keysOf(t, s.store, "features/")); diff != "" {
		t.Errorf("stored afterwards (-before +after):\n%s", diff)
	}
}

// The trainer process is killed with kill -9 before, in and after each write of
// features. The job ends with the same bits each time.
func TestKilledFeaturesEndWithTheSameBits(t *testing.T) {
	testenv.Daily(t)
	whole := newStudy(t, t.TempDir())
	whole.freeze()
	whole.do(whole.daemon("", nil), Completed)
	want := bits(whole.outcome())
	for _, kill := range []string{"before 1", "in 1", "after 1", "in 2", "after 2"} {
		t.Run(kill, func(t *testing.T) {
			s := newStudy(t, t.TempDir())
			s.freeze()
			d := s.daemon(kill, nil)
			s.do(d, Retry)
			s.cache = t.TempDir() // the second attempt is on another machine
			s.do(d, Completed)
			if diff := cmp.Diff(want, bits(s.outcome())); diff != "" {
				t.Errorf("the outcome (-undisturbed +killed):\n%s", diff)
			}
			if diff := cmp.Diff(keysOf(t, whole.store, "features/"), keysOf(t, s.store, "features/")); diff != "" {
				t.Errorf("stored (-undisturbed +killed):\n%s", diff)
			}
		})
	}
}

// Two machines begin at once with nothing stored; each trains some of the jobs.
func TestTwoWorkersEndWithTheBitsOfOne(t *testing.T) {
	testenv.Daily(t)
	jobs := []string{"a", "b", "c", "d"}
	outcomes := func(caches ...string) string {
		s := newStudy(t, "")
		s.freeze()
		for i, job := range jobs {
			spec := s.spec
			spec.Train, spec.Test = append(s.spec.Train[i*5:len(s.spec.Train):len(s.spec.Train)], s.spec.Train[:i*5]...), s.spec.Test
			s.plan(job, spec)
		}
		var wait sync.WaitGroup
		for k, cache := range caches {
			s.cache = cache
			machine := *s
			d := machine.daemon("", nil)
			wait.Go(func() {
				for i := k; i < len(jobs); i += len(caches) {
					if end, err := d.Do(t.Context(), Task{Sweep: "sweep", Job: jobs[i]}); end != Completed {
						t.Errorf("job %s ended %s: %v", jobs[i], end, err)
					}
				}
			})
		}
		wait.Wait()
		var text strings.Builder
		for _, job := range jobs {
			var o plan.Outcome
			if err := artifacts.GetJSON(t.Context(), s.store, plan.OutcomeKey(job), &o); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&text, bits(o))
		}
		return text.String()
	}
	one := outcomes(t.TempDir())
	if diff := cmp.Diff(one, outcomes(t.TempDir(), t.TempDir())); diff != "" {
		t.Errorf("the outcomes (-one worker +two):\n%s", diff)
	}
	shared := filepath.Join(t.TempDir(), "cache") // two slots of one machine
	if diff := cmp.Diff(one, outcomes(shared, shared)); diff != "" {
		t.Errorf("the outcomes (-one worker +two of one machine):\n%s", diff)
	}
}

func TestFrozenPartIsAFunctionOfThePlan(t *testing.T) {
	base := tinynet(t, 3)
	c := tinyConfig()
	c.Training.LRMult = plan.Factors{{Glob: "conv*"}}
	c.Preprocessing.CenterCrop = true
	for name, want := range map[string]struct {
		change   func(*plan.Config)
		pictures int
		part     *FrozenPart
	}{
		"the head is trained": {pictures: 10, part: &FrozenPart{Layers: 7, UpTo: []string{"flatten"}, Bytes: 10 * 4 * 16}},
		"cache_features off":  {pictures: 10, change: func(c *plan.Config) { c.Training.CacheFeatures = "off" }},
		"mirrored":            {pictures: 10, change: func(c *plan.Config) { c.Preprocessing.Mirror = true }},
		"cropped at random":   {pictures: 10, change: func(c *plan.Config) { c.Preprocessing.CenterCrop = false }},
		"nothing frozen":      {pictures: 10, change: func(c *plan.Config) { c.Training.LRMult = nil }},
		"as large as may be":  {pictures: maxFeatures / 64, part: &FrozenPart{Layers: 7, UpTo: []string{"flatten"}, Bytes: maxFeatures}},
		"too large":           {pictures: maxFeatures/64 + 1},
	} {
		c := c
		if want.change != nil {
			want.change(&c)
		}
		part, err := FindFrozenPart(base, c, []string{"a", "b", "c"}, want.pictures)
		if err != nil || !cmp.Equal(part, want.part) {
			t.Errorf("%s: %+v, %v", name, part, err)
		}
	}
}
