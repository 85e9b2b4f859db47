package caffe

import (
	"fmt"
	"math"
	"testing"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/ort/orttest"
)

// TestRuntimePools: ONNX Runtime rounds and divides as Caffe's loops do, too.
func TestRuntimePools(t *testing.T) {
	rt := orttest.New(t, 1)
	for _, size := range []int{5, 6, 7, 8} {
		for _, w := range [][3]int{{2, 2, 0}, {3, 2, 0}, {3, 2, 1}, {3, 3, 1}, {2, 2, 1}, {3, 1, 1}, {5, 3, 2}, {2, 3, 1}} {
			for _, kind := range []string{"MAX", "AVE"} {
				x := picture3(2, size, size)
				picture := onnx.NewTensor(onnx.Float, x.Shape...)
				for i, v := range x.Data {
					picture.F32()[i] = float32(v)
					x.Data[i] = float64(float32(v))
				}
				g := mustImport(t, nil, Options{Deploy: fmt.Sprintf(`input: "data" input_dim: 1 input_dim: 2 input_dim: %d input_dim: %d
layer { name: "l" type: "Pooling" bottom: "data" top: "l" pooling_param { pool: %s kernel_size: %d stride: %d pad: %d } }`, size, size, kind, w[0], w[1], w[2])})
				want := pooled(x, kind, w[0], w[1], w[2])
				p, err := compile.Features(g, []string{g.Outputs[0].Name}, compile.Options{Batch: 1, Channels: 2, Height: size, Width: size, FloatInput: true})
				if err != nil {
					t.Fatal(err)
				}
				compare(t, fmt.Sprintf("%s %v of %d", kind, w, size), runOne(t, rt.Open, p.Graph, picture), want)
			}
		}
	}
}

// session is what a runtime opens.
type session interface {
	Run(inputs, outputs []*onnx.Tensor) error
	Close() error
}

func runOne[S session](t *testing.T, open func(*onnx.Graph) (S, error), g *onnx.Graph, x *onnx.Tensor) *onnx.Tensor {
	t.Helper()
	s, err := open(g)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := onnx.NewTensor(onnx.Float, g.Outputs[0].Shape...)
	if err := s.Run([]*onnx.Tensor{x}, []*onnx.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	return out
}

func compare(t *testing.T, name string, got *onnx.Tensor, want *onnxeval.Array) {
	t.Helper()
	if fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		t.Errorf("%s: shape %v, Caffe's is %v", name, got.Shape, want.Shape)
		return
	}
	for i, v := range got.F32() {
		if math.Abs(float64(v)-want.Data[i]) > 1e-5 {
			t.Errorf("%s: value %d is %v, Caffe's %v", name, i, v, want.Data[i])
			return
		}
	}
}
