package worker

import (
	"bytes"
	"log/slog"
	"math"
	"strings"
	"testing"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
)

func TestFirstLossFarAboveGuessingIsSaid(t *testing.T) {
	spec := func(loss string, balanced bool) plan.Spec {
		return plan.Spec{Classes: make([]string, 10), Config: plan.Config{Training: plan.Training{Loss: loss, ClassWeights: plan.ClassWeights{Balanced: balanced}}}}
	}
	for name, c := range map[string]struct {
		spec  plan.Spec
		p     trainer.Progress
		warns bool
	}{
		"far above":             {spec("softmax", false), trainer.Progress{Epoch: 1, Step: 1, TrainLoss: 40}, true},
		"infinite":              {spec("softmax", false), trainer.Progress{Epoch: 1, Step: 1, TrainLoss: math.Inf(1)}, true},
		"guessing":              {spec("softmax", false), trainer.Progress{Epoch: 1, Step: 1, TrainLoss: 2.5}, false},
		"a later step":          {spec("softmax", false), trainer.Progress{Epoch: 1, Step: 2, TrainLoss: 40}, false},
		"another loss":          {spec("hinge", false), trainer.Progress{Epoch: 1, Step: 1, TrainLoss: 40}, false},
		"weighted, as no other": {spec("softmax", true), trainer.Progress{Epoch: 1, Step: 1, TrainLoss: 40}, false},
	} {
		var log bytes.Buffer
		j := &jobProcess{JobProcess: JobProcess{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		j.warnOfFirstLoss(c.p, c.spec)
		if got := strings.Contains(log.String(), "level=WARN") && strings.Contains(log.String(), "guessing=2.3"); got != c.warns {
			t.Errorf("%s: it says %q", name, log.String())
		}
	}
}
