package plan

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Step is one surgery step; exactly one field is set.
type Step struct {
	CutAfter             string      `yaml:"cut_after,omitempty" json:"cut_after,omitempty"`
	Append               *NewLayer   `yaml:"append,omitempty" json:"append,omitempty"`
	InsertAfter          *Insertion  `yaml:"insert_after,omitempty" json:"insert_after,omitempty"`
	InsertProbe          *ProbeLayer `yaml:"insert_probe,omitempty" json:"insert_probe,omitempty"`
	Replace              *Layer      `yaml:"replace,omitempty" json:"replace,omitempty"`
	Rename               *Rename     `yaml:"rename,omitempty" json:"rename,omitempty"`
	Reinit               *Reinit     `yaml:"reinit,omitempty" json:"reinit,omitempty"`
	ToFullyConvolutional bool        `yaml:"to_fully_convolutional,omitempty" json:"to_fully_convolutional,omitempty"`
	Freeze               string      `yaml:"freeze,omitempty" json:"freeze,omitempty"` // glob over layers
}

// Layer describes the new head of a replaced layer, which keeps its kind and place.
type Layer struct {
	Name    string `yaml:"name" json:"name"`
	Outputs int    `yaml:"outputs" json:"outputs"`
	Init    Init   `yaml:"init,omitempty" json:"init,omitempty"`
}

// NewLayer describes a layer that is added.
type NewLayer struct {
	Name    string  `yaml:"name" json:"name"`
	Kind    string  `yaml:"kind,omitempty" json:"kind,omitempty"` // one of layerKinds; linear where empty
	Outputs int     `yaml:"outputs,omitempty" json:"outputs,omitempty"`
	Kernel  int     `yaml:"kernel,omitempty" json:"kernel,omitempty"`
	Stride  int     `yaml:"stride,omitempty" json:"stride,omitempty"`
	Pad     int     `yaml:"pad,omitempty" json:"pad,omitempty"`
	Groups  int     `yaml:"groups,omitempty" json:"groups,omitempty"`
	Ratio   float64 `yaml:"ratio,omitempty" json:"ratio,omitempty"`
	Init    Init    `yaml:"init,omitempty" json:"init,omitempty"`
}

// Insertion puts an activation or Dropout behind a layer.
type Insertion struct {
	After string  `yaml:"after" json:"after"`
	Name  string  `yaml:"name" json:"name"`
	Kind  string  `yaml:"kind" json:"kind"` // relu | dropout
	Ratio float64 `yaml:"ratio,omitempty" json:"ratio,omitempty"`
}

// ProbeLayer ends the network in a linear classifier on a frozen layer.
type ProbeLayer struct {
	After   string `yaml:"after" json:"after"`
	Name    string `yaml:"name" json:"name"`
	Outputs int    `yaml:"outputs" json:"outputs"`
	Init    Init   `yaml:"init,omitempty" json:"init,omitempty"`
}

// Rename gives a layer another name.
type Rename struct {
	From string `yaml:"from" json:"from"`
	To   string `yaml:"to" json:"to"`
}

// Reinit draws the parameters of layers anew.
type Reinit struct {
	Layers string `yaml:"layers" json:"layers"` // glob
	Init   Init   `yaml:"init,omitempty" json:"init,omitempty"`
}

// Init is a weight filler; at most one field is set. The default is xavier, as
// in Caffe (uniform in ±sqrt(3/fan_in)). Biases start at Bias.
type Init struct {
	Gaussian float64   `yaml:"gaussian,omitempty" json:"gaussian,omitempty"` // standard deviation
	Xavier   bool      `yaml:"xavier,omitempty" json:"xavier,omitempty"`
	MSRA     bool      `yaml:"msra,omitempty" json:"msra,omitempty"`
	Uniform  []float64 `yaml:"uniform,omitempty" json:"uniform,omitempty"` // two bounds
	Constant *float64  `yaml:"constant,omitempty" json:"constant,omitempty"`
	Bilinear bool      `yaml:"bilinear,omitempty" json:"bilinear,omitempty"`
	Bias     float64   `yaml:"bias,omitempty" json:"bias,omitempty"`
}

