package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orchestrator/trainer/autodiff"
	"orchestrator/trainer/onnx"
)

func newModelCheckCommand(a *app) *cobra.Command {
	all, source := false, modelSource{}
	cmd := &cobra.Command{
		Use:   "check FILE | builtin:NAME",
		Short: "Say which nodes of a network train, which are constant, which have no rule",
		Long: `Lists a network's layers with the shape of what they compute, parameters and FLOPs for
one picture (a multiply-add counts as two), and whether they can be trained:

  trains    gradients pass through it, and its own parameters are trained
  constant  nothing in it or before it is trained
  no rule   the gradient table has no rule for its operator, so that nothing in it
            or before it can be trained

A layer is a convolution or matrix product with the normalisation, activation and
pooling behind it; --all lists every node by itself, as --output json does.

Below it stands what a step of training by SGD with momentum takes: FLOPs as the
compiled graph has them, and memory for the parameters and their state and for each
picture of a mini-batch. The step is compiled as a sweep compiles it, for pictures of
the file's size or that of --input. Outputs that do not count are named, and it is said
when the export has folded BatchNormalization into convolutions.

Exits 0 when the network can be trained, 1 when a node has no rule or the step cannot
be compiled.` + "\n" + exitHelp,
		Example: "  orchestrator model check squeezenet1.1-7.onnx\n  orchestrator model check resnet50.onnx --all",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return runModelCheck(a, args[0], source, all) },
	}
	source.addFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "a line for every node")
	return cmd
}

func runModelCheck(a *app, name string, source modelSource, all bool) error {
	g, err := source.load(name)
	if err != nil {
		return err
	}
	report, err := checkModel(g)
	if err != nil {
		return err
	}
	if a.config.Output == "json" {
		err = printJSON(a.out, report)
	} else {
		err = printCheck(a.out, filepath.Base(name), report, all)
	}
	if err != nil {
		return err
	}
	return report.missing(name)
}

// The words of nodeCheck.Status.
const (
	statusTrains   = "trains"
	statusConstant = "constant"
	statusNoRule   = "no rule"
)

// modelCheck is what `model check --output json` prints.
type modelCheck struct {
	Nodes   []nodeCheck  `json:"nodes"`
	Summary checkSummary `json:"summary"`
	err     error        // why the step cannot be compiled
}

// nodeCheck is one node, for one picture.
type nodeCheck struct {
	onnx.Layer
	First  string `json:"layer"` // the node that its layer begins with
	Status string `json:"status"`
}

// checkSummary adds up the nodes.
type checkSummary struct {
	Nodes      int   `json:"nodes"`
	Trains     int   `json:"trains"`
	Constant   int   `json:"constant"`
	NoRule     int   `json:"no_rule"`
	Parameters int   `json:"parameters"`
	FLOPs      int64 `json:"flops"` // forward, for one picture
	// Step is nil where the network cannot be trained as it is; Obstacle says why.
	Step     *stepCost `json:"step,omitempty"`
	Obstacle string    `json:"obstacle,omitempty"`
	// OtherOutputs are outputs of the file that do not count.
	OtherOutputs []string `json:"other_outputs,omitempty"`
	// FoldedNormalisation tells that the export has folded BatchNormalization into
	// convolutions.
	FoldedNormalisation bool `json:"folded_normalisation,omitempty"`
}

// checkModel looks at every node, and at what a training step would take.
func checkModel(g *onnx.Graph) (modelCheck, error) {
	report, err := onnx.Inspect(g)
	if err != nil {
		return modelCheck{}, err
	}
	statuses, starts := nodeStatuses(g), layerStarts(g)
	c := modelCheck{Nodes: []nodeCheck{}, Summary: checkSummary{
		Nodes: len(g.Nodes), Parameters: report.Parameters, OtherOutputs: g.LeftOut, FoldedNormalisation: foldedNormalisation(g),
	}}
	first := ""
	for i, l := range report.Layers {
		if starts[i] {
			first = l.Name
		}
		c.Nodes = append(c.Nodes, nodeCheck{Layer: l, First: first, Status: statuses[i]})
		c.Summary.FLOPs += l.FLOPs
		switch statuses[i] {
		case statusTrains:
			c.Summary.Trains++
		case statusConstant:
			c.Summary.Constant++
		case statusNoRule:
			c.Summary.NoRule++
		}
	}
	cost, err := costOf(g)
	if err != nil {
		c.Summary.Obstacle, c.err = err.Error(), err
	} else {
		c.Summary.Step = &cost
	}
	return c, nil
}

