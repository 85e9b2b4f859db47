package caffe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// Options are what a file may not say.
type Options struct {
	// Deploy is the text of a deploy.prototxt, which describes the layers; empty:
	// those of the caffemodel, without data, loss and accuracy.
	Deploy string
	// DeployFile is the prototxt's name, for errors.
	DeployFile string
	// Input is channels, height and width of the pictures, where neither file has
	// them; nil: it has.
	Input []int
}

// Error says what of a network cannot be imported.
type Error struct {
	Layer  string // empty: the file as a whole
	Type   string
	Reason string
	Try    string
}

func (e *Error) Error() string {
	if e.Layer == "" {
		return "caffe: " + e.Reason
	}
	return fmt.Sprintf("caffe: layer %q (%s): %s", e.Layer, e.Type, e.Reason)
}

// Hint says what to try.
func (e *Error) Hint() string { return e.Try }

// ExitCode marks wrong input.
func (e *Error) ExitCode() int { return 2 }

// Import reads a .caffemodel. The graph is a template (batch open) whose layers
// and values have Caffe's names.
func Import(model []byte, o Options) (*onnx.Graph, error) {
	trained, err := readBinary(model, "net", 0)
	if err != nil {
		return nil, &Error{Reason: "this is no .caffemodel: " + err.Error(), Try: "give a binary file with trained weights, as Caffe's snapshots are"}
	}
	described := trained
	if o.Deploy != "" {
		described, err = readText(o.Deploy)
		var bad *textError
		if errors.As(err, &bad) {
			return nil, &Error{Reason: fmt.Sprintf("%s:%d: %s", cmp.Or(o.DeployFile, "prototxt"), bad.line, bad.problem), Try: "give a network's deploy.prototxt"}
		}
	}
	layers, err := layersOf(described)
	if err != nil {
		return nil, err
	}
	weights, err := layersOf(trained)
	if err != nil {
		return nil, err
	}
	if len(layers) == 0 {
		return nil, &Error{Reason: "the network has no layers", Try: "is it a solver's file? Give the network's"}
	}
	for i := range layers {
		if len(layers[i].blobs) == 0 {
			layers[i].blobs = blobsOf(weights, layers[i].name)
		}
	}
	input, err := inputOf(described, trained, layers, o.Input)
	if err != nil {
		return nil, err
	}
	return convert(described.word("name", "caffe"), input, layers)
}

// layer is one layer of either form.
type layer struct {
	*message
	name, kind   string
	bottom, tops []string
	blobs        []*message
}

func (l layer) bad(try, format string, args ...any) error {
	return &Error{Layer: l.name, Type: l.kind, Reason: fmt.Sprintf(format, args...), Try: try}
}

// layersOf lists the layers that take part in testing.
func layersOf(net *message) ([]layer, error) {
	var out []layer
	for _, form := range []string{"layer", "layers"} {
		for _, m := range net.messages[form] {
			l := layer{message: m, name: m.word("name", ""), kind: m.word("type", ""), bottom: m.words["bottom"], tops: m.words["top"], blobs: m.messages["blobs"]}
			if number, old := v1Names[l.kind]; old {
				l.kind = v1Types[number]
			}
			if l.name == "" || l.kind == "" {
				return nil, &Error{Reason: fmt.Sprintf("layer number %d has no name or no type", len(out)+1), Try: "networks of Caffe's very first form are to be upgraded with its own tools"}
			}
			if tested(m) {
				out = append(out, l)
			}
		}
	}
	return out, nil
}

// tested tells whether a layer's rules let it take part in testing.
func tested(m *message) bool {
	meets := func(rule *message) bool {
		return rule.word("phase", "TEST") == "TEST" && rule.integer("min_level", 0) <= 0 && len(rule.words["stage"]) == 0
	}
	if rules := m.messages["include"]; len(rules) > 0 {
		return slices.ContainsFunc(rules, meets)
	}
	return !slices.ContainsFunc(m.messages["exclude"], meets)
}

func blobsOf(layers []layer, name string) []*message {
	for _, l := range layers {
		if l.name == name && len(l.blobs) > 0 {
			return l.blobs
		}
	}
	return nil
}

// picture is the network's input.
type picture struct {
	name  string
	shape []int // without the batch
}

// inputOf finds the name and the size of the pictures.
func inputOf(described, trained *message, layers []layer, given []int) (picture, error) {
	in := picture{name: described.word("input", "data")}
	dims := described.all("input_dim")
	if shapes := described.messages["input_shape"]; len(shapes) > 0 {
		dims = shapes[0].all("dim")
	}
	for _, l := range layers {
		if isData(l.kind) && len(l.tops) > 0 {
			in.name = l.tops[0]
			if shapes := l.child("input_param").messages["shape"]; len(shapes) > 0 {
				dims = shapes[0].all("dim")
			}
		}
	}
	if given == nil && len(dims) < 4 {
		if side := cropOf(described, trained); side > 0 {
			dims = []float64{1, 3, float64(side), float64(side)}
		}
	}
	if given != nil {
		in.shape = given
		return in, nil
	}
	if len(dims) != 4 {
		return in, &Error{Reason: "neither file says how large the pictures are", Try: "give the network's deploy.prototxt, or --input 3x227x227"}
	}
	const largest = 1 << 14
	for _, d := range dims[1:] {
		if !(d >= 1 && d <= largest) {
			return in, &Error{Reason: fmt.Sprintf("its pictures of %v are none", dims[1:]), Try: "--input 3x227x227"}
		}
		in.shape = append(in.shape, int(d))
	}
	return in, nil
}

// cropOf is the side of the crop that data layers take, in testing before training.
func cropOf(nets ...*message) int {
	for _, testing := range []bool{true, false} {
		for _, net := range nets {
			for _, l := range append(slices.Clone(net.messages["layer"]), net.messages["layers"]...) {
				if side := l.child("transform_param").integer("crop_size", 0); side > 0 && (!testing || tested(l)) {
					return side
				}
			}
		}
	}
	return 0
}

// isData tells whether a layer only brings data.
func isData(kind string) bool {
	return kind == "Input" || kind == "DummyData" || strings.HasSuffix(kind, "Data")
}
