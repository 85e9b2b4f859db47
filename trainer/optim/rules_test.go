package optim

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/ort/orttest"
)

const seed = 11

// hyper are the numbers of one case.
type hyper struct {
	rate, momentum, decay float64
	Hyper
}

var others = Hyper{Beta1: 0.8, Beta2: 0.95, Epsilon: 0.01, RMSDecay: 0.7, Trust: 0.02}

// moment is one parameter as a rule sees it: all elements of the weights, the
// gradient and the kept tensors, and the number of the update.
type moment struct {
	hyper
	w, g []float64
	kept [][]float64
	t    int
}

// plain is each rule as its formula is published, in double precision; it
// changes w and kept in place. The gradient comes with coupled decay in it.
var plain = map[string]func(m *moment){
	"sgd": func(m *moment) {
		for i := range m.w {
			m.kept[0][i] = m.momentum*m.kept[0][i] + m.rate*m.g[i]
			m.w[i] -= m.kept[0][i]
		}
	},
	"nesterov": func(m *moment) {
		for i := range m.w {
			before := m.kept[0][i]
			m.kept[0][i] = m.momentum*before + m.rate*m.g[i]
			m.w[i] -= (1+m.momentum)*m.kept[0][i] - m.momentum*before
		}
	},
	"sgd_pytorch": func(m *moment) {
		for i := range m.w {
			m.kept[0][i] = m.momentum*m.kept[0][i] + m.g[i]
			m.w[i] -= m.rate * m.kept[0][i]
		}
	},
	"adam":  kingmaBa,
	"adamw": kingmaBa,
	"rmsprop": func(m *moment) {
		for i := range m.w {
			m.kept[0][i] = m.RMSDecay*m.kept[0][i] + (1-m.RMSDecay)*m.g[i]*m.g[i]
			m.kept[1][i] = m.momentum*m.kept[1][i] + m.g[i]/(math.Sqrt(m.kept[0][i])+m.Epsilon)
			m.w[i] -= m.rate * m.kept[1][i]
		}
	},
	"lars": func(m *moment) {
		bare := make([]float64, len(m.g)) // the paper's gradient, without decay
		for i := range bare {
			bare[i] = m.g[i] - m.decay*m.w[i]
		}
		local := m.Trust * length(m.w) / (length(bare) + m.decay*length(m.w))
		if length(m.w) == 0 || length(bare) == 0 {
			local = 1
		}
		for i := range m.w {
			m.kept[0][i] = m.momentum*m.kept[0][i] + m.rate*local*m.g[i]
			m.w[i] -= m.kept[0][i]
		}
	},
}

func kingmaBa(m *moment) {
	for i := range m.w {
		m.kept[0][i] = m.Beta1*m.kept[0][i] + (1-m.Beta1)*m.g[i]
		m.kept[1][i] = m.Beta2*m.kept[1][i] + (1-m.Beta2)*m.g[i]*m.g[i]
		mean := m.kept[0][i] / (1 - math.Pow(m.Beta1, float64(m.t)))
		square := m.kept[1][i] / (1 - math.Pow(m.Beta2, float64(m.t)))
		m.w[i] -= m.rate * mean / (math.Sqrt(square) + m.Epsilon)
	}
}

func length(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x * x
	}
	return math.Sqrt(sum)
}

// follow takes one step with the formula, decay included.
func (m *moment) follow(name string) {
	shrink := make([]float64, len(m.w))
	if name == "adamw" || m.Decoupled {
		for i, w := range m.w {
			shrink[i] = m.rate * m.decay * w
		}
		m.decay = 0
	}
	for i, w := range m.w {
		m.g[i] += m.decay * w
	}
	plain[name](m)
	for i := range m.w {
		m.w[i] -= shrink[i]
	}
}

func cases() map[string]hyper {
	apart := others
	apart.Decoupled = true
	return map[string]hyper{
		"all":             {0.1, 0.9, 0.01, others},
		"no decay":        {0.1, 0.9, 0, others},
		"no momentum":     {0.1, 0, 0.01, others},
		"plain descent":   {0.1, 0, 0, others},
		"decoupled decay": {0.1, 0.9, 0.3, apart},
	}
}

