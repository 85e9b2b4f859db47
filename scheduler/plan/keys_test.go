package plan

import (
	"regexp"
	"testing"
)

// Keys are stored data: they must not change, and every store must take them.
func TestKeys(t *testing.T) {
	valid := regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/?$`)
	for got, want := range map[string]string{
		PackKey("d"):           "packs/d.tar",
		BaseKey("d"):           "models/d.onnx",
		PlanKey("s-1"):         "sweeps/s-1/plan.json",
		CancelKey("s-1"):       "sweeps/s-1/cancel.json",
		DigestKey("s-1", 3):    "sweeps/s-1/digests/000003.json",
		HistoriesKey("s-1", 3): "sweeps/s-1/digests/000003-histories.json",
		SpecKey("j"):           "jobs/j/spec.json",
		OutcomeKey("j"):        "jobs/j/outcome.json",
		FailureKey("j"):        "jobs/j/failure.json",
		AttemptKey("j", 12):    "jobs/j/attempts/000012.json",
		AttemptLogKey("j", 12): "jobs/j/attempts/000012.log",
		ModelKey("j"):          "jobs/j/model.onnx",
		PredictionsKey("j"):    "jobs/j/predictions.csv",
		CheckpointPrefix("j"):  "jobs/j/checkpoints/",
		PlanKey(slug("Ants & Bees: 日本/../x")): "sweeps/ants-bees-x/plan.json",
	} {
		if got != want || !valid.MatchString(got) {
			t.Errorf("key %q, want %q", got, want)
		}
	}
}
