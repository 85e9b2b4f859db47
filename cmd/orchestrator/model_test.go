package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
)

// poolNet is a classifier with an LpPool, whose operator has no gradient rule,
// before or behind its first convolution.
func poolNet(first bool) *onnx.Graph {
	weight := func(name string, shape ...int) *onnx.Tensor {
		t := onnx.NewTensor(onnx.Float, shape...)
		t.Name, t.Param = name, true
		for i := range t.F32() {
			t.F32()[i] = 0.1
		}
		return t
	}
	conv := &onnx.Node{Name: "conv", Op: "Conv", Inputs: []string{"data", "conv_w"}, Outputs: []string{"conv"}, Attrs: onnx.Attrs{}}
	pool := &onnx.Node{Name: "pool", Op: "LpPool", Inputs: []string{"conv"}, Outputs: []string{"pool"}, Attrs: onnx.Attrs{"kernel_shape": []int64{2, 2}}}
	fc := &onnx.Node{Name: "fc", Op: "Gemm", Inputs: []string{"flat", "fc_w"}, Outputs: []string{"fc"}, Attrs: onnx.Attrs{}}
	flat := &onnx.Node{Name: "flat", Op: "Flatten", Inputs: []string{"pool"}, Outputs: []string{"flat"}, Attrs: onnx.Attrs{}}
	nodes := []*onnx.Node{conv, pool, flat, fc}
	if first {
		nodes = []*onnx.Node{pool, conv, flat, fc}
		pool.Inputs, conv.Inputs[0], flat.Inputs = []string{"data"}, "pool", []string{"conv"}
	}
	return &onnx.Graph{
		Name:         "pools",
		Inputs:       []onnx.Value{{Name: "data", Type: onnx.Float, Shape: []int{onnx.Batch, 1, 4, 4}}},
		Outputs:      []onnx.Value{{Name: "fc", Type: onnx.Float, Shape: []int{onnx.Batch, 2}}},
		Nodes:        nodes,
		Initializers: []*onnx.Tensor{weight("conv_w", 2, 1, 2, 2), weight("fc_w", 8, 2)},
	}
}

func (w *workspace) writeModel(name string, g *onnx.Graph) string {
	w.t.Helper()
	data, err := onnx.Encode(g)
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// TestModelCheckWithoutRule: one error names the nodes that keep a network from
// being trained; those before all parameters do not.
func TestModelCheckWithoutRule(t *testing.T) {
	w := newWorkspace(t)
	out, errOut, code := w.try("model", "check", w.writeModel("behind.onnx", poolNet(false)))
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	for _, want := range []string{"1 have no rule", "it cannot be trained as it is: "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	for _, want := range []string{`1 of 4 nodes have no gradient rule: LpPool "pool"`, "Try:", "cut_after"} {
		if !strings.Contains(errOut, want) {
			t.Errorf("no %q in:\n%s", want, errOut)
		}
	}
	if n := strings.Count(errOut, "Error:"); n != 1 {
		t.Errorf("%d errors in:\n%s", n, errOut)
	}
	out = w.run("model", "check", "--all", w.writeModel("before.onnx", poolNet(true)))
	for _, want := range []string{"LpPool.* constant", "Gemm.* trains", "3 nodes train, 1 are constant, 0 have no rule"} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// TestModelCheckJSON: the nodes add up to the summary, whose figures for CaffeNet
// are the published ones, and a step of it costs about three times the forward pass.
func TestModelCheckJSON(t *testing.T) {
	w := newWorkspace(t)
	var c modelCheck
	if err := json.Unmarshal([]byte(w.run("model", "check", "builtin:caffenet", "--output", "json")), &c); err != nil {
		t.Fatal(err)
	}
	parameters, flops, layers := 0, int64(0), map[string]bool{}
	for _, n := range c.Nodes {
		parameters += n.Parameters
		flops += n.FLOPs
		layers[n.First] = true
	}
	s := c.Summary
	if parameters != 60_965_224 || s.Parameters != parameters {
		t.Errorf("%d parameters, %d in the nodes, want 60,965,224", s.Parameters, parameters)
	}
	if gmacs := float64(flops) / 2e9; gmacs < 0.715 || gmacs > 0.735 || s.FLOPs != flops {
		t.Errorf("%d FLOPs, %d in the nodes, want 0.72 G multiply-adds", s.FLOPs, flops)
	}
	if len(layers) != 8 || s.Nodes != len(c.Nodes) || s.Trains != s.Nodes {
		t.Errorf("%d layers, want 8; %+v", len(layers), s)
	}
	if s.Step == nil {
		t.Fatalf("no step: %s", s.Obstacle)
	}
	if ratio := float64(s.Step.PictureFLOPs) / float64(s.FLOPs); ratio < 2.5 || ratio > 3.5 {
		t.Errorf("a step has %.2f times the FLOPs of the forward pass, want about 3", ratio)
	}
	if want := int64(2 * 4 * 60_965_224); s.Step.StateBytes != want {
		t.Errorf("%d bytes of parameters and momentum, want %d", s.Step.StateBytes, want)
	}
	if s.Step.PictureBytes < 4*(96*55*55+256*27*27) { // at least what two convolutions answer
		t.Errorf("%d bytes for a picture", s.Step.PictureBytes)
	}
}

// TestLayers: a row is a convolution or matrix product with all that follows it.
func TestLayers(t *testing.T) {
	g, err := builtin.Model("smallnet", 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkModel(g)
	if err != nil {
		t.Fatal(err)
	}
	rows := byLayer(c.Nodes)
	parameters, flops := 0, int64(0)
	for i, r := range rows {
		parameters += r.Parameters
		flops += r.FLOPs
		if !strings.HasPrefix(r.Op, "Conv") && !strings.HasPrefix(r.Op, "Gemm") {
			t.Errorf("layer %q begins with %s", r.Name, r.Op)
		}
		if i > 0 && reflect.DeepEqual(r.Name, rows[i-1].Name) {
			t.Errorf("layer %q has two rows", r.Name)
		}
	}
	if parameters != c.Summary.Parameters || flops != c.Summary.FLOPs {
		t.Errorf("the layers have %d parameters and %d FLOPs, the network %d and %d", parameters, flops, c.Summary.Parameters, c.Summary.FLOPs)
	}
	if got := worse(statusTrains, statusNoRule); got != statusNoRule {
		t.Errorf("a layer with a node without a rule is %q", got)
	}
	if got := opsText([]string{"A", "B", "C", "D", "E", "F"}); got != "A B C D +2" {
		t.Errorf("operators as %q", got)
	}
}
