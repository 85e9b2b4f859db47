package compile

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/trainer/onnx"
)

// chain is a network of named operators with one input each, of pictures
// [N, 2, 4, 4]; "Conv" has the parameter NAME_w, "Norm" is a BatchNormalization.
func chain(layers ...[3]string) *onnx.Graph {
	g := &onnx.Graph{
		Name: "chain", Metadata: map[string]string{},
		Inputs: []onnx.Value{{Name: "data", Type: onnx.Float, Shape: []int{onnx.Batch, 2, 4, 4}}},
	}
	param := func(name string, trained bool, shape ...int) string {
		t := onnx.NewTensor(onnx.Float, shape...)
		t.Name, t.Param = name, trained
		g.Initializers = append(g.Initializers, t)
		return name
	}
	for _, l := range layers {
		name, op, in := l[0], l[1], l[2]
		n := &onnx.Node{Name: name, Op: op, Inputs: []string{in}, Outputs: []string{name}, Attrs: onnx.Attrs{}}
		switch op {
		case "Conv":
			n.Inputs = append(n.Inputs, param(name+"_w", true, 2, 2, 1, 1))
		case "BatchNormalization":
			n.Inputs = append(n.Inputs, param(name+"_s", true, 2), param(name+"_b", true, 2), param(name+"_m", false, 2), param(name+"_v", false, 2))
		case "Add":
			n.Inputs = []string{in, l[2][:len(l[2])-1] + "2"} // x1 and x2
		case "Gemm":
			n.Inputs = append(n.Inputs, param(name+"_w", true, 2, 2))
		}
		g.Nodes = append(g.Nodes, n)
	}
	last := layers[len(layers)-1][0]
	g.Outputs = []onnx.Value{{Name: last, Type: onnx.Float, Shape: []int{onnx.Batch, 2}}}
	return g
}

func TestFreezeDividesWhereTrainingBegins(t *testing.T) {
	head := [][3]string{{"pool", "GlobalAveragePool", ""}, {"flat", "Flatten", "pool"}, {"fc", "Gemm", "flat"}, {"prob", "Softmax", "fc"}}
	with := func(in string, layers ...[3]string) *onnx.Graph {
		all := append(slices.Clone(layers), head...)
		all[len(layers)][2] = in
		return chain(all...)
	}
	branch := with("sum", [3]string{"x1", "Conv", "data"}, [3]string{"x2", "Conv", "x1"}, [3]string{"sum", "Add", "x1"})
	for name, c := range map[string]struct {
		model  *onnx.Graph
		trains []string
		values []string // nil: nothing is frozen
		layers []string
		rest   []string
	}{
		"the head": {
			with("c2", [3]string{"c1", "Conv", "data"}, [3]string{"c2", "Conv", "c1"}), []string{"fc_w"},
			[]string{"flat"}, []string{"c1", "c2", "pool", "flat"}, []string{"fc", "prob"},
		},
		"a layer below": {
			with("c2", [3]string{"c1", "Conv", "data"}, [3]string{"c2", "Conv", "c1"}), []string{"c2_w", "fc_w"},
			[]string{"c1"}, []string{"c1"}, []string{"c2", "pool", "flat", "fc", "prob"},
		},
		"a frozen layer above a trained one": {
			with("c2", [3]string{"c1", "Conv", "data"}, [3]string{"c2", "Conv", "c1"}), []string{"c1_w", "fc_w"},
			nil, nil, nil,
		},
		"a branch": {
			branch, []string{"x2_w", "fc_w"},
			[]string{"x1"}, []string{"x1"}, []string{"x2", "sum", "pool", "flat", "fc", "prob"},
		},
		"dropout below the head": {
			with("drop", [3]string{"c1", "Conv", "data"}, [3]string{"drop", "Dropout", "c1"}), []string{"fc_w"},
			[]string{"c1"}, []string{"c1"}, []string{"drop", "pool", "flat", "fc", "prob"},
		},
		"frozen batch normalisation": {
			with("bn", [3]string{"c1", "Conv", "data"}, [3]string{"bn", "BatchNormalization", "c1"}), []string{"fc_w"},
			[]string{"flat"}, []string{"c1", "bn", "pool", "flat"}, []string{"fc", "prob"},
		},
		"batch normalisation that trains": {
			with("bn", [3]string{"c1", "Conv", "data"}, [3]string{"bn", "BatchNormalization", "c1"}), []string{"bn_s", "fc_w"},
			[]string{"c1"}, []string{"c1"}, []string{"bn", "pool", "flat", "fc", "prob"},
		},
		"no parameter below": {
			with("r", [3]string{"r", "Relu", "data"}, [3]string{"c", "Conv", "r"}), []string{"fc_w"},
			nil, nil, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Batch: 3, Channels: 2, Height: 4, Width: 4, Rates: map[string]Rates{}}
			for _, p := range c.model.Initializers {
				if p.Param && !slices.Contains(c.trains, p.Name) {
					o.Rates[p.Name] = Rates{}
				}
			}
			f, err := Freeze(c.model, o)
			if err != nil {
				t.Fatal(err)
			}
			if f == nil {
				if c.values != nil {
					t.Fatal("nothing is frozen")
				}
				return
			}
			var rest []string
			for _, n := range f.Rest.Nodes {
				rest = append(rest, n.Name)
			}
			if d := cmp.Diff([][]string{c.values, c.layers, c.rest}, [][]string{f.Values, f.Layers, rest}); d != "" {
				t.Errorf("values, layers, rest: %s", d)
			}
			o.Features = true
			if _, err := Train(f.Rest, o); err != nil {
				t.Errorf("the rest does not compile: %v", err)
			}
			if _, err := Eval(f.Rest, o); err != nil {
				t.Errorf("the rest does not compile: %v", err)
			}
		})
	}
}

// A value with the pictures in another dimension than the first cannot be kept
// by picture.
func TestFreezeNeedsARowPerPicture(t *testing.T) {
	g := chain([3]string{"c1", "Conv", "data"}, [3]string{"turned", "Transpose", "c1"}, [3]string{"c2", "Conv", "turned"},
		[3]string{"back", "Transpose", "c2"}, [3]string{"pool", "GlobalAveragePool", "back"}, [3]string{"flat", "Flatten", "pool"}, [3]string{"fc", "Gemm", "flat"})
	for _, n := range g.Nodes {
		if n.Op == "Transpose" {
			n.Attrs["perm"] = []int64{2, 1, 0, 3}
		}
	}
	o := Options{Batch: 3, Channels: 2, Height: 4, Width: 4, Rates: map[string]Rates{"c1_w": {}}}
	if f, err := Freeze(g, o); f != nil || err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	o.Rates["c2_w"] = Rates{}
	f, err := Freeze(g, o)
	if err != nil || f == nil || !slices.Equal(f.Values, []string{"flat"}) || f.Floats() != 2 {
		t.Errorf("%+v, %v", f, err)
	}
}
