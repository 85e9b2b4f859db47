package plan

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Probe makes a sweep one of linear classifiers on what layers of a network answer,
// instead of one of trainings: a trial for each layer and classifier.
type Probe struct {
	// Layers are all layers of the sweep: they are computed together.
	Layers []string `yaml:"layers" json:"layers"`
	// Classifiers are softmax and svm; empty in a trial, which has one.
	Classifiers []string `yaml:"classifiers" json:"classifiers,omitempty"`
	// PowersOfTwo are the first and last exponent of the grid of C.
	PowersOfTwo []int  `yaml:"powers_of_two" json:"powers_of_two"`
	InnerFolds  int    `yaml:"inner_folds" json:"inner_folds"`
	Selection   string `yaml:"selection" json:"selection"` // of C: inner | test
	// Layer and Classifier are the trial's own. The search sets them.
	Layer      string `yaml:"layer" json:"layer"`
	Classifier string `yaml:"classifier" json:"classifier"`
}

// IsProbe tells whether the trial fits linear classifiers.
func (c Config) IsProbe() bool { return len(c.Probe.Layers) > 0 }

// MaxProbed is how many pictures can be probed: their inner products, a number for
// each pair, are held in memory.
const MaxProbed = 20_000

// ProbeOutcome is what a linear classifier came to.
type ProbeOutcome struct {
	Features int     `json:"features"` // numbers per picture
	C        float64 `json:"c"`        // chosen by the inner folds
	// Grid are the values of C; Inner and Test the accuracies of each, over the
	// inner folds and on the test pictures.
	Grid  []float64 `json:"grid"`
	Inner []float64 `json:"inner_accuracy"`
	Test  []float64 `json:"test_accuracy"`
	// Objective is what the chosen fit minimised, Gap bounds or estimates what is
	// left to gain of it, and Converged says that all fits came within 1e-7 of it.
	Objective  float64 `json:"objective"`
	Gap        float64 `json:"gap"`
	Iterations int     `json:"iterations"`
	Converged  bool    `json:"converged"`
}

var (
	probeClassifiers = []string{"softmax", "svm"}
	probeSelections  = []string{"inner", "test"}
	// probeMetrics need no probabilities, which an SVM does not give.
	probeMetrics = []string{"accuracy", "f1", "auc"}
	// probeTraining are the keys below training that a probe uses.
	probeTraining = []string{"training.seed", "training.threads"}
)

// derive fills in what the file leaves open.
func (p *Probe) derive(set map[string]position) {
	unset := func(key string) bool {
		_, ok := set["probe."+key]
		return !ok
	}
	if unset("classifiers") {
		p.Classifiers = slices.Clone(probeClassifiers)
	}
	if unset("powers_of_two") {
		p.PowersOfTwo = []int{-5, 15}
	}
	if unset("inner_folds") {
		p.InnerFolds = 5
	}
	if unset("selection") {
		p.Selection = "inner"
	}
	if p.Classifier != "" {
		p.Classifiers = nil
	}
}

// parameters are those that the layers and classifiers of a probe stand for.
func (d *document) probeParameters(at map[string]position) Space {
	if !d.IsProbe() {
		return nil
	}
	parameter := func(path, from string, values []string) Parameter {
		p := Parameter{Path: path, Distribution: "categorical", at: at[from]}
		for _, v := range values {
			n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v, Line: p.at.line, Column: p.at.column}
			p.choices = append(p.choices, choice{value: n, level: len(p.choices)})
		}
		return p
	}
	return Space{parameter("probe.layer", "probe.layers", d.Probe.Layers), parameter("probe.classifier", "probe.layers", d.Probe.Classifiers)}
}

// probeSection checks what the file says of a probe, before the search.
func (c *checker) probeSection(doc *document) {
	for _, key := range []string{"probe.layer", "probe.classifier"} {
		if c.set(key) || slices.ContainsFunc(doc.Parameters, func(p Parameter) bool { return p.Path == key || p.Path == "probe" }) {
			c.bad(key, "is for the search to set", "list them as probe.layers and probe.classifiers")
		}
	}
	if !c.set("probe") {
		return
	}
	c.names("probe.layers", doc.Probe.Layers, nil)
	c.names("probe.classifiers", doc.Probe.Classifiers, probeClassifiers)
	if doc.Method != "grid" {
		c.bad("method", "probes try every layer with every classifier", "write method: grid or remove it")
	}
}

// names checks a list of different names; known are all there are, or nil.
func (c *checker) names(field string, names, known []string) {
	if len(names) == 0 {
		c.bad(field, "is empty", "list at least one")
	}
	for i, name := range names {
		switch {
		case strings.TrimSpace(name) == "":
			c.bad(fmt.Sprintf("%s.%d", field, i), "is empty", layerNames)
		case slices.Contains(names[:i], name):
			c.bad(field, fmt.Sprintf("holds %s twice", name), "")
		case known != nil:
			c.word(fmt.Sprintf("%s.%d", field, i), name, known, nil)
		}
	}
}

// probe checks one trial's settings.
func (c *checker) probe(doc *document) {
	p := doc.Probe
	c.word("probe.selection", p.Selection, probeSelections, nil)
	c.count("probe.inner_folds", p.InnerFolds, 2, 1000)
	if e := p.PowersOfTwo; len(e) != 2 || e[0] > e[1] || e[0] < -40 || e[1] > 40 {
		c.bad("probe.powers_of_two", fmt.Sprintf("must be the first and the last exponent of C, from -40 to 40, but is %v", e), "as [-5, 15]")
	}
	for key := range c.positions {
		if strings.HasPrefix(key, "training.") && !slices.ContainsFunc(probeTraining, func(used string) bool { return key == used }) {
			c.bad(key, "is not used by a probe, which trains no network", "remove it, or remove probe")
		}
	}
	if doc.Evaluation.Oversample > 1 {
		c.bad("evaluation.oversample", "is not used by a probe, which sees central crops", "remove it")
	}
	for i, name := range doc.Evaluation.Metrics {
		if slices.Contains(metrics, name) && !slices.Contains(probeMetrics, name) {
			c.bad(fmt.Sprintf("evaluation.metrics.%d", i), fmt.Sprintf("%s is not known of linear classifiers", name), "choose of "+list(probeMetrics))
		}
	}
	if p.Selection == "test" && len(doc.Evaluation.Metrics) != 1 {
		c.bad("evaluation.metrics", "only accuracy is known with selection: test", "write [accuracy] or remove it")
	}
}
