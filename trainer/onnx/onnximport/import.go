// Package onnximport brings any ONNX classifier into the one form that the rest
// of the program understands: operator-set version onnx.Opset, constants
// folded, the batch dimension open, parameters marked, and layers named for
// people.
package onnximport

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"orchestrator/trainer/onnx"
)

// The operator-set versions that are understood.
const (
	oldest = 7
	newest = 25
)

// Error is a network that cannot be imported.
type Error struct {
	Problem string
	hint    string
	err     error
}

func (e *Error) Error() string {
	if e.err != nil {
		return e.Problem + ": " + e.err.Error()
	}
	return e.Problem
}
func (e *Error) Unwrap() error { return e.err }

// Hint says what to try.
func (e *Error) Hint() string {
	var inner interface{ Hint() string }
	if e.hint == "" && errors.As(e.err, &inner) {
		return inner.Hint()
	}
	return e.hint
}

// ExitCode marks the error as bad input.
func (e *Error) ExitCode() int { return 2 }

// Options say how a file is to be understood. The zero value takes it as it says.
type Options struct {
	// Channels, Height and Width of the pictures; 0: as the file has them. Channels
	// only count where the file leaves them open.
	Channels, Height, Width int
	// OwnSize has a height and width that the file says count, not those above.
	OwnSize bool
	// Output names the output to be kept; empty: the first.
	Output string
}

// Load imports the ONNX file at path, with the tensors that it keeps in other files
// of its folder.
func Load(path string) (*onnx.Graph, error) { return LoadWith(path, Options{}) }

// LoadWith is Load with options.
func LoadWith(path string, o Options) (*onnx.Graph, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	g, err := ReadWith(data, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// ReadFile reads an ONNX file, and puts the tensors into it that it keeps in other
// files of its folder.
func ReadFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Problem: "reading the network", hint: "give the path of an .onnx file", err: err}
	}
	if data, err = onnx.Embed(data, filepath.Dir(path)); err != nil {
		return nil, &Error{Problem: "reading the network " + path, err: err}
	}
	return data, nil
}

// Read imports an encoded ONNX file.
//
// Inputs with initializers are parameters, as files before IR version 4 list
// them; exactly one input that is read, the pictures [N,C,H,W], must remain, and
// of several outputs one is kept. A batch size fixed in the file is opened, also
// where Reshape, Expand, Concat and Resize nodes have it written out; where that
// cannot be done, the error names the node. Pictures of another size than a file
// says are tried first; where they do not fit, its own is taken.
func Read(data []byte) (*onnx.Graph, error) { return ReadWith(data, Options{}) }

// ReadWith is Read with options.
func ReadWith(data []byte, o Options) (*onnx.Graph, error) {
	g, err := read(data, o)
	if err == nil || o.OwnSize || o.Height == 0 && o.Width == 0 {
		return g, err
	}
	o.OwnSize = true
	return read(data, o)
}

func read(data []byte, o Options) (*onnx.Graph, error) {
	file, err := onnx.Decode(data)
	if err != nil {
		return nil, &Error{Problem: "reading the network", hint: "the file may be cut off, or not be an ONNX model", err: err}
	}
	version := file.Opsets[""]
	if version < oldest || version > newest {
		return nil, &Error{
			Problem: fmt.Sprintf("the network has operator-set version %d", version),
			hint:    fmt.Sprintf("export it with a version from %d to %d", oldest, newest),
		}
	}
	im := &importer{graph: file.Graph, version: version, options: o}
	if err := im.inline(file.Functions); err != nil {
		return nil, err
	}
	if err := im.run(); err != nil {
		return nil, err
	}
	return im.graph, nil
}

type importer struct {
	graph     *onnx.Graph
	options   Options
	version   int
	fileBatch int                     // the file's own batch size; 0 where it is open
	consts    map[string]*onnx.Tensor // known values by name
	types     map[string]onnx.Value   // shapes at the batch size probeBatch
	reads     map[string]int          // how many times the file's nodes read a value
	settings  map[string]bool         // floats that no training changes
	patterns  map[string]bool         // values that a mask or an index is made from
	derived   map[string]bool         // constants that were computed
	budget    int                     // elements that folding may still make
	serial    int
}

