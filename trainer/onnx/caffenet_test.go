package onnx_test

import (
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
)

// TestInspectCaffeNet holds the report against the numbers published for this
// network: 60,965,224 parameters, and by hand for conv1 (96 kernels of 11×11×3
// over 55×55 places), conv2 (two groups) and fc6.
func TestInspectCaffeNet(t *testing.T) {
	g, err := builtin.Model("caffenet", 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := onnx.Inspect(g)
	if err != nil {
		t.Fatal(err)
	}
	if r.Parameters != 60_965_224 {
		t.Errorf("%d parameters, want 60,965,224", r.Parameters)
	}
	want := map[string]struct {
		parameters int
		flops      int64
	}{
		"conv1": {96*11*11*3 + 96, (2*11*11*3 + 1) * 96 * 55 * 55},
		"conv2": {256*5*5*48 + 256, (2*5*5*48 + 1) * 256 * 27 * 27},
		"fc6":   {4096*9216 + 4096, (2*9216 + 1) * 4096},
	}
	sum := 0
	for _, l := range r.Layers {
		sum += l.Parameters
		if w, ok := want[l.Name]; ok {
			if l.Parameters != w.parameters || l.FLOPs != w.flops {
				t.Errorf("%s has %d parameters and %d FLOPs, want %d and %d", l.Name, l.Parameters, l.FLOPs, w.parameters, w.flops)
			}
			delete(want, l.Name)
		}
	}
	if len(want) > 0 || sum != r.Parameters {
		t.Errorf("layers %v are missing; the layers' parameters add up to %d", want, sum)
	}
}
