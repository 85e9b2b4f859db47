package compile

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// spread is what bench/golden/spread.py wrote: PyTorch's runs from starts that
// lie a rounding error apart.
type spread struct {
	Nudge float64 `json:"nudge"`
	Runs  []struct {
		Start   int       `json:"start"`
		Float64 []float64 `json:"float64"`
		Float32 []float64 `json:"float32"`
	} `json:"runs"`
}

// nudge moves the weights a little, in a way of its own for each start but 0.
func nudge(g *onnx.Graph, start int, scale float64) {
	if start == 0 {
		return
	}
	numbered(g, func(t *onnx.Tensor, number int) {
		for k, w := range t.F32() {
			t.F32()[k] = float32(float64(w) * (1 + float64(hashed(k, number+1000*start, scale))))
		}
	})
}

func loadSpread(t testing.TB, name string) spread {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "spread_"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var s spread
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// parts is, for each step, how far PyTorch's runs have parted by then, in the pair
// that parts the most: float32 from float64 from the same start, and float64 from
// float64 from starts that are a rounding error apart.
func (s spread) parts() []float64 {
	most := make([]float64, len(s.Runs[0].Float64))
	pair := func(want, got []float64) {
		for i, w := range want {
			most[i] = max(most[i], math.Abs(got[i]-w)/w)
		}
	}
	for i, a := range s.Runs {
		pair(a.Float64, a.Float32)
		for _, b := range s.Runs[:i] {
			pair(a.Float64, b.Float64)
		}
	}
	for i := range most[1:] {
		most[i+1] = max(most[i+1], most[i])
	}
	return most
}

// allowed is how far a loss of each step may be from the float64 run's. Two correct
// runs part when a unit's input rounds to the other side of zero, or another value of
// a window becomes its maximum: ReLU and MaxPool then send a gradient elsewhere, and
// the difference grows, by a factor of 2 a step in AlexNet and of 10 in ResNet-50. In
// which step that happens is chance, on every processor another: one flip changes
// AlexNet's next loss by 6e-6. So the first loss, before any update, is held to 1e-5,
// the next ones to 1e-4, and the later ones to ten times what PyTorch's own runs part.
func (s spread) allowed() []float64 {
	out := s.parts()
	for i := range out {
		out[i] = max(10*out[i], 1e-4)
	}
	out[0] = 1e-5
	return out
}

// TestGoldenSpread repeats the runs from several starts. Each is held to allowed, and
// as flips are chance in single runs but not in several, the median of the starts'
// deviations to three times what PyTorch's runs part.
func TestGoldenSpread(t *testing.T) {
	testenv.Full(t, "TestGoldenRuns from one start")
	r := orttest.New(t, 2)
	for _, c := range goldenNetworks {
		t.Run(c.name, func(t *testing.T) {
			s := loadSpread(t, c.name)
			steps := make([][]float64, len(s.Runs[0].Float64)) // deviations of all starts
			allowed, parts := s.allowed(), s.parts()
			for _, run := range s.Runs {
				g, model := loadGolden(t, c.name, c.file)
				c.weights(model)
				nudge(model, run.Start, s.Nudge)
				for i, loss := range lossesOf(t, r, g, model) {
					off := math.Abs(loss-run.Float64[i]) / run.Float64[i]
					steps[i] = append(steps[i], off)
					if !(off <= allowed[i]) {
						t.Errorf("start %d, step %d: off by %.2g, allowed %.2g", run.Start, i, off, allowed[i])
					}
				}
			}
			for i, offs := range steps {
				if m := median(offs); !(m <= max(3*parts[i], 1e-5)) {
					t.Errorf("step %d: the losses are off by %.2g in the median, PyTorch's runs part by %.2g", i, m, parts[i])
				}
			}
			t.Logf("largest deviations in the last step: %.1e; PyTorch's runs part by %.1e", slices.Max(steps[len(steps)-1]), parts[len(parts)-1])
		})
	}
}

// lossesOf are the losses of a whole run.
func lossesOf(t *testing.T, r *ort.Runtime, g golden, model *onnx.Graph) []float64 {
	t.Helper()
	p := must(Train(model, g.options()))(t)
	m := newMachine(t, r, p, g.tensors(model, p))
	defer m.session.Close()
	var out []float64
	for range g.Settings.Steps {
		out = append(out, m.step(t))
	}
	return out
}

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	return xs[len(xs)/2]
}
