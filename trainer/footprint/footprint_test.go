package footprint

import (
	"fmt"
	"strings"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

const kilo = 1024 // bytes of the values below

// graph has an input x of one kilobyte, and ends in the last value that build
// gives.
func graph(t *testing.T, build func(b *onnx.Builder, x onnx.Value) onnx.Value) *onnx.Graph {
	t.Helper()
	b := onnx.NewBuilder("g")
	out := build(b, b.Input("x", onnx.Float, 4, 64))
	b.Output("y", out)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return endAtLast(g)
}

// endAtLast takes out the Identity that gives a graph's output its name.
func endAtLast(g *onnx.Graph) *onnx.Graph {
	g.Outputs[0].Name = g.Nodes[len(g.Nodes)-1].Inputs[0]
	g.Nodes = g.Nodes[:len(g.Nodes)-1]
	return g
}

func relu(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Op("Relu", nil, x) }

func TestValuesLiveFromTheirNodeToTheirLastReader(t *testing.T) {
	for name, c := range map[string]struct {
		build     func(b *onnx.Builder, x onnx.Value) onnx.Value
		values    int64
		constants int64
	}{
		"the caller brings input and output": {build: relu},
		"a chain needs two at a time": {build: func(b *onnx.Builder, x onnx.Value) onnx.Value {
			for range 5 {
				x = b.Op("Neg", nil, b.Op("Exp", nil, x))
			}
			return x
		}, values: 2 * kilo},
		"what is read later waits": {build: func(b *onnx.Builder, x onnx.Value) onnx.Value {
			early := b.Op("Exp", nil, x)
			late := b.Op("Neg", nil, b.Op("Abs", nil, b.Op("Sqrt", nil, early)))
			return b.Op("Add", nil, early, late)
		}, values: 3 * kilo},
		"a view is no memory": {build: func(b *onnx.Builder, x onnx.Value) onnx.Value {
			flat := b.Op("Reshape", nil, b.Op("Exp", nil, x), b.Ints(256))
			return b.Op("Neg", nil, b.Op("Reshape", nil, flat, b.Ints(16, 16)))
		}, values: kilo, constants: 2 * 256},
		"a view keeps what it looks at": {build: func(b *onnx.Builder, x onnx.Value) onnx.Value {
			e := b.Op("Exp", nil, x)
			flat := b.Op("Reshape", nil, e, b.Ints(256))
			other := b.Op("Neg", nil, b.Op("Abs", nil, e))
			return b.Op("Add", nil, flat, b.Op("Reshape", nil, other, b.Ints(256)))
		}, values: 3 * kilo, constants: 256},
		"what follows from constants stays": {build: func(b *onnx.Builder, x onnx.Value) onnx.Value {
			zeros := b.Op("Expand", nil, b.Scalar(0), b.Ints(4, 64))
			return b.Op("Add", nil, x, zeros)
		}, constants: kilo},
		"smaller types": {build: func(b *onnx.Builder, x onnx.Value) onnx.Value {
			big := b.Op("Greater", nil, x, b.Scalar(0))
			return b.Op("Cast", onnx.Attrs{"to": int64(onnx.Float)}, big)
		}, values: kilo / 4, constants: 256},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Of(graph(t, c.build))
			if err != nil {
				t.Fatal(err)
			}
			if f.Values != c.values || f.Constants != c.constants {
				t.Errorf("%+v, want values %d and constants %d", f, c.values, c.constants)
			}
		})
	}
}

// A convolution with more maps than places is a product with all its columns:
// 8 channels × 9 taps × 4 places of four bytes.
func TestConvolutionsNeedTheirColumns(t *testing.T) {
	b := onnx.NewBuilder("g")
	x, w := b.Input("x", onnx.Float, 1, 8, 4, 4), b.Input("w", onnx.Float, 16, 8, 3, 3)
	b.Output("y", b.Op("Conv", nil, x, w))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if f, err := Of(endAtLast(g)); err != nil || f.Values != 8*9*4*4 {
		t.Errorf("%+v, %v", f, err)
	}
}

// The order that ONNX Runtime takes: down from the last node that nobody reads.
func TestOrderGoesDownFromTheLastEnd(t *testing.T) {
	b := onnx.NewBuilder("g")
	x := b.Input("x", onnx.Float, 4)
	shared := b.Op("Exp", nil, x)
	first := b.Op("Neg", nil, b.Op("Abs", nil, shared))
	second := b.Op("Sqrt", nil, b.Op("Log", nil, shared))
	b.Output("a", first)
	b.Output("b", second)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range order(g) {
		if n.Op != "Identity" {
			ops = append(ops, n.Op)
		}
	}
	if got := strings.Join(ops, " "); got != "Exp Log Sqrt Abs Neg" {
		t.Error(got)
	}
}

// Of a step almost all goes with the number of pictures.
func TestStepsGrowWithTheBatch(t *testing.T) {
	model, err := builtin.Model("smallnet", 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	values := map[int]int64{}
	for _, batch := range []int{4, 8, 16} {
		p, err := compile.Train(model, compile.Options{Batch: batch, Channels: 3, Height: 32, Width: 32})
		if err != nil {
			t.Fatal(err)
		}
		f, err := Of(p.Graph)
		if err != nil {
			t.Fatal(err)
		}
		values[batch] = f.Values
	}
	if r := float64(values[16]-values[8]) / float64(values[8]-values[4]); r < 1.8 || r > 2.2 {
		t.Errorf("values of batches: %v", values)
	}
}

func TestOpenShapesAreRefused(t *testing.T) {
	g := graph(t, relu)
	g.Inputs[0].Shape = []int{onnx.Batch, 64}
	if f, err := Of(g); err == nil {
		t.Errorf("a graph for any number of pictures has the footprint %+v", f)
	}
}

// Values of two bytes take half the memory: those that a step keeps for its way
// back through convolutions.
func TestStepInFloat16TakesLess(t *testing.T) {
	model := &onnx.Graph{
		Name: "chain", Metadata: map[string]string{},
		Inputs: []onnx.Value{{Name: "data", Type: onnx.Float, Shape: []int{onnx.Batch, 8, 32, 32}}},
	}
	last := "data"
	add := func(op string, attrs onnx.Attrs, shape ...int) {
		n := &onnx.Node{Name: fmt.Sprintf("%s%d", op, len(model.Nodes)), Op: op, Inputs: []string{last}, Attrs: attrs}
		if shape != nil {
			w := onnx.NewTensor(onnx.Float, shape...)
			w.Name, w.Param = n.Name+"_w", true
			model.Initializers = append(model.Initializers, w)
			n.Inputs = append(n.Inputs, w.Name)
		}
		n.Outputs, last = []string{n.Name}, n.Name
		model.Nodes = append(model.Nodes, n)
	}
	for range 10 {
		add("Conv", onnx.Attrs{"pads": []int64{1, 1, 1, 1}}, 8, 8, 3, 3)
		add("Relu", nil)
	}
	add("GlobalAveragePool", nil)
	model.Outputs = []onnx.Value{{Name: last, Type: onnx.Float, Shape: []int{onnx.Batch, 8, 1, 1}}}
	values := func(precision string) int64 {
		p, err := compile.Accumulate(model, compile.Options{Batch: 16, Channels: 8, Height: 32, Width: 32, Precision: precision})
		if err != nil {
			t.Fatal(err)
		}
		f, err := Of(p.Graph)
		if err != nil {
			t.Fatal(err)
		}
		return f.Values
	}
	if full, half := values(""), values("float16"); half > full*6/10 {
		t.Errorf("%d bytes of values, %d in float16", full, half)
	}
}
