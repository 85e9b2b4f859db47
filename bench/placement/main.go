// Command placement opens the graphs of a training job of each of the ONNX files
// given, written for graphics processors in every precision, on a device, and lists
// which nodes its provider leaves to the CPU. It computes nothing. It fails when
// there are any, or when a graph cannot be opened. What it counts beside that is what
// takes a device's time other than products: how many operators of a step it has to
// start, and how many bytes these read and write, before the runtime optimises.
//
//	go run ./bench/placement -library build/onnxruntime-cuda/lib build/light/*.onnx
//
// On a machine without the device, stubs.sh makes a folder with the real provider
// and stubs in the place of what it needs; `make placement` does both.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort"
)

func main() {
	library := flag.String("library", "", "folder of the ONNX Runtime library")
	device := flag.String("device", "cuda", "whose provider is asked")
	flag.Parse()
	if err := run(*library, *device, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "placement:", err)
		os.Exit(1)
	}
}

func run(library, device string, files []string) error {
	rt, err := ort.New(ort.Options{Library: library, Device: device, Threads: 1})
	if err != nil {
		return err
	}
	defer rt.Close()
	if err := control(rt); err != nil {
		return err
	}
	fmt.Printf("ONNX Runtime %s, %s\n%-28s %-10s %-14s %6s %8s  %s\n", rt.Version(), device, "network", "precision", "deterministic", "starts", "GB moved", "left to the CPU")
	failed := 0
	for _, file := range files {
		model, err := onnximport.Load(file)
		if err != nil {
			return err
		}
		for _, precision := range []string{"float32", "bfloat16", "float16"} {
			for _, deterministic := range []bool{false, true} {
				cost, left, err := place(rt, model, precision, deterministic)
				verdict := fmt.Sprint(left)
				switch {
				case err != nil:
					verdict = err.Error()
				case len(left) == 0:
					verdict = "none"
				}
				if verdict != "none" {
					failed++
				}
				fmt.Printf("%-28s %-10s %-14v %6d %8.1f  %s\n", filepath.Base(file), precision, deterministic, cost.starts, float64(cost.bytes)/1e9, verdict)
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of the jobs have nodes on the CPU or cannot be opened", failed)
	}
	return nil
}

// control makes sure that a node that is left to the CPU is seen: only that has a
// kernel for determinants.
func control(rt *ort.Runtime) error {
	g := &onnx.Graph{
		Name:    "control",
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{3, 3}}},
		Outputs: []onnx.Value{{Name: "y", Type: onnx.Float, Shape: []int{}}},
		Nodes:   []*onnx.Node{{Name: "det", Op: "Det", Inputs: []string{"x"}, Outputs: []string{"y"}}},
	}
	s, err := rt.Open(g)
	if err != nil {
		return err
	}
	if left := rt.Placement(); len(left) != 1 || left[0].Op != "Det" {
		return fmt.Errorf("a determinant, which the CPU alone can compute, is not said to be left to it: %v", left)
	}
	return s.Close()
}

// batch is how many pictures a step has.
const batch = 64

// place opens all graphs of a job and sums up what those of a step cost.
func place(rt *ort.Runtime, model *onnx.Graph, precision string, deterministic bool) (step cost, left []ort.Placement, err error) {
	in := model.Inputs[0].Shape
	if len(in) != 4 {
		return step, nil, errors.New("it does not take pictures")
	}
	o := compile.Options{
		Batch: batch, Channels: in[1], Height: in[2], Width: in[3], Momentum: 0.9, Decay: 1e-4,
		Target: compile.CUDA, Deterministic: deterministic, Precision: precision,
	}
	parts := []compiler{compile.Accumulate, compile.Apply, compile.Clear}
	others := []compiler{compile.Eval}
	if precision != "float16" { // which has no single program for a step
		parts, others = []compiler{compile.Train}, append(others, parts...)
	}
	before := len(rt.Placement())
	for i, to := range append(parts, others...) {
		p, err := to(model, o)
		if err != nil {
			return step, nil, err
		}
		if i < len(parts) {
			if err := step.add(p.Graph); err != nil {
				return step, nil, err
			}
		}
		s, err := rt.Open(p.Graph)
		if err != nil {
			return step, nil, err
		}
		if err := s.Close(); err != nil {
			return step, nil, err
		}
	}
	return step, rt.Placement()[before:], nil
}

type compiler func(*onnx.Graph, compile.Options) (*compile.Program, error)

// cost is what a graph takes of a device's time besides arithmetic.
type cost struct {
	starts int   // operators that do not only look at their input in another way
	bytes  int64 // that these read and write
}

// add adds a graph's.
func (c *cost) add(g *onnx.Graph) error {
	b := onnx.NewBuilder("sizes")
	bind := map[string]onnx.Value{}
	for _, in := range g.Inputs {
		bind[in.Name] = b.Input(in.Name, in.Type, in.Shape...)
	}
	b.Replay(g, bind)
	size := func(names []string) (sum int64) {
		for _, name := range names {
			if name != "" {
				v := b.Named(name)
				sum += int64(v.Size()) * v.Type.Size()
			}
		}
		return sum
	}
	for _, n := range g.Nodes {
		switch n.Op {
		case "Reshape", "Flatten", "Identity", "Squeeze", "Unsqueeze":
			continue
		case "Slice": // reads no more than it writes
			c.bytes += 2 * size(n.Outputs)
		default:
			c.bytes += size(n.Inputs) + size(n.Outputs)
		}
		c.starts++
	}
	return b.Err()
}
