package compile

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// golden is a training run that was made with PyTorch, in float64 and, to show
// how far rounding alone moves it, in float32.
type golden struct {
	Losses        []float64          `json:"losses"`
	GradientNorms map[string]float64 `json:"first_step_gradient_norms"`
	FinalNorms    map[string]float64 `json:"final_parameter_norms"`
	Float32       struct {
		Losses        []float64          `json:"losses"`
		GradientNorms map[string]float64 `json:"first_step_gradient_norms"`
	} `json:"pytorch_float32"`
	Settings struct {
		Batch        int                `json:"batch"`
		Size         int                `json:"size"`
		Steps        int                `json:"steps"`
		LearningRate float64            `json:"learning_rate"`
		Decay        float64            `json:"weight_decay"`
		Momentum     float64            `json:"momentum"`
		Classes      int                `json:"classes"`
		Multipliers  map[string]float64 `json:"lr_mult"`
		InputScale   float64            `json:"input_scale"`
		Logits       string             `json:"logits"`
	} `json:"settings"`
}

// hashed is the k-th value of the formula that inputs and weights are made by.
func hashed(k, seed int, scale float64) float32 {
	h := uint32(k)*2654435761 + uint32(seed)*40503 + 12345
	h ^= h >> 15
	h *= 2246822519
	h ^= h >> 13
	h *= 3266489917
	h ^= h >> 16
	return float32((2*float64(h)/(1<<32) - 1) * scale)
}

func fillHashed(t *onnx.Tensor, seed int, scale float64) {
	for k := range t.F32() {
		t.F32()[k] = hashed(k, seed, scale)
	}
}

func loadGolden(t testing.TB, name, file string) (golden, *onnx.Graph) {
	t.Helper()
	text, err := os.ReadFile(testenv.Data(t, "golden", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	model, err := onnximport.Load(testenv.Data(t, "models", file))
	if err != nil {
		t.Fatal(err)
	}
	return g, model
}

// numbered calls f with every weight and running statistic and its number: 1, 2, ... in
// the order in which the nodes first use them.
func numbered(g *onnx.Graph, f func(t *onnx.Tensor, number int)) {
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			if t := g.Initializer(in); t != nil && t.Type == onnx.Float && len(t.Shape) > 0 && !seen[in] {
				seen[in] = true
				f(t, len(seen))
			}
		}
	}
}

// lightWeights gives a network whose file has no weights those of the formula:
// matrices and kernels scaled by their fan-in, scales 1, other vectors 0.
func lightWeights(g *onnx.Graph) {
	scales := map[string]bool{}
	for _, n := range g.Nodes {
		if n.Op == "BatchNormalization" {
			scales[n.Inputs[1]] = true
		}
	}
	numbered(g, func(t *onnx.Tensor, number int) {
		switch {
		case len(t.Shape) >= 2:
			t.Data = make([]float32, onnx.NumElements(t.Shape))
			scale := float32(math.Sqrt(6 / float64(onnx.NumElements(t.Shape[1:]))))
			fillHashed(t, number, float64(scale))
		case scales[t.Name]:
			t.Data = slices.Repeat([]float32{1}, t.Shape[0])
		case t.Param:
			t.Data = make([]float32, t.Shape[0])
		}
	})
}

// hymenopteraHead gives SqueezeNet two outputs.
func hymenopteraHead(g *onnx.Graph) {
	numbered(g, func(t *onnx.Tensor, number int) {
		switch t.Name {
		case "conv10_w_0":
			t.Shape, t.Data = []int{2, 512, 1, 1}, make([]float32, 2*512)
			fillHashed(t, number, 0.02)
		case "conv10_b_0":
			t.Shape, t.Data = []int{2}, make([]float32, 2)
		}
	})
}

func (g golden) options() Options {
	s := g.Settings
	o := Options{
		Batch: s.Batch, Channels: 3, Height: s.Size, Width: s.Size, FloatInput: true,
		Momentum: s.Momentum, Decay: s.Decay, Rates: map[string]Rates{},
	}
	for name, m := range s.Multipliers {
		o.Rates[name] = Rates{LR: m, Decay: 1}
	}
	return o
}

