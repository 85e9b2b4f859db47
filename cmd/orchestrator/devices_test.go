package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/ort"
	"orchestrator/worker"
	"orchestrator/worker/device"
	"orchestrator/worker/providers"
)

// What the choices come to on machines that nobody has here.
func TestDecide(t *testing.T) {
	two := device.Found{GPUs: []device.GPU{{Name: "A100"}, {Number: 1, Index: 1, Name: "T4"}}}
	none := device.Found{Looked: "nvidia-smi lists none"}
	broken := errors.New("the driver is broken")
	for name, test := range map[string]struct {
		devices string
		want    string // what the sweep asks for
		forCUDA bool
		found   device.Found
		failed  error
		gets    string
		warns   string
		fails   string
	}{
		"auto, CUDA":                    {devices: "auto", want: "any", forCUDA: true, found: two, gets: "cuda:0 (A100), cuda:1 (T4)"},
		"auto, for the CPU":             {devices: "auto", want: "cpu", forCUDA: true, found: two, gets: "2 x cpu"},
		"auto, no device":               {devices: "auto", want: "any", forCUDA: true, found: none, gets: "2 x cpu"},
		"auto, no library":              {devices: "auto", want: "any", found: two, gets: "2 x cpu", warns: "the ONNX Runtime library has no part for CUDA"},
		"auto, neither":                 {devices: "auto", want: "any", found: none, gets: "2 x cpu"},
		"auto, broken":                  {devices: "auto", want: "any", forCUDA: true, failed: broken, fails: "the driver is broken"},
		"auto, broken and no library":   {devices: "auto", want: "any", failed: broken, gets: "2 x cpu", warns: "it is not known whether"},
		"auto, for CUDA, no device":     {devices: "auto", want: "cuda", forCUDA: true, found: none, fails: "resources.device: cuda: this machine has no CUDA device: nvidia-smi lists none"},
		"auto, for CUDA, no library":    {devices: "auto", want: "cuda", found: two, gets: "cuda:0 (A100), cuda:1 (T4)"}, // which trying them refuses
		"one of two, and processors":    {devices: "cuda:1,cpu", want: "any", forCUDA: true, found: two, gets: "cuda:1 (T4), 2 x cpu"},
		"all of two":                    {devices: "cuda", want: "any", forCUDA: true, found: two, gets: "cuda:0 (A100), cuda:1 (T4)"},
		"one that is not there":         {devices: "cuda:2", want: "any", forCUDA: true, found: two, fails: "this machine has no cuda:2"},
		"one of a machine that is ill":  {devices: "cuda:0", want: "any", forCUDA: true, failed: broken, fails: "the driver is broken"},
		"processors, whatever there is": {devices: "cpu", want: "any", forCUDA: true, found: two, gets: "2 x cpu"},
	} {
		t.Run(name, func(t *testing.T) {
			choice, err := device.ParseChoice(test.devices)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			h := &hosted{choice: choice, forCUDA: test.forCUDA, found: test.found, failed: test.failed}
			gpus, cpu, err := h.decide(test.want, slog.New(slog.NewTextHandler(&log, nil)))
			if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Fatalf("error %v, want %q", err, test.fails)
			}
			if got := describeSlots(slotsOf(gpus, cpu, 2)); err == nil && got != test.gets {
				t.Errorf("it trains on %q, want %q", got, test.gets)
			}
			if got := log.String(); (got != "") != (test.warns != "") || !strings.Contains(got, test.warns) {
				t.Errorf("it says %q, want %q", got, test.warns)
			}
		})
	}
}

func TestSlotsShowTheirDeviceAlone(t *testing.T) {
	slots := slotsOf([]device.GPU{{UUID: "GPU-1", Name: "A100", Driver: "535.1"}}, true, 1)
	if len(slots) != 2 || slots[0].Device != "cuda" || slots[0].Env[0] != "CUDA_VISIBLE_DEVICES=GPU-1" || slots[0].Versions["gpu"] != "A100" ||
		slots[0].Versions["driver"] != "535.1" || slots[1].Device != "cpu" || slots[1].Env[0] != "CUDA_VISIBLE_DEVICES=" {
		t.Errorf("the slots are %+v", slots)
	}
}

func TestSuits(t *testing.T) {
	cuda, cpu := worker.Slot{Device: "cuda"}, worker.Slot{Device: "cpu"}
	for name, test := range map[string]struct {
		device string
		size   int
		slots  []worker.Slot
		fails  string
	}{
		"one":                   {"cuda", 1, []worker.Slot{cuda, cpu}, ""},
		"any":                   {"any", 2, []worker.Slot{cuda, cpu, cpu}, ""},
		"none":                  {"cuda", 1, []worker.Slot{cpu}, "the sweep asks for the device cuda, and --devices X has none"},
		"not the other":         {"cpu", 1, []worker.Slot{cuda}, "the sweep asks for the device cpu"},
		"too few of the kind":   {"cuda", 2, []worker.Slot{cuda, cpu, cpu}, "each job takes 2 slots (resources.slots_per_trial), and there are 1"},
		"slots of two kinds":    {"any", 2, []worker.Slot{cuda, cpu}, "there are 1"},
		"too few, on any":       {"any", 4, []worker.Slot{cpu, cpu}, "there are 2"},
		"as many as there were": {"cpu", 2, []worker.Slot{cpu, cpu}, ""},
	} {
		err := suits(plan.Resources{Device: test.device, SlotsPerTrial: test.size}, test.slots, "X")
		if (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: error %v, want %q", name, err, test.fails)
		}
	}
}

// A provider that leaves nodes to the CPU, fails in one network, or learns something
// else, is told as such.
func TestJudge(t *testing.T) {
	trained := func(losses ...float64) []providers.Trained {
		return []providers.Trained{{Network: "a", Losses: losses, StepSeconds: 2}, {Network: "b", Losses: losses, StepSeconds: 2}}
	}
	cpu := providers.Answer{Opens: true, Trained: trained(2, 1)}
	some := providers.Answer{Opens: true, Trained: trained(2, 1)[:1], LeftToCPU: []ort.Placement{{Graph: "train", Op: "LRN", Nodes: []string{"n1", "n2"}}}}
	some.Trained = append(some.Trained, providers.Trained{Network: "b", Error: "no kernel"})
	for name, test := range map[string]struct {
		answer          providers.Answer
		left, deviation string
		fails           string
	}{
		"right":            {cpu, "0", "0", ""},
		"only opened":      {providers.Answer{Opens: true}, "0", "-", ""},
		"not there":        {providers.Answer{Error: "no such file", Hint: "get it"}, "-", "-", "no such file"},
		"one network of 2": {some, "2", "0", "b does not train: no kernel"},
		"wrong":            {providers.Answer{Opens: true, Trained: trained(2, 1.5)}, "0", "0.5", "it learns something else than the CPU: a loss deviates by 0.5 of it"},
	} {
		var row triedProvider
		row.judge(test.answer, cpu)
		if left, deviation := cell("%d", row.LeftToCPU), cell("%.2g", row.Deviation); left != test.left || deviation != test.deviation || row.Error != test.fails {
			t.Errorf("%s: %s left, deviation %s, error %q; want %+v", name, left, deviation, row.Error, test)
		}
	}
}
