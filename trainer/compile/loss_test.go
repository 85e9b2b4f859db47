package compile

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/optim"
	"orchestrator/trainer/ort/orttest"
)

// lossCases are the losses with their numbers.
func lossCases() map[string]Options {
	cases := map[string]Options{
		"smoothed":  {Loss: "softmax", LabelSmoothing: 0.25},
		"focal 0":   {Loss: "focal"},
		"focal 0.5": {Loss: "focal", FocalGamma: 0.5},
		"focal 2":   {Loss: "focal", FocalGamma: 2},
		"focal 2.5": {Loss: "focal", FocalGamma: 2.5},
	}
	for _, loss := range Losses() {
		cases[loss] = Options{Loss: loss, FocalGamma: 1}
	}
	return cases
}

func (o Options) withLoss(l Options) Options {
	o.Loss, o.LabelSmoothing, o.FocalGamma = l.Loss, l.LabelSmoothing, l.FocalGamma
	return o
}

// plainLoss is the loss of one sample as its publication has it.
func plainLoss(o Options, s []float64, label int) float64 {
	p := softmax(s)
	sum := 0.0
	for k, x := range s {
		y, d := 0.0, -1.0
		if k == label {
			y, d = 1, 1
		}
		switch o.Loss {
		case "softmax":
			sum -= ((1-o.LabelSmoothing)*y + o.LabelSmoothing/float64(len(s))) * math.Log(p[k])
		case "focal":
			sum -= y * math.Pow(1-p[k], o.FocalGamma) * math.Log(p[k])
		case "hinge":
			sum += max(0, 1-d*x)
		case "squared_hinge":
			sum += math.Pow(max(0, 1-d*x), 2)
		case "binary_cross_entropy":
			q := 1 / (1 + math.Exp(-x))
			sum -= y*math.Log(q) + (1-y)*math.Log(1-q)
		case "mean_squared_error":
			sum += (x - y) * (x - y) / float64(len(s))
		}
	}
	return sum
}

func softmax(s []float64) []float64 {
	p, sum := make([]float64, len(s)), 0.0
	for k, x := range s {
		p[k] = math.Exp(x)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// weigh gives the samples unequal shares of the loss.
func weigh(in values) {
	for i := range in["weights"].Data {
		in["weights"].Data[i] = 0.125 * float64(i+1)
	}
}

func TestLossesFollowTheirFormulas(t *testing.T) {
	for name, c := range lossCases() {
		t.Run(name, func(t *testing.T) {
			model, o := small(), options(4).withLoss(c)
			p := must(Train(model, o))(t)
			in := start(t, model, p)
			weigh(in)
			// The scores, whatever the loss makes of them.
			scores := run(t, must(Eval(model, options(4)))(t), in)["logits"].Data
			want := 0.0
			for i, w := range in["weights"].Data {
				want += w * plainLoss(c, scores[i*3:i*3+3], int(in["labels"].Data[i]))
			}
			if got := run(t, p, in)["loss"].Data[0]; math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
				t.Errorf("loss %v, want %v", got, want)
			}
		})
	}
}

// The gradients that Accumulate adds up against central differences of the loss,
// of every parameter in a direction that depends on every element.
func TestLossGradientsAreFiniteDifferences(t *testing.T) {
	const h = 1e-6
	for name, c := range lossCases() {
		t.Run(name, func(t *testing.T) {
			model, o := small(), options(4).withLoss(c)
			p := must(Accumulate(model, o))(t)
			in := start(t, model, p)
			weigh(in)
			out := run(t, p, in)
			for _, param := range []string{"conv1_w", "conv1_b", "fc_w", "fc_b"} {
				at := in["param:"+param]
				moved := func(by float64) float64 {
					to := &onnxeval.Array{Shape: at.Shape, Data: slices.Clone(at.Data)}
					for i := range to.Data {
						to.Data[i] += by * direction(i)
					}
					return run(t, p, merge(values{"param:" + param: to}, in))["loss"].Data[0]
				}
				want := (moved(h) - moved(-h)) / (2 * h)
				got := 0.0
				for i, g := range out["acc:"+param+"'"].Data {
					got += g * direction(i)
				}
				if math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
					t.Errorf("%s: slope %v, differences say %v", param, got, want)
				}
			}
		})
	}
}

func direction(i int) float64 { return math.Sin(float64(3*i + 1)) }

