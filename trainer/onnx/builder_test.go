package onnx

import (
	"errors"
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

func TestBuilderSharesConstants(t *testing.T) {
	b := NewBuilder("g")
	if b.Ints(1, 2).Name != b.Ints(1, 2).Name {
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
