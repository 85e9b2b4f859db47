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
		p.inputs[i] = f[v.Name]
		if s := st.named[v.Name]; s != nil {
			p.inputs[i] = s.now
		}
		if p.inputs[i] == nil {
			return fmt.Errorf("nothing to feed to input %q", v.Name)
		}
	}
	for i, v := range p.Graph.Outputs {
		p.outputs[i] = f[v.Name]
		if s := st.named[stateOutput(v.Name)]; s != nil {
			p.outputs[i] = s.next
			if p.inPlace(v.Name) {
				p.outputs[i] = s.now
			}
		}
		if p.outputs[i] == nil {
			return fmt.Errorf("nowhere to put output %q", v.Name)
		}
	}
	if err := p.session.Run(p.inputs, p.outputs); err != nil {
		return err
	}
	for _, v := range p.Graph.Outputs {
		if s := st.named[stateOutput(v.Name)]; s != nil && !p.inPlace(v.Name) {
			s.now, s.next = s.next, s.now
		}
	}
	return nil
}

// inPlace tells whether an output is written over the old value.
func (p *program) inPlace(output string) bool { return p.Graph.InPlace[output] != "" }

// close frees the session; a nil program has none.
func (p *program) close() {
	if p != nil {
		_ = p.session.Close() // frees memory only
	}
}