// tensors are what a program starts from: the formula's pictures, the labels in
// turn, the model's weights. Dropout is off.
func (g golden) tensors(model *onnx.Graph, p *Program) map[string]*onnx.Tensor {
	in := map[string]*onnx.Tensor{}
	for _, v := range p.Graph.Inputs {
		in[v.Name] = onnx.NewTensor(v.Type, v.Shape...)
		if strings.HasPrefix(v.Name, "mask:") {
			fillWith(in[v.Name], 1)
		}
	}
	fillHashed(in["images"], 1000, g.Settings.InputScale)
	fillWith(in["weights"], 1/float32(g.Settings.Batch))
	for k := range g.Settings.Batch {
		in["labels"].I64()[k] = int64(3 * k % g.Settings.Classes)
	}
	if rate := in["learning_rate"]; rate != nil {
		fillWith(rate, float32(g.Settings.LearningRate))
	}
	for _, s := range p.State {
		if !s.Zero {
			copy(in[s.Name].F32(), model.Initializer(s.Param).F32())
		}
	}
	return in
}

// withoutDropout is the network with Dropout off, whose masks of bits no ones can
// switch off.
func withoutDropout(model *onnx.Graph) *onnx.Graph {
	g := model.Clone()
	for _, n := range g.Nodes {
		if n.Op == "Dropout" {
			n.Op, n.Inputs, n.Attrs = "Identity", n.Inputs[:1], nil
		}
	}
	return g
}

func fillWith(t *onnx.Tensor, x float32) {
	for i := range t.F32() {
		t.F32()[i] = x
	}
}

// machine runs a program again and again, its new state becoming the old.
type machine struct {
	p       *Program
	session *ort.Session
	in, out map[string]*onnx.Tensor
}

func newMachine(t testing.TB, r *ort.Runtime, p *Program, in map[string]*onnx.Tensor) *machine {
	t.Helper()
	s, err := r.Open(p.Graph)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{p: p, session: s, in: in, out: map[string]*onnx.Tensor{}}
	shareBlocks(p, in)
	for _, v := range p.Graph.Outputs {
		if old, ok := p.Graph.InPlace[v.Name]; ok {
			m.out[v.Name] = &onnx.Tensor{Name: v.Name, Type: v.Type, Shape: v.Shape, Data: in[old[0]].Data}
		} else {
			m.out[v.Name] = onnx.NewTensor(v.Type, v.Shape...)
		}
	}
	return m
}

// shareBlocks makes the tensors of blocks parts of those of their slots.
func shareBlocks(p *Program, in map[string]*onnx.Tensor) {
	for _, s := range p.State {
		if s.Blocks() > 0 && in[s.Name] == nil {
			in[s.Name] = onnx.NewTensor(onnx.Float, s.Shape...)
		}
		for i := range s.Blocks() {
			in[BlockName(s.Name, i)] = s.View(in[s.Name], i)
		}
	}
}

// step returns the loss before the update, where the program has one.
func (m *machine) step(t testing.TB) float64 {
	t.Helper()
	var in, out []*onnx.Tensor
	for _, v := range m.p.Graph.Inputs {
		in = append(in, m.in[v.Name])
	}
	for _, v := range m.p.Graph.Outputs {
		out = append(out, m.out[v.Name])
	}
	if err := m.session.Run(in, out); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.p.State {
		if s.Updated && !s.InPlace {
			in, out := m.in[s.Name], m.out[s.Name+"'"]
			in.Data, out.Data = out.Data, in.Data
		}
	}
	if m.out["loss"] == nil {
		return 0
	}
	return float64(m.out["loss"].F32()[0])
}