// steps are the things that a surgery step can do, and layerKinds what a new
// layer can be.
var (
	steps      = childKeys(reflect.TypeFor[Step]())
	layerKinds = []string{"linear", "conv", "relu", "dropout"}
)

const layerNames = "name a layer as `orchestrator model inspect` prints it"

// step checks one surgery step. That its layers are there is for those to say who
// have the network.
func (c *checker) step(field string, s Step) {
	kinds := 0
	for _, key := range steps {
		if c.set(join(field, key)) {
			kinds++
		}
	}
	if kinds != 1 {
		c.bad(field, fmt.Sprintf("names %d things to do", kinds), "each step is exactly one of "+list(steps))
	}
	in := func(key string) string { return join(field, key) }
	if c.set(in("cut_after")) {
		c.layerName(in("cut_after"), s.CutAfter)
	}
	if c.set(in("freeze")) {
		c.layerPattern(in("freeze"), s.Freeze)
	}
	if c.set(in("to_fully_convolutional")) && !s.ToFullyConvolutional {
		c.bad(in("to_fully_convolutional"), "is false, which does nothing", "write true or remove the step")
	}
	switch {
	case s.Append != nil:
		c.newLayer(in("append"), *s.Append)
	case s.InsertAfter != nil:
		c.insertion(in("insert_after"), *s.InsertAfter)
	case s.InsertProbe != nil:
		c.layerName(in("insert_probe.after"), s.InsertProbe.After)
		c.layer(in("insert_probe"), Layer{Name: s.InsertProbe.Name, Outputs: s.InsertProbe.Outputs, Init: s.InsertProbe.Init})
	case s.Replace != nil:
		c.layer(in("replace"), *s.Replace)
	case s.Rename != nil:
		c.layerName(in("rename.from"), s.Rename.From)
		c.layerName(in("rename.to"), s.Rename.To)
	case s.Reinit != nil:
		c.layerPattern(in("reinit.layers"), s.Reinit.Layers)
		c.filler(in("reinit.init"), s.Reinit.Init)
	}
}

// layerName checks a name that must be given.
func (c *checker) layerName(field, name string) {
	switch {
	case !c.set(field):
		c.bad(field, "is required", layerNames)
	case strings.TrimSpace(name) == "":
		c.bad(field, "is empty", layerNames)
	}
}

func (c *checker) layerPattern(field, pattern string) {
	c.layerName(field, pattern)
	if _, err := path.Match(pattern, ""); err != nil {
		c.bad(field, fmt.Sprintf("%q is not a pattern for names", pattern), "* stands for any characters, ? for one, [ab] for one of a and b")
	}
}

// layer checks what has a name, a number of outputs and a filler.
func (c *checker) layer(field string, l Layer) {
	if l.Name == "" {
		c.bad(join(field, "name"), "is required", "name the layer")
	}
	c.outputs(join(field, "outputs"), l.Outputs)
	c.filler(join(field, "init"), l.Init)
}

func (c *checker) outputs(field string, n int) {
	if !c.set(field) {
		c.bad(field, "is required", "for the last layer: the number of classes")
		return
	}
	c.count(field, n, 1, 1_000_000)
}

func (c *checker) newLayer(field string, l NewLayer) {
	in := func(key string) string { return join(field, key) }
	if l.Name == "" {
		c.bad(in("name"), "is required", "name the layer")
	}
	if c.set(in("kind")) {
		c.word(in("kind"), l.Kind, layerKinds, nil)
	}
	uses := map[string][]string{
		"": {"outputs", "init"}, "linear": {"outputs", "init"}, "relu": {}, "dropout": {"ratio"},
		"conv": {"outputs", "init", "kernel", "stride", "pad", "groups"},
	}[l.Kind]
	if uses != nil {
		c.unusedKeys(field, l.Kind, uses)
	}
	if l.Kind == "" || l.Kind == "linear" || l.Kind == "conv" {
		c.outputs(in("outputs"), l.Outputs)
		c.filler(in("init"), l.Init)
	}
	if l.Kind == "conv" && !c.set(in("kernel")) {
		c.bad(in("kernel"), "is required with kind: conv", "as kernel: 3")
	}
	for key, n := range map[string]int{"kernel": l.Kernel, "stride": l.Stride, "groups": l.Groups} {
		if c.set(in(key)) {
			c.count(in(key), n, 1, 4096)
		}
	}
	c.count(in("pad"), l.Pad, 0, 4096)
	c.ratio(field, l.Kind, l.Ratio)
}

