package plan

// eta estimates the seconds to the end of a sweep, from what its epochs took so
// far: those of a trial itself where it has any, else of all; 0 where nothing is
// known or nothing runs. It counts the trials that there are, as if none of them
// stopped, and as many jobs at a time as run now.
func (r *Results) eta(p *Plan) float64 {
	var all pace
	own := make([]pace, len(r.Trials))
	running := 0
	for i, t := range r.Trials {
		for _, f := range t.Folds {
			if f.State == Running {
				running++
			}
			if !f.Cached {
				own[i].add(f.Seconds, f.Epochs)
				all.add(f.Seconds, f.Epochs)
			}
		}
	}
	if all.epochs == 0 || running == 0 {
		return 0
	}
	left := 0.0
	for i, t := range r.Trials {
		perEpoch := own[i]
		if perEpoch.epochs == 0 {
			perEpoch = all
		}
		for _, f := range t.Folds {
			if f.State == Running || f.State == Pending {
				left += float64(max(0, p.Trials[i].Config.Training.Epochs-f.Epochs)) * perEpoch.seconds / float64(perEpoch.epochs)
			}
		}
	}
	if p.Search.Growing(len(r.Trials)) { // those to come are like those that there are
		left += float64(p.Search.Trials-len(r.Trials)) * float64(len(p.Folds)*p.Trials[0].Config.Training.Epochs) * all.seconds / float64(all.epochs)
	}
	return left / float64(running)
}

// pace is how long epochs took.
type pace struct {
	seconds float64
	epochs  int
}

func (p *pace) add(seconds float64, epochs int) {
	if epochs > 0 {
		p.seconds += seconds
		p.epochs += epochs
	}
}
