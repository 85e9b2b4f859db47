package compile

import (
	"bytes"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// in is the options with a precision.
func (o Options) in(precision string) Options {
	o.Precision = precision
	return o
}

func TestPrecisionsOfOptions(t *testing.T) {
	encoded := func(p *Program) []byte {
		data, err := onnx.Encode(p.Graph)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	trained := func(precision string) []byte {
		return encoded(must(Train(normalised(), normalisedOptions(2).in(precision)))(t))
	}
	plain := trained("")
	for _, same := range []string{"float32", "tf32"} {
		if !bytes.Equal(trained(same), plain) {
			t.Errorf("the graph of %s is another than that of no precision", same)
		}
	}
	if bytes.Equal(trained("bfloat16"), plain) {
		t.Error("bfloat16 makes no difference")
	}
	if _, err := Train(small(), options(2).in("fp16")); err == nil || !strings.Contains(err.Error(), "bfloat16, float16, float32, tf32") {
		t.Errorf("an unknown precision: %v", err)
	}
	if _, err := Train(small(), options(2).in("float16")); err == nil {
		t.Error("a whole step of float16 was compiled, which has no loss_scale")
	}
	for _, f := range []func(*onnx.Graph, Options) (*Program, error){Apply, Average, Eval} {
		a, b := must(f(small(), options(2)))(t), must(f(small(), options(2).in("float16")))(t)
		if !bytes.Equal(encoded(a), encoded(b)) {
			t.Errorf("%s changes with the precision", a.Graph.Name)
		}
	}
}

func TestPrecisionTableNamesOperators(t *testing.T) {
	for op := range precisionRules {
		if !onnx.KnownOp(op) {
			t.Errorf("there is no operator %s", op)
		}
	}
}

// Random networks in types of two bytes, each operator computed exactly and its
// result rounded once. Every gradient is that of double precision but for what the
// roundings make of it: R operators whose results are rounded, each by a relative
// error of at most u, move it by R·u times a condition number, of which 4 is
// allowed. Roundings go either way, and mostly cancel: half of the networks are
// within R·u/4. What a gradient is compared with is its own norm and a tenth of the
// largest one's, for a bias below a normalisation has none but rounding. Some networks
// have a unit close to where ReLU or MaxPool changes sides: one in 200 is further off,
// and may be, as far as its exact gradients move with the images and the weights.
func TestRandomNetworksInTwoBytes(t *testing.T) {
	r := orttest.New(t, 2)
	for _, precision := range []string{"float16", "bfloat16"} {
		t.Run(precision, func(t *testing.T) {
			var shares []float64
			first := 1000 * testenv.Seed(t)
			for seed := first; seed < first+uint64(testenv.Size(20, 40, 1000)); seed++ {
				net := newRandomNet(seed)
				for range 3 + net.r.IntN(6) {
					blocks[net.r.IntN(len(blocks))](net)
				}
				model := net.finish()
				t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
					o := Options{
						Batch: 3, Channels: 3, Height: 8, Width: 8, Classes: 3, FloatInput: true,
						Target: []string{CUDA, CPU, CUDA}[seed%3], Deterministic: seed%3 == 2,
					}
					p := must(Accumulate(model, o.in(precision)))(t)
					rounded := checkLowered(t, p, precisions[precision])
					sum := float64(rounded) * precisions[precision].Roundoff()
					d := newDeviation(t, model, o, p)
					if !(d.evaluator <= 4*sum) && !(d.evaluator <= 4*d.moves(t, sum)) {
						t.Errorf("seed %d, %v: off by %.2g times the sum of all %d roundings", seed, ops(model), d.evaluator/sum, rounded)
					}
					off := d.runtime(t, r)
					if o.Deterministic && slices.Contains(ops(model), "MaxPool") {
						// Its gradient compares values with their maximum. The CPU provider, which has
						// no kernel for some of them, takes out Casts to float16 and back, and then
						// rounds the maximum but not the values: none is equal.
						off = 0
					}
					if !(off <= 2*d.evaluator+0.01) && !(off <= 4*d.moves(t, sum)) {
						t.Errorf("seed %d, %v: ONNX Runtime is off by %.2g, the evaluator by %.2g", seed, ops(model), off, d.evaluator)
					}
					shares = append(shares, d.evaluator/sum)
				})
			}
			slices.Sort(shares)
			if median := shares[len(shares)/2]; !(median <= 0.25) {
				t.Errorf("the median deviation is %.2g times the sum of all roundings", median)
			}
		})
	}
}

