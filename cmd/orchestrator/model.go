package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orchestrator/trainer/autodiff"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
)

func newModelCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Inspect and check networks",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModelInspectCommand(a), newModelCheckCommand(a))
	return cmd
}

// builtinPrefix marks networks that come with the program.
const builtinPrefix = "builtin:"

// builtinOutputs is the class count of a builtin that no data set has set yet.
const builtinOutputs = 1000

// loadModel reads an ONNX file or makes a builtin network.
func loadModel(name string) (*onnx.Graph, error) {
	if b, ok := strings.CutPrefix(name, builtinPrefix); ok {
		return builtin.Model(b, builtinOutputs, 0)
	}
	return onnximport.Load(name)
}

func newModelInspectCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE | builtin:NAME",
		Short: "List a network's layers, shapes, parameters and FLOPs",
		Long: `Prints the layers under the names that surgery, lr_mult and freeze use.

Builtin networks: ` + strings.Join(builtin.Names(), ", ") + ".\n" + exitHelp,
		Example: "  orchestrator model inspect squeezenet1.1-7.onnx\n  orchestrator model inspect builtin:caffenet --output json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			g, err := loadModel(args[0])
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
	_, err := fmt.Fprintf(w, "%s: %d layers, %d parameters, %.1f MFLOPs a picture\n", name, len(r.Layers), r.Parameters, float64(flops)/1e6)
	return err
}

func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, "×")
}

// nodeCheck is one line of `model check`.
type nodeCheck struct {
	Layer  string `json:"layer"`
	Op     string `json:"op"`
	Status string `json:"status"` // trains | constant | no rule
}

func newModelCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE | builtin:NAME",
		Short: "Say which nodes of a network train, which are constant, which have no rule",
		Long: `Exits 0 when every node of the network can be trained or is constant, 1 when the
gradient table has no rule for one.` + "\n" + exitHelp,
		Example: "  orchestrator model check squeezenet1.1-7.onnx",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			g, err := loadModel(args[0])
			if err != nil {
				return err
			}
			checks, missing := checkNodes(g)
			if a.config.Output == "json" {
				err = printJSON(a.out, checks)
			} else {
				err = printChecks(a.out, checks)
			}
			if err == nil && len(missing) > 0 {
				err = fmt.Errorf("%s: no gradient rule for %s", args[0], strings.Join(missing, ", "))
			}
			return err
		},
	}
}

// checkNodes follows the data from the picture: nodes that it reaches must have
// a rule; the others are constant.
func checkNodes(g *onnx.Graph) (checks []nodeCheck, missing []string) {
	live := map[string]bool{}
	for _, in := range g.Inputs {
		live[in.Name] = true
	}
	for _, t := range g.Initializers {
		live[t.Name] = t.Param
	}
	for _, n := range g.Nodes {
		reached := false
		for _, in := range n.Inputs {
			reached = reached || live[in]
		}
		status := "constant"
		if reached {
			status = "trains"
			for _, out := range n.Outputs {
				live[out] = true
			}
			if !autodiff.HasRule(n.FullOp()) && n.Op != "Dropout" {
				status = "no rule"
				missing = append(missing, fmt.Sprintf("%s %q", n.Op, n.Name))
			}
		}
		checks = append(checks, nodeCheck{n.Name, n.Op, status})
	}
	return checks, missing
}

func printChecks(w io.Writer, checks []nodeCheck) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "LAYER\tOP\tSTATUS\n")
	counts := map[string]int{}
	for _, c := range checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Layer, c.Op, c.Status)
		counts[c.Status]++
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d nodes train, %d are constant, %d have no rule\n", counts["trains"], counts["constant"], counts["no rule"])
	return err
}