func norm[T float32 | float64](xs []T) float64 {
	var sum float64
	for _, x := range xs {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// goldenNetworks are those of the reference runs.
var goldenNetworks = []struct {
	name, file string
	weights    func(g *onnx.Graph)
	steps      int // of its run in the daily tier
}{
	{"squeezenet_hymenoptera_head", "squeezenet1.1-7.onnx", hymenopteraHead, 20},
	{"light_bvlc_alexnet", "light_bvlc_alexnet.onnx", lightWeights, 8},
	{"light_resnet50", "light_resnet50.onnx", lightWeights, 3},
}

// TestGoldenRuns repeats PyTorch's training runs through ONNX Runtime in float32: the
// gradients of the first step, the losses, and the norms of the weights at the end. The
// short tier takes two steps of the first.
func TestGoldenRuns(t *testing.T) {
	r := orttest.New(t, 2)
	for i, c := range goldenNetworks {
		t.Run(c.name, func(t *testing.T) {
			if i > 0 {
				testenv.Daily(t)
			}
			g, model := loadGolden(t, c.name, c.file)
			c.weights(model)
			checkGradientNorms(t, r, g, model, g.options())
			if o := g.options(); c.name != "light_bvlc_alexnet" && !testing.Short() { // its convolutions are those of the others
				o.Target, o.Deterministic = CUDA, true
				checkGradientNorms(t, r, g, withoutDropout(model), o)
			}
			checkRun(t, r, g, model, loadSpread(t, c.name), testenv.Size(2, c.steps, g.Settings.Steps))
		})
	}
}

// checkGradientNorms compares the deviations of all parameters' gradients in
// the first step with PyTorch's: the median, where chance plays no part, and
// the largest.
func checkGradientNorms(t *testing.T, r *ort.Runtime, g golden, model *onnx.Graph, o Options) {
	t.Helper()
	p := must(Accumulate(model, o))(t)
	m := newMachine(t, r, p, g.tensors(model, p))
	defer m.session.Close()
	m.step(t)
	var ours, theirs []float64
	for name, want := range g.GradientNorms {
		sum := m.in["acc:"+name]
		if sum == nil {
			t.Fatalf("there is no gradient by %s", name)
		}
		ours = append(ours, math.Abs(norm(sum.F32())-want)/want)
		theirs = append(theirs, math.Abs(g.Float32.GradientNorms[name]-want)/want)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	for _, at := range []int{len(ours) / 2, len(ours) - 1} {
		if !(ours[at] <= max(3*theirs[at], 3e-4)) {
			t.Errorf("of %d gradients' deviations, number %d is %.2g, PyTorch's is %.2g", len(ours), at, ours[at], theirs[at])
		}
	}
}

// checkRun trains for so many steps. After the last one, the weights' norms have to be
// the reference's, as far as the losses are.
func checkRun(t *testing.T, r *ort.Runtime, g golden, model *onnx.Graph, s spread, steps int) {
	t.Helper()
	p := must(Train(model, g.options()))(t)
	m := newMachine(t, r, p, g.tensors(model, p))
	defer m.session.Close()
	allowed := s.allowed()
	for i, want := range g.Losses[:steps] {
		got := m.step(t)
		if off := math.Abs(got-want) / want; !(off <= allowed[i]) {
			t.Errorf("loss of step %d is %.6f, want %.6f (off by %.2g, allowed %.2g)", i, got, want, off, allowed[i])
		}
	}
	if steps < g.Settings.Steps {
		return
	}
	for name, want := range g.FinalNorms {
		// Biases start at zero and have hardly moved: 2e-5 is 1% of an update.
		got := norm(m.in["param:"+name].F32())
		if !(math.Abs(got-want) <= allowed[steps-1]*want+2e-5) {
			t.Errorf("%s ends with norm %.8g, want %.8g (allowed %.2g)", name, got, want, allowed[steps-1])
		}
	}
}

// TestGoldenFirstStep takes the first step in float64, where nothing but the
// formulas can make a difference.
func TestGoldenFirstStep(t *testing.T) {
	testenv.Daily(t)
	for i, c := range goldenNetworks {
		t.Run(c.name, func(t *testing.T) {
			if i > 0 { // half a minute, and minutes
				testenv.Full(t, "SqueezeNet's first step")
			}
			g, model := loadGolden(t, c.name, c.file)
			c.weights(model)
			firstStep(t, g, model)
		})
	}
}

func firstStep(t *testing.T, g golden, model *onnx.Graph) {
	t.Helper()
	p := must(Accumulate(model, g.options()))(t)
	in := values{}
	for name, tensor := range g.tensors(model, p) {
		in[name] = onnxeval.FromTensor(tensor)
	}
	out := run(t, p, in)
	if got, want := out["loss"].Data[0], g.Losses[0]; math.Abs(got-want) > 1e-9*want {
		t.Errorf("loss %.12g, want %.12g", got, want)
	}
	for name, want := range g.GradientNorms {
		if got := norm(out["acc:"+name+"'"].Data); math.Abs(got-want) > 1e-9*want {
			t.Errorf("gradient by %s has norm %.10g, want %.10g", name, got, want)
		}
	}
}