func (im *importer) run() error {
	for _, step := range []func() error{im.findOutput, im.findInput, im.findConstants, im.markParameters, im.convert} {
		if err := step(); err != nil {
			return err
		}
	}
	im.graph.Prune()
	im.nameLayers()
	if err := im.verifyBatch(); err != nil {
		return err
	}
	im.openBatch()
	im.nameParameters()
	if err := onnx.Check(im.graph); err != nil {
		return &Error{Problem: "the network is not valid", err: err}
	}
	return nil
}

// settingInputs are the inputs that hold running statistics or settings of an
// operator, by position.
var settingInputs = map[string][]int{
	"BatchNormalization": {3, 4},
	"Resize":             {1, 2},
	"Upsample":           {1},
	"Clip":               {1, 2},
	"Pad":                {2},
	"Dropout":            {1},
	"OneHot":             {2},
}

// markParameters marks the float initializers that training may change. Running
// statistics, settings and single numbers are not parameters.
func (im *importer) markParameters() error {
	im.reads, im.settings = map[string]int{}, map[string]bool{}
	for _, n := range im.graph.Nodes {
		for i, in := range n.Inputs {
			im.reads[in]++
			if slices.Contains(settingInputs[n.Op], i) {
				im.settings[in] = true
			}
		}
	}
	im.markPatterns()
	seen := map[string]bool{}
	for _, t := range im.graph.Initializers {
		if t.Name == "" || seen[t.Name] {
			return &Error{Problem: fmt.Sprintf("the initializer %q has no name, or one that is taken", t.Name), hint: "the file is not valid ONNX"}
		}
		seen[t.Name] = true
		t.Param = im.trainable(t)
	}
	return im.checkWeights()
}

// patternOps make masks and indices: what ConstantOfShape gives them is no weight
// whose values the file leaves out. (Swin Transformers so mark their windows.)
var patternOps = map[string]bool{"Equal": true, "Expand": true, "Range": true, "ScatterElements": true, "ScatterND": true, "Where": true}

// markPatterns finds what those operators read, as it is or through a view.
func (im *importer) markPatterns() {
	im.patterns = map[string]bool{}
	for _, n := range slices.Backward(im.graph.Nodes) {
		if patternOps[n.Op] || views[n.Op] && len(n.Outputs) > 0 && im.patterns[n.Outputs[0]] {
			for _, in := range n.Inputs {
				im.patterns[in] = true
			}
		}
	}
}

func (im *importer) trainable(t *onnx.Tensor) bool {
	return t.Type == onnx.Float && len(t.Shape) > 0 && !im.settings[t.Name]
}

// convert walks the nodes in order: each is brought to the target opset, folded
// into a constant where all its inputs are known, and given a shape.
func (im *importer) convert() error {
	g := im.graph
	im.consts, im.types, im.derived = map[string]*onnx.Tensor{}, map[string]onnx.Value{}, map[string]bool{}
	im.budget = maxFoldedAll
	for _, t := range g.Initializers {
		im.consts[t.Name], im.types[t.Name] = t, t.Value()
		im.budget += 2 * onnx.NumElements(t.Shape)
	}
	in := g.Inputs[0]
	in.Shape = slices.Clone(in.Shape)
	in.Shape[0] = probeBatch
	im.types[in.Name] = in
	old := g.Nodes
	g.Nodes = nil
	for _, n := range old {
		if err := im.node(n); err != nil {
			var unknown *onnx.UnknownOpError
			if errors.As(err, &unknown) {
				return &Error{Problem: fmt.Sprintf("node %q", display(n)), hint: operatorHints[unknown.Op], err: err}
			}
			return &Error{Problem: fmt.Sprintf("%s %q", n.Op, display(n)), hint: "the network is not valid, or uses a form of this operator that is not supported", err: err}
		}
	}
	out, ok := im.types[g.Outputs[0].Name]
	if !ok {
		return &Error{Problem: fmt.Sprintf("the output %q is computed by no node", g.Outputs[0].Name), hint: "the file is not valid ONNX"}
	}
	if im.consts[out.Name] != nil {
		return &Error{Problem: fmt.Sprintf("the output %q does not depend on the input", out.Name), hint: "give a classifier of pictures"}
	}
	return nil
}