// Scores of any size give finite losses and gradients, here in single precision
// by ONNX Runtime.
func TestLossesAreStableAtTheEdges(t *testing.T) {
	rt := orttest.New(t, 1)
	for name, c := range lossCases() {
		t.Run(name, func(t *testing.T) {
			model, o := small(), options(3).withLoss(c)
			p := must(Accumulate(model, o))(t)
			s, err := rt.Open(p.Graph)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, size := range []float64{0, 1, 30, 90, 1000} {
				in := start(t, model, p)
				in["param:fc_b"].Data = []float64{size, -size, size / 2}
				for name, got := range execute(t, s, p.Graph, in) {
					for _, x := range got.F32() {
						if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
							t.Fatalf("scores around %v: %s is %v", size, name, x)
						}
					}
				}
			}
		})
	}
}

type session interface {
	Run(inputs, outputs []*onnx.Tensor) error
}

// execute runs a graph in single precision.
func execute(t *testing.T, s session, g *onnx.Graph, in values) map[string]*onnx.Tensor {
	t.Helper()
	inputs, outputs := make([]*onnx.Tensor, len(g.Inputs)), make([]*onnx.Tensor, len(g.Outputs))
	for i, v := range g.Inputs {
		inputs[i] = onnx.NewTensor(v.Type, v.Shape...)
		for k, x := range in[v.Name].Data {
			if v.Type == onnx.Int64 {
				inputs[i].I64()[k] = int64(x)
			} else {
				inputs[i].F32()[k] = float32(x)
			}
		}
	}
	named := map[string]*onnx.Tensor{}
	for i, v := range g.Outputs {
		outputs[i] = onnx.NewTensor(v.Type, v.Shape...)
		named[v.Name] = outputs[i]
	}
	if err := s.Run(inputs, outputs); err != nil {
		t.Fatal(err)
	}
	return named
}

// Probabilities add up to 1, keep the order of the scores, and are the Softmax
// of the logits under every loss; with binary_cross_entropy they are in the
// proportion of the sigmoids.
func TestProbabilitiesUnderEveryLoss(t *testing.T) {
	for _, loss := range Losses() {
		t.Run(loss, func(t *testing.T) {
			model, o := small(), options(4).withLoss(Options{Loss: loss})
			scores := run(t, must(Eval(model, options(4)))(t), start(t, model, must(Eval(model, options(4)))(t)))["logits"].Data
			p := must(Eval(model, o))(t)
			out := run(t, p, start(t, model, p))
			for i := range 4 {
				s, got := scores[i*3:i*3+3], out["probabilities"].Data[i*3:i*3+3]
				want := softmax(s)
				if loss == "binary_cross_entropy" {
					sum := 0.0
					for k, x := range s {
						want[k] = 1 / (1 + math.Exp(-x))
						sum += want[k]
					}
					for k := range want {
						want[k] /= sum
					}
				}
				if !near(got, want, 1e-9) || !near(softmax(out["logits"].Data[i*3:i*3+3]), want, 1e-9) {
					t.Errorf("scores %v: probabilities %v, want %v", s, got, want)
				}
			}
		})
	}
}

// A loss that takes sigmoids itself starts from the input of a final Sigmoid.
func TestFinalSigmoidIsTakenTogetherWithTheLoss(t *testing.T) {
	model := small()
	last := model.Nodes[len(model.Nodes)-1]
	last.Op, last.Attrs = "Sigmoid", nil
	o := options(3).withLoss(Options{Loss: "binary_cross_entropy"})
	got := must(Train(model, o))(t)
	want := must(Train(small(), o))(t)
	in := start(t, small(), want)
	if a, b := run(t, got, in)["loss"].Data, run(t, want, in)["loss"].Data; !near(a, b, 1e-12) {
		t.Errorf("loss %v, without the Sigmoid %v", a, b)
	}
	for _, n := range got.Graph.Nodes {
		if n.Op == "Sigmoid" && !strings.HasPrefix(n.Name, "grad/") {
			t.Errorf("%q is left in the graph", n.Name)
		}
	}
}

func hypers() optim.Hyper {
	return optim.Hyper{Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3, RMSDecay: 0.7, Trust: 0.01}
}

