package compile

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
)

// TestDescriptions compares what people read of small graphs with
// testdata/*.golden; -update rewrites them.
func TestDescriptions(t *testing.T) {
	frozen := options(2)
	frozen.Rates = map[string]Rates{"conv1_w": {}, "conv1_b": {}}
	adam := options(2)
	adam.Optimizer, adam.Hyper, adam.ClipNorm, adam.Loss = "adam", hypers(), 1, "hinge"
	pictures := options(2)
	pictures.FloatInput, pictures.Mean, pictures.Scale = false, []float32{10, 20}, []float32{0.5, 0.25}
	cases := []struct {
		name     string
		describe func(t *testing.T) *Description
	}{
		{"model", func(t *testing.T) *Description { return described(t, small(), Options{}, nil) }},
		{"train", func(t *testing.T) *Description { return described(t, small(), pictures, Train) }},
		{"train_frozen_adam", func(t *testing.T) *Description {
			adam.Rates = frozen.Rates
			return described(t, small(), adam, Train)
		}},
		{"train_normalised", func(t *testing.T) *Description {
			return described(t, normalised(), normalisedOptions(2), Train)
		}},
		{"accumulate", func(t *testing.T) *Description { return described(t, small(), frozen, Accumulate) }},
		{"eval", func(t *testing.T) *Description { return described(t, small(), options(2), Eval) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			if err := c.describe(t).WriteText(&got); err != nil {
				t.Fatal(err)
			}
			compareText(t, c.name+".golden", got.Bytes())
		})
	}
	t.Run("dot", func(t *testing.T) {
		var got bytes.Buffer
		if err := described(t, small(), frozen, Train).WriteDot(&got); err != nil {
			t.Fatal(err)
		}
		compareText(t, "train_frozen.dot.golden", got.Bytes())
	})
}

// compareText compares a text with the file of that name in testdata.
func compareText(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if at := firstDifference(string(got), string(want)); at > 0 {
		t.Errorf("%s differs from line %d on; -update rewrites it. Now it is\n%s", path, at, got)
	}
}

// described is the description of a program, or of the model alone.
func described(t *testing.T, model *onnx.Graph, o Options, compile func(*onnx.Graph, Options) (*Program, error)) *Description {
	t.Helper()
	var d *Description
	var err error
	if compile == nil {
		d, err = DescribeModel(model, 2)
	} else {
		d, err = Describe(must(compile(model, o))(t), model)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDescriptionIsWhole: every node, input, slot and output of a program is in
// its description once, and every value that a node takes is one of them.
func TestDescriptionIsWhole(t *testing.T) {
	p := must(Train(normalised(), normalisedOptions(2)))(t)
	d, err := Describe(p, normalised())
	if err != nil {
		t.Fatal(err)
	}
	known, nodes := map[string]bool{}, []string{}
	for _, v := range d.Inputs {
		known[v.Name] = true
	}
	for _, s := range d.State {
		known[s.Name] = true
	}
	if len(known) != len(p.Graph.Inputs) {
		t.Errorf("%d inputs and slots are described, the program has %d inputs", len(known), len(p.Graph.Inputs))
	}
	for _, s := range d.Sections {
		for _, n := range s.Nodes {
			nodes = append(nodes, n.Name)
			for _, v := range n.Outputs {
				known[v.Name] = true
			}
		}
	}
	slices.Sort(nodes)
	var want []string
	for _, n := range p.Graph.Nodes {
		want = append(want, n.Name)
		for _, in := range n.Inputs {
			if !known[in] && p.Graph.Initializer(in) == nil {
				t.Errorf("%s takes %q, which is not described", n.Name, in)
			}
		}
	}
	if slices.Sort(want); !reflect.DeepEqual(nodes, want) {
		t.Errorf("the nodes described are %v, the program's %v", nodes, want)
	}
	if _, err := json.Marshal(d); err != nil {
		t.Error(err)
	}
}

// TestDescribedGradients: every trained parameter has a node that is said to be
// its gradient and has its shape, or an update that takes the gradient in; what
// is frozen, and what lies below, has none.
func TestDescribedGradients(t *testing.T) {
	o := options(2)
	o.Rates = map[string]Rates{"conv1_w": {}, "conv1_b": {}}
	p := must(Train(small(), o))(t)
	d, err := Describe(p, small())
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]int{}
	for _, s := range d.State {
		shapes[s.Name] = s.Shape
	}
	found := map[string]bool{}
	for _, s := range d.Sections {
		for _, n := range s.Nodes {
			for _, v := range n.Outputs {
				for _, of := range v.GradientOf {
					found[of] = true
					if want, ok := shapes[of]; ok && !reflect.DeepEqual(v.Shape, want) {
						t.Errorf("the gradient of %s has shape %v, want %v", of, v.Shape, want)
					}
				}
			}
		}
	}
	for _, name := range []string{"fc", "param:fc_b"} {
		if !found[name] {
			t.Errorf("no node is the gradient of %s", name)
		}
	}
	for _, name := range []string{"conv1", "relu1", "flat", "param:conv1_w", "param:conv1_b"} {
		if found[name] {
			t.Errorf("there is a gradient of %s, which is frozen or below what is", name)
		}
	}
}

// TestConstantText: what is long is shortened, and nothing else.
func TestConstantText(t *testing.T) {
	long := make([]int64, 1000)
	for i := range long {
		long[i] = int64(i)
	}
	weights := onnx.NewTensor(onnx.Float, 64, 3, 7, 7)
	weights.Name = "conv1_w"
	cases := []struct {
		tensor *onnx.Tensor
		want   string
	}{
		{&onnx.Tensor{Type: onnx.Float, Shape: []int{}, Data: []float32{0.9}}, "0.9"},
		{&onnx.Tensor{Type: onnx.Float, Shape: []int{1}, Data: []float32{0.9}}, "[0.9]"},
		{onnx.Ints(2, 3), "[2 3]"},
		{onnx.Ints(), "[]"},
		{onnx.Ints(1, 2, 3, 4, 5, 6), "[1 2 3 4 5 6]"},
		{onnx.Ints(long...), "[0 1 2 3 … 999]"},
		{weights, "conv1_w float[64 3 7 7]"},
		{&onnx.Tensor{Type: onnx.Bool, Shape: []int{2}, Data: []bool{true, false}}, "[true false]"},
	}
	for _, c := range cases {
		if got := constantText(c.tensor); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestLongLinesStayReadable: a value's shape stands behind it even where the
// names before it are long.
func TestLongLinesStayReadable(t *testing.T) {
	var got bytes.Buffer
	p := &printer{w: &got}
	p.table([][]string{{"a", "1"}, {strings.Repeat("x", widest+5), "2"}, {"bb", "3"}})
	want := "  a   1\n  " + strings.Repeat("x", widest+5) + "  2\n  bb  3\n"
	if got.String() != want || p.err != nil {
		t.Errorf("%q, want %q", got.String(), want)
	}
}