// nodeStatuses follows what is trained upwards: nodes that it reaches must have a
// rule; the others are constant.
func nodeStatuses(g *onnx.Graph) []string {
	live := map[string]bool{}
	for _, t := range g.Initializers {
		live[t.Name] = t.Param
	}
	statuses := make([]string, len(g.Nodes))
	for i, n := range g.Nodes {
		if statuses[i] = statusConstant; !slices.ContainsFunc(n.Inputs, func(in string) bool { return live[in] }) {
			continue
		}
		if statuses[i] = statusTrains; !autodiff.HasRule(n.FullOp()) {
			statuses[i] = statusNoRule
		}
		for _, out := range n.Outputs {
			live[out] = true
		}
	}
	return statuses
}

// layerStarts marks the nodes with which a layer begins: the first one, and those
// with weights, a parameter of at least two dimensions. Normalisations and biases
// have one.
func layerStarts(g *onnx.Graph) []bool {
	weights := map[string]bool{}
	for _, t := range g.Initializers {
		wide := 0
		for _, d := range t.Shape {
			if d > 1 {
				wide++
			}
		}
		weights[t.Name] = t.Param && wide > 1
	}
	starts := make([]bool, len(g.Nodes))
	for i, n := range g.Nodes {
		starts[i] = i == 0 || slices.ContainsFunc(n.Inputs, func(in string) bool { return weights[in] })
	}
	return starts
}

// foldedNormalisation tells whether convolutions have taken in the normalisations
// behind them. What exporters leave of those is names: PyTorch's older exporter gives
// folded weights a number, its newer one lets the convolution answer under the name
// that the normalisation had, and tf2onnx says so.
func foldedNormalisation(g *onnx.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *onnx.Node) bool {
		return n.Op == "Conv" && (strings.HasPrefix(n.Inputs[1], "onnx::Conv_") || strings.Contains(n.Inputs[1], "fused_bn") || strings.HasPrefix(n.Outputs[0], "getitem"))
	})
}

// missing is the error for what keeps the network from being trained, or nil.
func (c modelCheck) missing(file string) error {
	e := &noRuleError{file: file, of: len(c.Nodes)}
	for _, n := range c.Nodes {
		if n.Status == statusNoRule {
			e.nodes = append(e.nodes, n)
		}
	}
	switch {
	case e.nodes != nil:
		return e
	case c.err != nil:
		return &obstacleError{file: file, err: c.err}
	}
	return nil
}

// obstacleError says why a network's training step cannot be compiled.
type obstacleError struct {
	file string
	err  error
}

func (e *obstacleError) Error() string {
	return fmt.Sprintf("%s: it cannot be trained as it is: %v", e.file, e.err)
}
func (e *obstacleError) Unwrap() error { return e.err }

// Hint is that of the cause, if it has one.
func (e *obstacleError) Hint() string {
	var inner interface{ Hint() string }
	if errors.As(e.err, &inner) && inner.Hint() != "" {
		return inner.Hint()
	}
	return "--input checks it for another size of pictures; model edit changes it"
}

// ExitCode is that of a network which does not train.
func (e *obstacleError) ExitCode() int { return 1 }

// noRuleError says which nodes of a network keep it from being trained.
type noRuleError struct {
	file  string
	of    int
	nodes []nodeCheck
}

