package plan

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What this version runs, and what the language has beyond it.
var (
	methods         = []string{"grid", "random", "sobol", "tpe", "cma-es"}
	laterMethods    = []string{"bayes"}
	losses          = []string{"softmax", "focal", "hinge", "squared_hinge", "binary_cross_entropy", "mean_squared_error"}
	optimizers      = []string{"sgd", "sgd_pytorch", "nesterov", "adam", "adamw", "rmsprop", "lars"}
	laterOptimizers = []string{"adagrad", "adadelta", "lamb"}
	metrics         = []string{"accuracy", "loss", "f1", "auc"}
	laterMetrics    = []string{"precision", "recall", "top5", "ece"}
	goals           = []string{"maximize", "minimize"}
	channels        = []string{"rgb", "bgr", "grey"}
	devices         = []string{"any", "cpu", "cuda"}
	laterDevices    = []string{"rocm", "directml", "coreml", "openvino", "tensorrt"}
	onBad           = []string{"error", "skip"}
	policies        = []string{"fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid", "cosine", "plateau"}
	laterPolicies   = []string{"one_cycle"}
	cacheFeatures   = []string{"auto", "off"}
	precisions      = []string{"float32", "tf32", "bfloat16", "float16"}
)

// maxSlots is the most slots that a job may take.
const maxSlots = 16

// labelPattern is what a worker's label looks like: it is part of a queue's name.
var labelPattern = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// IsLabel tells whether a text can be a worker's label.
func IsLabel(text string) bool { return labelPattern.MatchString(text) }

// policyKeys are the keys that each policy needs and may have.
var policyKeys = map[string]struct{ needs, may []string }{
	"fixed":     {},
	"step":      {needs: []string{"every_epochs"}, may: []string{"gamma"}},
	"multistep": {needs: []string{"epochs"}, may: []string{"gamma"}},
	"exp":       {needs: []string{"gamma"}},
	"inv":       {needs: []string{"gamma", "power"}},
	"poly":      {may: []string{"power"}},
	"sigmoid":   {needs: []string{"gamma", "midpoint"}},
	"cosine":    {},
	"plateau":   {may: []string{"gamma", "patience", "threshold"}},
}

// checker holds a decoded file against the rules.
type checker struct {
	problems  *problems
	positions map[string]position
	failed    failures
}

// bad records a problem with a field, unless the field could not be read in the
// first place.
func (c *checker) bad(field, problem, try string) {
	if c.failed.touch(field) {
		return
	}
	c.problems.add(nearestPosition(c.positions, field), field, problem, try)
	c.failed.add(field)
}

func (c *checker) set(field string) bool {
	_, ok := c.positions[field]
	return ok
}

// word checks a setting that is one of a few words.
func (c *checker) word(field, word string, supported, later []string) {
	if problem, try, ok := oneOf(word, supported, later); !ok {
		c.bad(field, problem, try)
	}
}

// count checks a whole number against its bounds.
func (c *checker) count(field string, n, least, most int) {
	if n < least || n > most {
		c.bad(field, fmt.Sprintf("must be from %d to %d, but is %d", least, most, n), "")
	}
}

func (c *checker) require(field string) {
	if !c.set(field) {
		c.bad(field, "is required", "")
	}
}

