package onnx_test

import (
	"math"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

// TestFLOPs counts single nodes by hand: a multiply-add is two.
func TestFLOPs(t *testing.T) {
	type shapes [][]int
	cases := []struct {
		name   string
		op     string
		attrs  onnx.Attrs
		inputs shapes
		want   int64
	}{
		{"convolution", "Conv", nil, shapes{{1, 3, 8, 8}, {4, 3, 3, 3}}, 2 * (4 * 6 * 6) * (3 * 3 * 3)},
		{"with bias", "Conv", nil, shapes{{1, 3, 8, 8}, {4, 3, 3, 3}, {4}}, (2*27 + 1) * (4 * 6 * 6)},
		{"of two groups, each of half the channels", "Conv", onnx.Attrs{"group": int64(2)}, shapes{{1, 4, 8, 8}, {6, 2, 3, 3}}, 2 * (6 * 6 * 6) * (2 * 3 * 3)},
		{"depthwise", "Conv", onnx.Attrs{"group": int64(4)}, shapes{{1, 4, 8, 8}, {4, 1, 3, 3}}, 2 * (4 * 6 * 6) * 9},
		{"dilated and strided", "Conv", onnx.Attrs{"dilations": []int64{2, 2}, "strides": []int64{2, 2}}, shapes{{1, 1, 9, 9}, {1, 1, 3, 3}}, 2 * (3 * 3) * 9},
		{"transposed, of two groups", "ConvTranspose", onnx.Attrs{"group": int64(2)}, shapes{{1, 4, 3, 3}, {4, 3, 2, 2}}, 2 * (4 * 3 * 3) * (3 * 2 * 2)},
		{"fully connected", "Gemm", onnx.Attrs{"transB": int64(1)}, shapes{{1, 64}, {10, 64}, {10}}, (2*64 + 1) * 10},
		{"transposed rows", "Gemm", onnx.Attrs{"transA": int64(1)}, shapes{{64, 2}, {64, 10}}, 2 * 64 * (2 * 10)},
		{"tokens by a matrix", "MatMul", nil, shapes{{1, 197, 192}, {192, 576}}, 2 * 197 * 192 * 576},
		{"batches of matrices", "MatMul", nil, shapes{{1, 3, 197, 64}, {1, 3, 64, 197}}, 2 * 3 * 197 * 64 * 197},
		{"a broadcast batch", "MatMul", nil, shapes{{5, 1, 2, 3}, {4, 3, 7}}, 2 * (5 * 4) * 2 * 3 * 7},
		{"a vector", "MatMul", nil, shapes{{3}, {3, 7}}, 2 * 3 * 7},
		{"einsum of two matrices", "Einsum", onnx.Attrs{"equation": "bhid,bhjd->bhij"}, shapes{{1, 3, 5, 4}, {1, 3, 7, 4}}, 2 * (3 * 5 * 7 * 4)},
		{"einsum of one matrix", "Einsum", onnx.Attrs{"equation": "ij->i"}, shapes{{4, 5}}, 4 * 5},
		{"pool", "MaxPool", onnx.Attrs{"kernel_shape": []int64{2, 3}}, shapes{{1, 2, 4, 5}}, (2 * 3 * 3) * (2 * 3)},
		{"global pool", "GlobalAveragePool", nil, shapes{{1, 7, 4, 5}}, 7 * 4 * 5},
		{"across channels", "LRN", onnx.Attrs{"size": int64(5)}, shapes{{1, 7, 2, 2}}, 5 * (7 * 2 * 2)},
		{"element by element, broadcast", "Add", nil, shapes{{2, 1, 4}, {3, 1}}, 2 * 3 * 4},
		{"softmax", "Softmax", nil, shapes{{1, 3, 4, 4}}, 3 * 4 * 4},
		{"moved", "Transpose", nil, shapes{{3, 4}}, 0},
	}
	for _, c := range cases {
		t.Run(c.op+" "+c.name, func(t *testing.T) {
			b := onnx.NewBuilder("one node")
			var inputs []onnx.Value
			for i, shape := range c.inputs {
				inputs = append(inputs, b.Input(string(rune('a'+i)), onnx.Float, shape...))
			}
			b.Output("out", b.Op(c.op, c.attrs, inputs...))
			g, err := b.Graph()
			if err != nil {
				t.Fatal(err)
			}
			got, err := onnx.FLOPs(g)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

// TestFLOPsOfAttention counts a head of self-attention spelled out in primitives:
// three projections, scores, their softmax with scale, the mix, one projection.
func TestFLOPsOfAttention(t *testing.T) {
	const tokens, width = 197, 64
	b := onnx.NewBuilder("attention")
	x, w := b.Input("x", onnx.Float, 1, tokens, width), b.Input("w", onnx.Float, width, width)
	v := b.Input("v", onnx.Float, width, width)
	q, k := b.Op("MatMul", nil, x, w), b.Op("Transpose", onnx.Attrs{"perm": []int64{0, 2, 1}}, b.Op("MatMul", nil, x, v))
	scores := b.Op("Softmax", nil, b.Op("Mul", nil, b.Op("MatMul", nil, q, k), b.Scalar(1/math.Sqrt(width))))
	b.Output("out", b.Op("MatMul", nil, b.Op("MatMul", nil, scores, q), w))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	got, err := onnx.FLOPs(g)
	if err != nil {
		t.Fatal(err)
	}
	projections, products, elements := 3*2*tokens*width*width, 2*2*tokens*tokens*width, 2*tokens*tokens
	if want := int64(projections + products + elements); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}

// TestPublishedCounts holds the reports of whole networks against what is
// published of them. Multiply-adds are those of the Convs and Gemms, as in the
// papers: CaffeNet's 60,965,224 parameters and 0.72 G (Caffe's model zoo);
// SqueezeNet 1.1's 1,235,496 and 0.349 G (torchvision's table of models);
// ResNet-50's 25.6 M and 4.09 G (torchvision), and 3.8 G (He et al. 2016, table 1)
// where a block's stride is in its first convolution, not in its second.
func TestPublishedCounts(t *testing.T) {
	caffenet, err := builtin.Model("caffenet", 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	squeezenet, resnet := published(t, "squeezenet1.1-7.onnx"), published(t, "light_resnet50.onnx")
	cases := []struct {
		name       string
		graph      *onnx.Graph
		parameters int
		within     int // of the parameters
		gmacs      float64
		digits     float64 // half a unit of the last digit that is published
	}{
		{"CaffeNet", caffenet, 60_965_224, 0, 0.72, 0.005},
		{"SqueezeNet 1.1", squeezenet, 1_235_496, 0, 0.349, 0.005},
		{"ResNet-50", resnet, 25_600_000, 50_000, 4.09, 0.005},
		{"ResNet-50 with strides in the first 1×1", strideInFirst(resnet), 25_600_000, 50_000, 3.8, 0.1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := onnx.Inspect(c.graph)
			if err != nil {
				t.Fatal(err)
			}
			if off := r.Parameters - c.parameters; off > c.within || -off > c.within {
				t.Errorf("%d parameters, published are %d", r.Parameters, c.parameters)
			}
			var products int64
			for _, l := range r.Layers {
				if l.Op == "Conv" || l.Op == "Gemm" {
					products += l.FLOPs
				}
			}
			gmacs := float64(products) / 2e9
			if math.Abs(gmacs-c.gmacs) > c.digits {
				t.Errorf("%.4f G multiply-adds, published are %v", gmacs, c.gmacs)
			}
			t.Logf("%d parameters, %.4f G multiply-adds", r.Parameters, gmacs)
		})
	}
}

// published is a network of the test data.
func published(t *testing.T, file string) *onnx.Graph {
	t.Helper()
	g, err := onnximport.Load(testenv.Data(t, "models", file))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// strideInFirst moves the stride of each 3×3 convolution to the 1×1 before it.
func strideInFirst(g *onnx.Graph) *onnx.Graph {
	g = g.Clone()
	var before *onnx.Node
	for _, n := range g.Nodes {
		if n.Op != "Conv" {
			continue
		}
		if g.Initializer(n.Inputs[1]).Shape[2] == 3 && before != nil {
			n.Attrs["strides"], before.Attrs["strides"] = before.Attrs["strides"], n.Attrs["strides"]
		}
		before = n
	}
	return g
}