// deviation is the largest relative deviation of a result of p from that of the same
// in double precision.
type deviation struct {
	exact     *Program
	p         *Program
	want, in  values
	started   values // of exact
	evaluator float64
}

func newDeviation(t *testing.T, model *onnx.Graph, o Options, p *Program) *deviation {
	t.Helper()
	d := &deviation{exact: must(Accumulate(model, o))(t), p: p, in: start(t, model, p)}
	d.started = start(t, model, d.exact)
	d.want = run(t, d.exact, d.started)
	if scale := d.in["loss_scale"]; scale != nil {
		scale.Data[0] = 1024
	}
	got := run(t, p, d.in)
	if finite := got["finite"]; finite != nil && finite.Data[0] != 1 {
		t.Error("the gradients are not finite")
	}
	d.evaluator = farthest(d.want, func(name string) []float64 { return got[name].Data })
	return d
}

// runtime is ONNX Runtime's deviation. With float16, where its CPU provider puts Casts
// around what it has no kernel for, it is the evaluator's or a few roundings; of
// bfloat16 it has few kernels (0 is returned), but finds no fault in the types.
func (d *deviation) runtime(t *testing.T, r *ort.Runtime) float64 {
	t.Helper()
	session, err := r.Open(d.p.Graph)
	if err != nil {
		if d.p.input("loss_scale") || !strings.Contains(err.Error(), "Could not find an implementation") {
			t.Error(err)
		}
		return 0
	}
	defer session.Close()
	single := runSingle(t, session, d.p, d.in)
	return farthest(d.want, func(name string) []float64 { return onnxeval.FromTensor(single[name]).Data })
}

// moves is how far the exact results move when images and weights do by a share of
// their size, in the worst of many ways.
func (d *deviation) moves(t *testing.T, share float64) float64 {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	most := 0.0
	for range 40 {
		moved := values{}
		for name, a := range d.started {
			moved[name] = a
			if name == "images" || strings.HasPrefix(name, "param:") {
				moved[name] = onnxeval.New(a.Shape...)
				for i, x := range a.Data {
					moved[name].Data[i] = x * (1 + share*(2*r.Float64()-1))
				}
			}
		}
		got := run(t, d.exact, moved)
		most = max(most, farthest(d.want, func(name string) []float64 { return got[name].Data }))
	}
	return most
}

func (p *Program) input(name string) bool {
	return slices.ContainsFunc(p.Graph.Inputs, func(v onnx.Value) bool { return v.Name == name })
}

func runSingle(t *testing.T, session *ort.Session, p *Program, in values) map[string]*onnx.Tensor {
	t.Helper()
	out := map[string]*onnx.Tensor{}
	var inputs, outputs []*onnx.Tensor
	for _, v := range p.Graph.Inputs {
		inputs = append(inputs, toTensor(in[v.Name], v))
	}
	for _, v := range p.Graph.Outputs {
		out[v.Name] = onnx.NewTensor(v.Type, v.Shape...)
		outputs = append(outputs, out[v.Name])
	}
	if err := session.Run(inputs, outputs); err != nil {
		t.Fatal(err)
	}
	return out
}

// farthest compares all results with those wanted.
func farthest(want values, got func(name string) []float64) float64 {
	largest, most := 0.0, 0.0
	for name, w := range want {
		if strings.HasPrefix(name, "acc:") {
			largest = max(largest, norm(w.Data))
		}
	}
	for name, w := range want {
		off := slices.Clone(w.Data)
		for i, x := range got(name) {
			off[i] -= x
		}
		scale := norm(w.Data)
		if strings.HasPrefix(name, "acc:") {
			scale += largest / 10
		}
		most = max(most, norm(off)/scale)
	}
	return most
}

