package compile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// randomNet draws a network of the operators that classifiers are made of.
type randomNet struct {
	*layers
	r       *rand.Rand
	c, h, w int
	n       int
}

func newRandomNet(seed uint64) *randomNet {
	r := rand.New(rand.NewPCG(seed, 1))
	l := newLayers(3, 8)
	l.r = r
	return &randomNet{layers: l, r: r, c: 3, h: 8, w: 8}
}

func (n *randomNet) name(op string) string {
	n.n++
	return fmt.Sprintf("%s%d", op, n.n)
}

// pick draws one of some numbers.
func (n *randomNet) pick(xs ...int) int { return xs[n.r.IntN(len(xs))] }

func (n *randomNet) ints(name string, xs ...int64) string {
	t := onnx.Ints(xs...)
	t.Name = name
	n.g.Initializers = append(n.g.Initializers, t)
	return name
}

// blocks are the parts that a network is drawn from; each leaves a [N, c, h, w].
var blocks = []func(*randomNet){
	(*randomNet).conv, (*randomNet).conv, (*randomNet).conv, (*randomNet).activation, (*randomNet).activation, (*randomNet).norm, (*randomNet).norm,
	(*randomNet).pool, (*randomNet).residual, (*randomNet).squeeze, (*randomNet).branches, (*randomNet).resize, (*randomNet).pad, (*randomNet).tokens,
	(*randomNet).upwards,
}

func (n *randomNet) conv() {
	group := 1
	if n.c%2 == 0 {
		group = n.pick(1, 2, n.c)
	}
	out := group * n.pick(1, 2, 4)
	kh, kw, stride, dilation := n.pick(1, 2, 3), n.pick(1, 3), n.pick(1, 1, 2), n.pick(1, 1, 2)
	ph, pw := int64(n.pick(0, 1, kh/2*dilation)), int64(n.pick(1, kw/2*dilation))
	h := (n.h+2*int(ph)-(kh-1)*dilation-1)/stride + 1
	w := (n.w+2*int(pw)-(kw-1)*dilation-1)/stride + 1
	if h < 2 || w < 2 {
		return
	}
	name := n.name("conv")
	n.add(name, "Conv", onnx.Attrs{
		"group": int64(group), "strides": []int64{int64(stride), int64(stride)}, "dilations": []int64{int64(dilation), int64(dilation)},
		"pads": []int64{ph, pw, ph, pw}, "kernel_shape": []int64{int64(kh), int64(kw)},
	}, n.weight(name+"_w", out, n.c/group, kh, kw), n.weight(name+"_b", out))
	n.c, n.h, n.w = out, h, w
}

func (n *randomNet) upwards() {
	if n.h > 6 || n.c > 8 {
		return
	}
	name := n.name("up")
	n.add(name, "ConvTranspose", onnx.Attrs{"strides": []int64{2, 2}, "kernel_shape": []int64{2, 2}}, n.weight(name+"_w", n.c, 2, 2, 2))
	n.c, n.h, n.w = 2, 2*n.h, 2*n.w
}

func (n *randomNet) activation() {
	op := []string{"Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish", "Elu", "Softplus", "Mish", "com.microsoft.Gelu", "Erf", "PRelu"}[n.r.IntN(11)]
	switch op {
	case "PRelu":
		name := n.name("prelu")
		n.add(name, op, nil, n.weight(name+"_slope", n.c, 1, 1))
	case "com.microsoft.Gelu":
		n.add(n.name("gelu"), "Gelu", nil)
		n.g.Nodes[len(n.g.Nodes)-1].Domain = "com.microsoft"
	default:
		n.add(n.name("act"), op, nil)
	}
}

func (n *randomNet) norm() {
	name := n.name("norm")
	scale, bias := n.tensor(name+"_s", true, 0.5, 1.5, n.c), n.weight(name+"_b", n.c)
	switch n.r.IntN(3) {
	case 0:
		n.add(name, "BatchNormalization", onnx.Attrs{"epsilon": float32(1e-2)}, scale, bias,
			n.tensor(name+"_mean", false, -1, 1, n.c), n.tensor(name+"_var", false, 0.5, 1, n.c))
	case 1:
		n.add(name, "InstanceNormalization", onnx.Attrs{"epsilon": float32(1e-2)}, scale, bias)
	case 2:
		n.add(name, "LRN", onnx.Attrs{"size": int64(3), "alpha": float32(0.1), "beta": float32(0.75)})
	}
}

func (n *randomNet) pool() {
	if n.h < 4 || n.w < 4 {
		return
	}
	op, k, stride := []string{"MaxPool", "AveragePool"}[n.r.IntN(2)], n.pick(2, 3), n.pick(1, 2)
	n.add(n.name("pool"), op, onnx.Attrs{"kernel_shape": []int64{int64(k), int64(k)}, "strides": []int64{int64(stride), int64(stride)}})
	n.h, n.w = (n.h-k)/stride+1, (n.w-k)/stride+1
}

