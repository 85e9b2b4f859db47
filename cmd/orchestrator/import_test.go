package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/tools/testenv"

	"google.golang.org/protobuf/encoding/protowire"
)

const importedDeploy = `name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
`

// caffeModel writes a .caffemodel with the weights of fc: 75 or 3·5·5 inputs.
func caffeModel() []byte {
	floats := func(n int) []byte {
		var b []byte
		for i := range n {
			b = protowire.AppendFixed32(b, math.Float32bits(float32(i%7)/100))
		}
		return protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), b)
	}
	field := func(b []byte, n protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), content)
	}
	layer := field(field(nil, 1, []byte("fc")), 2, []byte("InnerProduct"))
	return field(nil, 100, field(field(layer, 7, floats(2*75)), 7, floats(2)))
}

// A network of Caffe's is imported, and predicts in ONNX Runtime with nothing more
// than what the import wrote.
func TestImportedNetworkPredicts(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	if err := os.WriteFile(filepath.Join(w.dir, "net.caffemodel"), caffeModel(), 0o644); err != nil {
		t.Fatal(err)
	}
	w.write("deploy.prototxt", importedDeploy)
	w.write("labels.txt", "ants\nbees\n")
	out := w.run("model", "import", "caffe", "net.caffemodel", "--deploy", "deploy.prototxt", "--labels", "labels.txt", "--file", "net.onnx")
	for _, want := range []string{"net.onnx: input N×3×8×8, output N×2, 5 layers, 152 parameters", "preprocessing: {resize: [256, 256], crop: 8, channels: bgr}"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q, want %q in it", out, want)
		}
	}
	w.run("dataset", "example", "pictures", "--pictures", "6", "--size", "40")
	if got := w.run("predict", "--model", "net.onnx", filepath.Join("pictures", "rings", "0001.png")); !strings.Contains(got, "ants") && !strings.Contains(got, "bees") {
		t.Errorf("predicted %s", got)
	}
	for want, args := range map[string][]string{
		"is not channels, height and width":   {"--input", "8x8"},
		"three.txt has 3 lines for 2 outputs": {"--labels", "three.txt", "--deploy", "deploy.prototxt"},
		"broken.prototxt:1: a closing brace":  {"--deploy", "broken.prototxt"},
		"the mean file":                       {"--deploy", "deploy.prototxt", "--mean", "labels.txt"},
		"neither file says how large":         nil,
		"net.onnx is there already":           {"--deploy", "deploy.prototxt"},
		"blob 0 has 150 values, not 225":      {"--deploy", "wide.prototxt"},
	} {
		w.write("broken.prototxt", "}")
		w.write("three.txt", "a\nb\nc\n")
		w.write("wide.prototxt", strings.Replace(importedDeploy, "num_output: 2", "num_output: 3", 1))
		file := "other.onnx"
		if strings.Contains(want, "already") {
			file = "net.onnx"
		}
		_, errOut, code := w.try(append([]string{"model", "import", "caffe", "net.caffemodel", "--file", file}, args...)...)
		if code != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("%v: exit %d, %s; want %q", args, code, errOut, want)
		}
		if _, err := os.Stat(filepath.Join(w.dir, "other.onnx")); err == nil {
			t.Errorf("%v left a file", args)
		}
	}
}
