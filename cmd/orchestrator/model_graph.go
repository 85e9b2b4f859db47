package main

import (
	"github.com/spf13/cobra"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/surgery"
)

// graphOptions are the flags of `model graph`.
type graphOptions struct {
	source    modelSource
	train     bool
	batch     int
	loss      string
	optimizer string
	clipNorm  float64
	freeze    []string
}

func newModelGraphCommand(a *app) *cobra.Command {
	var o graphOptions
	cmd := &cobra.Command{
		Use:   "graph FILE | builtin:NAME",
		Short: "Print a network's graph, or the graph that trains it",
		Long: `Prints a line for each node: what it computes from what, the attributes that are not
defaults, and the shape of the result.

With --train it is the whole training step as the engine compiles it, in sections:
what is fed, what is kept from step to step, forward, loss, backward and update. In the
backward section comments say by which value a node is the gradient. Pictures enter as
float values, and the classes are the network's own.

Formats: --output table (text), json, dot (Graphviz: orchestrator model graph FILE
--output dot | dot -Tsvg).` + "\n" + exitHelp,
		Example: "  orchestrator model graph builtin:tinynet --train --batch 2\n" +
			"  orchestrator model graph squeezenet1.1-7.onnx --train --freeze 'fire*' --optimizer adam",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runModelGraph(a, args[0], o) },
	}
	o.source.addFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.train, "train", false, "the graph of a training step")
	flags.IntVar(&o.batch, "batch", 1, "pictures in a mini-batch")
	flags.StringVar(&o.loss, "loss", "softmax", "with --train: a loss, as training.loss")
	flags.StringVar(&o.optimizer, "optimizer", "sgd", "with --train: an optimizer, as training.optimizer")
	flags.Float64Var(&o.clipNorm, "clip-norm", 0, "with --train: clip gradients, as training.clip_norm")
	flags.StringArrayVar(&o.freeze, "freeze", nil, "with --train: pattern over layers that are not trained")
	return cmd
}

func runModelGraph(a *app, name string, o graphOptions) error {
	if o.batch < 1 {
		return usagef("--batch 1 or more", "a mini-batch cannot have %d pictures", o.batch)
	}
	g, err := o.source.load(name)
	if err != nil {
		return err
	}
	d, err := describeGraph(g, o)
	if err != nil {
		return err
	}
	switch a.config.Output {
	case "json":
		return printJSON(a.out, d)
	case "dot":
		return d.WriteDot(a.out)
	}
	return d.WriteText(a.out)
}

// describeGraph compiles what the flags ask for.
func describeGraph(g *onnx.Graph, o graphOptions) (*compile.Description, error) {
	if !o.train {
		return compile.DescribeModel(g, o.batch)
	}
	options := stepOptions(g, o.batch)
	options.Loss, options.Optimizer, options.ClipNorm = o.loss, o.optimizer, o.clipNorm
	options.Rates = map[string]compile.Rates{}
	for _, glob := range o.freeze {
		names := surgery.Parameters(g, glob)
		if len(names) == 0 {
			return nil, usagef("orchestrator model inspect prints the layers' names", "--freeze: no layer or parameter has a name like %q", glob)
		}
		for _, name := range names {
			options.Rates[name] = compile.Rates{}
		}
	}
	p, err := compile.Train(g, options)
	if err != nil {
		return nil, err
	}
	return compile.Describe(p, g)
}
