package ort

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
)

// ownMemory is a runtime whose tensors are kept as a device's with a memory of its
// own are.
func ownMemory(t testing.TB) *Runtime {
	t.Helper()
	r, err := New(Options{Library: installedLibrary(t), Threads: 1, OwnMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// vector is a float tensor in the host's memory.
func vector(xs ...float32) *onnx.Tensor {
	return &onnx.Tensor{Type: onnx.Float, Shape: []int{len(xs)}, Data: xs}
}

func placed(t testing.TB, r *Runtime, from *onnx.Tensor) *onnx.Tensor {
	t.Helper()
	on, err := r.Alloc(from.Value())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Copy(on, from); err != nil {
		t.Fatal(err)
	}
	return on
}

func fetched(t testing.TB, r *Runtime, from *onnx.Tensor) []float32 {
	t.Helper()
	to := onnx.NewTensor(onnx.Float, from.Shape...)
	if err := r.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	return to.F32()
}

// sum is y = a + b, and may write y where a is.
func sum(t testing.TB, n int) *onnx.Graph {
	t.Helper()
	b := onnx.NewBuilder("sum")
	a, c := b.Input("a", onnx.Float, n), b.Input("b", onnx.Float, n)
	b.Output("y", b.Op("Add", nil, a, c))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	g.InPlace = map[string][]string{"y": {"a"}}
	return g
}

func TestTensorsStayOnTheDevice(t *testing.T) {
	r := ownMemory(t)
	s, err := r.Open(sum(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	state, other := placed(t, r, vector(1, 2, 3)), placed(t, r, vector(0, 0, 0))
	before := r.Traffic()
	for range 2 {
		// One input is the host's, as a mini-batch is; one output has a buffer of its own.
		if err := s.Run([]*onnx.Tensor{state, vector(10, 20, 30)}, []*onnx.Tensor{other}); err != nil {
			t.Fatal(err)
		}
		state, other = other, state
		// In place.
		if err := s.Run([]*onnx.Tensor{state, vector(1, 1, 1)}, []*onnx.Tensor{state}); err != nil {
			t.Fatal(err)
		}
	}
	if sent := r.Traffic(); sent.ToDevice-before.ToDevice != 4*12 || sent.ToHost != before.ToHost {
		t.Errorf("traffic %+v after %+v; want 48 bytes to the device and none back", sent, before)
	}
	if got := fetched(t, r, state); !slices.Equal(got, []float32{23, 44, 65}) {
		t.Errorf("the state is %v", got)
	}
	loss := vector(0, 0, 0)
	if err := s.Run([]*onnx.Tensor{state, state}, []*onnx.Tensor{loss}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(loss.F32(), []float32{46, 88, 130}) {
		t.Errorf("fetched as an output: %v", loss.F32())
	}
}

func TestCopiesBetweenBuffers(t *testing.T) {
	r := ownMemory(t)
	a, b := placed(t, r, vector(1, 2)), placed(t, r, vector(3, 4))
	if err := r.Copy(b, a); err != nil {
		t.Fatal(err)
	}
	if got := fetched(t, r, b); !slices.Equal(got, []float32{1, 2}) {
		t.Errorf("copied %v", got)
	}
	scalar := placed(t, r, &onnx.Tensor{Type: onnx.Float, Data: []float32{7}})
	if got := fetched(t, r, scalar); !slices.Equal(got, []float32{7}) {
		t.Errorf("copied a scalar as %v", got)
	}
}

func TestMisusedBuffers(t *testing.T) {
	r, other := ownMemory(t), ownMemory(t)
	s, err := r.Open(sum(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	freed := placed(t, r, vector(1, 2))
	r.Free(freed)
	r.Free(freed)
	foreign := placed(t, other, vector(1, 2))
	long := placed(t, r, vector(1, 2, 3))
	host := vector(1, 2)
	tests := map[string]struct {
		err  error
		want string
	}{
		"run on a freed one":         {s.Run([]*onnx.Tensor{freed, host}, []*onnx.Tensor{vector(0, 0)}), "given back"},
		"copy from a freed one":      {r.Copy(host, freed), "given back"},
		"copy from another's":        {r.Copy(host, foreign), "another runtime's"},
		"run on one of another size": {s.Run([]*onnx.Tensor{{Type: onnx.Float, Shape: []int{2}, Data: long.Data}, host}, []*onnx.Tensor{vector(0, 0)}), "buffer on the device is float[3]"},
		"copy to another size":       {r.Copy(host, long), "cannot be copied"},
		"copy of bytes":              {r.Copy(&onnx.Tensor{Type: onnx.Uint8, Shape: []int{2}, Data: []uint8{1, 2}}, placed(t, r, host)), "[]uint8 is not copied"},
		"a short slice":              {r.Copy(&onnx.Tensor{Type: onnx.Float, Shape: []int{2}, Data: []float32{1}}, placed(t, r, host)), "data has 1"},
	}
	for name, test := range tests {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", name, test.err, test.want)
		}
	}
	if _, err := r.Alloc(onnx.Value{Type: onnx.Uint8, Shape: []int{1}}); err == nil {
		t.Error("a tensor of bytes was placed")
	}
	plain, err := New(Options{Library: installedLibrary(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := plain.Alloc(host.Value()); !errors.Is(err, errNoMemory) || plain.OwnMemory() {
		t.Errorf("a runtime on the host's memory placed a tensor: %v", err)
	}
}

func TestPlacement(t *testing.T) {
	nodes := []assigned{{"CPUExecutionProvider", "Add", "a"}, {"CUDAExecutionProvider", "Conv", "c"},
		{"CPUExecutionProvider", "Add", "b"}, {"CPUExecutionProvider", "Abs", "x"}}
	for i := range 6 {
		nodes = append(nodes, assigned{"CPUExecutionProvider", "Neg", string(rune('0' + i))})
	}
	err := &PlacementError{Device: "cuda", Left: leftToCPU("train", nodes)}
	want := "device cuda leaves nodes to the CPU: train: 1 Abs (x); train: 2 Add (a, b); train: 6 Neg (0, 1, 2, 3, 4 and 1 more)"
	if err.Error() != want || err.ExitCode() != 2 || !strings.Contains(err.Hint(), "cuda.strict") {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestClosedMemory(t *testing.T) {
	r := ownMemory(t)
	x := placed(t, r, vector(1))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.Free(x)
	_, alloc := r.Alloc(x.Value())
	_, lend := r.Lend(x.Value())
	for what, err := range map[string]error{"alloc": alloc, "lend": lend, "copy": r.Copy(vector(0), x), "copy on the host": r.Copy(vector(0), vector(1))} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is lent is the host's to write, and is read where it lies.
func TestLentMemory(t *testing.T) {
	r := ownMemory(t)
	s, err := r.Open(sum(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Lend(onnx.Value{Type: onnx.Float, Shape: []int{3}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.F32(), []float32{0, 0, 0}) {
		t.Errorf("it begins as %v", a.F32())
	}
	copy(a.F32(), []float32{1, 2, 3})
	y := vector(0, 0, 0)
	if err := s.Run([]*onnx.Tensor{a, vector(1, 1, 1)}, []*onnx.Tensor{y}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(y.F32(), []float32{2, 3, 4}) {
		t.Errorf("read as %v", y.F32())
	}
	for _, v := range []onnx.Value{{Type: onnx.Uint8, Shape: []int{5, 2}}, {Type: onnx.Int64, Shape: []int{4}}} {
		lent, err := r.Lend(v)
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := elements(lent); !ok || n != v.Size() {
			t.Errorf("%v%v has %d elements", v.Type, v.Shape, n)
		}
	}
	if _, err := r.Lend(onnx.Value{Type: onnx.Double, Shape: []int{1}}); err == nil {
		t.Error("a type that is not sent was lent")
	}
	plain, err := New(Options{Library: installedLibrary(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if lent, err := plain.Lend(onnx.Value{Type: onnx.Double, Shape: []int{2}}); err != nil || len(lent.Data.([]float64)) != 2 {
		t.Errorf("on the host: %v, %v", lent, err)
	}
}
