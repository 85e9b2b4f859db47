package onnx_test

import (
	"strings"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
)

// CaffeNet's fields by hand: conv1 has 11 pixels every 4; pool1 11 + 2·4 = 19 every
// 8; conv2 19 + 4·8 = 51, begun 2·8 before; pool2 51 + 2·8 = 67 every 16; the three
// convolutions of 3 add 2·16 each: 163.
func TestReceptiveField(t *testing.T) {
	g, err := builtin.Model("caffenet", 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for layer, want := range map[string]onnx.Field{
		"conv1": {Size: 11, Step: 4}, "relu1": {Size: 11, Step: 4}, "pool1": {Size: 19, Step: 8}, "conv2": {Size: 51, Step: 8, Start: -16},
		"norm2": {Size: 67, Step: 16, Start: -16}, "conv5": {Size: 163, Step: 16, Start: -64}, "pool5": {Size: 195, Step: 32, Start: -64},
	} {
		got, err := onnx.ReceptiveField(g, layer)
		if err != nil || got != want {
			t.Errorf("%s sees %+v (%v), want %+v", layer, got, err, want)
		}
	}
	for layer, want := range map[string]string{"fc6": "as a whole", "nothing": "no layer computes"} {
		if _, err := onnx.ReceptiveField(g, layer); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", layer, err)
		}
	}
}
