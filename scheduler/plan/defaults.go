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
				BatchSize: 32, CacheFeatures: "auto", Precision: "float32", Seed: 42, Deterministic: true, Threads: 2,
			},
			Evaluation: Evaluation{Metrics: []string{"accuracy", "loss"}, Oversample: 1},
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
	if _, ok := set["probe"]; ok {
		d.Probe.derive(set)
		if _, ok := set["evaluation.metrics"]; !ok {
			d.Evaluation.Metrics = []string{"accuracy"}
		}
	}
	d.EarlyTerminate.derive(set)
	d.Training.derive(set)
	d.Training.Policy.derive(set)
}

// derive fills in what the loss and the optimizer have where the file is silent.
func (t *Training) derive(set map[string]position) {
	fill := func(key string, field *float64, x float64) {
		if _, ok := set["training."+key]; !ok {
			*field = x
		}
	}
	if t.Loss == "focal" {
		fill("focal_gamma", &t.FocalGamma, 2)
	}
	switch t.Optimizer {
	case "adam", "adamw":
		fill("momentum", &t.Momentum, 0)
		fill("epsilon", &t.Epsilon, 1e-8)
		if _, ok := set["training.betas"]; !ok {
			t.Betas = []float64{0.9, 0.999}
		}
	case "rmsprop":
		fill("momentum", &t.Momentum, 0)
		fill("epsilon", &t.Epsilon, 1e-8)
		fill("rms_decay", &t.RMSDecay, 0.99)
	case "lars":
		fill("trust_coefficient", &t.Trust, 0.001)
	}
}

func (p *Policy) derive(set map[string]position) {
	unset := func(key string) bool {
		_, ok := set["training.lr_policy."+key]
		return !ok
	}
	if unset("gamma") && (p.Policy == "step" || p.Policy == "multistep" || p.Policy == "plateau") {
		p.Gamma = 0.1
	}
	if unset("power") && p.Policy == "poly" {
		p.Power = 1
	}
	if unset("patience") && p.Policy == "plateau" {
		p.Patience = 10
	}
	if unset("threshold") && p.Policy == "plateau" {
		p.Threshold = 1e-4
	}
}

// goalOf is the direction in which a metric gets better.
func goalOf(metric string) string {
	if metric == "loss" {
		return "minimize"
	}
	return "maximize"
}
