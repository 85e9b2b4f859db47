package compile

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// A session that writes new values over the old ones makes the same bits as one
// that writes them elsewhere.
func TestOverwrittenStateHasTheSameBits(t *testing.T) {
	r := orttest.New(t, 2)
	o := options(4)
	for _, optimizer := range optim.Names() {
		for name, c := range map[string]struct {
			model *onnx.Graph
			o     Options
		}{"small": {small(), o}, "normalised": {normalised(), normalisedOptions(4)}, "clipped": {small(), withClip(o)}, "frozen below": {small(), withFrozen(o)}} {
			t.Run(optimizer+"/"+name, func(t *testing.T) {
				c.o.Optimizer, c.o.Hyper, c.o.Average = optimizer, hypers(), 0.9
				for kind, to := range map[string]func(*onnx.Graph, Options) (*Program, error){"train": Train, "accumulate": Accumulate, "apply": Apply, "average": Average} {
					p := must(to(c.model, c.o))(t)
					for _, s := range p.State {
						// Nesterov's step needs the old velocity after the new one.
						if s.Updated && !s.InPlace && optimizer != "nesterov" {
							t.Errorf("%s: %s is not written in place", kind, s.Name)
						}
					}
					sameBits(t, r, c.model, p)
				}
			})
		}
	}
}

func withClip(o Options) Options {
	o.ClipNorm = 0.05
	return o
}

func withFrozen(o Options) Options {
	o.Rates = map[string]Rates{"conv1_w": {}, "conv1_b": {}}
	return o
}

// sameBits takes three steps in place and three with two sets of buffers.
func sameBits(t *testing.T, r *ort.Runtime, model *onnx.Graph, p *Program) {
	t.Helper()
	apart := *p
	g := *p.Graph
	g.InPlace = nil
	apart.Graph, apart.State = &g, slices.Clone(p.State)
	for i := range apart.State {
		apart.State[i].InPlace = false
	}
	a, b := machineOf(t, r, model, p), machineOf(t, r, model, &apart)
	defer a.session.Close()
	defer b.session.Close()
	for range 3 {
		a.step(t)
		b.step(t)
	}
	for _, s := range p.State {
		if !slices.Equal(a.in[s.Name].F32(), b.in[s.Name].F32()) {
			t.Errorf("%s: %s differs", p.Graph.Name, s.Name)
		}
	}
}

// machineOf starts from values that differ from element to element.
func machineOf(t *testing.T, r *ort.Runtime, model *onnx.Graph, p *Program) *machine {
	t.Helper()
	in := map[string]*onnx.Tensor{}
	for i, v := range p.Graph.Inputs {
		in[v.Name] = onnx.NewTensor(v.Type, v.Shape...)
		switch v.Type {
		case onnx.Float:
			fillHashed(in[v.Name], i, 0.5)
			for k, x := range in[v.Name].F32() {
				in[v.Name].F32()[k] = x*x + 0.01 // squares, variances and roots are positive
			}
		case onnx.Uint8:
			for k := range in[v.Name].Data.([]uint8) {
				in[v.Name].Data.([]uint8)[k] = uint8(37 * k)
			}
		}
	}
	for _, s := range p.State {
		if w := model.Initializer(s.Param); w != nil && !s.Zero {
			copy(in[s.Name].F32(), w.F32())
		}
	}
	return newMachine(t, r, p, in)
}

