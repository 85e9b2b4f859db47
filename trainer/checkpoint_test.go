package trainer

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/trainer/onnx"
)

func sampleCheckpoint() Checkpoint {
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(1)), math.SmallestNonzeroFloat32, 1. / 3}
	big := make([]float32, 3*pieceBytes/elementSize+5)
	for i := range big {
		big[i] = float32(i)
	}
	named := func(name string, data []float32, shape ...int) *onnx.Tensor {
		return &onnx.Tensor{Name: name, Type: onnx.Float, Shape: shape, Data: data}
	}
	return Checkpoint{
		Epoch: 2, Step: 3, LossSum: 1. / 3, LossCount: 7, Seconds: 12.5,
		History: []EpochResult{
			{Epoch: 1, TrainLoss: 0.1, Scores: Scores{"accuracy": 2. / 3, "loss": 1e-300}, Seconds: 1},
			{Epoch: 2, TrainLoss: 0.2, Scores: Scores{}, Seconds: 2},
		},
		Tensors: []*onnx.Tensor{
			named("param:a \"quoted\" é", special, 2, 3),
			named("velocity:b", big, len(big)),
			named("scalar", []float32{5}),
			named("empty", []float32{}, 0, 4),
		},
	}
}

func encode(t *testing.T, c Checkpoint) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := EncodeCheckpoint(&buf, c); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// bitwise compares floats by their bits, so that NaN equals itself and 0 is
// not -0.
var bitwise = cmp.Options{
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
}

func TestCheckpointRoundTrip(t *testing.T) {
	for name, c := range map[string]Checkpoint{"full": sampleCheckpoint(), "zero": {}, "scaled": {LossScale: LossScale{Factor: 512, Good: 3, Skipped: 1}}} {
		stored := encode(t, c)
		if size, err := CheckpointSize(c); err != nil || size != int64(len(stored)) {
			t.Errorf("%s: size %d (%v), but %d bytes were written", name, size, err, len(stored))
		}
		got, err := DecodeCheckpoint(bytes.NewReader(stored))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, x := range c.Tensors {
			if x.Shape == nil {
				x.Shape = []int{}
			}
		}
		if diff := cmp.Diff(&c, got, bitwise); diff != "" {
			t.Errorf("%s: what was read differs (-written +read):\n%s", name, diff)
		}
	}
}

func TestCheckpointCutAnywhereIsRefused(t *testing.T) {
	c := sampleCheckpoint()
	c.Tensors = c.Tensors[:1]
	stored := encode(t, c)
	for n := range stored {
		if _, err := DecodeCheckpoint(bytes.NewReader(stored[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a checkpoint", n, len(stored))
		}
	}
	if _, err := DecodeCheckpoint(bytes.NewReader(append(stored, 0))); err == nil {
		t.Error("a byte too many was accepted")
	}
}

func TestDecodeCheckpointRefuses(t *testing.T) {
	const meta = `"__metadata__":{"format":"orchestrator checkpoint 1","epoch":"0","step":"0","loss_count":"0","loss_sum":"0","seconds":"0","history":"[]"}`
	tests := map[string]struct{ header, want string }{
		"not JSON":         {`hello`, "header"},
		"an array":         {`[]`, "where { is expected"},
		"no metadata":      {`{}`, "format"},
		"another format":   {`{"__metadata__":{"format":"pt"}}`, "format"},
		"negative epoch":   {`{` + strings.Replace(meta, `"epoch":"0"`, `"epoch":"-1"`, 1) + `}`, "epoch"},
		"infinite loss":    {`{` + strings.Replace(meta, `"loss_sum":"0"`, `"loss_sum":"Inf"`, 1) + `}`, "loss_sum"},
		"extra metadata":   {`{` + strings.Replace(meta, `"step"`, `"x":"","step"`, 1) + `}`, "metadata"},
		"broken history":   {`{` + strings.Replace(meta, `"[]"`, `"[] []"`, 1) + `}`, "history"},
		"broken scale":     {`{` + strings.Replace(meta, `"step"`, `"loss_scale":"{}{}","step"`, 1) + `}`, "loss scale"},
		"scale of 3":       {`{` + strings.Replace(meta, `"step"`, `"loss_scale":"{\"factor\":3}","step"`, 1) + `}`, "loss scale"},
		"no scale":         {`{` + strings.Replace(meta, `"step"`, `"loss_scale":"null","step"`, 1) + `}`, "loss scale"},
		"twice":            {`{` + meta + `,"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, "twice"},
		"unknown field":    {`{` + meta + `,"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}}`, "unknown field"},
		"other type":       {`{` + meta + `,"a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}`, "type"},
		"no shape":         {`{` + meta + `,"a":{"dtype":"F32","data_offsets":[0,4]}}`, "shape"},
		"negative shape":   {`{` + meta + `,"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, "shape"},
		"overflow":         {`{` + meta + `,"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, "shape"},
		"offsets too long": {`{` + meta + `,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, "offsets"},
		"backwards":        {`{` + meta + `,"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, "offsets"},
		"gap":              {`{` + meta + `,"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, "begins at"},
		"overlap":          {`{` + meta + `,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "begins at"},
		"two objects":      {`{` + meta + `}{}`, "goes on"},
		"data missing":     {`{` + meta + `,"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}`, "ends too early"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stored := binary.LittleEndian.AppendUint64(nil, uint64(len(test.header)))
			stored = append(append(stored, test.header...), make([]byte, 8)...)
			_, err := DecodeCheckpoint(bytes.NewReader(stored))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
	for _, claim := range []uint64{0, 1, maxHeader + 1, math.MaxUint64} {
		if _, err := DecodeCheckpoint(bytes.NewReader(binary.LittleEndian.AppendUint64(nil, claim))); err == nil {
			t.Errorf("a header of %d bytes was accepted", claim)
		}
	}
}

func TestEncodeCheckpointRefusesWhatCannotBeRead(t *testing.T) {
	one := onnx.Floats([]float32{1}, 1)
	one.Name = "a"
	unnamed := onnx.Floats([]float32{1}, 1)
	short := &onnx.Tensor{Name: "a", Type: onnx.Float, Shape: []int{2}, Data: []float32{1}}
	ints := onnx.Ints(1)
	ints.Name = "a"
	for name, c := range map[string]Checkpoint{
		"same name twice": {Tensors: []*onnx.Tensor{one, one}},
		"no name":         {Tensors: []*onnx.Tensor{unnamed}},
		"short data":      {Tensors: []*onnx.Tensor{short}},
		"integers":        {Tensors: []*onnx.Tensor{ints}},
		"NaN":             {LossSum: math.NaN()},
		"scale of 3":      {LossScale: LossScale{Factor: 3}},
	} {
		if err := EncodeCheckpoint(&bytes.Buffer{}, c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever decodes must encode to something that decodes to the same.
func FuzzDecodeCheckpoint(f *testing.F) {
	small := sampleCheckpoint()
	small.Tensors = []*onnx.Tensor{small.Tensors[0], small.Tensors[2], small.Tensors[3]}
	for _, c := range []Checkpoint{{}, small, {LossScale: LossScale{Factor: 1}}} {
		var buf bytes.Buffer
		if err := EncodeCheckpoint(&buf, c); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		c, err := DecodeCheckpoint(bytes.NewReader(stored))
		if err != nil {
			return
		}
		again, err := DecodeCheckpoint(bytes.NewReader(encode(t, *c)))
		if err != nil {
			t.Fatalf("a checkpoint that was read cannot be read again: %v", err)
		}
		if diff := cmp.Diff(c, again, bitwise); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}
