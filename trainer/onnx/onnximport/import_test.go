package onnximport_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

// sharedModels is the folder of real networks, or "" where there is none.
func sharedModels(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("ORCHESTRATOR_TEST_DATA"); dir != "" {
		return filepath.Join(dir, "models")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "data", "models")
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// TestRealNetworks imports what people have: every network gets one open input,
// its parameters marked, its layers named, and shapes at any batch size.
func TestRealNetworks(t *testing.T) {
	dir := sharedModels(t)
	for _, c := range []struct {
		file       string
		parameters int
		tensors    int
		layers     []string
		output     []int // at a batch of N
	}{
		{"squeezenet1.1-7.onnx", 1235496, 52, []string{"conv1", "fire2/squeeze1x1", "conv10", "pool10_1", "softmaxout_1"}, []int{8, 1000, 1, 1}},
		{"light_squeezenet.onnx", 1235496, 52, []string{"conv1", "fire2/squeeze1x1", "conv10"}, []int{8, 1000, 1, 1}},
		{"light_bvlc_alexnet.onnx", 60965224, 16, []string{"conv1", "fc6", "fc7", "fc8"}, []int{8, 1000}},
		{"light_resnet50.onnx", 25557032, 161, []string{"gpu_0/conv1", "gpu_0/res_conv1_bn", "gpu_0/pred"}, []int{8, 1000}},
	} {
		t.Run(c.file, func(t *testing.T) {
			path := filepath.Join(dir, c.file)
			if _, err := os.Stat(path); err != nil {
				t.Skipf("the real networks are not here: %v", err)
			}
			g, err := onnximport.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			count, tensors := 0, 0
			for _, p := range g.Initializers {
				if p.Param {
					tensors++
					count += onnx.NumElements(p.Shape)
				}
			}
			if count != c.parameters || tensors != c.tensors {
				t.Errorf("%d parameters in %d tensors, want %d in %d", count, tensors, c.parameters, c.tensors)
			}
			names := map[string]bool{}
			for _, n := range g.Nodes {
				if names[n.Name] {
					t.Errorf("two layers are called %q", n.Name)
				}
				names[n.Name] = true
			}
			for _, l := range c.layers {
				if !names[l] {
					t.Errorf("there is no layer %q", l)
				}
			}
			for _, batch := range []int{1, 8} {
				b := onnx.NewBuilder("check")
				x := b.Input("x", onnx.Float, append([]int{batch}, g.Inputs[0].Shape[1:]...)...)
				out := b.Replay(g, map[string]onnx.Value{g.Inputs[0].Name: x})
				if b.Err() != nil {
					t.Fatal(b.Err())
				}
				want := append([]int{batch}, c.output[1:]...)
				if got := out[0].Shape; !slices.Equal(got, want) {
					t.Errorf("at batch %d the output is %v, want %v", batch, got, want)
				}
			}
			if want := append([]int{onnx.Batch}, c.output[1:]...); !slices.Equal(g.Outputs[0].Shape, want) {
				t.Errorf("the output is declared %v, want %v", g.Outputs[0].Shape, want)
			}
		})
	}
}