// sweep checks what all trials share.
func (c *checker) sweep(doc *document) {
	c.require("name")
	if name := doc.Name; c.set("name") && (strings.TrimSpace(name) == "" || len(name) > 100 || strings.ContainsFunc(name, unicode.IsControl)) {
		c.bad("name", "must be one line of 1 to 100 characters", "")
	}
	c.dataset(doc)
	c.crossValidation(doc)
	c.word("method", doc.Method, methods, laterMethods)
	if c.set("run_cap") {
		c.count("run_cap", doc.RunCap, 1, maxRunCap)
	}
	c.word("metric.goal", doc.Metric.Goal, goals, nil)
	if c.set("metric.goal") && slices.Contains(metrics, doc.Metric.Name) && slices.Contains(goals, doc.Metric.Goal) && doc.Metric.Goal != goalOf(doc.Metric.Name) {
		c.bad("metric.goal", fmt.Sprintf("to %s %s would pick the worst trial", doc.Metric.Goal, doc.Metric.Name), "write goal: "+goalOf(doc.Metric.Name))
	}
	c.word("resources.device", doc.Resources.Device, devices, laterDevices)
	if n := doc.Resources.SlotsPerTrial; n < 1 || n > maxSlots || n&(n-1) != 0 {
		c.bad("resources.slots_per_trial", fmt.Sprintf("is %d, but must be 1, 2, 4, 8 or 16", n), "a job takes so many slots of one worker")
	}
	if c.set("resources.label") && !IsLabel(doc.Resources.Label) {
		c.bad("resources.label", fmt.Sprintf("%q is not a label", doc.Resources.Label), "up to 32 small letters, digits and underscores, as workers have with --label")
	}
	c.count("resources.priority", doc.Resources.Priority, FirstPriority, LastPriority)
	c.count("resources.max_restarts", doc.Resources.MaxRestarts, 0, 100)
	c.count("checkpoints.every_epochs", doc.Checkpoints.EveryEpochs, 0, 100_000)
	c.count("checkpoints.save_trial_best", doc.Checkpoints.SaveTrialBest, 0, 100)
	if doc.Checkpoints.SaveTrialBest > 0 && doc.Checkpoints.EveryEpochs == 0 {
		c.bad("checkpoints.save_trial_best", "keeps checkpoints of the best epochs, but none are written (every_epochs is 0)", "write every_epochs: 1")
	}
	c.count("checkpoints.save_trial_latest", doc.Checkpoints.SaveTrialLatest, 1, 100)
	c.searchSection(doc)
	c.probeSection(doc)
	c.overridden(doc)
}

// overridden finds overrides that the search would undo.
func (c *checker) overridden(doc *document) {
	for i, o := range c.problems.overrides {
		for _, p := range doc.Parameters {
			if len(p.When) == 0 && slices.ContainsFunc(p.paths(), func(path string) bool { return o.Key == path || strings.HasPrefix(o.Key, path+".") }) {
				c.problems.add(position{line: -1 - i}, o.Key, fmt.Sprintf("has no effect: the sweep searches it (%s)", c.problems.where(p.at)),
					"change it under parameters in the file")
			}
		}
	}
}

func (c *checker) dataset(doc *document) {
	c.require("dataset.path")
	for field, value := range map[string]string{"dataset.path": doc.Dataset.Path, "dataset.root": doc.Dataset.Root, "dataset.folds": doc.Dataset.Folds} {
		switch {
		case c.set(field) && strings.TrimSpace(value) == "":
			c.bad(field, "is empty", "name a folder or file")
		case strings.Contains(value, "://"):
			c.bad(field, fmt.Sprintf("%q is an address, but this version reads data sets from disk", value), "name a folder or a manifest file")
		}
	}
	c.count("dataset.class_level", doc.Dataset.ClassLevel, 0, 10)
	c.word("dataset.on_bad", doc.Dataset.OnBad, onBad, nil)
	for field, patterns := range map[string][]string{"dataset.include": doc.Dataset.Include, "dataset.exclude": doc.Dataset.Exclude} {
		for i, pattern := range patterns {
			if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
				c.bad(fmt.Sprintf("%s.%d", field, i), fmt.Sprintf("%q is not a pattern for file names", pattern), "* stands for any characters but /, ? for one, [ab] for one of a and b")
			}
		}
	}
}

func (c *checker) crossValidation(doc *document) {
	if doc.Dataset.Folds != "" && c.set("cross_validation") {
		c.bad("cross_validation", "contradicts dataset.folds, which gives the folds", "remove one of them")
		return
	}
	c.count("cross_validation.folds", doc.CrossValidation.Folds, 2, 1000)
	c.count("cross_validation.repeats", doc.CrossValidation.Repeats, 1, 100)
}

