package compile

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/autodiff"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/ort/orttest"
)

const seed = 7

// Small networks are written as the importer leaves them: the batch open,
// weights as parameters.
type layers struct {
	g    *onnx.Graph
	last string
	r    *rand.Rand
}

func newLayers(channels, size int) *layers {
	in := onnx.Value{Name: "data", Type: onnx.Float, Shape: []int{onnx.Batch, channels, size, size}}
	return &layers{
		g:    &onnx.Graph{Name: "small", Inputs: []onnx.Value{in}, Metadata: map[string]string{}},
		last: "data", r: rand.New(rand.NewPCG(seed, 0)),
	}
}

func (l *layers) tensor(name string, param bool, low, high float64, shape ...int) string {
	t := onnx.NewTensor(onnx.Float, shape...)
	t.Name, t.Param = name, param
	for i := range t.F32() {
		t.F32()[i] = float32(low + (high-low)*l.r.Float64())
	}
	l.g.Initializers = append(l.g.Initializers, t)
	return name
}

func (l *layers) weight(name string, shape ...int) string {
	return l.tensor(name, true, -0.5, 0.5, shape...)
}

func (l *layers) add(name, op string, attrs onnx.Attrs, more ...string) *layers {
	l.g.Nodes = append(l.g.Nodes, &onnx.Node{
		Name: name, Op: op, Attrs: attrs, Inputs: append([]string{l.last}, more...), Outputs: []string{name},
	})
	l.last = name
	return l
}

func (l *layers) graph(shape ...int) *onnx.Graph {
	l.g.Outputs = []onnx.Value{{Name: l.last, Type: onnx.Float, Shape: shape}}
	return l.g
}

