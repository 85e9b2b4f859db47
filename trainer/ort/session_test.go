package ort

import (
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"orchestrator/trainer/onnx"
)

func open(t testing.TB, threads int, g *onnx.Graph) *Session {
	t.Helper()
	rt, err := New(Options{Library: installedLibrary(t), Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := rt.Open(g)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func value(name string, t onnx.DType, shape ...int) onnx.Value {
	return onnx.Value{Name: name, Type: t, Shape: shape}
}

// affine is y = w x + b with w [k, k], x and y [k, n] and a scalar b.
func affine(k, n int) *onnx.Graph {
	return &onnx.Graph{
		Name:    "affine",
		Inputs:  []onnx.Value{value("w", onnx.Float, k, k), value("x", onnx.Float, k, n), value("b", onnx.Float)},
		Outputs: []onnx.Value{value("y", onnx.Float, k, n), value("b'", onnx.Float)},
		Nodes: []*onnx.Node{
			{Name: "m", Op: "MatMul", Inputs: []string{"w", "x"}, Outputs: []string{"m"}},
			{Name: "y", Op: "Add", Inputs: []string{"m", "b"}, Outputs: []string{"y"}},
			{Name: "b'", Op: "Add", Inputs: []string{"b", "b"}, Outputs: []string{"b'"}},
		},
	}
}

func affineTensors(k, n int) (in, out []*onnx.Tensor) {
	in = []*onnx.Tensor{onnx.NewTensor(onnx.Float, k, k), onnx.NewTensor(onnx.Float, k, n), onnx.NewTensor(onnx.Float)}
	return in, []*onnx.Tensor{onnx.NewTensor(onnx.Float, k, n), onnx.NewTensor(onnx.Float)}
}

func TestRun(t *testing.T) {
	s := open(t, 1, affine(2, 1))
	in, out := affineTensors(2, 1)
	copy(in[0].F32(), []float32{1, 2, 3, 4})
	copy(in[1].F32(), []float32{10, 100})
	in[2].F32()[0] = 0.5
	if err := s.Run(in, out); err != nil {
		t.Fatal(err)
	}
	if y := out[0].F32(); y[0] != 210.5 || y[1] != 430.5 || out[1].F32()[0] != 1 {
		t.Errorf("y = %v, b' = %v", y, out[1].F32())
	}
}

// A MaxPool after padding with zeros may answer zero, as its padded elements are
// numbers like others.
func TestPaddingBeforeMaxPool(t *testing.T) {
	s := open(t, 1, &onnx.Graph{
		Name:         "pad and pool",
		Inputs:       []onnx.Value{value("x", onnx.Float, 1, 1, 1, 1)},
		Outputs:      []onnx.Value{value("y", onnx.Float, 1, 1, 1, 1)},
		Initializers: []*onnx.Tensor{{Name: "pads", Type: onnx.Int64, Shape: []int{8}, Data: []int64{0, 0, 0, 0, 0, 0, 1, 1}}},
		Nodes: []*onnx.Node{
			{Name: "pad", Op: "Pad", Inputs: []string{"x", "pads"}, Outputs: []string{"p"}, Attrs: onnx.Attrs{"mode": "constant"}},
			{Name: "pool", Op: "MaxPool", Inputs: []string{"p"}, Outputs: []string{"y"}, Attrs: onnx.Attrs{"kernel_shape": []int64{2, 2}}},
		},
	})
	in, out := []*onnx.Tensor{onnx.Floats([]float32{-5}, 1, 1, 1, 1)}, []*onnx.Tensor{onnx.NewTensor(onnx.Float, 1, 1, 1, 1)}
	if err := s.Run(in, out); err != nil {
		t.Fatal(err)
	}
	if y := out[0].F32()[0]; y != 0 {
		t.Errorf("the largest of -5 and three zeros is %v", y)
	}
}

func TestEveryElementType(t *testing.T) {
	for _, dtype := range []onnx.DType{onnx.Float, onnx.Double, onnx.Int64, onnx.Int32, onnx.Uint8, onnx.Int8, onnx.Bool} {
		t.Run(dtype.String(), func(t *testing.T) {
			s := open(t, 1, &onnx.Graph{
				Name:    "copy",
				Inputs:  []onnx.Value{value("x", dtype, 3), value("s", dtype)},
				Outputs: []onnx.Value{value("y", dtype, 3), value("r", dtype)},
				Nodes: []*onnx.Node{
					{Name: "y", Op: "Identity", Inputs: []string{"x"}, Outputs: []string{"y"}},
					{Name: "r", Op: "Identity", Inputs: []string{"s"}, Outputs: []string{"r"}},
				},
			})
			in := []*onnx.Tensor{onnx.NewTensor(dtype, 3), onnx.NewTensor(dtype)}
			out := []*onnx.Tensor{onnx.NewTensor(dtype, 3), onnx.NewTensor(dtype)}
			for _, x := range in {
				setOnes(x)
			}
			if err := s.Run(in, out); err != nil {
				t.Fatal(err)
			}
			for i, x := range out {
				want := onnx.NewTensor(dtype, x.Shape...)
				setOnes(want)
				if !equalData(want, x) {
					t.Errorf("output %d: %v, want %v", i, x.Data, want.Data)
				}
			}
		})
	}
}

func setOnes(t *onnx.Tensor) {
	switch d := t.Data.(type) {
	case []float32:
		fillWith(d, 1)
	case []float64:
		fillWith(d, 1)
	case []int64:
		fillWith(d, 1)
	case []int32:
		fillWith(d, 1)
	case []uint8:
		fillWith(d, 1)
	case []int8:
		fillWith(d, 1)
	case []bool:
		fillWith(d, true)
	}
}

func fillWith[T any](d []T, x T) {
	for i := range d {
		d[i] = x
	}
}

func equalData(a, b *onnx.Tensor) bool { return reflect.DeepEqual(a.Data, b.Data) }

func TestRunRefusesWrongTensors(t *testing.T) {
	s := open(t, 1, affine(2, 3))
	tests := map[string]struct {
		change func(in, out *[]*onnx.Tensor)
		want   string
	}{
		"an input too few":   {func(in, _ *[]*onnx.Tensor) { *in = (*in)[:2] }, "3 inputs and 2 outputs, not 2 and 2"},
		"an output too many": {func(_, out *[]*onnx.Tensor) { *out = append(*out, onnx.NewTensor(onnx.Float)) }, "not 3 and 3"},
		"no tensor":          {func(in, _ *[]*onnx.Tensor) { (*in)[1] = nil }, `input "x": no tensor`},
		"another shape":      {func(in, _ *[]*onnx.Tensor) { (*in)[1] = onnx.NewTensor(onnx.Float, 3, 2) }, `input "x": want float[2 3], got float[3 2]`},
		"another rank":       {func(_, out *[]*onnx.Tensor) { (*out)[0] = onnx.NewTensor(onnx.Float, 6) }, `output "y": want float[2 3], got float[6]`},
		"another type":       {func(in, _ *[]*onnx.Tensor) { (*in)[1] = onnx.NewTensor(onnx.Double, 2, 3) }, "got double[2 3]"},
		"too little data": {func(_, out *[]*onnx.Tensor) {
			(*out)[0] = &onnx.Tensor{Type: onnx.Float, Shape: []int{2, 3}, Data: make([]float32, 5)}
		}, "has 6 elements, but the data has 5"},
		"data of another type": {func(in, _ *[]*onnx.Tensor) {
			(*in)[1] = &onnx.Tensor{Type: onnx.Float, Shape: []int{2, 3}, Data: make([]float64, 6)}
		}, "cannot hold its data in a []float64"},
		"no data":                 {func(in, _ *[]*onnx.Tensor) { (*in)[2] = &onnx.Tensor{Type: onnx.Float, Shape: []int{}} }, "<nil>"},
		"output on input":         {func(in, out *[]*onnx.Tensor) { (*out)[0].Data = (*in)[1].Data }, `input "x" shares memory with output "y"`},
		"output on output":        {func(_, out *[]*onnx.Tensor) { (*out)[1].Data = (*out)[0].Data.([]float32)[:1] }, `outputs "y" and "b'" share memory`},
		"scalar output on scalar": {func(in, out *[]*onnx.Tensor) { (*out)[1] = (*in)[2] }, "shares memory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in, out := affineTensors(2, 3)
			test.change(&in, &out)
			err := s.Run(in, out)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `graph "affine"`) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	in, out := affineTensors(2, 3)
	if err := s.Run(in, out); err != nil {
		t.Errorf("the session is spoiled: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	rt, err := New(Options{Library: installedLibrary(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rt.Close() })
	batch := affine(2, 3)
	batch.Inputs[1].Shape = []int{onnx.Batch, 3}
	unknown := affine(2, 3)
	unknown.Nodes[0].Op = "NoSuchOp"
	none := affine(2, 3)
	none.Outputs = nil
	for what, test := range map[string]struct {
		g    *onnx.Graph
		want string
	}{
		"an open shape":       {batch, `"x" has the open shape [-1 3]`},
		"an unknown operator": {unknown, "NoSuchOp"},
		"no output":           {none, "at least one input and one output"},
	} {
		if _, err := rt.Open(test.g); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "affine") {
			t.Errorf("%s: error %v, want one with %q", what, err, test.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for what, o := range map[string]Options{
		"device":  {Device: "abacus"},
		"threads": {Threads: -1},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func TestRuntimeSaysWhatItIs(t *testing.T) {
	path := installedLibrary(t)
	rt, err := New(Options{Library: path, Threads: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rt.Close() })
	if !strings.HasPrefix(rt.Version(), "1.") || rt.Threads() != 3 || rt.Library() == "" {
		t.Errorf("version %q, %d threads, library %q", rt.Version(), rt.Threads(), rt.Library())
	}
	if p := rt.Providers(); len(p) == 0 || p[len(p)-1] != "CPUExecutionProvider" {
		t.Errorf("providers %q", p)
	}
}

func TestCloseEndsSessions(t *testing.T) {
	rt, err := New(Options{Library: installedLibrary(t), Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	first, err := rt.Open(affine(2, 3))
	if err != nil {
		t.Fatal(err)
	}
	second, err := rt.Open(affine(2, 3))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	}
	in, out := affineTensors(2, 3)
	for _, s := range []*Session{first, second} {
		if err := s.Run(in, out); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("a closed session ran: %v", err)
		}
	}
	if _, err := rt.Open(affine(2, 3)); err == nil {
		t.Error("a closed runtime opened a session")
	}
	again := open(t, 1, affine(2, 3)) // the library is still usable
	if err := again.Run(in, out); err != nil {
		t.Error(err)
	}
}

func TestCloseWhileRunning(t *testing.T) {
	s := open(t, 1, affine(64, 64))
	var running sync.WaitGroup
	started := make(chan struct{})
	running.Go(func() {
		in, out := affineTensors(64, 64)
		for i := 0; ; i++ {
			if err := s.Run(in, out); err != nil {
				if !strings.Contains(err.Error(), "closed") {
					t.Errorf("run %d: %v", i, err)
				}
				return
			}
			if i == 0 {
				close(started)
			}
		}
	})
	<-started
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	running.Wait()
}

func TestSameBitsInEverySession(t *testing.T) {
	const k, n, seed = 96, 33, 11
	in, first := affineTensors(k, n)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, x := range in {
		for i := range x.F32() {
			x.F32()[i] = r.Float32() - 0.5
		}
	}
	if err := open(t, 2, affine(k, n)).Run(in, first); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		_, out := affineTensors(k, n)
		if err := open(t, 2, affine(k, n)).Run(in, out); err != nil {
			t.Fatal(err)
		}
		if !equalData(first[0], out[0]) {
			t.Fatal("two sessions give different bits")
		}
	}
}

// A thousand runs lend 200,000 tensors to the library; each that is not given
// back would keep a hundred bytes at least.
func TestMemoryDoesNotGrowWithRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	g, in, out := stateGraph(100)
	s := open(t, 1, g)
	run := func(n int) {
		for range n {
			if err := s.Run(in, out); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
	}
	run(100)
	before := residentBytes(t)
	run(1000)
	if grown := residentBytes(t) - before; grown > 8<<20 {
		t.Errorf("1000 runs made the process grow by %d bytes", grown)
	}
}

func TestMemoryDoesNotGrowWithSessions(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	rt, err := New(Options{Library: installedLibrary(t), Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rt.Close() })
	in, out := affineTensors(8, 1<<15)
	use := func(n int) {
		for range n {
			s, err := rt.Open(affine(8, 1<<15))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Run(in, out); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
	}
	use(20)
	before := residentBytes(t)
	use(100)
	if grown := residentBytes(t) - before; grown > 16<<20 {
		t.Errorf("100 sessions made the process grow by %d bytes", grown)
	}
}

func residentBytes(t *testing.T) int64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// stateGraph hardly computes, but has n tensors in and out, every second one a
// scalar.
func stateGraph(n int) (g *onnx.Graph, in, out []*onnx.Tensor) {
	g = &onnx.Graph{Name: "state"}
	for i := range n {
		x, y := "x"+strconv.Itoa(i), "y"+strconv.Itoa(i)
		var shape []int
		if i%2 == 1 {
			shape = []int{4}
		}
		g.Inputs = append(g.Inputs, value(x, onnx.Float, shape...))
		g.Outputs = append(g.Outputs, value(y, onnx.Float, shape...))
		g.Nodes = append(g.Nodes, &onnx.Node{Name: y, Op: "Relu", Inputs: []string{x}, Outputs: []string{y}})
		in, out = append(in, onnx.NewTensor(onnx.Float, shape...)), append(out, onnx.NewTensor(onnx.Float, shape...))
	}
	return g, in, out
}

// BenchmarkRun measures what lending 200 tensors to the library costs.
func BenchmarkRun(b *testing.B) {
	g, in, out := stateGraph(100)
	s := open(b, 1, g)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Run(in, out); err != nil {
			b.Fatal(err)
		}
	}
}
