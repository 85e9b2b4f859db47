package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample draws n points of the unit cube and what f makes of them.
func sample(n, inputs int, f func(x []float64) float64) (x [][]float64, y []float64) {
	draw := rand.New(rand.NewPCG(7, 7))
	for range n {
		row := make([]float64, inputs)
		for k := range row {
			row[k] = draw.Float64()
		}
		x, y = append(x, row), append(y, f(row))
	}
	return x, y
}

// ishigami's variance is known: Sobol's indices are 0.3139, 0.4424 and 0 for the
// inputs alone, and 0.2437 for the first and the third together (Ishigami and Homma
// 1990, with a = 7 and b = 0.1). Trees are rough where the function is steep, and
// what they get wrong counts as interactions: shares come out a little too small,
// Optuna's as well.
func ishigami(x []float64) float64 {
	a, b, c := math.Pi*(2*x[0]-1), math.Pi*(2*x[1]-1), math.Pi*(2*x[2]-1)
	return math.Sin(a) + 7*math.Sin(b)*math.Sin(b) + 0.1*c*c*c*c*math.Sin(a)
}

func decompose(t testing.TB, dims []Dimension, x [][]float64, y []float64) *Decomposition {
	t.Helper()
	d, err := Decompose(dims, x, y, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.4f, want %.4f ± %.2f", what, got, want, tolerance)
	}
}

func TestDecomposeIshigami(t *testing.T) {
	x, y := sample(1500, 3, ishigami)
	d := decompose(t, make([]Dimension, 3), x, y)
	for f, want := range []float64{0.3139, 0.4424, 0} {
		within(t, "input "+string(rune('1'+f)), d.Single[f], want, 0.1)
	}
	for k, want := range []float64{0, 0.2437, 0} {
		within(t, "pair "+string(rune('1'+k)), d.Pairs[k].Share, want, 0.05)
	}
	if d.Explained < 0.9 {
		t.Errorf("the forest explains %v", d.Explained)
	}
}

// Of y = 4 (category 2) + x + 2 (x above ½ and the level is 3), all variances can
// be written down.
func TestDecomposeKindsOfInputs(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 3))
	category := Dimension{Weights: []float64{0.25, 0.25, 0.5}}
	level := Dimension{Weights: []float64{0.25, 0.25, 0.25, 0.25}, Ordered: true}
	conditional := Dimension{Absent: 0.5}
	var x [][]float64
	var y []float64
	for range 2000 {
		c := []int{0, 1, 2, 2}[draw.IntN(4)]
		row := []float64{float64(c), draw.Float64(), float64(draw.IntN(4)), draw.Float64()}
		v := row[1]
		if c == 2 {
			v += 4
		}
		if row[1] > 0.5 && row[2] == 3 {
			v += 2
		}
		if draw.IntN(2) == 0 { // the last input is not there
			row[3] = -1
		} else {
			v += 3
		}
		x, y = append(x, row), append(y, v)
	}
	d := decompose(t, []Dimension{category, {}, level, conditional}, x, y)
	// Variances: 16/4; 1/12 + 2 (1/2 - 1/4)... of x + 2·¼·[x > ½]: 1/12 + ¼·¼ + 2·½·⅛;
	// of the level 1²·3/16; of both ¼·3/16·4 - ...; 9/4 for being there at all.
	numbers := 1./12 + 0.25*0.25 + 2*0.5*0.125
	levels := 3. / 16
	both := 4*(1./8-1./64) - 0.25*0.25 - levels
	whole := 4 + numbers + levels + both + 9./4
	within(t, "the category", d.Single[0], 4/whole, 0.02)
	within(t, "the number", d.Single[1], numbers/whole, 0.01)
	within(t, "the level", d.Single[2], levels/whole, 0.01)
	within(t, "being there", d.Single[3], 9./4/whole, 0.02)
	within(t, "number and level", d.Pairs[3].Share, both/whole, 0.01)
}

// Neither the order of the samples nor that of the processors matters.
func TestDecomposeInAnyOrder(t *testing.T) {
	x, y := sample(200, 3, ishigami)
	dims := make([]Dimension, 3)
	want := decompose(t, dims, x, y)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(y), func(i, j int) { x[i], x[j], y[i], y[j] = x[j], x[i], y[j], y[i] })
	if diff := cmp.Diff(want, decompose(t, dims, x, y)); diff != "" {
		t.Errorf("shuffled (-want +got):\n%s", diff)
	}
	for i := range x { // inputs in another order: the same but for chance
		x[i][0], x[i][1] = x[i][1], x[i][0]
	}
	other := decompose(t, dims, x, y)
	within(t, "the first input, as the second", other.Single[1], want.Single[0], 0.05)
	within(t, "the second input, as the first", other.Single[0], want.Single[1], 0.05)
}

// Of noise the forest explains nothing, and says so.
func TestDecomposeNoise(t *testing.T) {
	draw := rand.New(rand.NewPCG(5, 5))
	x, y := sample(300, 4, func([]float64) float64 { return draw.NormFloat64() })
	if d := decompose(t, make([]Dimension, 4), x, y); d.Explained > 0.05 {
		t.Errorf("the forest explains %v of noise", d.Explained)
	}
}

// A small deviation on top of a large mean is not lost.
func TestDecomposeFarFromZero(t *testing.T) {
	x, y := sample(200, 2, func(x []float64) float64 { return 1 + 1e-9*x[0] })
	if d := decompose(t, make([]Dimension, 2), x, y); d.Single[0] < 0.95 {
		t.Errorf("shares %v", d.Single)
	}
}

func TestDecomposeRefuses(t *testing.T) {
	x, y := sample(5, 1, func(x []float64) float64 { return x[0] })
	for name, c := range map[string]struct {
		dims []Dimension
		y    []float64
	}{
		"few":        {make([]Dimension, 1), y[:3]},
		"constant":   {make([]Dimension, 1), make([]float64, 5)},
		"not finite": {make([]Dimension, 1), []float64{1, 2, 3, math.NaN(), 4}},
		"no input":   {nil, y},
	} {
		if _, err := Decompose(c.dims, x[:len(c.y)], c.y, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// bench/stats/importance.py has Optuna's figures for the same samples.
func TestDecomposeAgainstOptuna(t *testing.T) {
	data, err := os.ReadFile("testdata/importance.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Cases []struct {
			Name       string
			Kinds      []string
			X          [][]float64
			Y          []float64
			Importance []float64
		}
	}
	if err := json.Unmarshal(data, &reference); err != nil || len(reference.Cases) != 2 {
		t.Fatal(err, len(reference.Cases))
	}
	for _, c := range reference.Cases {
		dims := make([]Dimension, len(c.Kinds))
		for f, kind := range c.Kinds {
			dims[f].Weights = map[string][]float64{"pair": {0.5, 0.5}, "category": {0.25, 0.25, 0.25, 0.25}}[kind]
		}
		d := decompose(t, dims, c.X, c.Y)
		for f, want := range c.Importance {
			within(t, fmt.Sprintf("%s, input %d", c.Name, f), d.Single[f], want, 0.04)
		}
	}
}

// A thousand trials of twenty parameters take a second at most, on two cores.
func BenchmarkDecompose(b *testing.B) {
	x, y := sample(1000, 20, ishigami)
	for b.Loop() {
		decompose(b, make([]Dimension, 20), x, y)
	}
}