// checkLowered compares a graph with the table: nothing is computed in the low type
// that should not be, inputs and outputs are as without one, and no value is cast
// twice, or back. It returns the number of operators that round.
func checkLowered(t *testing.T, p *Program, to onnx.DType) int {
	t.Helper()
	if err := onnx.Check(p.Graph); err != nil {
		t.Fatal(err)
	}
	for _, v := range slices.Concat(p.Graph.Inputs, p.Graph.Outputs) {
		if v.Type.Half() {
			t.Errorf("%q is %s", v.Name, v.Type)
		}
	}
	types := typesOf(t, p.Graph)
	casts, rounded := map[string]*onnx.Node{}, 0
	for _, n := range p.Graph.Nodes {
		r := ruleFor(n.FullOp(), to)
		if n.Op == "Cast" {
			key := n.Inputs[0] + " " + strconv.Itoa(n.Int("to", 0))
			if casts[key] != nil {
				t.Errorf("%q and %q are one cast", n.Name, casts[key].Name)
			}
			casts[key] = n
			if from := producer(p.Graph, n.Inputs[0]); from != nil && from.Op == "Cast" {
				t.Errorf("%q casts what %q has just cast", n.Name, from.Name)
			}
			continue
		}
		inLow := slices.ContainsFunc(n.Inputs, func(in string) bool { return types[in].Half() })
		if inLow && r.class == full {
			t.Errorf("%s %q is computed in %s", n.Op, n.Name, to)
		}
		if inLow && r.class != move && types[n.Outputs[0]].Half() {
			rounded++
		}
		if product := r.class == low; product && !inLow {
			t.Errorf("%s %q is computed in float32", n.Op, n.Name)
		}
	}
	return max(rounded, 1)
}

// typesOf are the types of a graph's values, by name.
func typesOf(t *testing.T, g *onnx.Graph) map[string]onnx.DType {
	t.Helper()
	b, bind := onnx.NewBuilder("types"), map[string]onnx.Value{}
	for _, in := range g.Inputs {
		bind[in.Name] = b.Input(in.Name, in.Type, in.Shape...)
	}
	b.Replay(g, bind)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	types := map[string]onnx.DType{}
	for _, n := range g.Nodes {
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			types[name] = b.Named(name).Type
		}
	}
	return types
}

// A constant that the low type does not have keeps what it meets in float32: an
// epsilon of 1e-9 would be a division by zero.
func TestConstantsThatFloat16DoesNotHave(t *testing.T) {
	for value, want := range map[float32]onnx.DType{0: onnx.Float16, 0.1: onnx.Float16, 1e-9: onnx.Float, 1e6: onnx.Float} {
		l := newLayers(2, 6)
		l.add("conv", "Conv", nil, l.weight("conv_w", 3, 2, 6, 6))
		constant := onnx.Floats([]float32{value}, 1)
		constant.Name = "constant"
		l.g.Initializers = append(l.g.Initializers, constant)
		model := l.add("moved", "Add", nil, "constant").graph(onnx.Batch, 3, 1, 1)
		p := must(Accumulate(model, options(2).in("float16")))(t)
		if got := typesOf(t, p.Graph)["moved"]; got != want {
			t.Errorf("what %v is added to is %s, want %s", value, got, want)
		}
	}
}

// What follows a low value is low, unless it meets one that is not.
func TestWhatFollowsInFloat16(t *testing.T) {
	for other, want := range map[string]onnx.DType{
		"Tanh":     onnx.Float16, // follows too
		"Softplus": onnx.Float16, // computed in float32, but its result goes on
		"Exp":      onnx.Float,
		"":         onnx.Float16, // a parameter in its place
	} {
		l := newLayers(2, 6)
		l.add("conv", "Conv", nil, l.weight("conv_w", 3, 2, 6, 6))
		with := l.weight("other", 3, 1, 1)
		if other != "" {
			with = l.add("other_of", other, nil).last
			l.last = "conv"
		}
		model := l.add("sum", "Add", nil, with).graph(onnx.Batch, 3, 1, 1)
		p := must(Accumulate(model, options(2).in("float16")))(t)
		if got := typesOf(t, p.Graph)["sum"]; got != want {
			t.Errorf("the sum with %q is %s, want %s", other, got, want)
		}
	}
}

// The squares of a normalisation are of float32, in its gradient too: those of 300
// are beyond float16.
func TestNormalisedLargeNumbersInFloat16(t *testing.T) {
	l := newLayers(2, 6)
	l.add("conv", "Conv", nil, l.tensor("conv_w", true, 100, 200, 4, 2, 6, 6))
	l.add("norm", "LRN", onnx.Attrs{"size": int64(3), "alpha": float32(0.1), "beta": float32(0.75)})
	l.add("flat", "Flatten", onnx.Attrs{"axis": int64(1)})
	model := l.add("fc", "Gemm", onnx.Attrs{"transB": int64(1)}, l.weight("fc_w", 3, 4)).graph(onnx.Batch, 3)
	p := must(Accumulate(model, options(2).in("float16")))(t)
	if off := newDeviation(t, model, options(2), p).evaluator; !(off < 0.01) {
		t.Errorf("off by %.2g", off)
	}
}