// small is a classifier with one of everything that training treats specially.
func small() *onnx.Graph {
	l := newLayers(2, 6)
	l.add("conv1", "Conv", onnx.Attrs{"pads": []int64{1, 1, 1, 1}}, l.weight("conv1_w", 4, 2, 3, 3), l.weight("conv1_b", 4))
	l.add("relu1", "Relu", nil)
	l.add("pool1", "MaxPool", onnx.Attrs{"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}})
	l.add("flat", "Flatten", onnx.Attrs{"axis": int64(1)})
	l.add("drop", "Dropout", nil)
	l.add("fc", "Gemm", onnx.Attrs{"transB": int64(1)}, l.weight("fc_w", 3, 16), l.weight("fc_b", 3))
	return l.add("prob", "Softmax", onnx.Attrs{"axis": int64(1)}).graph(onnx.Batch, 3)
}

// normalised is a classifier with a BatchNormalization.
func normalised() *onnx.Graph {
	l := newLayers(2, 4)
	l.add("conv", "Conv", nil, l.weight("conv_w", 3, 2, 2, 2))
	l.add("bn", "BatchNormalization", onnx.Attrs{"momentum": float32(0.75)},
		l.weight("bn_s", 3), l.weight("bn_b", 3), l.tensor("bn_mean", false, -1, 1, 3), l.tensor("bn_var", false, 0.5, 1, 3))
	l.add("relu", "Relu", nil)
	l.add("score", "Conv", nil, l.weight("score_w", 3, 3, 1, 1), l.weight("score_b", 3))
	return l.add("pool", "GlobalAveragePool", nil).graph(onnx.Batch, 3, 1, 1)
}

func options(batch int) Options {
	return Options{Batch: batch, Channels: 2, Height: 6, Width: 6, Classes: 3, Momentum: 0.9, Decay: 0.01, FloatInput: true}
}

func normalisedOptions(batch int) Options {
	o := options(batch)
	o.Height, o.Width = 4, 4
	return o
}

// values are the inputs of a program and, after run, its outputs.
type values map[string]*onnxeval.Array

// start fills in everything that a program takes: random pictures, labels in
// turn, equal shares, masks of ones, the model's weights, zeros.
func start(t *testing.T, model *onnx.Graph, p *Program) values {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	v := values{}
	for _, in := range p.Graph.Inputs {
		a := onnxeval.New(in.Shape...)
		for i := range a.Data {
			switch {
			case in.Name == "images":
				a.Data[i] = float64(float32(r.Float64()*4 - 2))
			case in.Name == "labels":
				a.Data[i] = float64(i % 3)
			case in.Name == "weights":
				a.Data[i] = 1 / float64(in.Shape[0])
			case in.Name == "learning_rate":
				a.Data[i] = 0.1
			case strings.HasPrefix(in.Name, "mask:") && in.Type == onnx.Uint8:
				a.Data[i] = 255
			case strings.HasPrefix(in.Name, "mask:"):
				a.Data[i] = 1
			}
		}
		v[in.Name] = a
	}
	for _, s := range p.State {
		if !s.Zero {
			v[s.Name] = onnxeval.FromTensor(model.Initializer(s.Param))
		}
	}
	return v
}

func run(t *testing.T, p *Program, in values) values {
	t.Helper()
	used := values{}
	for _, i := range p.Graph.Inputs {
		used[i.Name] = in[i.Name]
	}
	out, err := onnxeval.Run(p.Graph, used)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func must(p *Program, err error) func(t *testing.T) *Program {
	return func(t *testing.T) *Program {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func near(a, b []float64, tolerance float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= tolerance*max(1, math.Abs(y)) })
}

// slice is a batch's elements from..to along the first dimension.
func (v values) slice(name string, from, to int) *onnxeval.Array {
	a := v[name]
	row := len(a.Data) / a.Shape[0]
	return &onnxeval.Array{Shape: append([]int{to - from}, a.Shape[1:]...), Data: a.Data[from*row : to*row], Type: a.Type}
}

func TestInputsAndOutputsAreInTheDocumentedOrder(t *testing.T) {
	p := must(Train(small(), options(2)))(t)
	var in, out []string
	for _, v := range p.Graph.Inputs {
		in = append(in, v.Name)
	}
	for _, v := range p.Graph.Outputs {
		out = append(out, v.Name)
	}
	wantIn := "images labels weights learning_rate mask:drop param:conv1_w param:conv1_b param:fc_w param:fc_b " +
		"velocity:conv1_w velocity:conv1_b velocity:fc_w velocity:fc_b"
	wantOut := "loss param:conv1_w' param:conv1_b' param:fc_w' param:fc_b' velocity:conv1_w' velocity:conv1_b' velocity:fc_w' velocity:fc_b'"
	if got := strings.Join(in, " "); got != wantIn {
		t.Errorf("inputs\n%s\nwant\n%s", got, wantIn)
	}
	if got := strings.Join(out, " "); got != wantOut {
		t.Errorf("outputs\n%s\nwant\n%s", got, wantOut)
	}
	if m := p.Masks; len(m) != 1 || m[0].Ratio != 0.5 || !slices.Equal(m[0].Shape, []int{2, 16}) {
		t.Errorf("masks %v, want one of ratio 0.5 and shape [2 16]", m)
	}
}

// The loss is the mean of -log softmax(scores)[label].
func TestLossIsCrossEntropy(t *testing.T) {
	model, o := small(), options(4)
	train, eval := must(Train(model, o))(t), must(Eval(model, o))(t)
	in := start(t, model, train)
	loss := run(t, train, in)["loss"].Data[0]
	p := run(t, eval, in)["probabilities"]
	want := 0.0
	for i := range 4 {
		want -= math.Log(p.Data[i*3+i%3]) / 4
	}
	if math.Abs(loss-want) > 1e-12 {
		t.Errorf("loss %v, want %v", loss, want)
	}
}

// Scores of any size give a finite loss and finite gradients.
func TestLossIsStable(t *testing.T) {
	model, o := small(), options(4)
	p := must(Train(model, o))(t)
	in := start(t, model, p)
	for i := range in["param:fc_b"].Data {
		in["param:fc_b"].Data[i] = 1e30 * float64(i)
	}
	for name, a := range run(t, p, in) {
		if slices.ContainsFunc(a.Data, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) {
			t.Errorf("%s is not finite", name)
		}
	}
}

// One step does to every parameter what Caffe's solver does with its gradient.
func TestUpdateIsCaffes(t *testing.T) {
	for _, optimizer := range []string{"sgd", "nesterov"} {
		t.Run(optimizer, func(t *testing.T) {
			model, o := small(), options(4)
			o.Optimizer = optimizer
			o.Rates = map[string]Rates{"fc_w": {LR: 10, Decay: 1}, "fc_b": {LR: 20, Decay: 0}}
			train, sums := must(Train(model, o))(t), must(Accumulate(model, o))(t)
			in := start(t, model, train)
			for _, s := range train.State {
				if s.Zero { // a velocity from earlier steps
					for i := range in[s.Name].Data {
						in[s.Name].Data[i] = 0.01 * float64(i%7)
					}
				}
			}
			g := run(t, sums, merge(in, start(t, model, sums)))
			out := run(t, train, in)
			for _, name := range []string{"conv1_w", "conv1_b", "fc_w", "fc_b"} {
				rates := o.rates(name)
				w, v := in["param:"+name].Data, in["velocity:"+name].Data
				lr, mu := 0.1*rates.LR, float64(float32(o.Momentum))
				wantW, wantV := make([]float64, len(w)), make([]float64, len(w))
				for i := range w {
					wantV[i] = mu*v[i] + lr*(g["acc:"+name+"'"].Data[i]+float64(float32(o.Decay*rates.Decay))*w[i])
					wantW[i] = w[i] - wantV[i]
					if optimizer == "nesterov" {
						wantW[i] = w[i] - ((1+mu)*wantV[i] - mu*v[i])
					}
				}
				if !near(out["velocity:"+name+"'"].Data, wantV, 1e-7) || !near(out["param:"+name+"'"].Data, wantW, 1e-7) {
					t.Errorf("%s: not the update of the formula", name)
				}
			}
		})
	}
}

// merge adds what only the second has.
func merge(a, b values) values {
	out := values{}
	for k, v := range b {
		out[k] = v
	}
	for k, v := range a {
		out[k] = v
	}
	return out
}

// Two micro-batches, added up and applied, make the step of the full batch.
func TestMicroBatchesMakeTheSameStep(t *testing.T) {
	model := small()
	full := must(Train(model, options(6)))(t)
	part, apply := must(Accumulate(model, options(3)))(t), must(Apply(model, options(3)))(t)
	whole := start(t, model, full)
	want := run(t, full, whole)

	in := start(t, model, part)
	var loss float64
	for _, from := range []int{0, 3} {
		for _, name := range []string{"images", "labels", "weights", "mask:drop"} {
			in[name] = whole.slice(name, from, from+3)
		}
		out := run(t, part, in)
		loss += out["loss"].Data[0]
		for _, s := range part.State {
			if s.Updated {
				in[s.Name] = out[s.Name+"'"]
			}
		}
	}
	got := run(t, apply, merge(in, start(t, model, apply)))
	if math.Abs(loss-want["loss"].Data[0]) > 1e-12 {
		t.Errorf("losses add up to %v, want %v", loss, want["loss"].Data[0])
	}
	for name, a := range want {
		// The update of a fully connected layer is written in another way, with
		// another float32 constant.
		if name != "loss" && !near(got[name].Data, a.Data, 1e-8) {
			t.Errorf("%s differs from the full batch's", name)
		}
	}
}

// A sample of weight 0, the padding of a short batch, changes nothing.
func TestPaddingDoesNotCount(t *testing.T) {
	model := small()
	two, three := must(Train(model, options(2)))(t), must(Train(model, options(3)))(t)
	padded := start(t, model, three)
	short := start(t, model, two)
	for _, name := range []string{"images", "labels", "mask:drop"} {
		short[name] = padded.slice(name, 0, 2)
	}
	padded["weights"].Data = []float64{0.5, 0.5, 0}
	want, got := run(t, two, short), run(t, three, padded)
	for name, a := range want {
		if !near(got[name].Data, a.Data, 1e-12) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestDropoutMultipliesByItsMask(t *testing.T) {
	model, o := small(), options(2)
	p := must(Train(model, o))(t)
	in := start(t, model, p)
	for i := range in["mask:drop"].Data {
		in["mask:drop"].Data[i] = 0
	}
	out := run(t, p, in)
	// All that the classifier sees is its bias; nothing flows further down.
	if got, want := out["velocity:conv1_b'"].Data, make([]float64, 4); !near(got, pull(in, "conv1_b"), 1e-9) {
		t.Errorf("gradient %v below a mask of zeros, want %v and the decay", got, want)
	}
}

// pull is the velocity that weight decay alone gives in the first step.
func pull(in values, name string) []float64 {
	var out []float64
	for _, w := range in["param:"+name].Data {
		out = append(out, 0.1*0.01*w)
	}
	return out
}

// Frozen layers get no gradient, no velocity, no new value; what lies below the
// lowest trained layer is not differentiated.
func TestFrozenLayers(t *testing.T) {
	model, o := small(), options(2)
	o.Rates = map[string]Rates{"conv1_w": {}, "conv1_b": {}}
	p := must(Train(model, o))(t)
	for _, s := range p.State {
		if strings.HasSuffix(s.Name, "conv1_w") && (s.Updated || s.Zero) {
			t.Errorf("%s is in the state of a frozen layer: %+v", s.Name, s)
		}
	}
	for _, n := range p.Graph.Nodes {
		if strings.HasPrefix(n.Name, "grad/") && !strings.HasPrefix(n.Name, "grad/fc") && !strings.HasPrefix(n.Name, "grad/loss") {
			t.Errorf("node %q differentiates a frozen part", n.Name)
		}
		if n.Op == "MaxPool" && len(n.Outputs) > 1 {
			t.Errorf("MaxPool %q computes positions that nobody needs", n.Name)
		}
	}
	o.Rates["fc_w"], o.Rates["fc_b"] = Rates{}, Rates{}
	if _, err := Train(model, o); !errors.Is(err, errFrozen) {
		t.Errorf("everything frozen: got %v, want %v", err, errFrozen)
	}
}

func TestBatchNormalizationTrains(t *testing.T) {
	model, o := normalised(), normalisedOptions(3)
	p := must(Train(model, o))(t)
	in := start(t, model, p)
	out := run(t, p, in)
	// The statistics of conv's output, by the evaluator.
	mean, variance := convStatistics(t, model, in["images"])
	for c := range 3 {
		wantMean := 0.75*in["param:bn_mean"].Data[c] + 0.25*mean[c]
		wantVar := 0.75*in["param:bn_var"].Data[c] + 0.25*variance[c]
		if got := out["param:bn_mean'"].Data[c]; math.Abs(got-wantMean) > 1e-9 {
			t.Errorf("running mean of channel %d is %v, want %v", c, got, wantMean)
		}
		if got := out["param:bn_var'"].Data[c]; math.Abs(got-wantVar) > 1e-9 {
			t.Errorf("running variance of channel %d is %v, want %v", c, got, wantVar)
		}
	}
	for _, s := range p.State {
		if strings.Contains(s.Name, "velocity:bn_mean") || strings.Contains(s.Name, "velocity:bn_var") {
			t.Errorf("%s: running statistics are not optimised", s.Name)
		}
	}
}

// ONNX Runtime's BatchNormalization writes into the buffers of the running
// statistics that it is given; ours must still be the old ones when the new are
// made of them.
func TestRuntimeMovesRunningStatistics(t *testing.T) {
	r := orttest.New(t, 2)
	model := normalised()
	p := must(Train(model, normalisedOptions(4)))(t)
	in := start(t, model, p)
	single := map[string]*onnx.Tensor{}
	for _, v := range p.Graph.Inputs {
		single[v.Name] = toTensor(in[v.Name], v)
	}
	m := newMachine(t, r, p, single)
	defer m.session.Close()
	m.step(t)
	mean, variance := convStatistics(t, model, in["images"])
	for c := range mean {
		for name, batch := range map[string]float64{"bn_mean": mean[c], "bn_var": variance[c]} {
			want := 0.75*in["param:"+name].Data[c] + 0.25*batch
			if got := float64(m.in["param:"+name].F32()[c]); math.Abs(got-want) > 1e-5 {
				t.Errorf("%s[%d] becomes %v, want %v", name, c, got, want)
			}
		}
	}
}

func withLogits(o Options, name string) Options {
	o.Logits = name
	return o
}

// convStatistics are the mean and biased variance of the first layer's output.
func convStatistics(t *testing.T, model *onnx.Graph, images *onnxeval.Array) (mean, variance []float64) {
	t.Helper()
	g := model.Clone()
	g.Inputs[0].Shape = images.Shape
	g.Outputs = []onnx.Value{{Name: "conv", Type: onnx.Float}}
	g.Prune()
	out, err := onnxeval.Run(g, values{"data": images})
	if err != nil {
		t.Fatal(err)
	}
	y := out["conv"]
	n, channels := y.Shape[0], y.Shape[1]
	area := len(y.Data) / (n * channels)
	for c := range channels {
		var sum, squares float64
		for i := range n {
			for _, v := range y.Data[(i*channels+c)*area : (i*channels+c+1)*area] {
				sum += v
				squares += v * v
			}
		}
		m := sum / float64(n*area)
		mean = append(mean, m)
		variance = append(variance, squares/float64(n*area)-m*m)
	}
	return mean, variance
}

// A BatchNormalization whose parameters are frozen uses its running statistics
// and leaves them alone; the layers below it still train through it.
func TestFrozenBatchNormalization(t *testing.T) {
	model, o := normalised(), normalisedOptions(3)
	o.Rates = map[string]Rates{"bn_s": {}, "bn_b": {}}
	p := must(Train(model, o))(t)
	for _, s := range p.State {
		if s.Updated && strings.Contains(s.Name, "bn_") {
			t.Errorf("%s is updated", s.Name)
		}
	}
	loss := run(t, p, start(t, model, p))["loss"].Data[0]
	e := must(Eval(model, o))(t)
	probabilities := run(t, e, start(t, model, p))["probabilities"].Data
	want := 0.0
	for i := range 3 {
		want -= math.Log(probabilities[i*3+i]) / 3
	}
	if math.Abs(loss-want) > 1e-12 {
		t.Errorf("loss %v, but the evaluation graph's is %v", loss, want)
	}
}

// uint8 pictures are normalised in the graph: (x - mean) * scale.
func TestPicturesAreNormalised(t *testing.T) {
	model, o := small(), options(2)
	plain := must(Eval(model, o))(t)
	o.FloatInput, o.Mean, o.Scale = false, []float32{104, 117}, []float32{0.5, 0.25}
	p := must(Eval(model, o))(t)
	if got := p.Graph.Inputs[0].Type; got != onnx.Uint8 {
		t.Fatalf("images are %v, want uint8", got)
	}
	in := start(t, model, p)
	in["images"].Type = onnx.Uint8
	floats := onnxeval.New(in["images"].Shape...)
	for i := range floats.Data {
		in["images"].Data[i] = float64(i % 256)
		c := i / 36 % 2
		floats.Data[i] = (float64(i%256) - float64(o.Mean[c])) * float64(o.Scale[c])
	}
	want := run(t, plain, merge(values{"images": floats}, in))
	got := run(t, p, in)
	if !near(got["logits"].Data, want["logits"].Data, 1e-12) {
		t.Errorf("logits %v, want %v", got["logits"].Data, want["logits"].Data)
	}
}

func TestWhereTheLossIsTaken(t *testing.T) {
	scores := func(end func(l *layers), shape ...int) *onnx.Graph {
		l := newLayers(2, 6)
		l.add("score", "Conv", nil, l.weight("score_w", 3, 2, 6, 6), l.weight("score_b", 3))
		if end != nil {
			end(l)
		}
		return l.graph(shape...)
	}
	flatten := func(l *layers) { l.add("flat", "Flatten", onnx.Attrs{"axis": int64(1)}) }
	cases := []struct {
		name  string
		model *onnx.Graph
		named string
	}{
		{"no Softmax, [N,C,1,1]", scores(nil, onnx.Batch, 3, 1, 1), ""},
		{"no Softmax, [N,C]", scores(flatten, onnx.Batch, 3), ""},
		{"Softmax over channels", scores(func(l *layers) { l.add("prob", "Softmax", onnx.Attrs{"axis": int64(1)}) }, onnx.Batch, 3, 1, 1), ""},
		{"Softmax, then Flatten", scores(func(l *layers) {
			l.add("prob", "Softmax", onnx.Attrs{"axis": int64(1)})
			flatten(l)
		}, onnx.Batch, 3), ""},
		{"LogSoftmax", scores(func(l *layers) {
			flatten(l)
			l.add("logits", "LogSoftmax", onnx.Attrs{"axis": int64(1)})
		}, onnx.Batch, 3), ""},
		{"an inner value by name", scores(func(l *layers) { l.add("more", "Exp", nil) }, onnx.Batch, 3, 1, 1), "score"},
		{"values with the names of a program's own", scores(func(l *layers) {
			l.add("loss", "Identity", nil)
			l.add("logits", "Identity", nil)
		}, onnx.Batch, 3, 1, 1), ""},
	}
	var want []float64
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := must(Train(c.model, withLogits(options(4), c.named)))(t)
			got := run(t, p, start(t, c.model, p))["param:score_w'"].Data
			if want == nil {
				want = got
			}
			if !near(got, want, 1e-12) {
				t.Error("the step differs from that of the same network in another form")
			}
			must(Eval(c.model, withLogits(options(4), c.named)))(t)
		})
	}
}

func TestErrors(t *testing.T) {
	unknown := func() *onnx.Graph {
		l := newLayers(2, 6)
		l.add("conv", "Conv", nil, l.weight("w", 3, 2, 1, 1))
		l.add("mystery", "LpNormalization", nil)
		l.add("pool", "GlobalAveragePool", nil)
		return l.graph(onnx.Batch, 3, 1, 1)
	}
	spread := func() *onnx.Graph {
		l := newLayers(2, 6)
		return l.add("conv", "Conv", nil, l.weight("w", 3, 2, 1, 1)).graph(onnx.Batch, 3, 6, 6)
	}
	cases := []struct {
		name   string
		model  *onnx.Graph
		change func(o *Options)
		want   []string // parts of the message or hint
		as     any
	}{
		{"other number of classes", small(), func(o *Options) { o.Classes = 5 }, []string{"3 outputs", "5 classes", "replace"}, new(*OutputError)},
		{"output is a picture", spread(), nil, []string{"[2 3 6 6]", "cut_after"}, new(*OutputError)},
		{"unknown logits", small(), func(o *Options) { o.Logits = "fc9" }, []string{"fc9"}, new(*OutputError)},
		{"operator without gradient", unknown(), nil, []string{"mystery", "LpNormalization", "freeze"}, new(*autodiff.UnsupportedError)},
		{"unknown optimizer", small(), func(o *Options) { o.Optimizer = "sdg" }, []string{`"sdg"`, "nesterov, rmsprop, sgd"}, nil},
		{"unknown loss", small(), func(o *Options) { o.Loss = "hing" }, []string{`"hing"`, "hinge, mean_squared_error"}, nil},
		{"no pictures", small(), func(o *Options) { o.Batch = 0 }, []string{"[0,2,6,6]"}, nil},
		{"means for another number of channels", small(), func(o *Options) { o.Mean = []float32{1, 2, 3} }, []string{"3 means", "2 channels"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := options(2)
			if c.change != nil {
				c.change(&o)
			}
			_, err := Train(c.model, o)
			if err == nil {
				t.Fatal("no error")
			}
			if c.as != nil && !errors.As(err, c.as) {
				t.Errorf("%v is a %T, want %T", err, err, c.as)
			}
			text := err.Error()
			var hint interface{ Hint() string }
			if errors.As(err, &hint) {
				text += " " + hint.Hint()
			}
			for _, part := range c.want {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not mention %q", text, part)
				}
			}
		})
	}
}

// TestNamesDoNotCollide: a network may call its weights, constants and values what
// programs call things of their own.
func TestNamesDoNotCollide(t *testing.T) {
	model, o := small(), options(2)
	rename := map[string]string{"conv1_w": "learning_rate", "conv1_b": "weights", "fc_w": "images"}
	for _, tensor := range model.Initializers {
		if to := rename[tensor.Name]; to != "" {
			tensor.Name = to
		}
	}
	half := onnx.Floats([]float32{0.5}, 1)
	half.Name = "labels"
	model.Initializers = append(model.Initializers, half)
	for _, n := range model.Nodes {
		for i, in := range n.Inputs {
			if to := rename[in]; to != "" {
				n.Inputs[i] = to
			}
		}
	}
	first := model.Nodes[0]
	old := first.Outputs[0]
	first.Outputs[0] = "param:fc_b"
	model.Nodes = slices.Insert(model.Nodes, 1, &onnx.Node{Op: "Mul", Name: "half", Inputs: []string{"param:fc_b", "labels"}, Outputs: []string{old}})
	for name, program := range map[string]func(*onnx.Graph, Options) (*Program, error){"train": Train, "accumulate": Accumulate, "eval": Eval} {
		if _, err := program(model, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, tensor := range model.Initializers {
		tensor.Param = false
	}
	if _, err := Train(model, o); !errors.Is(err, errNoParameters) {
		t.Errorf("without parameters: %v", err)
	}
}
