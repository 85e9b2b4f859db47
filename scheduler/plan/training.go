package plan

import (
	"fmt"
	"slices"
)

// optimizerKeys are the keys below training that only some optimizers have, and
// who has them.
var optimizerKeys = map[string][]string{
	"momentum":               {"sgd", "sgd_pytorch", "nesterov", "rmsprop", "lars"},
	"betas":                  {"adam", "adamw"},
	"rms_decay":              {"rmsprop"},
	"epsilon":                {"adam", "adamw", "rmsprop"},
	"trust_coefficient":      {"lars"},
	"decoupled_weight_decay": {"sgd", "sgd_pytorch", "nesterov", "adam", "rmsprop", "lars"},
}

// lossKeys are the keys below training that only one loss has.
var lossKeys = map[string]string{"label_smoothing": "softmax", "focal_gamma": "focal"}

func (c *checker) training(t Training) {
	c.loss(t)
	c.optimizer(t)
	c.rates(t)
	if c.set("training.epochs") {
		c.count("training.epochs", t.Epochs, 1, 100_000)
	}
	c.count("training.batch_size", t.BatchSize, 1, 65_536)
	c.microBatch(t)
	c.word("training.cache_features", string(t.CacheFeatures), cacheFeatures, nil)
	c.count("training.threads", t.Threads, 1, 256)
}

// precision checks the format of the numbers; those but float32 are of GPUs.
func (c *checker) precision(p Precision, device string) {
	const field = "training.precision"
	c.word(field, string(p), precisions, nil)
	if !p.IsZero() && slices.Contains(precisions, string(p)) && device != "cuda" {
		c.bad(field, fmt.Sprintf("is %s, which only GPUs compute in, but resources.device is %s", p, device), "write resources: {device: cuda}, or precision: float32")
	}
}

func (c *checker) microBatch(t Training) {
	const field = "training.micro_batch_size"
	n := int(t.MicroBatchSize)
	switch {
	case !c.set(field):
	case t.MicroBatchSize == AutoMicroBatch:
		if !c.set("resources.memory") {
			c.bad(field, "is auto, but it is not said what a job may take", "add resources: {memory: 8GiB}, or write a number")
		}
	case n < 1 || n > t.BatchSize || t.BatchSize%n != 0:
		c.bad(field, fmt.Sprintf("must divide training.batch_size (%d), but is %d", t.BatchSize, n), "write auto to have it chosen for resources.memory")
	}
}

func (c *checker) loss(t Training) {
	c.word("training.loss", t.Loss, losses, nil)
	for key, loss := range lossKeys {
		if c.set("training."+key) && t.Loss != loss && slices.Contains(losses, t.Loss) {
			c.bad("training."+key, fmt.Sprintf("is not used by loss: %s", t.Loss), "remove it or write loss: "+loss)
		}
	}
	if t.LabelSmoothing < 0 || t.LabelSmoothing >= 1 {
		c.bad("training.label_smoothing", fmt.Sprintf("must be at least 0 and below 1, but is %v", t.LabelSmoothing), "")
	}
	if t.FocalGamma < 0 || t.FocalGamma > 20 {
		c.bad("training.focal_gamma", fmt.Sprintf("must be from 0 to 20, but is %v", t.FocalGamma), "")
	}
}

func (c *checker) optimizer(t Training) {
	c.word("training.optimizer", t.Optimizer, optimizers, laterOptimizers)
	for key, users := range optimizerKeys {
		if c.set("training."+key) && !slices.Contains(users, t.Optimizer) && slices.Contains(optimizers, t.Optimizer) {
			try := "remove it or choose one of " + list(users)
			if key == "decoupled_weight_decay" {
				try = "remove it: adamw always decouples"
			}
			c.bad("training."+key, fmt.Sprintf("is not used by optimizer: %s", t.Optimizer), try)
		}
	}
	if t.Momentum < 0 || t.Momentum >= 1 {
		c.bad("training.momentum", fmt.Sprintf("must be at least 0 and below 1, but is %v", t.Momentum), "")
	}
	if t.Optimizer == "nesterov" && t.Momentum == 0 {
		c.bad("training.momentum", "is 0, but optimizer nesterov looks ahead along the momentum", "set a momentum above 0 or optimizer: sgd")
	}
	if c.set("training.betas") && (len(t.Betas) != 2 || slices.ContainsFunc(t.Betas, func(b float64) bool { return b < 0 || b >= 1 })) {
		c.bad("training.betas", fmt.Sprintf("must be two numbers, at least 0 and below 1, but is %v", t.Betas), "write [0.9, 0.999]")
	}
	if t.RMSDecay < 0 || t.RMSDecay >= 1 {
		c.bad("training.rms_decay", fmt.Sprintf("must be at least 0 and below 1, but is %v", t.RMSDecay), "")
	}
	c.positive("training.epsilon", t.Epsilon, 1)
	c.positive("training.trust_coefficient", t.Trust, 1)
}