// residual adds a branch to what it starts from.
func (n *randomNet) residual() {
	from, name := n.last, n.name("res")
	n.add(name+"_conv", "Conv", onnx.Attrs{"pads": []int64{1, 1, 1, 1}}, n.weight(name+"_w", n.c, n.c, 3, 3))
	n.activation()
	n.add(name, "Add", nil, from)
}

// squeeze weighs the channels by what they answer on average.
func (n *randomNet) squeeze() {
	from, name := n.last, n.name("se")
	n.add(name+"_mean", "GlobalAveragePool", nil)
	n.add(name+"_conv", "Conv", nil, n.weight(name+"_w", n.c, n.c, 1, 1), n.weight(name+"_b", n.c))
	n.add(name+"_gate", "Sigmoid", nil)
	n.add(name, "Mul", nil, from)
}

// branches joins two convolutions of one input.
func (n *randomNet) branches() {
	from, name := n.last, n.name("cat")
	n.add(name+"_a", "Conv", nil, n.weight(name+"_aw", 2, n.c, 1, 1))
	a := n.last
	n.last = from
	n.add(name+"_b", "Conv", onnx.Attrs{"pads": []int64{1, 1, 1, 1}}, n.weight(name+"_bw", 3, n.c, 3, 3))
	n.add(name, "Concat", onnx.Attrs{"axis": int64(1)}, a)
	n.c = 5
}

