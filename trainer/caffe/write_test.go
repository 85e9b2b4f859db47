package caffe

import (
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

// The tests write their own caffemodels.

func bytesField(b []byte, n protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), content)
}

func textField(b []byte, n protowire.Number, s string) []byte { return bytesField(b, n, []byte(s)) }

func intField(b []byte, n protowire.Number, x int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(x))
}

func floatField(b []byte, n protowire.Number, x float32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, n, protowire.Fixed32Type), math.Float32bits(x))
}

// blobForm is how a blob is written: files of all ages are about.
type blobForm int

const (
	packed     blobForm = iota // float, packed, with a shape
	unpacked                   // float, one by one, with four dimensions
	doubles                    // double, packed
	blobFormes                 // how many there are
)

func blobBytes(form blobForm, data []float32, shape ...int) []byte {
	var b, values []byte
	for _, x := range data {
		switch form {
		case doubles:
			values = protowire.AppendFixed64(values, math.Float64bits(float64(x)))
		case unpacked:
			b = floatField(b, 5, x)
		default:
			values = protowire.AppendFixed32(values, math.Float32bits(x))
		}
	}
	switch form {
	case doubles:
		b = bytesField(b, 8, values)
	case packed:
		b = bytesField(b, 5, values)
	}
	if form == unpacked {
		for i, d := range append([]int{1, 1, 1, 1}[:4-len(shape)], shape...) {
			b = intField(b, protowire.Number(1+i), d)
		}
		return b
	}
	var dims []byte
	for _, d := range shape {
		dims = protowire.AppendVarint(dims, uint64(d))
	}
	return bytesField(b, 7, bytesField(nil, 1, dims))
}

// param is a layer's settings: the number of the field in the layer, and the content.
type param struct {
	field   protowire.Number
	content []byte
}

func v2Layer(name, kind string, bottom, top []string, p param, blobs ...[]byte) []byte {
	b := textField(textField(nil, 1, name), 2, kind)
	for _, x := range bottom {
		b = textField(b, 3, x)
	}
	for _, x := range top {
		b = textField(b, 4, x)
	}
	for _, x := range blobs {
		b = bytesField(b, 7, x)
	}
	if p.field != 0 {
		b = bytesField(b, p.field, p.content)
	}
	return bytesField(nil, 100, b)
}

func v1Layer(name string, kind int, bottom, top string, p param, blobs ...[]byte) []byte {
	b := intField(textField(textField(textField(nil, 4, name), 2, bottom), 3, top), 5, kind)
	for _, x := range blobs {
		b = bytesField(b, 6, x)
	}
	if p.field != 0 {
		b = bytesField(b, p.field, p.content)
	}
	return bytesField(nil, 2, b)
}

// values are some numbers that no pattern hides in.
func values(n int, seed float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(math.Sin(seed + 1.7*float64(i)))
	}
	return out
}

func picture3(channels, height, width int) *onnxeval.Array {
	x := onnxeval.New(1, channels, height, width)
	for i := range x.Data {
		x.Data[i] = math.Cos(0.9 * float64(i))
	}
	return x
}

// answer evaluates an imported network in float64.
func answer(t *testing.T, g *onnx.Graph, x *onnxeval.Array) *onnxeval.Array {
	t.Helper()
	out, err := onnxeval.Run(g, map[string]*onnxeval.Array{g.Inputs[0].Name: x})
	if err != nil {
		t.Fatal(err)
	}
	return out[g.Outputs[0].Name]
}
