package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

func newModelCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Inspect, check, make, change and export networks",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModelInspectCommand(a), newModelCheckCommand(a), newModelGraphCommand(a), newModelNewCommand(a), newModelEditCommand(a), newModelImportCommand(a), newModelExportCommand(a))
	return cmd
}

// builtinPrefix marks networks that come with the program.
const builtinPrefix = "builtin:"

// builtinOutputs is the class count of a builtin that no data set has set yet.
const builtinOutputs = 1000

// modelSource says how a network file is to be understood.
type modelSource struct {
	input  string // HEIGHTxWIDTH
	output string
}

func (m *modelSource) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&m.input, "input", "", "size of the pictures, as 224x224 (height x width); default: the file's")
	cmd.Flags().StringVar(&m.output, "model-output", "", "the output of the network that counts, by its name; default: the first")
}

// load reads an ONNX file or makes a builtin network.
func (m modelSource) load(name string) (*onnx.Graph, error) {
	options, err := m.options()
	if err != nil {
		return nil, err
	}
	b, ok := strings.CutPrefix(name, builtinPrefix)
	if !ok {
		return onnximport.LoadWith(name, options)
	}
	g, err := builtin.Model(b, builtinOutputs, 0)
	if err != nil || m.input == "" {
		return g, err
	}
	return withInput(g, options.Height, options.Width)
}

func (m modelSource) options() (onnximport.Options, error) {
	o := onnximport.Options{Output: m.output}
	if m.input == "" {
		return o, nil
	}
	n, err := fmt.Sscanf(strings.ToLower(m.input), "%dx%d", &o.Height, &o.Width)
	if n != 2 || err != nil || o.Height < 1 || o.Width < 1 {
		return o, usagef("as --input 451x451", "--input %q is not a height and a width", m.input)
	}
	return o, nil
}

// loadModel is load without flags.
func loadModel(name string) (*onnx.Graph, error) { return modelSource{}.load(name) }

func newModelInspectCommand(a *app) *cobra.Command {
	var source modelSource
	cmd := &cobra.Command{
		Use:   "inspect FILE | builtin:NAME",
		Short: "List a network's layers, shapes, parameters and FLOPs",
		Long: `Prints the layers under the names that surgery, lr_mult and freeze use, with shapes
and FLOPs for one picture. A multiply-add counts as two FLOPs; what papers give as
FLOPs are often multiply-adds, half of it.

Builtin networks: ` + strings.Join(builtin.Names(), ", ") + ".\n" + exitHelp,
		Example: "  orchestrator model inspect squeezenet1.1-7.onnx\n  orchestrator model inspect builtin:caffenet --output json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			g, err := source.load(args[0])
			if err != nil {
				return err
			}
			report, err := onnx.Inspect(g)
			if err != nil {
				return err
			}
			if a.config.Output == "json" {
				return printJSON(a.out, report)
			}
			return printLayers(a.out, filepath.Base(args[0]), report)
		},
	}
	source.addFlags(cmd)
	return cmd
}

func printLayers(w io.Writer, name string, r onnx.Report) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "LAYER\tOP\tOUTPUT\tPARAMETERS\tMFLOPS\n")
	var flops int64
	for _, l := range r.Layers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.1f\n", l.Name, l.Op, shapeText(l.Output), l.Parameters, float64(l.FLOPs)/1e6)
		flops += l.FLOPs
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var inputs []string
	for _, in := range r.Inputs {
		inputs = append(inputs, in.Name+" "+shapeText(in.Shape))
	}
	_, err := fmt.Fprintf(w, "%s: input %s, %d layers, %d parameters, %.1f MFLOPs a picture\n",
		name, strings.Join(inputs, ", "), len(r.Layers), r.Parameters, float64(flops)/1e6)
	return err
}

func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
		if d == onnx.Batch {
			parts[i] = "N"
		}
	}
	return strings.Join(parts, "×")
}
