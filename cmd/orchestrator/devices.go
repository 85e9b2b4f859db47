package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/ort"
	"orchestrator/worker"
	"orchestrator/worker/device"
	"orchestrator/worker/providers"
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

// check says what is wrong with the settings.
func (c *cudaConfig) check() error {
	tuning, err := c.tuning()
	if err != nil {
		return err
	}
	if err := tuning.Check(); err != nil {
		return usagef("docs/configuration.md lists the settings", "cuda: %w", err)
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

// tuning is what the library is told of it.
func (c *cudaConfig) tuning() (ort.Tuning, error) {
	memory, err := c.memory()
	return ort.Tuning{MemoryLimit: memory, Arena: c.Arena, CuDNNSearch: c.CuDNNSearch, Strict: c.Strict}, err
}

// hosted is what this host has to train on.
type hosted struct {
	choice  device.Choice
	library string // that CUDA devices would be used with
	forCUDA bool   // it comes with a provider for them
	found   device.Found
	failed  error // why nobody knows which CUDA devices there are
}

// findDevices finds out what there is. That an asked-for device is missing is said
// here, before any work is done; what auto comes to is slots' affair.
func (a *app) findDevices(ctx context.Context) (*hosted, error) {
	choice, err := device.ParseChoice(a.config.Devices)
	if err != nil {
		return nil, err
	}
	h := &hosted{choice: choice}
	if !choice.Auto && !choice.WantsCUDA() {
		return h, nil
	}
	h.library, _, err = ort.FindLibrary(a.config.Library, "cuda")
	if err != nil {
		return nil, err
	}
	h.forCUDA = ort.ProvidesCUDA(h.library)
	if h.found, h.failed = device.Find(ctx); choice.WantsCUDA() {
		_, err = h.pick(choice)
	}
	return h, err
}

func (h *hosted) pick(choice device.Choice) ([]device.GPU, error) {
	if h.failed != nil {
		return nil, h.failed
	}
	return choice.Pick(h.found)
}

// decide says which CUDA devices to train on, and whether to train on processors. want
// is the device that a sweep asks for; "any" where jobs of all kinds may come. That
// auto passes over CUDA devices is logged.
func (h *hosted) decide(want string, log *slog.Logger) (gpus []device.GPU, cpu bool, err error) {
	switch {
	case !h.choice.Auto:
		gpus, err = h.pick(h.choice)
		return gpus, h.choice.CPU, err
	case want == "cpu":
		return nil, true, nil
	case want == "cuda":
		gpus, err = h.pick(device.All("resources.device: cuda"))
		return gpus, false, err
	case h.forCUDA && h.failed != nil:
		return nil, false, h.failed
	case h.forCUDA && len(h.found.GPUs) > 0:
		return h.found.GPUs, false, nil
	case h.failed != nil:
		log.Warn("training on the processors; it is not known whether there are CUDA devices", "why", h.failed)
	case len(h.found.GPUs) > 0:
		log.Warn("training on the processors: the ONNX Runtime library has no part for CUDA", "devices", h.found.String(), "library", h.library,
			"try", "docs/gpu.md says how to get one; --devices cpu silences this")
	}
	return nil, true, nil
}

// slots are the places that a daemon has for jobs: each of the CUDA devices, once it
// has been tried, and so many of the processors, where these are to be used.
func (a *app) slots(ctx context.Context, h *hosted, want string, processors int, log *slog.Logger) ([]worker.Slot, error) {
	for _, note := range h.found.Notes {
		log.Warn(note)
	}
	if h.found.Hidden != "" {
		log.Info(h.found.Hidden)
	}
	gpus, cpu, err := h.decide(want, log)
	if err != nil {
		return nil, err
	}
	if err := a.tryDevices(ctx, gpus); err != nil {
		return nil, err
	}
	return slotsOf(gpus, cpu, processors), nil
}

// slotsOf is one slot for each CUDA device, and so many of the processors.
func slotsOf(gpus []device.GPU, cpu bool, processors int) []worker.Slot {
	var slots []worker.Slot
	for _, g := range gpus {
		slots = append(slots, worker.Slot{Device: "cuda", Env: g.Env(), About: g.String(), Versions: g.Versions()})
	}
	if cpu {
		for range processors {
			slots = append(slots, worker.Slot{Device: "cpu", Env: device.NoGPU()})
		}
	}
	return slots
}

// tryDevices opens each CUDA device as a job will, in a process that gives its memory
// back: what is missing is found here, not in every job.
func (a *app) tryDevices(ctx context.Context, gpus []device.GPU) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, g := range gpus {
		group.Go(func() error {
			answer, err := a.try(ctx, "cuda", g.Env(), false)
			if err == nil {
				err = answer.Failure()
			}
			if err != nil {
				return &deviceError{g, err}
			}
			return nil
		})
	}
	return group.Wait()
}

// try has a process of its own find out what a device can do.
func (a *app) try(ctx context.Context, kind string, env []string, train bool) (providers.Answer, error) {
	command, err := a.childCommand(deviceProcess)
	if err != nil {
		return providers.Answer{}, err
	}
	tuning, err := a.config.CUDA.tuning()
	if err != nil {
		return providers.Answer{}, err
	}
	o := providers.Order{Library: a.config.Library, Device: kind, Tuning: tuning}
	if train {
		o.Train = providers.Networks
	}
	return providers.Ask(ctx, command, env, o), nil
}

// deviceError says why a CUDA device that was found cannot be trained on.
type deviceError struct {
	gpu device.GPU
	err error
}

func (e *deviceError) Error() string { return fmt.Sprintf("%v cannot be used: %v", e.gpu, e.err) }

func (e *deviceError) Unwrap() error { return e.err }

// Hint is the library's, and the way without the device.
func (e *deviceError) Hint() string {
	const without = "--devices cpu trains on the processors; docs/gpu.md says what CUDA needs"
	var hinted interface{ Hint() string }
	if errors.As(e.err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint() + "; " + without
	}
	return without
}

// ExitCode is that of a wrong configuration.
func (e *deviceError) ExitCode() int { return 2 }

// deviceProcess is the hidden command that tries a device.
const deviceProcess = "device-process"

func newDeviceProcessCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    deviceProcess,
		Short:  "Try a device (started by other commands, not by people)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return providers.Serve(cmd.Context(), a.in, a.out) },
	}
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
