package compile_test

import (
	"math"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort/orttest"
)

// TestCaffeNetActivations: CaffeNet with its 1000 outputs, written to a file and
// read again, answers in ONNX Runtime at every layer as a float64 evaluation does,
// within 1e-4 of each value or, where a value is the small rest of large ones, of
// the layer's root mean square.
func TestCaffeNetActivations(t *testing.T) {
	built, err := builtin.Model("caffenet", 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := onnx.Encode(built)
	if err != nil {
		t.Fatal(err)
	}
	g, err := onnximport.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	parameters := 0
	for _, p := range g.Initializers {
		if p.Param {
			parameters += onnx.NumElements(p.Shape)
		}
	}
	if parameters != 60_965_224 {
		t.Errorf("%d parameters, want 60,965,224", parameters)
	}
	var values []string
	for _, n := range g.Nodes {
		values = append(values, n.Outputs[0])
	}
	picture := onnx.NewTensor(onnx.Float, 1, 3, 227, 227)
	exact := onnxeval.New(1, 3, 227, 227)
	for i := range picture.F32() {
		x := float32(math.Mod(float64(i)*97.31, 255) - 114)
		picture.F32()[i], exact.Data[i] = x, float64(x)
	}
	got := runFeatures(t, g, values, picture)
	all := g.Clone()
	all.Outputs = nil
	for _, name := range values {
		all.Outputs = append(all.Outputs, onnx.Value{Name: name, Type: onnx.Float})
	}
	want, err := onnxeval.Run(all, map[string]*onnxeval.Array{g.Inputs[0].Name: exact})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range values {
		worst, squares := 0.0, 0.0
		for _, x := range want[name].Data {
			squares += x * x
		}
		rms := math.Sqrt(squares / float64(len(want[name].Data)))
		for k, x := range want[name].Data {
			worst = max(worst, math.Abs(float64(got[i].F32()[k])-x)/max(math.Abs(x), rms))
		}
		if t.Logf("%-8s %.1e", name, worst); !(worst < 1e-4) {
			t.Errorf("%s differs by %.1e", name, worst)
		}
	}
}

// runFeatures answers the values of a network to one float picture in ONNX Runtime.
func runFeatures(t *testing.T, g *onnx.Graph, values []string, picture *onnx.Tensor) []*onnx.Tensor {
	t.Helper()
	p, err := compile.Features(g, values, compile.Options{
		Batch: 1, Channels: picture.Shape[1], Height: picture.Shape[2], Width: picture.Shape[3], FloatInput: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := orttest.New(t, 2).Open(p.Graph)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	params := map[string]string{}
	for _, s := range p.State {
		params[s.Name] = s.Param
	}
	var in, out []*onnx.Tensor
	for _, v := range p.Graph.Inputs {
		if param, ok := params[v.Name]; ok {
			in = append(in, g.Initializer(param))
		} else {
			in = append(in, picture)
		}
	}
	for _, v := range p.Graph.Outputs {
		out = append(out, onnx.NewTensor(v.Type, v.Shape...))
	}
	if err := session.Run(in, out); err != nil {
		t.Fatal(err)
	}
	return out
}
