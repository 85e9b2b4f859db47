package scheduler

import (
	"math"
	"testing"

	"orchestrator/scheduler/plan"
)

// A metric that a fold's test pictures do not allow is no reason to think less of a
// trial; one that is not a number is.
func TestScoreOfUndefinedMetric(t *testing.T) {
	auc := plan.Metric{Name: "auc", Goal: "maximize"}
	if got := score(auc, plan.Metrics{"accuracy": 1}); got != 0 {
		t.Errorf("undefined: %v", got)
	}
	if got := score(auc, plan.Metrics{"auc": math.NaN()}); !math.IsNaN(got) {
		t.Errorf("not a number: %v", got)
	}
	if got := score(plan.Metric{Name: "loss", Goal: "minimize"}, plan.Metrics{"loss": 2}); got != -2 {
		t.Errorf("a loss: %v", got)
	}
}
