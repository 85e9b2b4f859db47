// Command engine times training steps of this program's engine beside
// PyTorch's, in one run on one machine, and prints the ratios of the medians and
// of the peak memory of the whole processes. A figure of a shared machine means
// little by itself; a ratio of rounds that take turns means more.
//
//	engine [-models DIR] [-python PYTHON] [-rounds 3] [-steps 6] [caffenet:32 ...]
//
// With -device it is whole training steps of package trainer that are timed, with
// the pictures sent in each of them and the loss fetched, in any of the precisions;
// with -check their losses are compared with the CPU's instead, and it is said what
// a provider leaves to the CPU and what goes between the memories.
//
//	engine -device cuda [-precision float32,tf32,bfloat16] [-check] [-json FILE] [caffenet:128 ...]
//
// PyTorch is needed for the comparison of times alone.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort"
)

func main() {
	var c comparison
	flag.StringVar(&c.models, "models", filepath.Join("..", "shared", "data", "models"), "folder with light_squeezenet.onnx and light_resnet50.onnx")
	flag.StringVar(&c.python, "python", "python3", "a Python that has PyTorch")
	flag.StringVar(&c.script, "torch-step", filepath.Join("bench", "engine", "torch_step.py"), "PyTorch's side")
	flag.IntVar(&c.rounds, "rounds", 3, "times that both sides take turns")
	flag.IntVar(&c.steps, "steps", 6, "steps a round; the first two, or a quarter, are not counted")
	flag.StringVar(&c.device, "device", "", "cpu, cuda or another of the library's: whole training steps there; empty: the engine's alone, on the CPU")
	precisions := flag.String("precision", "float32", "precisions of -device, one after the other")
	check := flag.Bool("check", false, "with -device: compare losses with the CPU's")
	own := flag.Bool("own-memory", false, "of -child: see order")
	flag.BoolVar(&c.deterministic, "deterministic", true, "with -device: as in sweep files, the same bits on every run; false allows faster operations")
	flag.StringVar(&c.report, "json", "", "with -device: file for the report")
	child := flag.String("child", "", "run one side: NETWORK:BATCH (used by the program itself)")
	flag.Parse()
	c.precisions = strings.Split(*precisions, ",")
	if err := c.run(flag.Args(), *child, *check, *own); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func (c comparison) run(cases []string, child string, check, own bool) error {
	if len(cases) == 0 {
		cases = []string{"caffenet:32", "caffenet:128", "squeezenet:16", "resnet50:16"}
	}
	if child != "" {
		cases = []string{child}
	}
	parsed, err := parseCases(cases)
	switch {
	case err != nil:
		return err
	case child != "" && c.device == "":
		return ours(c.models, parsed[0].network, parsed[0].batch, c.steps)
	case child != "":
		return wholes(order{models: c.models, network: parsed[0].network, batch: parsed[0].batch, steps: c.steps, device: c.device, precisions: c.precisions, deterministic: c.deterministic, own: own})
	case c.device == "":
		return c.engines(parsed)
	case check:
		return c.checks(parsed)
	}
	return c.wholes(parsed)
}

// comparison is what is compared, and with what.
type comparison struct {
	models, python, script string
	rounds, steps          int
	device                 string
	precisions             []string
	deterministic          bool
	report                 string
}

// benchCase is a network and its mini-batch.
type benchCase struct {
	name, network string
	batch         int
}

func parseCases(names []string) ([]benchCase, error) {
	var cases []benchCase
	for _, name := range names {
		network, text, _ := strings.Cut(name, ":")
		batch, err := strconv.Atoi(text)
		if err != nil || batch < 1 {
			return nil, fmt.Errorf("%q is not NETWORK:BATCH", name)
		}
		cases = append(cases, benchCase{name, network, batch})
	}
	return cases, nil
}

// threads are those of one session; PyTorch has as many.
func threads() int { return runtime.NumCPU() }

// side collects one engine's measurements.
type side struct {
	seconds []float64
	peak    int64 // bytes
}

// engines compares the engine's step alone.
func (c comparison) engines(cases []benchCase) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("%-14s %12s %12s %8s %12s %12s %8s\n", "network:batch", "ours s/step", "torch s/step", "ratio", "ours MB", "torch MB", "ratio")
	for _, one := range cases {
		var a, b side
		for range c.rounds {
			if err := a.run(exec.Command(self, "-models", c.models, "-steps", strconv.Itoa(c.steps), "-child", one.name)); err != nil {
				return err
			}
			if err := b.run(exec.Command(c.python, c.script, one.network, strconv.Itoa(one.batch), strconv.Itoa(c.steps))); err != nil {
				return err
			}
		}
		x, y := median(a.seconds), median(b.seconds)
		fmt.Printf("%-14s %12.3f %12.3f %8.2f %12.0f %12.0f %8.2f\n", one.name, x, y, x/y, float64(a.peak)/1e6, float64(b.peak)/1e6, float64(a.peak)/float64(b.peak))
	}
	return nil
}

