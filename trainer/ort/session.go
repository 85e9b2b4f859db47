package ort

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"orchestrator/trainer/onnx"
)

// Session runs one graph. Calls of Run are serialised.
type Session struct {
	name            string
	inputs, outputs []onnx.Value
	onClose         func()

	mu      sync.Mutex
	session *onnxruntime.DynamicAdvancedSession // nil once closed
}

func newSession(g *onnx.Graph, threads int) (*Session, error) {
	if err := checkStatic(g); err != nil {
		return nil, err
	}
	model, err := onnx.Encode(g)
	if err != nil {
		return nil, err
	}
	options, err := sessionOptions(threads)
	if err != nil {
		return nil, fmt.Errorf("session options: %w", err)
	}
	defer options.Destroy()
	session, err := onnxruntime.NewDynamicAdvancedSessionWithONNXData(model, names(g.Inputs), names(g.Outputs), options)
	if err != nil {
		return nil, err
	}
	return &Session{
		name:    g.Name,
		inputs:  slices.Clone(g.Inputs),
		outputs: slices.Clone(g.Outputs),
		session: session,
	}, nil
}

func checkStatic(g *onnx.Graph) error {
	if len(g.Inputs) == 0 || len(g.Outputs) == 0 {
		return errors.New("it needs at least one input and one output")
	}
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		if slices.ContainsFunc(v.Shape, func(d int) bool { return d < 0 }) {
			return fmt.Errorf("%q has the open shape %v", v.Name, v.Shape)
		}
	}
	return nil
}

func names(values []onnx.Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Name
	}
	return out
}

func sessionOptions(threads int) (*onnxruntime.SessionOptions, error) {
	o, err := onnxruntime.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetExecutionMode(onnxruntime.ExecutionModeSequential),
		o.SetIntraOpNumThreads(threads),
		o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(onnxruntime.GraphOptimizationLevelEnableAll),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

// Run reads inputs and writes outputs, in the order of the graph's Inputs and
// Outputs. Each tensor must have the type and shape of the graph's; an output
// must not share memory with any other tensor.
func (s *Session) Run(inputs, outputs []*onnx.Tensor) error {
	if err := s.check(inputs, outputs); err != nil {
		return fmt.Errorf("graph %q: %w", s.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return fmt.Errorf("graph %q: the session is closed", s.name)
	}
	in, err := bindAll(inputs)
	defer in.release()
	if err != nil {
		return fmt.Errorf("graph %q: input %w", s.name, err)
	}
	out, err := bindAll(outputs)
	defer out.release()
	if err != nil {
		return fmt.Errorf("graph %q: output %w", s.name, err)
	}
	if err := s.session.Run(in.values, out.values); err != nil {
		return fmt.Errorf("graph %q: %w", s.name, err)
	}
	out.fetch()
	return nil
}

// Close frees the session after a run that may be under way. It is safe to call
// twice.
func (s *Session) Close() error {
	s.mu.Lock()
	session := s.session
	s.session = nil
	s.mu.Unlock()
	if session == nil {
		return nil
	}
	s.onClose()
	return session.Destroy()
}
