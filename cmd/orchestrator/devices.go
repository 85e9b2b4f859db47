package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/ort"
	"orchestrator/worker"
	"orchestrator/worker/device"
)

// deviceFlags are flags of the commands that train, and of doctor, not of every
// command.
var deviceFlags = []string{"devices", "cuda-memory-limit", "cuda-arena", "cuda-cudnn-search", "cuda-strict"}

// ofDevices begins their meaning in the table of all settings.
const ofDevices = "of worker, run and doctor: "

// cudaConfig is how a host uses its CUDA devices.
type cudaConfig struct {
	MemoryLimit string `mapstructure:"memory_limit"` // as written
	Arena       string `mapstructure:"arena"`
	CuDNNSearch string `mapstructure:"cudnn_search"`
	Strict      bool   `mapstructure:"strict"`
}

var (
	arenas        = []string{"same_as_requested", "next_power_of_two"}
	cudnnSearches = []string{"heuristic", "exhaustive", "default"}
)

// check says what is wrong with the settings.
func (c *cudaConfig) check() error {
	if _, err := c.memory(); err != nil {
		return err
	}
	if !slices.Contains(arenas, c.Arena) {
		return usagef(fmt.Sprintf("one of %q", arenas), "cuda.arena %q is not known", c.Arena)
	}
	if !slices.Contains(cudnnSearches, c.CuDNNSearch) {
		return usagef(fmt.Sprintf("one of %q", cudnnSearches), "cuda.cudnn_search %q is not known", c.CuDNNSearch)
	}
	return nil
}

// memory is the limit in bytes; 0: none.
func (c *cudaConfig) memory() (int64, error) {
	if c.MemoryLimit == "0" {
		return 0, nil
	}
	size, ok := plan.ParseBytes(c.MemoryLimit)
	if !ok {
		return 0, usagef("cuda.memory_limit: 20GiB, or 0 for all there is", "cuda.memory_limit %q is no size", c.MemoryLimit)
	}
	return int64(size), nil
}

// cudaProvider is ONNX Runtime's name for what runs graphs on CUDA.
const cudaProvider = "CUDAExecutionProvider"

// hosted is what this host has to train on.
type hosted struct {
	choice  device.Choice
	library string // of ONNX Runtime
	usable  bool   // by the library: it has a provider for CUDA
	found   device.Found
	failed  error // why nobody knows which CUDA devices there are
}

// findDevices finds out what there is. That an asked-for device is missing is said here,
// before any work is done; what a choice by itself comes to is slots' affair.
func (a *app) findDevices(ctx context.Context, rt *ort.Runtime) (*hosted, error) {
	choice, err := device.ParseChoice(a.config.Devices)
	if err != nil {
		return nil, err
	}
	h := &hosted{choice: choice, library: rt.Library(), usable: slices.Contains(rt.Providers(), cudaProvider)}
	if !choice.Auto && !choice.WantsCUDA() {
		return h, nil
	}
	h.found, h.failed = device.Find(ctx)
	if choice.WantsCUDA() {
		_, err = h.cuda()
	}
	return h, err
}

// cuda are the CUDA devices of the choice; of auto, all.
func (h *hosted) cuda() ([]device.GPU, error) {
	if h.failed != nil {
		return nil, h.failed
	}
	choice := h.choice
	if choice.Auto {
		choice, _ = device.ParseChoice("cuda") // a valid one
	}
	picked, err := choice.Pick(h.found)
	if err == nil && !h.usable {
		err = &providerError{library: h.library, devices: h.found.String()}
	}
	return picked, err
}

// providerError says that the library cannot use the CUDA devices that there are.
type providerError struct{ library, devices string }

func (e *providerError) Error() string {
	return fmt.Sprintf("the ONNX Runtime library %s was built without %s, and cannot use %s", e.library, cudaProvider, e.devices)
}

// Hint says where a library with it is had.
func (e *providerError) Hint() string {
	return "docs/gpu.md says how to get a library for CUDA; name it with --onnxruntime-library; or --devices cpu trains on the processors"
}

// ExitCode is that of a wrong configuration.
func (e *providerError) ExitCode() int { return 2 }

// picked are the CUDA devices to train on, and whether to train on processors. want is
// the device that a sweep asks for; "any" where jobs of all kinds may come. That auto
// passes over CUDA devices is logged.
func (h *hosted) picked(want string, log *slog.Logger) (gpus []device.GPU, cpu bool, err error) {
	switch {
	case !h.choice.Auto:
		if h.choice.WantsCUDA() {
			gpus, err = h.cuda()
		}
		return gpus, h.choice.CPU, err
	case want == "cpu":
		return nil, true, nil
	case want == "cuda", h.usable && h.failed != nil, h.usable && len(h.found.GPUs) > 0:
		gpus, err = h.cuda()
		return gpus, false, err
	}
	switch {
	case h.failed != nil:
		log.Warn("training on the processors; it is not known whether there are CUDA devices", "why", h.failed)
	case len(h.found.GPUs) > 0:
		missing := &providerError{library: h.library, devices: h.found.String()}
		log.Warn("training on the processors: "+missing.Error(), "try", missing.Hint())
	case h.usable:
		log.Warn("training on the processors, although the library is for CUDA: there is " + h.found.String())
	}
	return nil, true, nil
}

// slots are the places that a daemon has for jobs: each of the CUDA devices, once it
// has been tried, and so many of the processors, where these are to be used.
func (a *app) slots(ctx context.Context, h *hosted, want string, processors int, log *slog.Logger) ([]worker.Slot, error) {
	for _, note := range h.found.Notes {
		log.Warn(note)
	}
	gpus, cpu, err := h.picked(want, log)
	if err != nil {
		return nil, err
	}
	var slots []worker.Slot
	for _, g := range gpus {
		slots = append(slots, worker.Slot{Device: "cuda", Env: g.Env(), About: g.String(), Versions: g.Versions()})
	}
	if cpu {
		for range processors {
			slots = append(slots, worker.Slot{Device: "cpu", Env: device.NoGPU()})
		}
	}
	return slots, nil
}

// countOf is how many slots are of a device, "any" counting all.
func countOf(slots []worker.Slot, kind string) (n int) {
	for _, s := range slots {
		if s.Device == kind || kind == "any" {
			n++
		}
	}
	return n
}

// kindsOf are the devices of the slots, each once.
func kindsOf(slots []worker.Slot) []string {
	var kinds []string
	for _, s := range slots {
		if !slices.Contains(kinds, s.Device) {
			kinds = append(kinds, s.Device)
		}
	}
	return kinds
}

// suits refuses a sweep that none of the slots can ever serve.
func suits(r plan.Resources, slots []worker.Slot, devices string) error {
	if countOf(slots, r.Device) == 0 {
		return usagef("--devices "+r.Device+", or another resources.device", "the sweep asks for the device %s, and --devices %s has none", r.Device, devices)
	}
	most := 0 // a job's slots are of one device
	for _, kind := range kindsOf(slots) {
		if r.Device == "any" || r.Device == kind {
			most = max(most, countOf(slots, kind))
		}
	}
	if r.SlotsPerTrial > most {
		try := fmt.Sprintf("--slots %d", r.SlotsPerTrial)
		if r.Device == "cuda" {
			try = "as many in --devices, or fewer resources.slots_per_trial: training uses one of them"
		}
		return usagef(try, "each job takes %d slots (resources.slots_per_trial), and there are %d", r.SlotsPerTrial, most)
	}
	return nil
}