// config checks one trial's settings.
func (c *checker) config(doc *document) {
	for _, field := range required {
		if root, _, _ := strings.Cut(field, "."); slices.Contains(sections, root) && !(c.set("probe") && root == "training") {
			c.require(field)
		}
	}
	c.model(doc.Model)
	c.preprocessing(doc.Preprocessing)
	if c.set("probe") {
		c.probe(doc)
	} else {
		c.training(doc.Training)
		c.precision(doc.Training.Precision, doc.Resources.Device)
		c.policy(doc.Training)
	}
	c.evaluation(doc)
}

func (c *checker) model(m Model) {
	if scheme, _, ok := strings.Cut(m.Base, "://"); ok {
		c.bad("model.base", fmt.Sprintf("%q: this version does not read models from %s", m.Base, scheme), "name a file or builtin:NAME")
	}
	if c.set("model.base") && (strings.TrimSpace(m.Base) == "" || m.Base == "builtin:") {
		c.bad("model.base", "names no model", "name an .onnx file or builtin:NAME")
	}
	for i, step := range m.Surgery {
		c.step(fmt.Sprintf("model.surgery.%d", i), step)
	}
}

func (c *checker) preprocessing(p Preprocessing) {
	const largest = 4096
	shortest := largest
	for i, side := range p.Resize {
		if side < 1 || side > largest {
			c.bad("preprocessing.resize", fmt.Sprintf("must be from 1 to %d pixels, but is %d", largest, side), "")
		}
		shortest = min(shortest, p.Resize[i])
	}
	if p.Crop < 0 || p.Crop > shortest {
		c.bad("preprocessing.crop", fmt.Sprintf("must be from 0 (none) to the %d pixels that preprocessing.resize leaves, but is %d", shortest, p.Crop), "")
	}
	if p.CenterCrop && p.Crop == 0 {
		c.bad("preprocessing.center_crop", "has no effect: preprocessing.crop is 0, and the network sees the whole picture", "set preprocessing.crop or remove it")
	}
	c.word("preprocessing.channels", p.Channels, channels, nil)
	planes := 3
	if p.Channels == "grey" {
		planes = 1
	}
	for field, values := range map[string][]float64{"preprocessing.mean": p.Mean, "preprocessing.std": p.Std} {
		if c.set(field) && len(values) != planes {
			c.bad(field, fmt.Sprintf("has %d numbers, but channels: %s has %d", len(values), p.Channels, planes), "write one number per channel, in the order of preprocessing.channels")
		}
		for _, v := range values {
			if v < 0 || v > 255 || v == 0 && field == "preprocessing.std" {
				c.bad(field, fmt.Sprintf("holds %v, but pixels are from 0 to 255", v), "multiply values for pixels from 0 to 1 by 255")
			}
		}
	}
	if p.Scale <= 0 {
		c.bad("preprocessing.scale", fmt.Sprintf("must be above 0, but is %v", p.Scale), "")
	}
}

func (c *checker) evaluation(doc *document) {
	e := doc.Evaluation
	if len(e.Metrics) == 0 {
		c.bad("evaluation.metrics", "is empty", "supported: "+list(metrics))
	}
	for i, name := range e.Metrics {
		c.word(fmt.Sprintf("evaluation.metrics.%d", i), name, metrics, laterMetrics)
		if slices.Contains(e.Metrics[:i], name) {
			c.bad("evaluation.metrics", fmt.Sprintf("holds %s twice", name), "")
		}
	}
	if len(e.Metrics) > 0 && !slices.Contains(e.Metrics, doc.Metric.Name) {
		c.bad("metric.name", fmt.Sprintf("%q is not among evaluation.metrics (%s)", doc.Metric.Name, list(e.Metrics)), "add it there or rank the trials by one of them")
	}
	if c.set("evaluation.batch_size") {
		c.count("evaluation.batch_size", e.BatchSize, 1, 65_536)
	}
	switch e.Oversample {
	case 1:
	case 5, 10:
		if doc.Preprocessing.Crop == 0 {
			c.bad("evaluation.oversample", fmt.Sprintf("is %d, but there is no crop to take %d times", e.Oversample, e.Oversample), "set preprocessing.crop, or leave it out")
		}
	default:
		c.bad("evaluation.oversample", fmt.Sprintf("must be 1, 5 or 10, but is %d", e.Oversample), "1: the central crop; 5: the corners too; 10: mirrored too")
	}
}
