package trainer

import "math"

// Policy is a learning-rate policy. Rates change between epochs only, as with
// Caffe's policies of the same names at an epoch's worth of iterations, except
// during the warm-up.
type Policy struct {
	Name        string  // fixed (also where empty) | step | multistep | exp | poly | cosine
	EveryEpochs int     // step: epochs per decay
	Epochs      []int   // multistep: decay once each of these numbers of epochs is completed
	Gamma       float64 // step, multistep, exp: the factor of a decay
	Power       float64 // poly
	// WarmUp is the number of epochs over whose steps the rate rises linearly
	// to what the policy says (Goyal et al. 2017, arXiv:1706.02677, 2.2). The
	// policy counts these epochs too.
	WarmUp int
}

// Factor is what the base learning rate is multiplied by in a step. epoch and
// step count from 0; there are epochs epochs of steps steps.
//
// With e epochs completed:
//
//	fixed      1
//	step       gamma ^ floor(e / every_epochs)
//	multistep  gamma ^ (how many of the listed epochs are <= e)
//	exp        gamma ^ e
//	poly       (1 - e/epochs) ^ power
//	cosine     (1 + cos(pi e/epochs)) / 2
func (p Policy) Factor(epoch, step, epochs, steps int) float64 {
	f := p.decay(epoch, epochs)
	if epoch < p.WarmUp {
		f *= float64(epoch*steps+step+1) / float64(p.WarmUp*steps)
	}
	return f
}

func (p Policy) decay(epoch, epochs int) float64 {
	progress := float64(epoch) / float64(epochs)
	switch p.Name {
	case "step":
		return math.Pow(p.Gamma, float64(epoch/p.EveryEpochs))
	case "multistep":
		passed := 0
		for _, e := range p.Epochs {
			if e <= epoch {
				passed++
			}
		}
		return math.Pow(p.Gamma, float64(passed))
	case "exp":
		return math.Pow(p.Gamma, float64(epoch))
	case "poly":
		return math.Pow(1-progress, p.Power)
	case "cosine":
		return (1 + math.Cos(math.Pi*progress)) / 2
	}
	return 1
}

func (p Policy) check() error {
	switch p.Name {
	case "", "fixed", "exp", "poly", "cosine", "multistep":
	case "step":
		if p.EveryEpochs < 1 {
			return badJob("learning-rate policy step needs every_epochs of at least 1")
		}
	default:
		return badJob("there is no learning-rate policy %q", p.Name)
	}
	if p.WarmUp < 0 {
		return badJob("a warm-up of %d epochs", p.WarmUp)
	}
	return nil
}
