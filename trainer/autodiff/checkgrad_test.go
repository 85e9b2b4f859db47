package autodiff

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

// seed of every random number here; a failure is repeated by its case's name.
const seed = 20

// operand is one input of a case: a random variable that is differentiated, a
// constant, or an optional input left out.
type operand struct {
	shape  []int
	values func(r *rand.Rand, n int) []float64
	fixed  *onnx.Tensor
	absent bool
}

// between is a variable uniform in [lo, hi).
func between(lo, hi float64, shape ...int) operand {
	return operand{shape: shape, values: func(r *rand.Rand, n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = lo + (hi-lo)*r.Float64()
		}
		return out
	}}
}

// x is a variable on both sides of zero.
func x(shape ...int) operand { return between(-2, 2, shape...) }

// positive keeps away from zero.
func positive(shape ...int) operand { return between(0.5, 2, shape...) }

// apart is a variable whose elements are a random order of equally spaced
// numbers, none zero: there are no ties, and no finite difference steps over a
// kink at zero.
func apart(shape ...int) operand { return shifted(0, shape...) }

// shifted moves them, so that several operands have no value in common.
func shifted(by float64, shape ...int) operand {
	return operand{shape: shape, values: func(r *rand.Rand, n int) []float64 {
		out := make([]float64, n)
		for i, p := range r.Perm(n) {
			out[i] = (float64(p)-float64(n)/2+0.5)*0.125 + 0.01 + by
		}
		return out
	}}
}

// fixed is a constant.
func fixed(t *onnx.Tensor) operand { return operand{fixed: t} }

func fixedInts(xs ...int64) operand { return fixed(onnx.Ints(xs...)) }

func scalarFloat(x float32) operand {
	return fixed(&onnx.Tensor{Type: onnx.Float, Shape: []int{}, Data: []float32{x}})
}

var none = operand{absent: true}

// gradCase is one graph whose gradient is checked: an operator on operands, or
// what build makes of them.
type gradCase struct {
	op      string
	variant string
	attrs   onnx.Attrs
	in      []operand
	outputs int // 0: one
	build   func(b *onnx.Builder, in []onnx.Value) []onnx.Value
	// noRuntime tells why ONNX Runtime cannot run the operator itself.
	noRuntime string
}

func (c gradCase) name() string { return c.op + "/" + c.variant }

// problem is a case made ready: a graph from the variables to the loss and the
// gradients, and the point at which they are compared.
type problem struct {
	graph *onnx.Graph // outputs: loss, then one gradient per variable
	at    map[string]*onnxeval.Array
	vars  []string
}

// newProblem writes the case's graph. The loss is the sum of the outputs with
// random weights, so that every element of every output counts.
func newProblem(c gradCase, l Lowering) (*problem, error) {
	r := rand.New(rand.NewPCG(seed, seed))
	b := onnx.NewBuilder(c.name())
	p := &problem{at: map[string]*onnxeval.Array{}}
	var in, wrt []onnx.Value
	for i, o := range c.in {
		switch {
		case o.absent:
			in = append(in, onnx.Value{})
		case o.fixed != nil:
			in = append(in, b.Const(o.fixed))
		default:
			name := fmt.Sprintf("x%d", i)
			v := b.Input(name, onnx.Float, o.shape...)
			p.vars = append(p.vars, name)
			p.at[name] = &onnxeval.Array{Shape: o.shape, Data: rounded(o.values(r, onnx.NumElements(o.shape)))}
			in, wrt = append(in, v), append(wrt, v)
		}
	}
	loss := weightedSum(b, r, c.outputsOf(b, in))
	grads, err := l.Gradients(b, loss, wrt)
	if err != nil {
		return nil, err
	}
	b.Output("loss", loss)
	for i, v := range wrt {
		b.Output("grad:"+p.vars[i], grads[v.Name])
	}
	p.graph, err = b.Graph()
	return p, err
}

func (c gradCase) outputsOf(b *onnx.Builder, in []onnx.Value) []onnx.Value {
	if c.build != nil {
		return c.build(b, in)
	}
	return b.OpN(c.op, c.attrs, max(1, c.outputs), in...)
}

func weightedSum(b *onnx.Builder, r *rand.Rand, outs []onnx.Value) onnx.Value {
	var loss onnx.Value
	for _, y := range outs {
		if y.Type != onnx.Float || b.Err() != nil {
			continue
		}
		w := onnx.NewTensor(onnx.Float, y.Shape...)
		for i := range w.F32() {
			w.F32()[i] = float32(r.Float64() + 0.5)
		}
		part := b.Op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, b.Op("Mul", nil, y, b.Const(w)))
		if loss.Absent() {
			loss = part
		} else {
			loss = b.Op("Add", nil, loss, part)
		}
	}
	return loss
}

