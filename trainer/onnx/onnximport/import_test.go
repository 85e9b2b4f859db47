package onnximport_test

import (
	"slices"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

// TestRealNetworks imports what people have: every network gets one open input,
// its parameters marked, its layers named, and shapes at any batch size.
func TestRealNetworks(t *testing.T) {
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
			g, err := onnximport.Load(testenv.Data(t, "models", c.file))
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
