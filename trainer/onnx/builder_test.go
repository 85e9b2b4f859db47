package onnx

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestBuilderSharesEqualNodes(t *testing.T) {
	b := NewBuilder("g")
	x := b.Input("x", Float, 2, 3)
	y := b.Op("Mul", nil, x, b.Scalar(2))
	if again := b.Op("Mul", Attrs{}, x, b.Scalar(2)); again.Name != y.Name {
		t.Errorf("the same product was written twice: %s and %s", y.Name, again.Name)
	}
	for name, other := range map[string]Value{
		"another constant": b.Op("Mul", nil, x, b.Scalar(3)),
		"swapped operands": b.Op("Mul", nil, b.Scalar(2), x),
		"another operator": b.Op("Add", nil, x, b.Scalar(2)),
	} {
		if other.Name == y.Name {
			t.Errorf("%s gave the same value", name)
		}
	}
	first := b.Op("Softmax", Attrs{"axis": int64(0)}, x)
	if second := b.Op("Softmax", Attrs{"axis": int64(1)}, x); second.Name == first.Name {
		t.Error("another attribute gave the same value")
	}
	if got := len(b.Nodes()); got != 6 {
		t.Errorf("%d nodes, want 6", got)
	}
}

// TestBuilderKeepsLookalikesApart: names and strings may hold whatever separates
// the parts of a node elsewhere.
func TestBuilderKeepsLookalikesApart(t *testing.T) {
	b := NewBuilder("g")
	x, y, both := b.Input("x", Float, 2), b.Input("y", Float, 2), b.Input("x,y", Float, 2)
	for name, pair := range map[string][2]Value{
		"inputs with commas":       {b.Op("Sum", nil, x, y), b.Op("Sum", nil, both)},
		"lists of strings":         {b.Op("Relu", Attrs{"s": []string{"a b"}}, x), b.Op("Relu", Attrs{"s": []string{"a", "b"}}, x)},
		"a string like attributes": {b.Op("Relu", Attrs{"s": "1 t=string2"}, x), b.Op("Relu", Attrs{"s": "1", "t": "2"}, x)},
		"numbers of two types":     {b.Op("Relu", Attrs{"n": int64(1)}, x), b.Op("Relu", Attrs{"n": float32(1)}, x)},
		"two signs of zero":        {b.Op("Relu", Attrs{"n": float32(0)}, x), b.Op("Relu", Attrs{"n": float32(math.Copysign(0, -1))}, x)},
		"tensors": {
			b.Op("Constant", Attrs{"value": Ints(1)}), b.Op("Constant", Attrs{"value": Ints(2)}),
		},
		"an absent input": {b.Op("Clip", nil, x, Value{}, b.Scalar(1)), b.Op("Clip", nil, x, b.Scalar(1))},
	} {
		if pair[0].Absent() || pair[0].Name == pair[1].Name {
			t.Errorf("%s: %q and %q", name, pair[0].Name, pair[1].Name)
		}
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if b.Op("Clip", nil, x, b.Scalar(1)).Name != b.Op("Clip", nil, x, b.Scalar(1), Value{}).Name {
		t.Error("an absent input at the end makes another node")
	}
}

// TestRandomOperatorsHaveNoRule: the builder must not share draws. It does not,
// but no graph may hold one so far; who adds a rule adds a test here.
func TestRandomOperatorsHaveNoRule(t *testing.T) {
	for op := range randomOps {
		if KnownOp(op) {
			t.Errorf("%s has a shape rule: test that two nodes of it stay two", op)
		}
	}
}

// TestBuilderOutputs: an output has the name it is given, whatever it is made of.
func TestBuilderOutputs(t *testing.T) {
	b := NewBuilder("g")
	x := b.Input("x", Float, 2)
	r := b.Op("Relu", nil, x)
	b.Output("x", x)             // the input itself, by its own name
	b.Output("copy", x)          // and by another
	b.Output("first", r)         // one value
	b.Output("second", r)        // under two names
	b.Output("one", b.Scalar(1)) // a constant
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range g.Outputs {
		names = append(names, o.Name)
	}
	if got := strings.Join(names, " "); got != "x copy first second one" {
		t.Errorf("outputs %s", got)
	}
	for _, bad := range []func(*Builder){
		func(b *Builder) { b.Output("y", Value{}) },
		func(b *Builder) { v := b.Input("v", Float, 1); b.Output("y", v); b.Output("y", v) },
		func(b *Builder) { v := b.Input("v", Float, 1); b.Input("w", Float, 1); b.Output("w", v) },
		func(b *Builder) { b.Input("v", Float, 1); b.Input("v", Float, 1) },
		func(b *Builder) { b.Output("y", Value{Name: "nowhere", Type: Float, Shape: []int{1}}) },
	} {
		b := NewBuilder("g")
		bad(b)
		if _, err := b.Graph(); err == nil {
			t.Error("an output that is absent, taken or undefined was accepted")
		}
	}
}

func TestPrune(t *testing.T) {
	node := func(op, out string, in ...string) *Node {
		return &Node{Op: op, Name: out, Inputs: in, Outputs: []string{out, ""}}
	}
	g := &Graph{
		Inputs:       []Value{{Name: "x"}},
		Outputs:      []Value{{Name: "c"}},
		Initializers: []*Tensor{{Name: "used"}, {Name: "unused"}, {Name: "of dead"}},
		Nodes:        []*Node{node("A", "a", "x", "used"), node("B", "dead", "a", "of dead"), node("C", "c", "a", ""), node("D", "late", "c")},
	}
	g.Prune()
	if len(g.Nodes) != 2 || g.Nodes[0].Op != "A" || g.Nodes[1].Op != "C" {
		t.Errorf("nodes %v are left, want A and C in this order", g.Nodes)
	}
	if len(g.Initializers) != 1 || g.Initializers[0].Name != "used" || len(g.Inputs) != 1 {
		t.Errorf("%d constants and %d inputs are left", len(g.Initializers), len(g.Inputs))
	}
}

func TestBuilderSharesConstants(t *testing.T) {
	b := NewBuilder("g")
	if one, again := b.Ints(1, 2), b.Ints(1, 2); one.Name != again.Name {
		t.Error("equal constants are two")
	}
	flat := b.Const(Floats([]float32{1, 2}, 2))
	for name, other := range map[string]Value{
		"another shape": b.Const(Floats([]float32{1, 2}, 1, 2)),
		"another type":  b.Const(&Tensor{Type: Double, Shape: []int{2}, Data: []float64{1, 2}}),
		"bools":         b.Const(&Tensor{Type: Bool, Shape: []int{2}, Data: []bool{true, false}}),
		"other bools":   b.Const(&Tensor{Type: Bool, Shape: []int{2}, Data: []bool{true, true}}),
		"a named one":   b.Const(&Tensor{Name: "w", Type: Float, Shape: []int{2}, Data: []float32{1, 2}}),
	} {
		if other.Absent() || other.Name == flat.Name {
			t.Errorf("%s: value %+v", name, other)
		}
	}
	if b.Const(&Tensor{Type: Bool, Shape: []int{2}, Data: []bool{true, false}}).Name == b.Const(&Tensor{Type: Bool, Shape: []int{2}, Data: []bool{true, true}}).Name {
		t.Error("different booleans are one constant")
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestBuilderErrorSticks(t *testing.T) {
	b := NewBuilder("g")
	x := b.Input("x", Float, 2, 3)
	bad := b.Op("MatMul", nil, x, x)
	if !bad.Absent() || b.Err() == nil || !strings.Contains(b.Err().Error(), "MatMul") {
		t.Fatalf("value %+v, error %v; the error must name MatMul", bad, b.Err())
	}
	first := b.Err()
	for _, v := range append(b.OpN("Split", nil, 2, x), b.Op("Relu", nil, bad), b.Scalar(1), b.Input("z", Float, 1)) {
		if !v.Absent() {
			t.Errorf("after the error there is still a value %+v", v)
		}
	}
	b.Fail("another")
	b.Output("y", x)
	if _, err := b.Graph(); !errors.Is(err, first) {
		t.Errorf("Graph says %v, the first error was %v", err, first)
	}
}

func TestBuilderDropsWhatNoOutputNeeds(t *testing.T) {
	b := NewBuilder("g")
	x := b.Input("x", Float, 2)
	b.Op("Add", nil, x, b.Scalar(7))
	b.Output("y", b.Op("Add", nil, x, b.Scalar(1)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Nodes) != 2 || len(g.Initializers) != 1 {
		t.Errorf("%d nodes and %d constants are left, want Add and Identity, and one", len(g.Nodes), len(g.Initializers))
	}
}

func TestBuilderScopeNamesNodes(t *testing.T) {
	b := NewBuilder("g")
	x := b.Input("x", Float, 2)
	end := b.Scope("conv1")
	inside := b.Op("Relu", nil, x)
	end()
	outside := b.Op("Neg", nil, x)
	if !strings.HasPrefix(inside.Name, "conv1/") || strings.Contains(outside.Name, "/") {
		t.Errorf("names %q and %q", inside.Name, outside.Name)
	}
}

// TestReplay writes a template graph twice in one graph's place: shapes follow
// the bound input, bound constants are replaced, the others come along.
func TestReplay(t *testing.T) {
	template := &Graph{
		Inputs:       []Value{{Name: "x", Type: Float, Shape: []int{Batch, 2}}},
		Outputs:      []Value{{Name: "y", Type: Float, Shape: []int{Batch, 3}}},
		Initializers: []*Tensor{{Name: "w", Param: true, Type: Float, Shape: []int{2, 3}, Data: make([]float32, 6)}, {Name: "c", Type: Float, Shape: []int{3}, Data: make([]float32, 3)}},
		Nodes:        []*Node{{Op: "Gemm", Name: "fc", Inputs: []string{"x", "w", "c"}, Outputs: []string{"y"}}},
	}
	b := NewBuilder("g")
	x, w := b.Input("pictures", Float, 5, 2), b.Input("weights", Float, 2, 3)
	out := b.Replay(template, map[string]Value{"x": x, "w": w})
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if out[0].Name != "y" || out[0].Shape[0] != 5 || !b.Named("w").Absent() || b.ConstOf(b.Named("c")) == nil {
		t.Errorf("output %+v, w %+v, c %+v", out[0], b.Named("w"), b.Named("c"))
	}
	if b.Replay(template, map[string]Value{"w": w}); b.Err() == nil || !strings.Contains(b.Err().Error(), `"x"`) {
		t.Errorf("without x the error is %v", b.Err())
	}
}

func TestCheck(t *testing.T) {
	relu := func(in, out string) *Node {
		return &Node{Op: "Relu", Name: "n" + out, Inputs: []string{in}, Outputs: []string{out}}
	}
	graph := func(change func(*Graph)) *Graph {
		g := &Graph{
			Inputs:       []Value{{Name: "x", Type: Float, Shape: []int{2, 3}}},
			Outputs:      []Value{{Name: "y", Type: Float, Shape: []int{2, 3}}},
			Initializers: []*Tensor{{Name: "c", Type: Float, Shape: []int{3}, Data: make([]float32, 3)}},
			Nodes:        []*Node{{Op: "Add", Name: "add", Inputs: []string{"x", "c"}, Outputs: []string{"a"}}, relu("a", "y")},
		}
		change(g)
		return g
	}
	for _, c := range []struct {
		name   string
		change func(*Graph)
		says   []string // nil: valid
	}{
		{"as it is", func(*Graph) {}, nil},
		{"an open batch", func(g *Graph) { g.Inputs[0].Shape = []int{Batch, 3}; g.Outputs[0].Shape = []int{Batch, 3} }, nil},
		{"used before", func(g *Graph) { g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0] }, []string{"Relu", `"ny"`, `"a"`}},
		{"assigned twice", func(g *Graph) { g.Nodes = append(g.Nodes, relu("x", "y")) }, []string{`"y"`, "twice"}},
		{"an input as output", func(g *Graph) { g.Nodes = append(g.Nodes, relu("a", "x")) }, []string{`"x"`, "twice"}},
		{"an unknown operator", func(g *Graph) { g.Nodes[1].Op = "Quux" }, []string{"Quux", `"ny"`}},
		{"an unknown operator behind an open batch", func(g *Graph) { g.Inputs[0].Shape[0] = Batch; g.Nodes[1].Op = "Quux" }, []string{"Quux"}},
		{"shapes that do not fit", func(g *Graph) { g.Inputs[0].Shape = []int{2, 4} }, []string{"Add", `"add"`, "broadcast"}},
		{"types that do not fit", func(g *Graph) { g.Inputs[0].Type = Int64 }, []string{"Add", `"add"`, "type"}},
		{"a constant too short", func(g *Graph) { g.Initializers[0].Data = make([]float32, 2) }, []string{`"c"`, "2"}},
		{"a constant of another type", func(g *Graph) { g.Initializers[0].Data = make([]int64, 3) }, []string{`"c"`, "float"}},
		{"an output nobody computes", func(g *Graph) { g.Outputs[0].Name = "z" }, []string{`"z"`}},
		{"an output of another shape", func(g *Graph) { g.Outputs[0].Shape = []int{3, 2} }, []string{`"y"`, "[3 2]"}},
		{"an output of another type", func(g *Graph) { g.Outputs[0].Type = Double }, []string{`"y"`, "double"}},
		{"an input without a name", func(g *Graph) { g.Inputs[0].Name = "" }, []string{"name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(graph(c.change))
			if (err == nil) != (c.says == nil) {
				t.Fatalf("Check says %v", err)
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not speak of %s", err, word)
				}
			}
		})
	}
}