const (
	trainingHint  = "the network was exported in training mode: call model.eval() before the export"
	quantisedHint = "the network is quantised, which is not trained: give the float network that it was made from"
)

// operatorHints say what to do about operators that come from how a network was
// exported; others have the hint of onnx.UnknownOpError.
var operatorHints = map[string]string{
	"RandomUniformLike": trainingHint, "RandomNormalLike": trainingHint, "RandomUniform": trainingHint, "Bernoulli": trainingHint,
	"QuantizeLinear": quantisedHint, "DequantizeLinear": quantisedHint, "DynamicQuantizeLinear": quantisedHint, "QLinearConv": quantisedHint,
	"QLinearMatMul": quantisedHint, "ConvInteger": quantisedHint, "MatMulInteger": quantisedHint,
}

// display is how errors name a node.
func display(n *onnx.Node) string {
	if n.Name != "" {
		return n.Name
	}
	if len(n.Outputs) > 0 {
		return n.Outputs[0]
	}
	return "?"
}

// node converts one node of the file into nodes of the graph, or constants.
func (im *importer) node(n *onnx.Node) error {
	for _, in := range n.Inputs {
		if _, ok := im.types[in]; in != "" && !ok {
			return fmt.Errorf("the input %q is not defined before", in)
		}
	}
	if n.Op == "If" && n.Domain == "" {
		return im.branch(n)
	}
	nodes, err := im.upgrade(n)
	if err != nil {
		return err
	}
	for _, m := range nodes {
		opened, err := im.openNode(m)
		if err != nil {
			return err
		}
		for _, o := range opened {
			if err := im.foldOrEmit(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (im *importer) foldOrEmit(n *onnx.Node) error {
	if folded, err := im.fold(n); folded || err != nil {
		return err
	}
	return im.emit(n)
}

// emit appends a node with its inferred types.
func (im *importer) emit(n *onnx.Node) error {
	inputs := make([]onnx.Value, len(n.Inputs))
	for i, name := range n.Inputs {
		inputs[i] = im.types[name]
	}
	outs, err := onnx.InferNode(n, inputs, func(v onnx.Value) *onnx.Tensor { return im.consts[v.Name] })
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		if name == "" {
			continue
		}
		outs[i].Name = name
		if _, taken := im.types[name]; taken {
			return fmt.Errorf("%q is defined twice", name)
		}
		im.types[name] = outs[i]
	}
	im.graph.Nodes = append(im.graph.Nodes, n)
	return nil
}

// constant adds a constant of the importer's own.
func (im *importer) constant(t *onnx.Tensor) string {
	for {
		im.serial++
		t.Name = fmt.Sprintf("import_%d", im.serial)
		if _, taken := im.types[t.Name]; !taken {
			break
		}
	}
	im.addConstant(t)
	return t.Name
}

func (im *importer) addConstant(t *onnx.Tensor) {
	im.graph.Initializers = append(im.graph.Initializers, t)
	im.consts[t.Name], im.types[t.Name] = t, t.Value()
}

// openBatch writes the open batch into the input and the output.
func (im *importer) openBatch() {
	g := im.graph
	in := &g.Inputs[0]
	in.Shape = slices.Clone(in.Shape)
	in.Shape[0] = onnx.Batch
	out := im.types[g.Outputs[0].Name]
	out.Shape = atBatch(out.Shape, onnx.Batch)
	g.Outputs[0] = out
}