// rounded takes values to float32, so that a float32 run starts from the same.
func rounded(xs []float64) []float64 {
	for i, x := range xs {
		xs[i] = float64(float32(x))
	}
	return xs
}

// gradientTolerance is relative. Central differences of step 1e-5 are good to
// about 1e-9, and constants of the rules are float32, good to 6e-8.
const gradientTolerance = 1e-6

// check compares the gradient by each variable with central differences along
// three random directions.
func (p *problem) check() error {
	out, err := onnxeval.Run(p.graph, p.at)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for _, name := range p.vars {
		for range 3 {
			if err := p.checkAlong(name, out["grad:"+name], r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *problem) checkAlong(name string, gradient *onnxeval.Array, r *rand.Rand) error {
	direction := make([]float64, len(p.at[name].Data))
	var got, size float64
	for i := range direction {
		direction[i] = r.Float64()*2 - 1
		got += direction[i] * gradient.Data[i]
		size += math.Abs(direction[i] * gradient.Data[i])
	}
	const h = 1e-5
	after, err := p.lossAt(name, direction, h)
	if err != nil {
		return err
	}
	before, err := p.lossAt(name, direction, -h)
	if err != nil {
		return err
	}
	want := (after - before) / (2 * h)
	if !(math.Abs(got-want) <= gradientTolerance*(size+math.Abs(want))+1e-9) {
		return fmt.Errorf("gradient by %s along a random direction (seed %d) is %.10g, finite differences give %.10g", name, seed, got, want)
	}
	return nil
}

// lossAt moves one variable by h times a direction.
func (p *problem) lossAt(name string, direction []float64, h float64) (float64, error) {
	moved := onnxeval.New(p.at[name].Shape...)
	for i, x := range p.at[name].Data {
		moved.Data[i] = x + h*direction[i]
	}
	in := map[string]*onnxeval.Array{}
	for k, v := range p.at {
		in[k] = v
	}
	in[name] = moved
	g := p.graph.Clone()
	g.Outputs = g.Outputs[:1]
	g.Prune()
	out, err := onnxeval.Run(g, in)
	if err != nil {
		return 0, err
	}
	return out["loss"].Data[0], nil
}

// lowerings are all that there are.
var lowerings = map[string]Lowering{
	"processor":              {},
	"graphics":               {Graphics: true},
	"graphics deterministic": {Graphics: true, Deterministic: true},
}

// TestGradients checks every rule, in every lowering, in float64 against finite
// differences.
func TestGradients(t *testing.T) {
	for name, l := range lowerings {
		for _, c := range gradCases {
			t.Run(c.name()+"/"+name, func(t *testing.T) {
				p, err := newProblem(c, l)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.check(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestDeterministicGradients looks for operators whose sums a graphics processor
// adds up in any order.
func TestDeterministicGradients(t *testing.T) {
	for _, c := range gradCases {
		if c.op != "Conv" && c.op != "MaxPool" && c.op != "AveragePool" {
			continue
		}
		p, err := newProblem(c, Lowering{Graphics: true, Deterministic: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range p.graph.Nodes {
			dilated := c.variant == "strides and dilations" // as phaseConvX says
			if n.Op == "ScatterElements" || n.Op == "ConvTranspose" && !dilated {
				t.Errorf("%s: node %s is a %s", c.name(), n.Name, n.Op)
			}
		}
	}
}

// TestEveryRuleHasACase keeps the table of cases as long as that of rules.
func TestEveryRuleHasACase(t *testing.T) {
	has := map[string]bool{}
	for _, c := range gradCases {
		has[c.op] = true
		if !HasRule(c.op) {
			t.Errorf("case %s: there is no such rule", c.name())
		}
	}
	for op := range rules {
		if !has[op] {
			t.Errorf("the rule for %s has no case", op)
		}
	}
}

// TestTheTester makes each formula wrong by 0.1% in turn and expects at least
// one of its operator's cases to fail: this proves both that the check is sharp
// and that a case reaches every formula.
func TestTheTester(t *testing.T) {
	for op, row := range rules {
		for i, right := range row {
			if right == nil {
				continue
			}
			row[i] = func(e *edge) onnx.Value { return e.Times(right(e), 1.001) }
			if !anyCaseFails(op) {
				t.Errorf("%s: a gradient by input %d that is wrong by 0.1%% passes", op, i)
			}
			row[i] = right
		}
	}
}

func anyCaseFails(op string) bool {
	for _, c := range gradCases {
		if c.op != op {
			continue
		}
		p, err := newProblem(c, Lowering{})
		if err == nil && p.check() != nil {
			return true
		}
	}
	return false
}
