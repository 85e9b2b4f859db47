package analysis

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// inputsOf are the parameters that differ between trials, in alphabetical order.
// Ranges are weighed as the sweep file has it; where the file does not say, as one
// of another version might not, evenly between the extremes of the trials.
func inputsOf(p *plan.Plan, trials []*plan.TrialResult) []input {
	space, err := p.Space()
	if err != nil {
		space = nil
	}
	paths := map[string]bool{}
	for _, t := range trials {
		for path := range t.Parameters {
			paths[path] = true
		}
	}
	var inputs []input
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		values := map[string]any{}
		absent := 0.0
		for _, t := range trials {
			v := t.Parameters[path]
			if values[levelText(v)] = v; v == nil {
				absent += 1 / float64(len(trials))
			}
		}
		if len(values) < 2 {
			continue
		}
		inputs = append(inputs, newInput(path, values, absent, parametersAt(space, path)))
	}
	return inputs
}

// parametersAt are those of a path: several where each exists under a condition.
func parametersAt(space plan.Space, path string) []*plan.Parameter {
	var all []*plan.Parameter
	for i := range space {
		if space[i].Path == path {
			all = append(all, &space[i])
		}
	}
	return all
}

// newInput takes a parameter for a range if the file gives it as one, or says
// nothing of it and it has many numbers; for ordered levels if its values are
// numbers; else for categories.
func newInput(path string, values map[string]any, absent float64, described []*plan.Parameter) input {
	in := input{path: path}
	var numbers []float64
	for _, v := range values {
		if x, ok := number(v); ok {
			numbers = append(numbers, x)
		}
	}
	numeric := len(numbers) == len(values) || absent > 0 && len(numbers) == len(values)-1
	if len(described) == 1 && numeric {
		if _, ranged := described[0].ShareBelow(numbers[0]); ranged {
			in.dimension.Absent = absent
			in.share = func(x float64) float64 { s, _ := described[0].ShareBelow(x); return s }
			return in
		}
	}
	if numeric && len(numbers) > 20 && (len(described) != 1 || described[0].Choices() == nil) {
		low, high := slices.Min(numbers), slices.Max(numbers)
		in.dimension.Absent = absent
		in.share = func(x float64) float64 { return (x - low) / (high - low) }
		return in
	}
	in.levels = slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		x, okX := number(values[a])
		y, okY := number(values[b])
		if !okX { // what is absent comes before all numbers
			x = math.Inf(-1)
		}
		if !okY {
			y = math.Inf(-1)
		}
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a, b))
	})
	in.dimension = stats.Dimension{Ordered: numeric, Weights: weights(in.levels, absent, described)}
	return in
}

// weights are the levels' probabilities in the space: those of the file, else all
// the same; of what is absent, the share of the trials.
func weights(levels []string, absent float64, described []*plan.Parameter) []float64 {
	all := make([]float64, len(levels))
	sum := 0.0
	for i, level := range levels {
		if level == "" {
			continue
		}
		all[i] = 1
		if len(described) == 1 && described[0].Shares != nil {
			all[i] = 0
			for k, choice := range described[0].Choices() {
				if levelText(choice) == level {
					all[i] = described[0].Shares[k]
				}
			}
		}
		sum += all[i]
	}
	for i, level := range levels {
		if level == "" {
			all[i] = absent
		} else {
			all[i] *= (1 - absent) / sum
		}
	}
	return all
}