// TestRulesFollowTheirFormulas takes a few steps with each rule, once with a
// gradient as it comes and once with one that a Gemm makes, and compares with
// the formula element by element.
func TestRulesFollowTheirFormulas(t *testing.T) {
	for _, name := range Names() {
		if plain[name] == nil {
			t.Errorf("no formula to compare %s with", name)
			continue
		}
		for variant, h := range cases() {
			for _, product := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", name, variant, product), func(t *testing.T) {
					// Constants are float32: 1e-7 of their value.
					checkRule(t, name, h, product, 1e-6, onnxeval.Run)
				})
			}
		}
	}
}

// The same through ONNX Runtime, in single precision.
func TestRuntimeFollowsTheFormulas(t *testing.T) {
	rt := orttest.New(t, 1)
	for _, name := range Names() {
		for variant, h := range cases() {
			t.Run(name+"/"+variant, func(t *testing.T) {
				g := ruleGraph(t, name, h, true)
				s, err := rt.Open(g)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				checkRule(t, name, h, true, 2e-5, func(_ *onnx.Graph, in map[string]*onnxeval.Array) (map[string]*onnxeval.Array, error) {
					inputs, outputs := make([]*onnx.Tensor, len(g.Inputs)), make([]*onnx.Tensor, len(g.Outputs))
					for i, v := range g.Inputs {
						inputs[i] = onnx.NewTensor(onnx.Float, v.Shape...)
						for k, x := range in[v.Name].Data {
							inputs[i].F32()[k] = float32(x)
						}
					}
					for i, v := range g.Outputs {
						outputs[i] = onnx.NewTensor(onnx.Float, v.Shape...)
					}
					err := s.Run(inputs, outputs)
					out := map[string]*onnxeval.Array{}
					for i, v := range g.Outputs {
						out[v.Name] = onnxeval.FromTensor(outputs[i])
					}
					return out, err
				})
			})
		}
	}
}

type runner func(*onnx.Graph, map[string]*onnxeval.Array) (map[string]*onnxeval.Array, error)

func checkRule(t *testing.T, name string, h hyper, product bool, tolerance float64, run runner) {
	t.Helper()
	rule, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	g := ruleGraph(t, name, h, product)
	r := rand.New(rand.NewPCG(seed, 0))
	w := random(r, 3, 4)
	if name == "lars" && h.momentum == 0 {
		w = onnxeval.New(3, 4) // biases start at zero
	}
	kept := make([]*onnxeval.Array, len(rule.State))
	want := &moment{w: slices.Clone(w.Data)}
	for i := range kept {
		kept[i] = onnxeval.New(3, 4)
		want.kept = append(want.kept, make([]float64, 12))
	}
	for step := 1; step <= 5; step++ {
		rate := h.rate / float64(step) // the forms of momentum differ where the rate changes
		a, b := random(r, 2, 3), random(r, 2, 4)
		in := map[string]*onnxeval.Array{"w": w, "a": a, "b": b, "rate": scalar(rate)}
		for i, k := range kept {
			in[rule.State[i]] = k
		}
		for _, s := range rule.Scalars {
			in[s.Name] = scalar(s.At(h.Hyper, step))
		}
		out, err := run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		want.hyper, want.t, want.g = h, step, gradient(a, b)
		want.rate = rate
		want.follow(name)
		compare(t, fmt.Sprintf("w after step %d (seed %d)", step, seed), out["w'"].Data, want.w, tolerance)
		w = out["w'"]
		for i, s := range rule.State {
			compare(t, fmt.Sprintf("%s after step %d (seed %d)", s, step, seed), out[s+"'"].Data, want.kept[i], tolerance)
			kept[i] = out[s+"'"]
		}
	}
}

