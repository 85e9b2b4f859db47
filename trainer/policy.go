package trainer

import "math"

// Policy is a learning-rate policy. Rates change between epochs only, as with
// Caffe's policies of the same names at an epoch's worth of iterations, except
// during the warm-up.
type Policy struct {
	Name        string  // fixed (also where empty) | step | multistep | exp | inv | poly | sigmoid | cosine | plateau
	EveryEpochs int     // step: epochs per decay
	Epochs      []int   // multistep: decay once each of these numbers of epochs is completed
	Gamma       float64 // step, multistep, exp, plateau: the factor of a decay; inv, sigmoid: the slope
	Power       float64 // inv, poly
	Midpoint    float64 // sigmoid: epochs completed where the factor is one half
	Patience    int     // plateau: epochs without progress that are put up with
	Threshold   float64 // plateau: the part of the best loss by which a loss must be lower to be progress
	// WarmUp is the number of epochs over whose steps the rate rises linearly
	// to what the policy says (Goyal et al. 2017, arXiv:1706.02677, 2.2). The
	// policy counts these epochs too.
	WarmUp int
}

// Factor is what the base learning rate is multiplied by in a step. epoch and
// step count from 0; there are epochs epochs of steps steps. history are the
// epochs completed, at least those that epoch counts.
//
// With e epochs completed:
//
//	fixed      1
//	step       gamma ^ floor(e / every_epochs)
//	multistep  gamma ^ (how many of the listed epochs are <= e)
//	exp        gamma ^ e
//	inv        (1 + gamma e) ^ -power
//	poly       (1 - e/epochs) ^ power
//	sigmoid    1 / (1 + exp(-gamma (e - midpoint)))
//	cosine     (1 + cos(pi e/epochs)) / 2
//	plateau    gamma ^ (how many times the training loss stopped falling)
func (p Policy) Factor(epoch, step, epochs, steps int, history []EpochResult) float64 {
	f := p.decay(epoch, epochs)
	if p.Name == "plateau" {
		f = math.Pow(p.Gamma, float64(p.plateaus(history[:epoch])))
	}
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
	case "inv":
		return math.Pow(1+p.Gamma*float64(epoch), -p.Power)
	case "sigmoid":
		return 1 / (1 + math.Exp(-p.Gamma*(float64(epoch)-p.Midpoint)))
	case "poly":
		return math.Pow(1-progress, p.Power)
	case "cosine":
		return (1 + math.Cos(math.Pi*progress)) / 2
	}
	return 1
}

// plateaus counts the times that more than Patience epochs in a row did not
// improve on the best training loss so far; the count then begins anew, as in
// PyTorch's ReduceLROnPlateau. It looks at the training loss so that nothing is
// learnt from the pictures that a fold is scored on, and at the whole history,
// which checkpoints hold, so that it needs no state.
func (p Policy) plateaus(history []EpochResult) int {
	best, waited, count := math.Inf(1), 0, 0
	for _, e := range history {
		waited++
		if e.TrainLoss < best*(1-p.Threshold) || math.IsInf(best, 1) {
			best, waited = e.TrainLoss, 0
		}
		if waited > p.Patience {
			waited = 0
			count++
		}
	}
	return count
}

func (p Policy) check() error {
	switch p.Name {
	case "", "fixed", "exp", "inv", "poly", "sigmoid", "cosine", "multistep":
	case "plateau":
		if p.Gamma <= 0 || p.Gamma >= 1 || p.Patience < 0 || p.Threshold < 0 || p.Threshold >= 1 {
			return badJob("learning-rate policy plateau with gamma %v, patience %d, threshold %v", p.Gamma, p.Patience, p.Threshold)
		}
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