// Two micro-batches, added up and applied, make the step of the full batch with
// every optimizer, clipped or not, over several steps.
func TestMicroBatchesMakeTheSameStepWithEveryOptimizer(t *testing.T) {
	for _, optimizer := range optim.Names() {
		for _, c := range []struct{ norm, value float64 }{{0, 0}, {0.05, 0}, {0, 0.01}} {
			t.Run(fmt.Sprintf("%s/%+v", optimizer, c), func(t *testing.T) {
				model := small()
				compiled := func(batch int) Options {
					o := options(batch)
					o.Optimizer, o.Hyper, o.ClipNorm, o.ClipValue = optimizer, hypers(), c.norm, c.value
					return o
				}
				full := must(Train(model, compiled(6)))(t)
				part, apply := must(Accumulate(model, compiled(3)))(t), must(Apply(model, compiled(3)))(t)
				whole := start(t, model, full)
				pieces := merge(start(t, model, part), start(t, model, apply))
				for update := 1; update <= 3; update++ {
					for _, s := range full.Scalars {
						x := s.At(update)
						whole[s.Input].Data[0] = x
						pieces[s.Input] = whole[s.Input]
					}
					want := run(t, full, whole)
					got := inPieces(t, part, apply, whole, pieces)
					for name, a := range want {
						if name != "loss" && !near(got[name].Data, a.Data, 1e-6) {
							t.Fatalf("update %d: %s differs from the full batch's", update, name)
						}
					}
					for _, s := range full.State {
						if s.Updated {
							whole[s.Name], pieces[s.Name] = want[s.Name+"'"], got[s.Name+"'"]
						}
					}
				}
			})
		}
	}
}

// inPieces does a step in two micro-batches of three samples.
func inPieces(t *testing.T, part, apply *Program, whole, in values) values {
	t.Helper()
	for _, s := range part.State {
		if s.Sum {
			in[s.Name] = onnxeval.New(s.Shape...)
		}
	}
	for _, from := range []int{0, 3} {
		for _, name := range []string{"images", "labels", "weights", "mask:drop"} {
			in[name] = whole.slice(name, from, from+3)
		}
		out := run(t, part, in)
		for _, s := range part.State {
			if s.Updated {
				in[s.Name] = out[s.Name+"'"]
			}
		}
	}
	return run(t, apply, in)
}

// A gradient whose common norm exceeds the limit is scaled to it: by sgd without
// decay the velocities are the clipped gradients times the rate.
func TestGradientsAreClipped(t *testing.T) {
	model, o := small(), options(4)
	o.Decay, o.ClipNorm = 0, 0.05
	p, sums := must(Train(model, o))(t), must(Accumulate(model, o))(t)
	in := start(t, model, p)
	g, out := run(t, sums, merge(in, start(t, model, sums))), run(t, p, in)
	squares, clipped := 0.0, 0.0
	for _, name := range []string{"conv1_w", "conv1_b", "fc_w", "fc_b"} {
		for i, x := range g["acc:"+name+"'"].Data {
			squares += x * x
			v := out["velocity:"+name+"'"].Data[i] / 0.1
			clipped += v * v
		}
	}
	if math.Sqrt(squares) < 0.1 || math.Abs(math.Sqrt(clipped)-0.05) > 1e-8 {
		t.Errorf("a norm of %v becomes %v, want 0.05", math.Sqrt(squares), math.Sqrt(clipped))
	}
}

// Average moves an average of each trained parameter and running statistic, and
// of nothing else.
func TestAverageOfAllThatChanges(t *testing.T) {
	model, o := normalised(), normalisedOptions(3)
	o.Average, o.Rates = 0.5, map[string]Rates{"score_w": {}}
	p := must(Average(model, o))(t)
	in := start(t, model, p)
	var names []string
	for _, s := range p.State {
		if s.Updated {
			names = append(names, s.Name)
			in[s.Name] = onnxeval.New(s.Shape...)
		}
	}
	if want := "average:conv_w average:bn_s average:bn_b average:bn_mean average:bn_var average:score_b"; strings.Join(names, " ") != want {
		t.Errorf("averages %q, want %q", names, want)
	}
	in["average_share"].Data[0] = p.Scalars[0].At(2)
	for name, a := range run(t, p, in) {
		param := strings.TrimSuffix(strings.TrimPrefix(name, "average:"), "'")
		for i, x := range in["param:"+param].Data {
			if want := x * 0.75; math.Abs(a.Data[i]-want) > 1e-12 { // min(0.5, 3/12) is kept
				t.Errorf("%s: element %d is %v, want %v", name, i, a.Data[i], want)
			}
		}
	}
}

func TestNumbersThatAnOptimizerCannotUse(t *testing.T) {
	o := options(2)
	o.Optimizer = "adam"
	if _, err := Train(small(), o); err == nil || !strings.Contains(err.Error(), "epsilon") {
		t.Errorf("adam without epsilon: %v", err)
	}
	if _, err := Apply(small(), o); err == nil {
		t.Error("the same, applied, is accepted")
	}
}
