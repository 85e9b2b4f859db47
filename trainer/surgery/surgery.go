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
	// Append puts a new fully connected layer on the network's output, which
	// is flattened first where it needs to be. A Softmax at the end is taken
	// off before and put back behind the new layer; where there was none, one
	// is added.
	Append *Layer
	// Replace gives a layer (Conv, Gemm, MatMul) another number of outputs. It
	// keeps its kind, place and parameter names; the values are drawn anew.
	Replace *Layer
	// Freeze keeps the parameters of the layers that match this glob as they
	// are. Layers that later steps make are not frozen.
	Freeze string
}

// Layer describes a new layer or the new form of a replaced one.
type Layer struct {
	Name    string
	Outputs int
	Init    Init
}

// Apply runs the steps in order on a copy of g, a template whose batch is open.
// It returns the new template and the names of the frozen parameters, in graph
// order. A step that cannot be done gives an *Error.
func Apply(g *onnx.Graph, steps []Step, seed int64) (result *onnx.Graph, frozen []string, err error) {
	o := &operation{g: g.Clone(), seed: seed, frozen: map[string]bool{}}
	for i, s := range steps {
		if err := o.step(s); err != nil {
			var e *Error
			if errors.As(err, &e) {
				e.Step = i + 1
				return nil, nil, e
			}
			return nil, nil, fmt.Errorf("surgery step %d: %w", i+1, err)
		}
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

// operation is a surgery in progress.
type operation struct {
	g      *onnx.Graph
	seed   int64
	frozen map[string]bool // parameter names
}

func (o *operation) step(s Step) error {
	switch {
	case s.CutAfter != "":
		return o.cutAfter(s.CutAfter)
	case s.Append != nil:
		return o.append(*s.Append)
	case s.Replace != nil:
		return o.replace(*s.Replace)
	case s.Freeze != "":
		return o.freeze(s.Freeze)
	}
	return &Error{Reason: "the step says nothing to do", Try: "give one of cut_after, append, replace, freeze"}
}

func (o *operation) cutAfter(name string) error {
	n, err := o.layer("cut_after", name)
	if err != nil {
		return err
	}
	return o.endAt(n.Outputs[0])
}

// endAt makes the value of that name the only output and drops what it does
// not need.
func (o *operation) endAt(value string) error {
	values, err := inferShapes(o.g)
	if err != nil {
		return err
	}
	v, ok := values[value]
	if !ok {
		return fmt.Errorf("value %q is not in the graph", value)
	}
	o.g.Outputs = []onnx.Value{v}
	o.g.Prune()
	return nil
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
