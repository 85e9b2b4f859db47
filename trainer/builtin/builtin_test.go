package builtin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/onnx/onnximport"
)

func parameters(g *onnx.Graph) int {
	n := 0
	for _, t := range g.Initializers {
		if t.Param {
			n += onnx.NumElements(t.Shape)
		}
	}
	return n
}

// drawn keeps the networks of earlier tests: CaffeNet takes a second to draw.
var drawn = map[string]*onnx.Graph{}

func model(t *testing.T, name string, outputs int) *onnx.Graph {
	t.Helper()
	key := fmt.Sprint(name, outputs)
	if drawn[key] == nil {
		g, err := Model(name, outputs, 1)
		if err != nil {
			t.Fatal(err)
		}
		drawn[key] = g
	}
	return drawn[key]
}

func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		name          string
		outputs, want int
	}{
		{"caffenet", 1000, 60_965_224},
		{"caffenet", 2, 56_876_418},
		{"minicaffenet", 2, 50_034},
		{"smallnet", 2, 60_818},
		{"tinynet", 2, 1_810},
	} {
		if got := parameters(model(t, c.name, c.outputs)); got != c.want {
			t.Errorf("%s with %d outputs has %d parameters, want %d", c.name, c.outputs, got, c.want)
		}
	}
	if got := parameters(model(t, "smallnet", 500)); got > 100_000 {
		t.Errorf("smallnet with 500 outputs has %d parameters, more than it promises", got)
	}
}

// TestCaffeNetShapes follows a picture through the layers of the original.
func TestCaffeNetShapes(t *testing.T) {
	g := model(t, "caffenet", 2)
	b := onnx.NewBuilder("shapes")
	b.Replay(g, map[string]onnx.Value{"data": b.Input("data", onnx.Float, 1, 3, 227, 227)})
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	for _, c := range []struct {
		layer string
		want  []int
	}{
		{"conv1", []int{1, 96, 55, 55}}, {"norm1", []int{1, 96, 27, 27}},
		{"conv2", []int{1, 256, 27, 27}}, {"norm2", []int{1, 256, 13, 13}},
		{"conv3", []int{1, 384, 13, 13}}, {"conv4", []int{1, 384, 13, 13}},
		{"conv5", []int{1, 256, 13, 13}}, {"pool5", []int{1, 256, 6, 6}},
		{"fc6", []int{1, 4096}}, {"fc7", []int{1, 4096}}, {"fc8", []int{1, 2}}, {"prob", []int{1, 2}},
	} {
		if got := b.Named(c.layer).Shape; !slices.Equal(got, c.want) {
			t.Errorf("%s is %v, want %v", c.layer, got, c.want)
		}
	}
	want := "conv1 relu1 pool1 norm1 conv2 relu2 pool2 norm2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8 prob"
	for _, name := range []string{"caffenet", "minicaffenet"} {
		var order []string
		for _, n := range model(t, name, 2).Nodes {
			order = append(order, n.Name)
		}
		if got := strings.Join(order, " "); got != want {
			t.Errorf("%s: layers %s\nwant   %s", name, got, want)
		}
	}
}

// TestImport: a network survives the way through a file with its parameters,
// layer names and constants.
func TestImport(t *testing.T) {
	for _, name := range Names() {
		g := model(t, name, 2)
		data, err := onnx.Encode(g)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := onnximport.Read(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := parameters(back), parameters(g); got != want {
			t.Errorf("%s came back with %d parameters, had %d", name, got, want)
		}
		for i, n := range g.Nodes {
			if back.Nodes[i].Name != n.Name || back.Nodes[i].Op != n.Op {
				t.Errorf("%s: layer %s %s came back as %s %s", name, n.Op, n.Name, back.Nodes[i].Op, back.Nodes[i].Name)
			}
		}
		if !slices.Equal(back.Outputs[0].Shape, []int{onnx.Batch, 2}) {
			t.Errorf("%s came back with output %v", name, back.Outputs[0])
		}
	}
}

// TestSizes: the small networks take pictures of every size they are meant for.
func TestSizes(t *testing.T) {
	for _, name := range []string{"smallnet", "tinynet"} {
		g := model(t, name, 3)
		for _, size := range []int{32, 40, 64} {
			open := g.Clone()
			open.Inputs[0].Shape = []int{onnx.Batch, 3, size, size}
			x := onnxeval.New(2, 3, size, size)
			for i := range x.Data {
				x.Data[i] = float64(i%13)/13 - 0.5
			}
			out, err := onnxeval.Run(open, map[string]*onnxeval.Array{"data": x})
			if err != nil {
				t.Fatalf("%s at %d: %v", name, size, err)
			}
			p := out["prob"]
			if !slices.Equal(p.Shape, []int{2, 3}) || p.Data[0]+p.Data[1]+p.Data[2] < 0.999999 {
				t.Errorf("%s at %d: output %v %v", name, size, p.Shape, p.Data)
			}
		}
	}
}

func TestSeedsDecideTheWeights(t *testing.T) {
	draw := func(seed int64) string {
		g, err := Model("tinynet", 2, seed)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(g.Initializer("conv1.weight").F32()[:8])
	}
	first, again, other := draw(1), draw(1), draw(2)
	if first != again || first == other {
		t.Error("the weights are not a function of the seed")
	}
}

func TestErrors(t *testing.T) {
	_, err := Model("resnet", 2, 1)
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "caffenet, minicaffenet, smallnet, tinynet") {
		t.Errorf("error %v, want one whose hint lists the names", err)
	}
	if _, err := Model("tinynet", 0, 1); err == nil || !strings.Contains(err.Error(), "0 outputs") {
		t.Errorf("error %v, want one about 0 outputs", err)
	}
}
