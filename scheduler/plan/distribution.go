package plan

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mathext"
)

// family is a distribution: the keys that it needs and may have, and of continuous
// ones the value at a share u in [0, 1).
type family struct {
	needs, may []string
	at         func(p *Parameter, u float64) float64
	bounded    bool // by min and max
}

var (
	bounds = []string{"min", "max"}
	normal = []string{"mu", "sigma"}
	shapes = []string{"a", "b"}
)

// families are W&B's distributions, by its names. Those of q_ are rounded to
// multiples of q, 1 where it is not set; q_uniform has just the multiples that lie
// in its range.
var families = map[string]family{
	"categorical":                 {needs: []string{"values"}, may: []string{"probabilities"}},
	"categorical_w_probabilities": {needs: []string{"values", "probabilities"}},
	"constant":                    {needs: []string{"value"}},
	"int_uniform":                 {needs: bounds},
	"q_uniform":                   {needs: bounds, may: []string{"q"}},
	"uniform":                     {needs: bounds, at: uniform, bounded: true},
	"log_uniform_values":          {needs: bounds, at: logUniformValues, bounded: true},
	"q_log_uniform_values":        {needs: bounds, may: []string{"q"}, at: logUniformValues},
	"inv_log_uniform_values":      {needs: bounds, at: func(p *Parameter, u float64) float64 { return logUniformValues(p, 1-u) }, bounded: true},
	"log_uniform":                 {needs: bounds, at: logUniform},
	"q_log_uniform":               {needs: bounds, may: []string{"q"}, at: logUniform},
	"inv_log_uniform":             {needs: bounds, at: func(p *Parameter, u float64) float64 { return 1 / logUniform(p, u) }},
	"normal":                      {may: normal, at: gaussian},
	"q_normal":                    {may: append([]string{"q"}, normal...), at: gaussian},
	"log_normal":                  {may: normal, at: logNormal},
	"q_log_normal":                {may: append([]string{"q"}, normal...), at: logNormal},
	"beta":                        {may: shapes, at: beta, bounded: true},
	"q_beta":                      {may: append([]string{"q"}, shapes...), at: beta},
}

var distributions = distributionNames()