// Gradients that float16 does not have come through with a loss_scale; one that is
// too large is told.
func TestLossScale(t *testing.T) {
	model, o := small(), options(2)
	exact := must(Accumulate(model, o))(t)
	p := must(Accumulate(model, o.in("float16")))(t)
	const share = 1e-7 // of the loss that each sample has
	at := func(p *Program, scale float64) values {
		in := start(t, model, p)
		in["weights"].Data = []float64{share, share}
		if p == exact {
			return run(t, p, in)
		}
		in["loss_scale"].Data[0] = scale
		return run(t, p, in)
	}
	want := at(exact, 0)
	off := func(got values) float64 { return farthest(want, func(name string) []float64 { return got[name].Data }) }
	if lost := off(at(p, 1)); lost < 0.3 {
		t.Errorf("without a scale gradients of 1e-7 are off by %.2g alone: the test tests nothing", lost)
	}
	scaled := at(p, 65536)
	if kept := off(scaled); kept > 0.01 || scaled["finite"].Data[0] != 1 {
		t.Errorf("with a scale gradients of 1e-7 are off by %.2g, finite %v", kept, scaled["finite"].Data)
	}
	if got := at(p, 0x1p50); got["finite"].Data[0] != 0 {
		t.Errorf("a scale of 2^50 is told to be finite: %v", slices.Sorted(maps.Keys(got)))
	} else if math.Abs(got["loss"].Data[0]-scaled["loss"].Data[0]) != 0 {
		t.Error("the loss depends on the scale")
	}
}

// A mini-batch that leaves float16 on the way forward does not spoil the running
// statistics, from which the network would not recover.
func TestRunningStatisticsOfALostStep(t *testing.T) {
	model := normalised()
	p := must(Accumulate(model, normalisedOptions(2).in("float16")))(t)
	in := start(t, model, p)
	in["loss_scale"].Data[0] = 1
	moved := run(t, p, in)
	for i := range in["images"].Data {
		in["images"].Data[i] *= 1e5
	}
	lost := run(t, p, in)
	if moved["finite"].Data[0] != 1 || lost["finite"].Data[0] != 0 {
		t.Fatalf("finite %v, with large pictures %v", moved["finite"].Data, lost["finite"].Data)
	}
	for _, name := range []string{"param:bn_mean", "param:bn_var"} {
		if slices.Equal(moved[name+"'"].Data, in[name].Data) || !slices.Equal(lost[name+"'"].Data, in[name].Data) {
			t.Errorf("%s is %v, then %v; in a lost step %v", name, in[name].Data, moved[name+"'"].Data, lost[name+"'"].Data)
		}
	}
}

// Real networks in float16, as far as the CPU provider rounds: the loss of the first
// step and the norms of its gradients are PyTorch's in float64. A value that is off by
// u of its size changes sides of a Relu, or loses a MaxPool, with about the
// probability u, and a gradient that goes another way in a share u of its elements is
// off by √u: 2.2 %. That is allowed for the median.
func TestGoldenFirstStepInFloat16(t *testing.T) {
	r := orttest.New(t, 2)
	for i, c := range goldenNetworks {
		t.Run(c.name, func(t *testing.T) {
			if i > 0 {
				testenv.Full(t, "SqueezeNet's first step in float16")
			}
			g, model := loadGolden(t, c.name, c.file)
			c.weights(model)
			p := must(Accumulate(model, g.options().in("float16")))(t)
			checkLowered(t, p, onnx.Float16)
			in := g.tensors(model, p)
			fillWith(in["loss_scale"], 256)
			m := newMachine(t, r, p, in)
			defer m.session.Close()
			loss := m.step(t)
			if off := math.Abs(loss-g.Losses[0]) / g.Losses[0]; !(off <= 1e-3) {
				t.Errorf("the loss is %v, want %v", loss, g.Losses[0])
			}
			if finite := m.out["finite"].Data.([]bool); !finite[0] {
				t.Error("the gradients are not finite")
			}
			var offs []float64
			for name, want := range g.GradientNorms {
				offs = append(offs, math.Abs(norm(m.in["acc:"+name].F32())-want)/want)
			}
			slices.Sort(offs)
			if median := offs[len(offs)/2]; !(median <= math.Sqrt(onnx.Float16.Roundoff())) {
				t.Errorf("the median gradient's norm is off by %.2g", median)
			}
			t.Logf("loss %.6g, want %.6g; gradients' norms off by %.2g in the median, %.2g at most", loss, g.Losses[0], offs[len(offs)/2], offs[len(offs)-1])
		})
	}
}
