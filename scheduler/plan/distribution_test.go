package plan

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Each distribution's value at shares of 0.1, 0.5 and 0.9 is its quantile there, by
// its definition; 1.2815516 is that of the standard normal distribution at 0.9.
func TestQuantiles(t *testing.T) {
	const z = 1.2815516
	for text, want := range map[string][3]float64{
		"{distribution: uniform, min: 2, max: 4}":                                                  {2.2, 3, 3.8},
		"{distribution: log_uniform_values, min: 0.01, max: 1}":                                    {math.Pow(10, -1.8), 0.1, math.Pow(10, -0.2)},
		"{distribution: inv_log_uniform_values, min: 0.01, max: 1}":                                {math.Pow(10, -0.2), 0.1, math.Pow(10, -1.8)},
		"{distribution: log_uniform, min: -2, max: 0}":                                             {math.Exp(-1.8), math.Exp(-1), math.Exp(-0.2)},
		"{distribution: inv_log_uniform, min: 0, max: 2}":                                          {math.Exp(-0.2), math.Exp(-1), math.Exp(-1.8)},
		"{distribution: normal, mu: 5, sigma: 2}":                                                  {5 - 2*z, 5, 5 + 2*z},
		"{distribution: log_normal, mu: 1, sigma: 0.5}":                                            {math.Exp(1 - 0.5*z), math.E, math.Exp(1 + 0.5*z)},
		"{distribution: q_normal, mu: 10, sigma: 4, q: 5}":                                         {5, 10, 15},
		"{distribution: q_log_uniform_values, min: 8, max: 512, q: 8}":                             {16, 64, 336},
		"{distribution: q_log_uniform, min: 0, max: 4}":                                            {1, 7, 37},
		"{distribution: q_log_normal, mu: 3, sigma: 1, q: 10}":                                     {10, 20, 70},
		"{values: [1, 2, 3], probabilities: [0.3, 0.3, 0.4]}":                                      {1, 2, 3},
		"{distribution: q_uniform, min: 1, max: 10, q: 1}":                                         {2, 6, 10},
		"{distribution: q_uniform, min: 1, max: 10}":                                               {2, 6, 10},
		"{distribution: beta, a: 2, b: 5}":                                                         {0.0925953, 0.2644500, 0.5103163}, // of SciPy
		"{distribution: beta, a: 0.5, b: 0.5}":                                                     {0.0244717, 0.5, 0.9755283},
		"{distribution: beta}":                                                                     {0.1, 0.5, 0.9},
		"{distribution: beta, a: 10000, b: 10000}":                                                 {0.495469, 0.5, 0.504531},
		"{distribution: q_beta, a: 2, b: 5, q: 0.25}":                                              {0, 0.25, 0.5},
		"{min: 1, max: 10}":                                                                        {2, 6, 10},
		"{distribution: categorical_w_probabilities, values: [1, 2], probabilities: [0.95, 0.05]}": {1, 1, 1},
	} {
		s := mustParse(t, minimal+"method: random\nrun_cap: 1\nparameters:\n  training.class_weights.ring: "+text+"\n")
		doc, _ := decode(readDocument([]byte(s.Source), &problems{}), &problems{})
		p := &doc.Parameters[0]
		for i, u := range []float64{0.1, 0.5, 0.9} {
			got, ok := p.pick(u).plain().(float64)
			if !ok {
				got = float64(p.pick(u).plain().(int64))
			}
			if math.Abs(got-want[i]) > 1e-5*math.Abs(want[i])+1e-9 {
				t.Errorf("%s at %v is %v, want %v", text, u, got, want[i])
			}
		}
		for _, u := range []float64{0, 1 - 0x1p-53} { // the ends are values, too
			if x, ok := p.pick(u).plain().(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
				t.Errorf("%s at %v is %v", text, u, x)
			}
		}
	}
}

// Values come as often as their probabilities say, where there is room for that.
func TestProbabilities(t *testing.T) {
	s := mustParse(t, minimal+`method: random
run_cap: 400
parameters:
  training.momentum: {values: [0, 0.5, 0.9], probabilities: [0.7, 0.2, 0.1]}
  training.learning_rate: {distribution: uniform, min: 0.001, max: 1}
`)
	counts := map[string]int{}
	for _, trial := range s.Trials {
		counts[fmt.Sprint(trial.Parameters["training.momentum"])]++
	}
	for value, want := range map[string]int{"0": 280, "0.5": 80, "0.9": 40} {
		if got := counts[value]; got < want-35 || got > want+35 {
			t.Errorf("%s came %d times of 400, want about %d", value, got, want)
		}
	}
}

// Every distribution of W&B's schema of sweeps is here, under its name.
func TestDistributionsOfWandb(t *testing.T) {
	for _, name := range []string{"categorical", "categorical_w_probabilities", "constant", "int_uniform", "uniform", "q_uniform",
		"log_uniform", "log_uniform_values", "q_log_uniform", "q_log_uniform_values", "inv_log_uniform", "inv_log_uniform_values",
		"normal", "q_normal", "log_normal", "q_log_normal", "beta", "q_beta"} {
		if !slices.Contains(distributions, name) {
			t.Errorf("no distribution %s", name)
		}
	}
}
