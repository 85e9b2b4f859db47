package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/surgery"
	"orchestrator/worker"
)

// editOptions are the flags of `model edit`.
type editOptions struct {
	file    modelFile
	steps   []string
	surgery string
	from    string
	layers  string
	source  modelSource
	seed    int64
}

func newModelEditCommand(a *app) *cobra.Command {
	var o editOptions
	cmd := &cobra.Command{
		Use:   "edit FILE | builtin:NAME --file FILE",
		Short: "Change a network: surgery, weights of another file, input size",
		Long: `Applies surgery steps, as model.surgery of a sweep file holds them, and writes the
network. docs/sweep-reference.md explains the steps.

--take-weights first gives layers the parameters of the layers of the same names in
another file, whatever strides, pads and pools that has. Published CaffeNet and AlexNet
files often round down where the original rounds up; this brings their weights into the
original:

  orchestrator model edit builtin:caffenet --take-weights zoo.onnx --file caffenet.onnx

--input changes the declared size of the pictures, for networks that can take others.` + "\n" + exitHelp,
		Example: "  orchestrator model edit caffenet.onnx --step '{cut_after: fc7}' --step '{append: {name: fc8, outputs: 2}}' --file two.onnx\n" +
			"  orchestrator model edit caffenet.onnx --step '{to_fully_convolutional: true}' --input 451x451 --file maps.onnx\n" +
			"  orchestrator model edit caffenet.onnx --surgery steps.yaml --file edited.onnx",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			g, err := o.edit(args[0])
			if err != nil {
				return err
			}
			if err := o.file.write(g); err != nil {
				return err
			}
			return a.printWritten(o.file.path, g)
		},
	}
	flags := cmd.Flags()
	o.file.addFlags(cmd)
	o.source.addFlags(cmd)
	flags.StringArrayVar(&o.steps, "step", nil, "a surgery step, as '{cut_after: fc7}'; may be repeated")
	flags.StringVar(&o.surgery, "surgery", "", "a YAML file with a list of surgery steps, before those of --step")
	flags.StringVar(&o.from, "take-weights", "", "an ONNX file whose parameters the layers get")
	flags.StringVar(&o.layers, "layers", "*", "with --take-weights: pattern over the layers that get them")
	flags.Int64Var(&o.seed, "seed", 42, "of the weights that steps draw")
	return cmd
}

// edit changes the network at the size that its file says and declares --input
// afterwards; a file that holds its size in more places is read for that of --input.
func (o *editOptions) edit(name string) (*onnx.Graph, error) {
	steps, err := o.readSteps()
	if err != nil {
		return nil, err
	}
	options, err := o.source.options()
	if err != nil {
		return nil, err
	}
	options.OwnSize = true
	g, err := o.changed(name, options, steps)
	if err != nil || o.source.input == "" {
		return g, err
	}
	resized, err := withInput(g, options.Height, options.Width)
	if err == nil {
		return resized, nil
	}
	options.OwnSize = false
	again, errAgain := o.changed(name, options, steps)
	if errAgain != nil || !slices.Equal(again.Inputs[0].Shape[2:], []int{options.Height, options.Width}) {
		return nil, err
	}
	return again, nil
}

// changed is the network with other weights and after surgery.
func (o *editOptions) changed(name string, options onnximport.Options, steps []plan.Step) (*onnx.Graph, error) {
	var g *onnx.Graph
	var err error
	if strings.HasPrefix(name, builtinPrefix) {
		g, err = loadModel(name)
	} else {
		g, err = onnximport.LoadWith(name, options)
	}
	if err != nil {
		return nil, err
	}
	if o.from != "" {
		other, err := loadModel(o.from)
		if err != nil {
			return nil, fmt.Errorf("--take-weights: %w", err)
		}
		if g, _, err = surgery.TakeWeights(g, other, o.layers); err != nil {
			return nil, err
		}
	}
	g, _, err = surgery.Apply(g, worker.SurgerySteps(steps), o.seed)
	return g, err
}

// readSteps are those of the file, then those of the flags.
func (o *editOptions) readSteps() ([]plan.Step, error) {
	var steps []plan.Step
	if o.surgery != "" {
		data, err := os.ReadFile(o.surgery)
		if err != nil {
			return nil, usagef("give the path of a YAML file with a list of steps", "reading the surgery: %w", err)
		}
		if steps, err = plan.ParseSurgery(filepath.Base(o.surgery), data); err != nil {
			return nil, err
		}
	}
	for _, text := range o.steps {
		more, err := plan.ParseSurgery("--step", []byte("["+text+"]"))
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

// withInput declares another size of pictures, if the network can take it.
func withInput(g *onnx.Graph, height, width int) (*onnx.Graph, error) {
	in := g.Inputs[0]
	if len(in.Shape) != 4 {
		return nil, usagef("leave --input out", "the network's input has the shape %s, which is no picture", shapeText(in.Shape))
	}
	resized, err := surgery.Resize(g, height, width)
	if err != nil {
		return nil, usagef("--step '{to_fully_convolutional: true}' makes a network that takes larger pictures", "--input %dx%d: %w", height, width, err)
	}
	return resized, nil
}