// All of CaffeNet's state is: 488 MB less than two copies.
func TestStateOfCaffeNetIsWrittenInPlace(t *testing.T) {
	model, err := builtin.Model("caffenet", 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := must(Train(model, Options{Batch: 2, Channels: 3, Height: 227, Width: 227, Momentum: 0.9, Decay: 5e-4}))(t)
	for _, s := range p.State {
		if !s.InPlace {
			t.Errorf("%s is written elsewhere", s.Name)
		}
	}
}

// wide has a matrix that is updated in several blocks, the last of them smaller.
func wide() *onnx.Graph {
	l := newLayers(11, 10)
	l.add("flat", "Flatten", onnx.Attrs{"axis": int64(1)})
	l.add("fc1", "Gemm", onnx.Attrs{"transB": int64(1)}, l.weight("fc1_w", 2048, 1100), l.weight("fc1_b", 2048))
	l.add("relu", "Relu", nil)
	return l.add("fc2", "Gemm", onnx.Attrs{"transB": int64(1)}, l.weight("fc2_w", 3, 2048), l.weight("fc2_b", 3)).graph(onnx.Batch, 3)
}

func wideOptions() Options {
	return Options{Batch: 4, Channels: 11, Height: 10, Width: 10, Momentum: 0.9, Decay: 0.01, FloatInput: true}
}

// The blocks of a matrix move as its elements should: v' = mu·v + lr·(g + wd·w),
// w' = w - v', with the gradient from a program without blocks.
func TestBlocksAreUpdatedAsTheWholeIs(t *testing.T) {
	r := orttest.New(t, 2)
	model := wide()
	p, sums := must(Train(model, wideOptions()))(t), must(Accumulate(model, wideOptions()))(t)
	m, g := machineOf(t, r, model, p), machineOf(t, r, model, sums)
	defer m.session.Close()
	defer g.session.Close()
	for _, s := range p.State {
		if s.Param == "fc1_w" && (s.Blocks() != 3 || !s.InPlace) {
			t.Errorf("%s has %d blocks, in place: %v; want 3, in place", s.Name, s.Blocks(), s.InPlace)
		}
	}
	for _, name := range []string{"images", "weights"} {
		copy(g.in[name].F32(), m.in[name].F32())
	}
	rate := m.in["learning_rate"].F32()[0]
	want := map[string][]float64{}
	for _, s := range sums.State {
		if s.Sum {
			clear(g.in[s.Name].F32())
		}
	}
	g.step(t)
	for i, w := range m.in["param:fc1_w"].F32() {
		v := 0.9*float64(m.in["velocity:fc1_w"].F32()[i]) + float64(rate)*(float64(g.in["acc:fc1_w"].F32()[i])+0.01*float64(w))
		want["velocity:fc1_w"] = append(want["velocity:fc1_w"], v)
		want["param:fc1_w"] = append(want["param:fc1_w"], float64(w)-v)
	}
	m.step(t)
	for name, x := range want {
		for i, got := range m.in[name].F32() {
			if math.Abs(float64(got)-x[i]) > 1e-6*(1+math.Abs(x[i])) {
				t.Fatalf("%s[%d] is %v, want %v", name, i, got, x[i])
			}
		}
	}
}

func TestWhatMayOverwrite(t *testing.T) {
	node := func(op, out string, in ...string) *onnx.Node {
		return &onnx.Node{Op: op, Name: out, Inputs: in, Outputs: []string{out}}
	}
	for name, c := range map[string]struct {
		nodes []*onnx.Node
		want  bool
	}{
		"the only reader, element by element":  {[]*onnx.Node{node("Sub", "w'", "w", "v")}, true},
		"no reader":                            {[]*onnx.Node{node("Relu", "w'", "x")}, true},
		"a product of matrices reads it":       {[]*onnx.Node{node("MatMul", "w'", "w", "w")}, false},
		"an earlier reader that is waited for": {[]*onnx.Node{node("Relu", "y", "w"), node("Sub", "w'", "w", "y")}, true},
		"an earlier reader that is not":        {[]*onnx.Node{node("Relu", "y", "w"), node("Sub", "w'", "w", "v")}, false},
		"a later reader":                       {[]*onnx.Node{node("Sub", "w'", "w", "v"), node("Relu", "y", "w")}, false},
		"a reader of a view that is not waited for": {
			[]*onnx.Node{node("Reshape", "r", "w"), node("Relu", "y", "r"), node("Relu", "z", "r"), node("Sub", "w'", "w", "z")}, false},
		"readers of a view that are": {
			[]*onnx.Node{node("Transpose", "r", "w"), node("Relu", "y", "r"), node("Add", "z", "r", "y"), node("Sub", "w'", "w", "z")}, true},
		"through a view of itself":                  {[]*onnx.Node{node("Transpose", "r", "w"), node("Sub", "w'", "v", "r")}, false},
		"nobody writes":                             {nil, false},
		"a reader of what holds it, not waited for": {[]*onnx.Node{node("Relu", "y", "whole"), node("Sub", "w'", "w", "v")}, false},
		"the writer reads what holds it":            {[]*onnx.Node{node("Sub", "w'", "v", "whole")}, false},
	} {
		o := newOrder(c.nodes)
		o.follow(o.readersOf("w", "whole"))
		if got := o.overwrites([]string{"w", "whole"}, "w'"); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestCompilingIsLinear: four times the layers take about four times the memory
// that is asked for, and not sixteen times.
func TestCompilingIsLinear(t *testing.T) {
	asked := func(layers int) float64 {
		model := deep(layers)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		must(Train(model, Options{Batch: 2, Channels: 1, Height: 2, Width: 2, Momentum: 0.9}))(t)
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	if ratio := asked(400) / asked(100); ratio > 7 {
		t.Errorf("400 layers take %.1f times the memory of 100", ratio)
	}
}

// deep is a network of so many layers of four units.
func deep(layers int) *onnx.Graph {
	g := &onnx.Graph{
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float, Shape: []int{onnx.Batch, 1, 2, 2}}},
		Outputs: []onnx.Value{{Name: "y", Type: onnx.Float, Shape: []int{onnx.Batch, 4}}},
		Nodes:   []*onnx.Node{{Op: "Flatten", Name: "flat", Inputs: []string{"x"}, Outputs: []string{"h0"}}},
	}
	for i := range layers {
		w := onnx.NewTensor(onnx.Float, 4, 4)
		w.Name, w.Param = fmt.Sprintf("w%d", i), true
		g.Initializers = append(g.Initializers, w)
		g.Nodes = append(g.Nodes, &onnx.Node{Op: "MatMul", Name: w.Name + "_product", Inputs: []string{fmt.Sprintf("h%d", i), w.Name}, Outputs: []string{fmt.Sprintf("h%d", i+1)}})
	}
	g.Outputs[0].Name = fmt.Sprintf("h%d", layers)
	return g
}
