package trainer

import (
	"fmt"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// program is a compiled graph, opened.
type program struct {
	*compile.Program
	session Session
	// inputs and outputs are filled anew for each run; kept to spare garbage.
	inputs, outputs []*onnx.Tensor
}

// feed holds the tensors of one run that are not state, by their names in the
// graph; inputs and outputs alike.
type feed map[string]*onnx.Tensor

func openProgram(rt Runtime, p *compile.Program) (*program, error) {
	session, err := rt.Open(p.Graph)
	if err != nil {
		return nil, err
	}
	return &program{
		Program: p,
		session: session,
		inputs:  make([]*onnx.Tensor, len(p.Graph.Inputs)),
		outputs: make([]*onnx.Tensor, len(p.Graph.Outputs)),
	}, nil
}

// run executes the program once on f and st, then swaps the slots it has
// written beside their old values.
func (p *program) run(f feed, st *state) error {
	for i, v := range p.Graph.Inputs {
		if p.inputs[i] = f[v.Name]; p.inputs[i] == nil {
			p.inputs[i] = st.old(v)
		}
		if p.inputs[i] == nil {
			return fmt.Errorf("nothing to feed to input %q", v.Name)
		}
	}
	for i, v := range p.Graph.Outputs {
		if p.outputs[i] = f[v.Name]; p.outputs[i] == nil {
			p.outputs[i] = st.new(v, p.Graph.InPlace[v.Name] != nil)
		}
		if p.outputs[i] == nil {
			return fmt.Errorf("nowhere to put output %q", v.Name)
		}
	}
	if err := p.session.Run(p.inputs, p.outputs); err != nil {
		return err
	}
	for _, s := range p.State {
		if kept := st.named[s.Name]; s.Updated && !s.InPlace {
			kept.now, kept.next = kept.next, kept.now
		}
	}
	return nil
}

// close frees the session; a nil program has none.
func (p *program) close() {
	if p != nil {
		_ = p.session.Close() // frees memory only
	}
}