// rates checks the numbers that every optimizer takes.
func (c *checker) rates(t Training) {
	if t.LearningRate <= 0 || t.LearningRate > 100 {
		c.bad("training.learning_rate", fmt.Sprintf("must be above 0 and at most 100, but is %v", t.LearningRate), "")
	}
	if t.WeightDecay < 0 || t.WeightDecay > 1 {
		c.bad("training.weight_decay", fmt.Sprintf("must be from 0 to 1, but is %v", t.WeightDecay), "")
	}
	c.positive("training.clip_norm", t.ClipNorm, 1e6)
	c.positive("training.clip_value", t.ClipValue, 1e6)
	if c.set("training.clip_norm") && c.set("training.clip_value") {
		c.bad("training.clip_value", "contradicts training.clip_norm: gradients are bounded in one way", "remove one of them")
	}
	if t.EMADecay < 0 || t.EMADecay >= 1 {
		c.bad("training.ema_decay", fmt.Sprintf("must be at least 0 (no average) and below 1, but is %v", t.EMADecay), "")
	}
}

// positive checks a number that the file sets.
func (c *checker) positive(field string, x, most float64) {
	if c.set(field) && (x <= 0 || x > most) {
		c.bad(field, fmt.Sprintf("must be above 0 and at most %v, but is %v", most, x), "")
	}
}

func (c *checker) policy(t Training) {
	const field = "training.lr_policy"
	p := t.Policy
	c.word(field+".policy", p.Policy, policies, laterPolicies)
	keys, known := policyKeys[p.Policy]
	if !known {
		return
	}
	for _, key := range keys.needs {
		if !c.set(join(field, key)) {
			c.bad(join(field, key), fmt.Sprintf("is required with policy: %s", p.Policy), "")
		}
	}
	for _, key := range []string{"every_epochs", "epochs", "gamma", "power", "midpoint", "patience", "threshold"} {
		if c.set(join(field, key)) && !slices.Contains(keys.needs, key) && !slices.Contains(keys.may, key) {
			c.bad(join(field, key), fmt.Sprintf("is not used by policy: %s", p.Policy), "remove it or choose another policy")
		}
	}
	c.policyEpochs(field, t)
	c.policyNumbers(field, p)
}

func (c *checker) policyEpochs(field string, t Training) {
	p := t.Policy
	if c.set(field + ".every_epochs") {
		c.count(field+".every_epochs", p.EveryEpochs, 1, 100_000)
	}
	for i, epoch := range p.Epochs {
		if epoch < 1 || i > 0 && epoch <= p.Epochs[i-1] {
			c.bad(field+".epochs", fmt.Sprintf("must be ascending from 1, but holds %v", p.Epochs), "")
		}
	}
	if c.set(field+".epochs") && len(p.Epochs) == 0 {
		c.bad(field+".epochs", "is empty", "list the epochs after which the rate changes, as [5, 7]")
	}
	c.count(field+".patience", p.Patience, 0, 100_000)
	if p.WarmUp < 0 || p.WarmUp > max(t.Epochs, 0) {
		c.bad(field+".warm_up", fmt.Sprintf("must be from 0 to training.epochs (%d), but is %d", t.Epochs, p.WarmUp), "")
	}
}

func (c *checker) policyNumbers(field string, p Policy) {
	switch {
	case !c.set(field + ".gamma"):
	case p.Policy == "sigmoid":
		if p.Gamma == 0 || p.Gamma < -100 || p.Gamma > 100 {
			c.bad(field+".gamma", fmt.Sprintf("must be from -100 to 100 and not 0, but is %v", p.Gamma), "below 0 the rate falls, above 0 it rises")
		}
	case p.Policy == "plateau":
		if p.Gamma <= 0 || p.Gamma >= 1 {
			c.bad(field+".gamma", fmt.Sprintf("must be above 0 and below 1, but is %v", p.Gamma), "")
		}
	case p.Gamma <= 0 || p.Gamma > 10:
		c.bad(field+".gamma", fmt.Sprintf("must be above 0 and at most 10, but is %v", p.Gamma), "")
	}
	if c.set(field+".power") && (p.Power <= 0 || p.Power > 100) {
		c.bad(field+".power", fmt.Sprintf("must be above 0 and at most 100, but is %v", p.Power), "")
	}
	if p.Midpoint < 0 || p.Midpoint > 100_000 {
		c.bad(field+".midpoint", fmt.Sprintf("must be from 0 to 100000 epochs, but is %v", p.Midpoint), "")
	}
	if p.Threshold < 0 || p.Threshold >= 1 {
		c.bad(field+".threshold", fmt.Sprintf("must be at least 0 and below 1, but is %v", p.Threshold), "")
	}
}
