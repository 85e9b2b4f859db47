package plan

import (
	"fmt"
	"math"
	"slices"
)

// inert finds rules that would never stop a trial.
func (c *checker) inert(doc *document, trials []Assignment) {
	e := doc.EarlyTerminate
	epochs := 0
	for _, t := range trials {
		epochs = max(epochs, t.Config.Training.Epochs)
	}
	searched := slices.ContainsFunc(doc.Parameters, func(p Parameter) bool { return slices.Contains(p.paths(), "training.epochs") })
	later := searched && learns(doc.Method) // trials to come may train longer
	if c.problems.stored || e.Type == "" || epochs == 0 || later || e.MinIter < epochs {
		return
	}
	problem := fmt.Sprintf("is %d, but no trial goes beyond epoch %d: no rung lies before its end, so that nothing is stopped", e.MinIter, epochs)
	if c.set("early_terminate.min_iter") {
		c.bad("early_terminate.min_iter", problem, "write fewer epochs than that, or remove early_terminate")
	} else {
		c.bad("early_terminate.type", "has no effect: the first rung, min_iter, "+problem, "train more epochs, or remove it")
	}
}

// inertFolds refuses a rule across folds that no trial comes to.
func (s *Sweep) inertFolds(folds int) error {
	if least := s.EarlyTerminate.Folds.Min; least > 0 && least >= folds {
		return s.Problem("early_terminate.folds.min", fmt.Sprintf("is %d, but there are %d folds: trials are compared after that many, while others are left, so that nothing is stopped", least, folds),
			"write fewer, or remove early_terminate.folds")
	}
	return nil
}

// warnings say what is allowed and most likely meant otherwise.
func (d *document) warnings(trials []Assignment) []string {
	configs := []Config{d.Config}
	for _, t := range trials {
		configs = append(configs, t.Config)
	}
	if len(trials) > 0 {
		configs = configs[1:]
	}
	var all []string
	add := func(is bool, field string, value any, try string) {
		text := fmt.Sprintf("preprocessing.%s: %v looks like one for pixels from 0 to 1, but pixels are from 0 to 255 here: %s", field, value, try)
		if is && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	for _, c := range configs {
		p := c.Preprocessing
		add(unitRange(p.Mean), "mean", p.Mean, "multiply it by 255")
		add(unitRange(p.Std), "std", p.Std, "multiply it by 255")
		add(len(p.Std) == 0 && p.Scale > 1, "scale", p.Scale, "divide it by 255")
	}
	return all
}

// unitRange tells whether the numbers are above 0 and none above 1.
func unitRange(values []float64) bool {
	largest := math.Inf(-1)
	for _, v := range values {
		largest = max(largest, v)
	}
	return largest > 0 && largest <= 1
}
