package main

import (
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/trainer/builtin"
)

func newModelNewCommand(a *app) *cobra.Command {
	var file modelFile
	var outputs int
	var seed int64
	cmd := &cobra.Command{
		Use:   "new NAME --file FILE",
		Short: "Write a network that comes with the program, with random weights",
		Long: `Writes an ONNX file of one of the builtin networks. caffenet is BVLC's reference
CaffeNet: its table, its fillers, 60,965,224 parameters with 1000 outputs; it takes
227×227 pictures, BGR minus the mean. The weights follow from the seed.

Networks: ` + strings.Join(builtin.Names(), ", ") + ".\n" + exitHelp,
		Example:   "  orchestrator model new caffenet --file caffenet.onnx\n  orchestrator model new smallnet --outputs 2 --seed 7 --file small.onnx",
		Args:      cobra.ExactArgs(1),
		ValidArgs: builtin.Names(),
		RunE: func(_ *cobra.Command, args []string) error {
			g, err := builtin.Model(strings.TrimPrefix(args[0], builtinPrefix), outputs, seed)
			if err != nil {
				return err
			}
			if err := file.write(g); err != nil {
				return err
			}
			return a.printWritten(file.path, g)
		},
	}
	file.addFlags(cmd)
	cmd.Flags().IntVar(&outputs, "outputs", builtinOutputs, "classes")
	cmd.Flags().Int64Var(&seed, "seed", 0, "of the weights")
	return cmd
}
