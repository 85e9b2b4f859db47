package main

import (
	"slices"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/ort"
)

func TestCheck(t *testing.T) {
	good := func() *line {
		return &line{Precision: "bfloat16", Ours: whole{Losses: []float64{7, 6.9}, ToDevice: 1000, ToHost: 4, Batch: 1000}, Other: whole{Losses: []float64{7.1, 6.95}}}
	}
	for _, c := range []struct {
		name   string
		change func(*line)
		want   string // "": no goal is missed
	}{
		{"all goals", func(*line) {}, ""},
		{"losses", func(l *line) { l.Precision = "float32" }, "losses are off"},
		{"traffic", func(l *line) { l.Ours.ToHost = 400 }, "1.40 times the mini-batch"},
		{"placement", func(l *line) {
			l.Ours.LeftToCPU = []ort.Placement{{Graph: "train", Op: "LRN", Nodes: []string{"norm1"}}}
		}, "norm1"},
		{"failure", func(l *line) { l.Ours = whole{Error: "no such device"} }, "no such device"},
	} {
		l := good()
		c.change(l)
		l.check()
		if (c.want == "") != (len(l.Missed) == 0) || !strings.Contains(strings.Join(l.Missed, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", c.name, l.Missed, c.want)
		}
	}
}

func TestParseCases(t *testing.T) {
	cases, err := parseCases([]string{"caffenet:32", "resnet50:8"})
	if want := []benchCase{{"caffenet:32", "caffenet", 32}, {"resnet50:8", "resnet50", 8}}; err != nil || !slices.Equal(cases, want) {
		t.Errorf("%v, %v, want %v", cases, err, want)
	}
	for _, bad := range []string{"caffenet", "caffenet:", "caffenet:0", "caffenet:x"} {
		if _, err := parseCases([]string{bad}); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// TestAdd: the first steps of each round are left out, and the quickest stream counts.
func TestAdd(t *testing.T) {
	var w whole
	w.add(whole{Seconds: []float64{9, 8, 1, 2}, Stream: 2}, 2)
	w.add(whole{Seconds: []float64{9, 8, 3, 4}, Stream: 1}, 2)
	if !slices.Equal(w.Seconds, []float64{1, 2, 3, 4}) || w.Stream != 1 {
		t.Errorf("%+v", w)
	}
}

// TestWholeStep: a network trains on pictures of noise, the same way where the state
// is kept as in a device's memory, and no more is sent than the mini-batch needs.
func TestWholeStep(t *testing.T) {
	testenv.Daily(t)
	o := order{network: "caffenet", batch: 1, steps: 2, device: "cpu", precisions: []string{"float32"}}
	plain, err := o.train("float32")
	if err != nil {
		t.Fatal(err)
	}
	o.own = true
	apart, err := o.train("float32")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{Precision: "float32", Ours: *apart, Other: *plain}
	if l.check(); len(l.Missed) > 0 || len(plain.Losses) < 2 || plain.Losses[0] <= 0 {
		t.Errorf("%q; losses %v and %v", l.Missed, plain.Losses, apart.Losses)
	}
}
