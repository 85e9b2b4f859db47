package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/caffe"
	"orchestrator/trainer/onnx"
)

func newModelImportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Bring networks of other frameworks into ONNX",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newImportCaffeCommand(a))
	return cmd
}

// caffeOptions are the flags of `model import caffe`.
type caffeOptions struct {
	file   modelFile
	deploy string
	mean   string
	labels string
	input  string
	resize int
}

func newImportCaffeCommand(a *app) *cobra.Command {
	var o caffeOptions
	cmd := &cobra.Command{
		Use:   "caffe FILE.caffemodel --file FILE",
		Short: "Write a network that Caffe trained as ONNX",
		Long: `Reads a .caffemodel, of layers in the present or in the first form, and writes ONNX
with the same weights, layer names, rounding of pools and padding. The layers are those
of --deploy, or of the caffemodel itself.

--mean takes the mean of the training pictures (.binaryproto or .npy), of which the mean
pixel goes into the file's preprocessing and is printed for a sweep file; --labels the
names of the classes, one a line. docs/caffe.md says which layers are supported.` + "\n" + exitHelp,
		Example: "  orchestrator model import caffe bvlc_reference_caffenet.caffemodel --deploy deploy.prototxt \\\n" +
			"    --mean imagenet_mean.binaryproto --labels synset_words.txt --file caffenet.onnx",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return o.run(a, args[0]) },
	}
	flags := cmd.Flags()
	o.file.addFlags(cmd)
	flags.StringVar(&o.deploy, "deploy", "", "the network's deploy.prototxt")
	flags.StringVar(&o.mean, "mean", "", "mean of the training pictures, .binaryproto or .npy")
	flags.StringVar(&o.labels, "labels", "", "names of the classes, one a line")
	flags.StringVar(&o.input, "input", "", "channels, height and width of the pictures, as 3x227x227, where no file has them")
	flags.IntVar(&o.resize, "resize", 256, "side that pictures are warped to before the crop")
	return cmd
}

func (o *caffeOptions) run(a *app, name string) error {
	model, err := os.ReadFile(name)
	if err != nil {
		return usagef("give the path of a .caffemodel", "reading the caffemodel: %w", err)
	}
	options := caffe.Options{}
	if o.deploy != "" {
		text, err := os.ReadFile(o.deploy)
		if err != nil {
			return usagef("give the path of a deploy.prototxt", "reading the prototxt: %w", err)
		}
		options.Deploy, options.DeployFile = string(text), o.deploy
	}
	if o.input != "" {
		options.Input = make([]int, 3)
		if n, err := fmt.Sscanf(strings.ToLower(o.input), "%dx%dx%d", &options.Input[0], &options.Input[1], &options.Input[2]); n != 3 || err != nil || min(options.Input[0], options.Input[1], options.Input[2]) < 1 {
			return usagef("as --input 3x227x227", "--input %q is not channels, height and width", o.input)
		}
	}
	g, err := caffe.Import(model, options)
	if err != nil {
		return err
	}
	p, err := o.describe(g)
	if err != nil {
		return err
	}
	if err := o.file.write(g); err != nil {
		return err
	}
	if err := a.printWritten(o.file.path, g); err != nil || a.config.Output == "json" {
		return err
	}
	_, err = fmt.Fprintf(a.out, "preprocessing: {resize: [%d, %d], crop: %d, channels: %s%s}\n", p.Resize[0], p.Resize[1], p.Crop, p.Channels, meanText(p.Mean))
	return err
}

func meanText(mean []float64) string {
	if len(mean) == 0 {
		return ""
	}
	var parts []string
	for _, m := range mean {
		parts = append(parts, fmt.Sprintf("%.3f", m))
	}
	return ", mean: [" + strings.Join(parts, ", ") + "]"
}

// describe puts how pictures are prepared, and the classes, into the metadata.
func (o *caffeOptions) describe(g *onnx.Graph) (plan.Preprocessing, error) {
	shape := g.Inputs[0].Shape
	p := plan.Preprocessing{Channels: "bgr", Scale: 1, Crop: min(shape[2], shape[3])}
	if shape[1] == 1 {
		p.Channels = "grey"
	}
	side := max(o.resize, p.Crop)
	p.Resize = plan.Size{side, side}
	if o.mean != "" {
		data, err := os.ReadFile(o.mean)
		if err != nil {
			return p, usagef("give the path of a mean file", "reading the mean: %w", err)
		}
		if p.Mean, err = caffe.Mean(data); err != nil {
			return p, err
		}
		if len(p.Mean) != shape[1] {
			return p, usagef("give the mean of the same pictures", "the mean has %d channels, the network's pictures %d", len(p.Mean), shape[1])
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	g.Metadata["preprocessing"] = string(text)
	if o.labels == "" {
		return p, nil
	}
	data, err := os.ReadFile(o.labels)
	if err != nil {
		return p, usagef("give the path of a text file with a class on each line", "reading the labels: %w", err)
	}
	classes := strings.Split(strings.TrimRight(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n"), "\n")
	if outputs := onnx.NumElements(g.Outputs[0].Shape[1:]); len(classes) != outputs {
		return p, usagef("give one name a line, in the order of the outputs", "%s has %d lines for %d outputs", o.labels, len(classes), outputs)
	}
	text, err = json.Marshal(classes)
	g.Metadata["classes"] = string(text)
	return p, err
}