func (e *noRuleError) Error() string {
	var names []string
	for _, n := range e.nodes {
		names = append(names, fmt.Sprintf("%s %q", n.Op, n.Name))
	}
	const most = 8
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s: %d of %d nodes have no gradient rule: %s", e.file, len(e.nodes), e.of, strings.Join(names, ", "))
}

// Hint says what a user can do about it.
func (e *noRuleError) Hint() string {
	last := e.nodes[len(e.nodes)-1].Name
	return fmt.Sprintf("train only the layers behind %q (training.lr_mult 0, or model.surgery: freeze, for those up to it),\n"+
		"cut the network before %q (model.surgery: cut_after) and append a layer,\n"+
		"or export it with these operators spelled out in simpler ones", last, e.nodes[0].Name)
}

func printCheck(w io.Writer, name string, c modelCheck, all bool) error {
	rows := c.Nodes
	if !all {
		rows = byLayer(c.Nodes)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "LAYER\tOP\tOUTPUT\tPARAMETERS\tMFLOPS\tSTATUS\n")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.1f\t%s\n", r.Name, r.Op, shapeText(r.Output), r.Parameters, float64(r.FLOPs)/1e6, r.Status)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printCheckSummary(w, name, c.Summary)
}

const foldedNote = `BatchNormalization was folded into the convolutions by the export: what is trained is another network than the
original, without normalisation. To keep it, in PyTorch: torch.onnx.export(model.eval(), ..., optimize=False), or with
dynamo=False: training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False
`

func printCheckSummary(w io.Writer, name string, s checkSummary) error {
	fmt.Fprintf(w, "%s: %d nodes, %d parameters, %.3f GFLOPs a picture\n", name, s.Nodes, s.Parameters, float64(s.FLOPs)/1e9)
	fmt.Fprintf(w, "%d nodes train, %d are constant, %d have no rule\n", s.Trains, s.Constant, s.NoRule)
	if len(s.OtherOutputs) > 0 {
		fmt.Fprintf(w, "of its outputs the first or the named one counts; left out: %s (--model-output, model.output in a sweep)\n", strings.Join(s.OtherOutputs, ", "))
	}
	if s.FoldedNormalisation {
		fmt.Fprint(w, foldedNote)
	}
	if s.Step == nil {
		_, err := fmt.Fprintf(w, "it cannot be trained as it is: %s\n", s.Obstacle)
		return err
	}
	_, err := fmt.Fprintf(w, "a training step: about %.3f GFLOPs a picture and %.3f for the update; %.1f MB, and %.1f MB for each picture\n",
		float64(s.Step.PictureFLOPs)/1e9, float64(s.Step.UpdateFLOPs)/1e9, float64(s.Step.StateBytes+s.Step.StepBytes)/1e6, float64(s.Step.PictureBytes)/1e6)
	return err
}

// byLayer adds the nodes of each layer up to one row.
func byLayer(nodes []nodeCheck) []nodeCheck {
	var rows []nodeCheck
	var ops []string
	for i, n := range nodes {
		if i == 0 || n.First != nodes[i-1].First {
			rows, ops = append(rows, nodeCheck{First: n.First, Status: statusConstant}), nil
		}
		r := &rows[len(rows)-1]
		ops = append(ops, n.Op)
		r.Name, r.Op, r.Output = n.First, opsText(ops), n.Output
		r.Parameters += n.Parameters
		r.FLOPs += n.FLOPs
		r.Status = worse(r.Status, n.Status)
	}
	return rows
}

// worse is the status of two nodes together.
func worse(a, b string) string {
	for _, s := range []string{statusNoRule, statusTrains} {
		if a == s || b == s {
			return s
		}
	}
	return statusConstant
}

// opsText names a layer's operators in order, the first ones of many.
func opsText(ops []string) string {
	const most = 4
	if more := len(ops) - most; more > 0 {
		return fmt.Sprintf("%s +%d", strings.Join(ops[:most], " "), more)
	}
	return strings.Join(ops, " ")
}