// run executes one round in a process of its own, whose peak memory the system
// tells.
func (s *side) run(cmd *exec.Cmd) error {
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	var result struct {
		Seconds []float64 `json:"seconds"`
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return err
	}
	s.seconds = append(s.seconds, result.Seconds[min(2, len(result.Seconds)-1):]...)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.peak = max(s.peak, usage.Maxrss*1024) // kilobytes on Linux
	}
	return nil
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// ours trains some steps and prints their times.
func ours(models, network string, batch, steps int) error {
	model, size, err := load(models, network)
	if err != nil {
		return err
	}
	p, err := compile.Train(model, compile.Options{Batch: batch, Channels: 3, Height: size, Width: size, Momentum: 0.9, Decay: 5e-4, FloatInput: true})
	if err != nil {
		return err
	}
	rt, err := ort.New(ort.Options{Threads: 2})
	if err != nil {
		return err
	}
	defer rt.Close()
	session, err := rt.Open(p.Graph)
	if err != nil {
		return err
	}
	defer session.Close()
	seconds, err := train(session, model, p, batch, steps)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": seconds})
}

func load(models, network string) (*onnx.Graph, int, error) {
	switch network {
	case "caffenet":
		g, err := builtin.Model("caffenet", 1000, 1)
		return g, 227, err
	case "squeezenet", "resnet50":
		g, err := onnximport.Load(filepath.Join(models, "light_"+network+".onnx"))
		return g, 224, err
	}
	return nil, 0, fmt.Errorf("no network %q: caffenet, squeezenet or resnet50", network)
}

// train feeds a fixed batch; the two sets of state swap after each step.
func train(session *ort.Session, model *onnx.Graph, p *compile.Program, batch, steps int) ([]float64, error) {
	memory := map[string]*onnx.Tensor{}
	for _, v := range p.Graph.Inputs {
		memory[v.Name] = input(v, model, batch)
	}
	for _, s := range p.State {
		if err := share(memory, s); err != nil {
			return nil, err
		}
	}
	inputs, outputs := make([]*onnx.Tensor, len(p.Graph.Inputs)), make([]*onnx.Tensor, len(p.Graph.Outputs))
	for i, v := range p.Graph.Inputs {
		inputs[i] = memory[v.Name]
	}
	for i, v := range p.Graph.Outputs {
		if old := p.Graph.InPlace[v.Name]; old != nil {
			outputs[i] = memory[old[0]]
		} else {
			outputs[i] = onnx.NewTensor(v.Type, v.Shape...)
		}
	}
	debug.FreeOSMemory() // what making the model left behind is not the step's
	var seconds []float64
	for range steps {
		start := time.Now()
		if err := session.Run(inputs, outputs); err != nil {
			return nil, err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	return seconds, nil
}

// share makes the blocks of a slot parts of one tensor.
func share(memory map[string]*onnx.Tensor, s compile.Slot) error {
	if !s.InPlace && s.Updated {
		return fmt.Errorf("%s is not updated in place", s.Name)
	}
	if s.Blocks() > 0 && memory[s.Name] == nil {
		memory[s.Name] = onnx.NewTensor(onnx.Float, s.Shape...)
	}
	for i := range s.Blocks() {
		memory[compile.BlockName(s.Name, i)] = s.View(memory[s.Name], i)
	}
	return nil
}

// input is a tensor with values of the right size: timings depend on little
// else. Parameters are the model's own memory, since a copy would count.
func input(v onnx.Value, model *onnx.Graph, batch int) *onnx.Tensor {
	kind, rest, _ := strings.Cut(v.Name, ":")
	if w := model.Initializer(rest); kind == "param" && w != nil {
		if strings.HasPrefix(w.Name, "gpu_0/") || w.F32()[0] == 0 {
			fillStripped(w)
		}
		return w
	}
	t := onnx.NewTensor(v.Type, v.Shape...)
	fill(t, kind, batch)
	return t
}

// fillStripped gives a weight that its file lacks small values, and a scale or
// a variance, which must not be 0, ones.
func fillStripped(w *onnx.Tensor) {
	for i := range w.F32() {
		w.F32()[i] = float32((i*7919)%2003-1001) * 2e-5
		if len(w.Shape) == 1 {
			w.F32()[i] = 1
		}
	}
}

func fill(t *onnx.Tensor, kind string, batch int) {
	switch kind {
	case "labels":
		for i := range t.I64() {
			t.I64()[i] = int64(i * 3 % 10)
		}
	case "weights", "learning_rate":
		for i := range t.F32() {
			t.F32()[i] = 1 / float32(batch) / map[string]float32{"weights": 1, "learning_rate": 1e4}[kind]
		}
	case "images", "mask":
		for i := range t.F32() {
			t.F32()[i] = float32((i*104729)%1999)/1000 - 1
		}
	}
}
