package compile

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
)

var update = flag.Bool("update", false, "rewrite testdata from what the compiler writes now")

// TestWrittenGraphs compares whole graphs, as text, with those in testdata: a
// change of a lowering, which changes the bits that a job ends with, shows there.
func TestWrittenGraphs(t *testing.T) {
	frozen := options(2)
	frozen.Rates = map[string]Rates{"conv1_w": {}, "conv1_b": {}}
	adam := options(2)
	adam.Optimizer, adam.Hyper, adam.ClipNorm = "adam", hypers(), 1
	lars := options(2)
	lars.Optimizer, lars.Hyper = "lars", hypers()
	focal := options(2).withLoss(Options{Loss: "focal", FocalGamma: 2})
	cuda := options(2).in("float16")
	cuda.Target = CUDA
	cases := []struct {
		name    string
		compile func(*onnx.Graph, Options) (*Program, error)
		model   *onnx.Graph
		options Options
	}{
		{"train", Train, small(), options(2)},
		{"train_frozen", Train, small(), frozen},
		{"train_normalised", Train, normalised(), normalisedOptions(2)},
		{"accumulate", Accumulate, small(), options(2)},
		{"apply", Apply, small(), options(2)},
		{"apply_adam_clipped", Apply, small(), adam},
		{"apply_lars", Apply, small(), lars},
		{"accumulate_float16", Accumulate, small(), options(2).in("float16")},
		{"accumulate_float16_cuda", Accumulate, small(), cuda},
		{"accumulate_normalised_float16", Accumulate, normalised(), normalisedOptions(2).in("float16")},
		{"train_bfloat16", Train, small(), options(2).in("bfloat16")},
		{"train_normalised_bfloat16", Train, normalised(), normalisedOptions(2).in("bfloat16")},
		{"accumulate_focal", Accumulate, small(), focal},
		{"average", Average, small(), options(2)},
		{"eval", Eval, small(), options(2)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := must(c.compile(c.model, c.options))(t)
			var got bytes.Buffer
			if err := onnx.Dump(&got, p.Graph); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", c.name+".txt")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if at := firstDifference(got.String(), string(want)); at > 0 {
				t.Errorf("%s differs from line %d on; -update rewrites it", path, at)
			}
		})
	}
}

// firstDifference is the number of the first line in which two texts differ, or 0.
func firstDifference(a, b string) int {
	if a == b {
		return 0
	}
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i + 1
		}
	}
	return min(len(x), len(y)) + 1
}

// TestSameGraphEveryTime: compiling twice gives the same bytes.
func TestSameGraphEveryTime(t *testing.T) {
	var first []byte
	for range 5 {
		p := must(Train(normalised(), normalisedOptions(2)))(t)
		data, err := onnx.Encode(p.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if !bytes.Equal(data, first) {
			t.Fatal("two compilations differ")
		}
	}
}