func compare(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// gradient is aᵀ·b.
func gradient(a, b *onnxeval.Array) []float64 {
	g := make([]float64, 12)
	for i := range g {
		g[i] = a.Data[i/4]*b.Data[i%4] + a.Data[3+i/4]*b.Data[4+i%4]
	}
	return g
}

func scalar(x float64) *onnxeval.Array { return &onnxeval.Array{Shape: []int{}, Data: []float64{x}} }

// ruleGraph is one update of a 3×4 matrix whose gradient is aᵀ·b; without
// product the Gemm is hidden from the rule.
func ruleGraph(t *testing.T, name string, h hyper, product bool) *onnx.Graph {
	t.Helper()
	rule, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	b := onnx.NewBuilder(name)
	x, y := b.Input("a", onnx.Float, 2, 3), b.Input("b", onnx.Float, 2, 4)
	s := &Step{Builder: b, Param: b.Input("w", onnx.Float, 3, 4), Rate: b.Input("rate", onnx.Float), Momentum: h.momentum, Decay: h.decay, Hyper: h.Hyper}
	for _, kind := range rule.State {
		s.State = append(s.State, b.Input(kind, onnx.Float, 3, 4))
	}
	for _, sc := range rule.Scalars {
		s.Scalars = append(s.Scalars, b.Input(sc.Name, onnx.Float))
	}
	s.Gradient = b.Op("Gemm", onnx.Attrs{"transA": int64(1)}, x, y)
	if !product {
		s.Gradient = b.Op("Identity", nil, s.Gradient)
	}
	w, state := rule.Update(s)
	b.Output("w'", w)
	for i, kind := range rule.State {
		b.Output(kind+"'", state[i])
	}
	graph, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph
}

func random(r *rand.Rand, shape ...int) *onnxeval.Array {
	a := onnxeval.New(shape...)
	for i := range a.Data {
		a.Data[i] = float64(float32(r.NormFloat64()))
	}
	return a
}

// 1 - beta^t keeps its digits where beta is just below 1, and is 1 for beta 0.
func TestBiasCorrection(t *testing.T) {
	for _, c := range []struct {
		beta float64
		t    int
		want float64
	}{{0.999, 1, 0.001}, {0.5, 3, 0.875}, {0, 1, 1}, {0, 7, 1}, {0.9, 1000000, 1}} {
		if got := remains(c.beta, c.t); math.Abs(got-c.want) > 1e-12*c.want {
			t.Errorf("1 - %v^%d is %v, want %v", c.beta, c.t, got, c.want)
		}
	}
}

func TestRulesRefuseNumbersTheyCannotWorkWith(t *testing.T) {
	for name, bad := range map[string][]func(*Hyper){
		"adam":    {func(h *Hyper) { h.Beta1 = 1 }, func(h *Hyper) { h.Beta2 = -0.1 }, func(h *Hyper) { h.Epsilon = 0 }},
		"adamw":   {func(h *Hyper) { h.Beta2 = math.NaN() }},
		"rmsprop": {func(h *Hyper) { h.RMSDecay = 1 }, func(h *Hyper) { h.Epsilon = -1 }},
		"lars":    {func(h *Hyper) { h.Trust = 0 }},
	} {
		rule, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := rule.Check(others); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i, change := range bad {
			h := others
			change(&h)
			if rule.Check(h) == nil {
				t.Errorf("%s, case %d: %+v is accepted", name, i, h)
			}
		}
	}
	if rule, _ := Lookup("sgd"); rule.Check(Hyper{}) != nil {
		t.Error("sgd needs none of them")
	}
}

func TestUnknownOptimizer(t *testing.T) {
	_, err := Lookup("adagrad")
	var unknown *UnknownError
	if !errors.As(err, &unknown) || unknown.ExitCode() != 2 {
		t.Fatalf("got %v, want an UnknownError", err)
	}
	if !strings.Contains(err.Error(), "adagrad") || !strings.Contains(unknown.Hint(), "nesterov, rmsprop, sgd") {
		t.Errorf("%q, %q: does not name what was asked for and what there is", err, unknown.Hint())
	}
}
