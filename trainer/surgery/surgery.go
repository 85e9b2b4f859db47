package surgery

import (
	"errors"
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
)

// Step is one change; exactly one field is set.
type Step struct {
	// CutAfter ends the network right behind the layer of this name: the
	// layer's own output becomes the network's. An activation, pool or Dropout
	// that follows it goes too; to keep one, name it.
	CutAfter string
	// Append puts a new layer on the network's output. A Softmax at the end is
	// taken off before and put back behind the new layer; where there was none,
	// one is added behind a linear layer.
	Append *NewLayer
	// InsertAfter puts a Relu or Dropout between a layer and all its readers.
	InsertAfter *Insertion
	// InsertProbe ends the network in a linear classifier on what a layer answers,
	// and freezes everything below it (Alain and Bengio 2016, "Understanding
	// intermediate layers using linear classifier probes").
	InsertProbe *Probe
	// Replace gives a layer (Conv, Gemm, MatMul) another number of outputs. It
	// keeps its kind, place and parameter names; the values are drawn anew.
	Replace *Layer
	// Rename gives a layer another name; that of its parameters stays.
	Rename *Rename
	// Reinit draws the parameters of layers anew.
	Reinit *Reinit
	// ToFullyConvolutional writes fully connected layers as convolutions with the
	// same weights, so that a larger picture gives a map of class scores.
	ToFullyConvolutional bool
	// Freeze keeps the parameters of the layers that match this glob as they
	// are. Layers that later steps make are not frozen.
	Freeze string
}

// Layer describes the new form of a replaced layer.
type Layer struct {
	Name    string
	Outputs int
	Init    Init
}

// The kinds of new layers.
const (
	Linear  = "linear" // fully connected; what it stands on is flattened
	Conv    = "conv"   // on maps only
	Relu    = "relu"
	Dropout = "dropout"
)

// NewLayer describes a layer that is added.
type NewLayer struct {
	Name string
	Kind string // Linear where empty
	// Outputs of Linear and Conv.
	Outputs int
	// Kernel, Stride, Pad and Groups are of Conv, squares; a Stride or Groups of 0 is 1.
	Kernel, Stride, Pad, Groups int
	Ratio                       float64 // of Dropout: how much is dropped
	Init                        Init
}

// Insertion says behind which layer a Relu or Dropout comes.
type Insertion struct {
	After string
	Layer NewLayer
}

// Probe is a linear classifier on a layer.
type Probe struct {
	After   string
	Name    string
	Outputs int
	Init    Init
}

// Rename gives a layer another name.
type Rename struct{ From, To string }

// Reinit draws the parameters of the layers that match a glob anew.
type Reinit struct {
	Layers string
	Init   Init
}

// Apply runs the steps in order on a copy of g, a template whose batch is open.
// It returns the new template and the names of the frozen parameters, in graph
// order. A step that cannot be done gives an *Error.
func Apply(g *onnx.Graph, steps []Step, seed int64) (result *onnx.Graph, frozen []string, err error) {
	o := &operation{g: g.Clone(), seed: seed, frozen: map[string]bool{}}
	for i, s := range steps {
		if err := o.step(s); err != nil {
			return nil, nil, atStep(i+1, err)
		}
		if o.misfit != nil && o.misfit.Step == 0 {
			o.misfit.Step = i + 1
		}
	}
	if o.misfit != nil && o.refreshOutputs() != nil {
		return nil, nil, o.misfit
	}
	if err := onnx.Check(o.g); err != nil {
		return nil, nil, fmt.Errorf("the network after surgery is not valid: %w", err)
	}
	for _, t := range o.g.Initializers {
		if o.frozen[t.Name] {
			frozen = append(frozen, t.Name)
		}
	}
	return o.g, frozen, nil
}

// atStep says at which step an error came up.
func atStep(step int, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Errorf("surgery step %d: %w", step, err)
	}
	if e.Step == 0 {
		e.Step = step
	}
	return e
}

// operation is a surgery in progress.
type operation struct {
	g      *onnx.Graph
	seed   int64
	frozen map[string]bool // parameter names
	// misfit says which replaced layer does not fit the layers behind it. A later
	// step may mend that, by replacing the other one of two heads that are averaged.
	misfit *Error
}

func (o *operation) step(s Step) error {
	switch {
	case s.CutAfter != "":
		return o.cutAfter("cut_after", s.CutAfter)
	case s.Append != nil:
		return o.append(*s.Append)
	case s.InsertAfter != nil:
		return o.insertAfter(*s.InsertAfter)
	case s.InsertProbe != nil:
		return o.insertProbe(*s.InsertProbe)
	case s.Replace != nil:
		return o.replace(*s.Replace)
	case s.Rename != nil:
		return o.rename(*s.Rename)
	case s.Reinit != nil:
		return o.reinit(*s.Reinit)
	case s.ToFullyConvolutional:
		return o.toFullyConvolutional()
	case s.Freeze != "":
		return o.freeze(s.Freeze)
	}
	return &Error{
		Reason: "the step says nothing to do",
		Try:    "give one of cut_after, append, insert_after, insert_probe, replace, rename, reinit, to_fully_convolutional, freeze",
	}
}

func (o *operation) cutAfter(action, name string) error {
	n, err := o.layer(action, name)
	if err != nil {
		return err
	}
	return o.endAt(n.Outputs[0])
}

// endAt makes the value of that name the only output and drops what it does
// not need.
func (o *operation) endAt(value string) error {
	o.g.Outputs = []onnx.Value{{Name: value}}
	o.g.Prune()
	return o.refreshOutputs()
}

func (o *operation) freeze(glob string) error {
	names := Parameters(o.g, glob)
	if len(names) == 0 {
		return &Error{
			Action: "freeze", Name: glob, Reason: "no layer with parameters has a name like that",
			Try: nearestHint(glob, parameterLayers(o.g)),
		}
	}
	for _, name := range names {
		o.frozen[name] = true
	}
	return nil
}

// layer finds the node of that name.
func (o *operation) layer(action, name string) (*onnx.Node, error) {
	i := slices.IndexFunc(o.g.Nodes, func(n *onnx.Node) bool { return n.Name == name })
	if i < 0 {
		var names []string
		for _, n := range o.g.Nodes {
			names = append(names, n.Name)
		}
		return nil, &Error{Action: action, Name: name, Reason: "there is no layer of that name", Try: nearestHint(name, names)}
	}
	return o.g.Nodes[i], nil
}