func (n *randomNet) resize() {
	if n.h > 6 {
		return
	}
	name := n.name("resize")
	scales := n.tensor(name+"_scales", false, 0, 0, 4)
	copy(n.g.Initializer(scales).F32(), []float32{1, 1, 2, 1.5})
	n.add(name, "Resize", onnx.Attrs{"mode": []string{"nearest", "linear"}[n.r.IntN(2)], "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, "", scales)
	n.h, n.w = 2*n.h, n.w*3/2
}

func (n *randomNet) pad() {
	if n.h < 2 || n.w < 2 {
		return // nothing to reflect
	}
	name := n.name("pad")
	mode := []string{"constant", "reflect", "edge"}[n.r.IntN(3)]
	n.add(name, "Pad", onnx.Attrs{"mode": mode}, n.ints(name+"_pads", 0, 0, 1, 0, 0, 0, 0, 1))
	n.h, n.w = n.h+1, n.w+1
}

// tokens is attention over the places of the picture, with a normalisation
// before it.
func (n *randomNet) tokens() {
	if n.h*n.w > 40 {
		return
	}
	name, area := n.name("attn"), n.h*n.w
	n.add(name+"_flat", "Reshape", nil, n.ints(name+"_to", 0, int64(n.c), int64(area)))
	n.add(name+"_tokens", "Transpose", onnx.Attrs{"perm": []int64{0, 2, 1}})
	n.add(name+"_norm", "LayerNormalization", onnx.Attrs{"axis": int64(-1), "epsilon": float32(1e-2)}, n.tensor(name+"_s", true, 0.5, 1.5, n.c), n.weight(name+"_b", n.c))
	tokens := n.last
	n.add(name+"_q", "MatMul", nil, n.weight(name+"_qw", n.c, 4))
	q := n.last
	n.last = tokens
	n.add(name+"_k", "MatMul", nil, n.weight(name+"_kw", n.c, 4))
	n.add(name+"_kt", "Transpose", onnx.Attrs{"perm": []int64{0, 2, 1}})
	kt := n.last
	n.last = q
	n.add(name+"_scores", "MatMul", nil, kt)
	n.add(name+"_weights", "Softmax", onnx.Attrs{"axis": int64(-1)})
	n.add(name+"_mix", "MatMul", nil, tokens)
	n.add(name+"_back", "Transpose", onnx.Attrs{"perm": []int64{0, 2, 1}})
	n.add(name, "Reshape", nil, n.ints(name+"_from", 0, int64(n.c), int64(n.h), int64(n.w)))
}

// finish ends the network in three scores.
func (n *randomNet) finish() *onnx.Graph {
	if n.r.IntN(2) == 0 {
		n.add("mean", "GlobalAveragePool", nil)
		n.h, n.w = 1, 1
	}
	n.add("flat", "Flatten", onnx.Attrs{"axis": int64(1)})
	n.add("drop", "Dropout", nil)
	size := n.c * n.h * n.w
	return n.add("fc", "Gemm", onnx.Attrs{"transB": int64(1)}, n.weight("fc_w", 3, size), n.weight("fc_b", 3)).graph(onnx.Batch, 3)
}

// Random networks, compiled: ONNX Runtime's step in single precision, on one set
// of buffers, is the evaluator's in double precision.
func TestRandomNetworks(t *testing.T) {
	r := orttest.New(t, 2)
	first := 1000 * testenv.Seed(t)
	for k := first; k < first+uint64(testenv.Size(15, 50, 1000)); k++ {
		net := newRandomNet(k)
		for range 3 + net.r.IntN(6) {
			blocks[net.r.IntN(len(blocks))](net)
		}
		o := Options{
			Batch: 3, Channels: 3, Height: 8, Width: 8, Classes: 3, Momentum: 0.9, Decay: 0.01, FloatInput: true, Hyper: hypers(),
			// Not Adam and its like, which make a large step of a gradient that is all rounding.
			Optimizer: []string{"sgd", "sgd_pytorch", "nesterov"}[net.r.IntN(3)],
			Target:    Targets[k%3], Deterministic: k%2 == 0,
		}
		t.Run(strconv.FormatUint(k, 10), func(t *testing.T) { agree(t, r, net.finish(), o) })
	}
}

// The graphs for all targets are one step, in double precision.
func TestTargetsComputeTheSame(t *testing.T) {
	first := 1000 * testenv.Seed(t)
	for k := first; k < first+uint64(testenv.Size(10, 40, 1000)); k++ {
		net := newRandomNet(k)
		for range 3 + net.r.IntN(6) {
			blocks[net.r.IntN(len(blocks))](net)
		}
		o := Options{Batch: 3, Channels: 3, Height: 8, Width: 8, Classes: 3, Momentum: 0.9, Decay: 0.01, FloatInput: true}
		model := net.finish()
		t.Run(strconv.FormatUint(k, 10), func(t *testing.T) {
			p := must(Train(model, o))(t)
			in := start(t, model, p)
			for _, m := range p.Masks { // as bits that are ones
				for i := range in[m.Input].Data {
					in[m.Input].Data[i] = float64(m.Keep())
				}
			}
			want := run(t, p, in)
			for _, deterministic := range []bool{false, true} {
				o.Target, o.Deterministic = CUDA, deterministic
				p := must(Train(model, o))(t)
				for name, got := range run(t, p, start(t, model, p)) {
					if d := largestDifference(got.Data, want[name].Data); !(d <= 1e-6) {
						t.Errorf("%s, deterministic %v: %s is off by %.2g of its size", ops(model), deterministic, name, d)
					}
				}
			}
		})
	}
}

// largestDifference is that of two arrays, by the size of what is wanted.
func largestDifference(got, want []float64) float64 {
	most, scale := 0.0, norm(want)/math.Sqrt(float64(len(want)))+1e-9
	for i, x := range want {
		most = max(most, math.Abs(got[i]-x)/scale)
	}
	return most
}

func agree(t *testing.T, r *ort.Runtime, model *onnx.Graph, o Options) {
	t.Helper()
	p, err := Train(model, o)
	if err != nil {
		t.Fatal(err)
	}
	in := start(t, model, p)
	for _, s := range p.Scalars {
		in[s.Input].Data[0] = s.At(1)
	}
	single := map[string]*onnx.Tensor{}
	for _, v := range p.Graph.Inputs {
		single[v.Name] = toTensor(in[v.Name], v)
	}
	m := newMachine(t, r, p, single)
	defer m.session.Close()
	m.step(t)
	wants, largest := run(t, p, in), 0.0
	for name, want := range wants {
		if strings.HasPrefix(name, "velocity:") {
			largest = max(largest, norm(want.Data)/math.Sqrt(float64(len(want.Data))))
		}
	}
	for name, want := range wants {
		got := m.out[name].F32()
		if slot, ok := strings.CutSuffix(name, "'"); ok {
			got = m.in[slot].F32() // the machine has put new values where the next step looks
		}
		// A bias below a normalisation has no gradient but rounding.
		scale := norm(want.Data)/math.Sqrt(float64(len(want.Data))) + 1e-3 + largest/100
		for i, x := range want.Data {
			if !(math.Abs(float64(got[i])-x) <= 2e-3*scale+1e-5*math.Abs(x)) {
				t.Errorf("%s with %s: %s[%d] is %v, want %v", ops(model), o.Optimizer, name, i, got[i], x)
				break
			}
		}
	}
}

func toTensor(a *onnxeval.Array, v onnx.Value) *onnx.Tensor {
	t := onnx.NewTensor(v.Type, v.Shape...)
	for i, x := range a.Data {
		switch v.Type {
		case onnx.Int64:
			t.I64()[i] = int64(x)
		case onnx.Uint8:
			t.Data.([]uint8)[i] = uint8(x)
		default:
			t.F32()[i] = float32(x)
		}
	}
	return t
}

func ops(g *onnx.Graph) []string {
	var names []string
	for _, n := range g.Nodes {
		names = append(names, n.Op)
	}
	return names
}
