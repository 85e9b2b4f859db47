package optim

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

const seed = 11

// hyper are the numbers of one case.
type hyper struct{ rate, momentum, decay float64 }

// plain is each rule as its formula says, for one element.
var plain = map[string]func(h hyper, w, v, g float64) (w2, v2 float64){
	"sgd": func(h hyper, w, v, g float64) (float64, float64) {
		v2 := h.momentum*v + h.rate*(g+h.decay*w)
		return w - v2, v2
	},
	"nesterov": func(h hyper, w, v, g float64) (float64, float64) {
		v2 := h.momentum*v + h.rate*(g+h.decay*w)
		return w - ((1+h.momentum)*v2 - h.momentum*v), v2
	},
}

// TestRulesFollowTheirFormulas takes a few steps with each rule, once with a
// gradient as it comes and once with one that a Gemm makes, and compares with
// the formula element by element.
func TestRulesFollowTheirFormulas(t *testing.T) {
	cases := map[string]hyper{
		"all":           {0.1, 0.9, 0.01},
		"no decay":      {0.1, 0.9, 0},
		"no momentum":   {0.1, 0, 0.01},
		"plain descent": {0.1, 0, 0},
	}
	for _, name := range Names() {
		for variant, h := range cases {
			t.Run(name+"/"+variant, func(t *testing.T) { checkRule(t, name, h, false) })
			t.Run(name+"/"+variant+"/product", func(t *testing.T) { checkRule(t, name, h, true) })
		}
	}
}

func checkRule(t *testing.T, name string, h hyper, product bool) {
	t.Helper()
	formula, ok := plain[name]
	if !ok {
		t.Fatalf("no formula to compare %s with", name)
	}
	g := ruleGraph(t, name, h, product)
	r := rand.New(rand.NewPCG(seed, 0))
	w, v := random(r, 3, 4), onnxeval.New(3, 4)
	for step := range 3 {
		a, b := random(r, 2, 3), random(r, 2, 4)
		in := map[string]*onnxeval.Array{"w": w, "v": v, "a": a, "b": b, "rate": {Shape: []int{}, Data: []float64{h.rate}}}
		out, err := onnxeval.Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Data {
			gradient := a.Data[i/4]*b.Data[i%4] + a.Data[3+i/4]*b.Data[4+i%4]
			wantW, wantV := formula(h, w.Data[i], v.Data[i], gradient)
			// Constants are float32: 1e-7 of their value.
			if math.Abs(out["w2"].Data[i]-wantW) > 1e-6 || math.Abs(out["v2"].Data[i]-wantV) > 1e-6 {
				t.Fatalf("step %d (seed %d): element %d becomes %v, %v, want %v, %v", step, seed, i, out["w2"].Data[i], out["v2"].Data[i], wantW, wantV)
			}
		}
		w, v = out["w2"], out["v2"]
	}
}

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
	w, v := b.Input("w", onnx.Float, 3, 4), b.Input("v", onnx.Float, 3, 4)
	rate := b.Input("rate", onnx.Float)
	g := b.Op("Gemm", onnx.Attrs{"transA": int64(1)}, x, y)
	if !product {
		g = b.Op("Identity", nil, g)
	}
	w2, state := rule.Update(&Step{Builder: b, Param: w, Gradient: g, State: []onnx.Value{v}, Rate: rate, Momentum: h.momentum, Decay: h.decay})
	b.Output("w2", w2)
	b.Output("v2", state[0])
	graph, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph
}

func random(r *rand.Rand, shape ...int) *onnxeval.Array {
	a := onnxeval.New(shape...)
	for i := range a.Data {
		a.Data[i] = r.NormFloat64()
	}
	return a
}

func TestUnknownOptimizer(t *testing.T) {
	_, err := Lookup("adagrad")
	var unknown *UnknownError
	if !errors.As(err, &unknown) || unknown.ExitCode() != 2 {
		t.Fatalf("got %v, want an UnknownError", err)
	}
	if !strings.Contains(err.Error(), "adagrad") || !strings.Contains(unknown.Hint(), "nesterov, sgd") {
		t.Errorf("%q, %q: does not name what was asked for and what there is", err, unknown.Hint())
	}
}