// unusedKeys finds keys of a new layer that its kind has no use for.
func (c *checker) unusedKeys(field, kind string, uses []string) {
	for _, key := range []string{"outputs", "init", "kernel", "stride", "pad", "groups", "ratio"} {
		if c.set(join(field, key)) && !slices.Contains(uses, key) {
			word := kind
			if word == "" {
				word = "linear"
			}
			c.bad(join(field, key), fmt.Sprintf("is not used by a layer of kind %s", word), "remove it")
		}
	}
}

func (c *checker) insertion(field string, s Insertion) {
	c.layerName(join(field, "after"), s.After)
	if s.Name == "" {
		c.bad(join(field, "name"), "is required", "name the layer")
	}
	c.word(join(field, "kind"), s.Kind, []string{"relu", "dropout"}, nil)
	if s.Kind != "dropout" && c.set(join(field, "ratio")) {
		c.bad(join(field, "ratio"), "is not used by a layer of kind "+s.Kind, "remove it")
	}
	c.ratio(field, s.Kind, s.Ratio)
}

// ratio checks how much a Dropout drops.
func (c *checker) ratio(field, kind string, ratio float64) {
	switch {
	case kind != "dropout":
	case !c.set(join(field, "ratio")):
		c.bad(join(field, "ratio"), "is required with kind: dropout", "as ratio: 0.5")
	case ratio < 0 || ratio >= 1:
		c.bad(join(field, "ratio"), fmt.Sprintf("must be at least 0 and below 1, but is %v", ratio), "")
	}
}

func (c *checker) filler(field string, init Init) {
	var fillers []string
	for _, key := range []string{"gaussian", "xavier", "msra", "uniform", "constant", "bilinear"} {
		if c.set(join(field, key)) {
			fillers = append(fillers, key)
		}
	}
	for key, isSet := range map[string]bool{"xavier": init.Xavier, "msra": init.MSRA, "bilinear": init.Bilinear} {
		if c.set(join(field, key)) && !isSet {
			c.bad(join(field, key), "is false, which chooses nothing", "write true or remove it")
		}
	}
	if len(fillers) > 1 {
		c.bad(field, "names several fillers: "+list(fillers), "keep one of them")
	}
	if c.set(join(field, "gaussian")) && init.Gaussian <= 0 {
		c.bad(join(field, "gaussian"), fmt.Sprintf("is a standard deviation and must be above 0, but is %v", init.Gaussian), "")
	}
	if c.set(join(field, "uniform")) && (len(init.Uniform) != 2 || init.Uniform[0] >= init.Uniform[1]) {
		c.bad(join(field, "uniform"), fmt.Sprintf("must be two bounds, the lower one first, but is %v", init.Uniform), "as uniform: [-0.1, 0.1]")
	}
}

// ParseSurgery reads a list of surgery steps, as model.surgery holds it, that is
// not part of a sweep. Its errors are those of Parse.
func ParseSurgery(file string, data []byte) ([]Step, error) {
	p := &problems{file: file}
	root, second, err := parseYAML(data)
	switch {
	case err != nil:
		line, text := syntaxError(err)
		p.add(position{line, 1}, "", "is not valid YAML: "+text, "as [{cut_after: fc7}, {append: {name: fc8, outputs: 2}}]")
	case second != nil || root == nil:
		p.add(position{}, "", "must hold one list of steps", "as [{cut_after: fc7}, {append: {name: fc8, outputs: 2}}]")
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	if root = (&expander{problems: p}).expand(root, 0); root == nil {
		return nil, p.err()
	}
	var list []Step
	d := &decoder{problems: p, positions: map[string]position{}, failed: failures{}}
	d.value(root, reflect.ValueOf(&list).Elem(), "surgery")
	c := &checker{problems: p, positions: d.positions, failed: d.failed}
	for i, s := range list {
		c.step(fmt.Sprintf("surgery.%d", i), s)
	}
	return list, p.err()
}