func distributionNames() []string {
	var names []string
	for name := range families {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Products are rounded by themselves (float64), so that no processor fuses them
// with the sum, and all agree.

func uniform(p *Parameter, u float64) float64 { return p.Min + float64(u*(p.Max-p.Min)) }

func logUniformValues(p *Parameter, u float64) float64 {
	low, high := math.Log(p.Min), math.Log(p.Max)
	return math.Exp(low + float64(u*(high-low)))
}

func logUniform(p *Parameter, u float64) float64 { return math.Exp(uniform(p, u)) }

// gaussian keeps off the ends, where the normal distribution is infinite: at 0 it
// is 8 standard deviations below its mean.
func gaussian(p *Parameter, u float64) float64 {
	u = min(max(u, 0x1p-50), 1-0x1p-50)
	return p.Mu + float64(p.Sigma*float64(math.Sqrt2*math.Erfinv(float64(2*u)-1)))
}

func logNormal(p *Parameter, u float64) float64 { return math.Exp(gaussian(p, u)) }

// beta is from 0 to 1; with a = b = 1 it is uniform.
func beta(p *Parameter, u float64) float64 { return mathext.InvRegIncBeta(p.A, p.B, u) }

// fits finds a key that the distribution lacks or does not use.
func (def definition) fits(distribution string) string {
	given := map[string]bool{
		"values": def.Values.set, "probabilities": def.Probabilities != nil, "value": def.Value != nil,
		"min": def.Min != nil, "max": def.Max != nil, "q": def.Q != nil, "mu": def.Mu != nil, "sigma": def.Sigma != nil,
		"a": def.A != nil, "b": def.B != nil,
	}
	f := families[distribution]
	for _, key := range definitionKeys[1:] {
		switch {
		case slices.Contains(f.needs, key) && !given[key]:
			return fmt.Sprintf("the distribution %s needs %s", distribution, key)
		case given[key] && !slices.Contains(f.needs, key) && !slices.Contains(f.may, key):
			return fmt.Sprintf("the distribution %s does not use %s", distribution, key)
		}
	}
	return ""
}

// usage shows how a distribution is written.
func usage(distribution string) string {
	switch distribution {
	case "categorical":
		return "write {values: [x, y]}"
	case "categorical_w_probabilities":
		return "write {values: [x, y], probabilities: [0.7, 0.3]}"
	case "constant":
		return "write {value: x}"
	case "q_uniform":
		return "write {distribution: q_uniform, min: a, max: b, q: step}"
	case "beta", "q_beta":
		return fmt.Sprintf("write {distribution: %s, a: 2, b: 5}", distribution)
	case "normal", "log_normal", "q_normal", "q_log_normal":
		return fmt.Sprintf("write {distribution: %s, mu: mean, sigma: deviation}", distribution)
	}
	return fmt.Sprintf("write {distribution: %s, min: a, max: b}", distribution)
}

// maxShape bounds the parameters of a beta distribution.
const maxShape = 1e4

func (p *Parameter) checkRange() (problem, try string) {
	f := families[p.Distribution]
	ranged := slices.Contains(f.needs, "min")
	onLogScale := p.Distribution == "log_uniform_values" || p.Distribution == "q_log_uniform_values" || p.Distribution == "inv_log_uniform_values"
	widest := math.Max(math.Abs(p.Min), math.Abs(p.Max))
	switch {
	case ranged && p.Min >= p.Max:
		return fmt.Sprintf("min %v is not below max %v", p.Min, p.Max), ""
	case onLogScale && p.Min <= 0:
		return fmt.Sprintf("min is %v, but on a logarithmic scale it must be above 0", p.Min), ""
	case (p.Distribution == "log_uniform" || p.Distribution == "q_log_uniform" || p.Distribution == "inv_log_uniform") && widest > 300:
		return fmt.Sprintf("min %v and max %v are exponents of e", p.Min, p.Max), "give the values themselves with log_uniform_values"
	case p.Distribution == "int_uniform" && !(whole(p.Min) && whole(p.Max)):
		return "min and max must be whole numbers", "use uniform for a range of all numbers"
	case p.Q <= 0:
		return fmt.Sprintf("q is %v, but a step is above 0", p.Q), ""
	case !(p.A > 0 && p.A <= maxShape && p.B > 0 && p.B <= maxShape):
		return fmt.Sprintf("a is %v and b %v, which must be above 0 and at most %v", p.A, p.B, float64(maxShape)), ""
	case strings.HasSuffix(p.Distribution, "beta") && p.Q > 1:
		return fmt.Sprintf("q is %v, but the values are from 0 to 1", p.Q), ""
	case p.Sigma <= 0 || p.Sigma > 1e6 || math.Abs(p.Mu) > 1e12:
		return fmt.Sprintf("mu is %v and sigma %v, which is a mean and a deviation above 0", p.Mu, p.Sigma), ""
	case (p.Distribution == "log_normal" || p.Distribution == "q_log_normal") && math.Abs(p.Mu)+8*p.Sigma > 300:
		return fmt.Sprintf("mu %v and sigma %v are of the logarithm", p.Mu, p.Sigma), ""
	case p.Distribution == "q_uniform" && p.size() < 1:
		return fmt.Sprintf("no multiple of q lies between %v and %v", p.Min, p.Max), ""
	case p.Distribution == "q_uniform" && widest/p.Q > 1<<53, widest > 1<<53 && p.Distribution == "int_uniform":
		return "the range has more than 2^53 steps", ""
	}
	return "", ""
}

// valuesForExponents tells whether the bounds of a distribution over exponents look
// like those of its values: below 1, and a power of ten apart.
func (p *Parameter) valuesForExponents() bool {
	overExponents := slices.Contains([]string{"log_uniform", "q_log_uniform", "inv_log_uniform"}, p.Distribution)
	return overExponents && p.Min > 0 && p.Max < 1 && p.Max >= 10*p.Min
}

// checkShares checks the probabilities of choices.
func (p *Parameter) checkShares() (problem, try string) {
	if p.Shares == nil {
		return "", ""
	}
	sum := 0.0
	for _, share := range p.Shares {
		if !(share > 0 && share <= 1) {
			return fmt.Sprintf("a probability is %v, not above 0 and at most 1", share), "leave out what is never to be tried"
		}
		sum += share
	}
	if len(p.Shares) != len(p.choices) || math.Abs(sum-1) > 1e-6 {
		return fmt.Sprintf("%d values have %d probabilities with the sum %v", len(p.choices), len(p.Shares), significant(sum, 6)), "write one for each value, with the sum 1"
	}
	return "", ""
}

// shareOf is the choice at a share u in [0, 1) of their probabilities.
func (p *Parameter) shareOf(u float64) int {
	sum := 0.0
	for i, share := range p.Shares {
		if sum += share; u < sum {
			return i
		}
	}
	return len(p.Shares) - 1
}

// implied is the distribution of a definition that names none, as in W&B.
func (def definition) implied() string {
	switch {
	case def.Values.set:
		return "categorical"
	case def.Value != nil:
		return "constant"
	case def.Min == nil || def.Max == nil:
		return ""
	case def.Q != nil:
		return "q_uniform"
	case whole(*def.Min) && whole(*def.Max):
		return "int_uniform"
	}
	return "uniform"
}
