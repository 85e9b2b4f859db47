package plan

// defaults is a sweep file in which every optional key has its default.
// docs/sweep-reference.md shows them; a test holds the two together.
func defaults() document {
	return document{
		Sweep: Sweep{
			Dataset:         Dataset{OnBad: "error"},
			CrossValidation: CrossValidation{Folds: 5, Stratified: true, Repeats: 1, Seed: 1},
			Method:          "grid",
			Metric:          Metric{Name: "accuracy"},
			Resources:       Resources{Device: "any", SlotsPerTrial: 1, Priority: 42, MaxRestarts: 5},
			Checkpoints:     Checkpoints{EveryEpochs: 1, SaveTrialLatest: 1},
		},
		Config: Config{
			Preprocessing: Preprocessing{Resize: Size{256, 256}, Channels: "rgb", Scale: 1},
			Training: Training{
				Loss: "softmax", Optimizer: "sgd", Momentum: 0.9, Policy: Policy{Policy: "fixed"},
				BatchSize: 32, Seed: 42, Deterministic: true, Threads: 2,
			},
			Evaluation: Evaluation{Metrics: []string{"accuracy", "loss"}},
		},
	}
}

// required are the keys without a default.
var required = []string{"name", "dataset.path", "model.base", "training.learning_rate", "training.epochs"}

// derive fills in the defaults that depend on other settings. set tells which
// keys the file has.
func (d *document) derive(set map[string]position) {
	if d.Metric.Goal == "" {
		d.Metric.Goal = goalOf(d.Metric.Name)
	}
	policy := &d.Training.Policy
	if _, ok := set["training.lr_policy.gamma"]; !ok && (policy.Policy == "step" || policy.Policy == "multistep") {
		policy.Gamma = 0.1
	}
	if _, ok := set["training.lr_policy.power"]; !ok && policy.Policy == "poly" {
		policy.Power = 1
	}
}

// goalOf is the direction in which a metric gets better.
func goalOf(metric string) string {
	if metric == "loss" {
		return "minimize"
	}
	return "maximize"
}
