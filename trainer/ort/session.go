package ort

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"orchestrator/trainer/onnx"
)

// Session runs one graph. Calls of Run are serialised.
type Session struct {
	name            string
	inputs, outputs []onnx.Value
	inPlace         map[string][]string // outputs that may be written into memory of inputs
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
	defer func() { _ = options.Destroy() }() // only fails where there is nothing to free
	session, err := onnxruntime.NewDynamicAdvancedSessionWithONNXData(model, names(g.Inputs), names(g.Outputs), options)
	if err != nil {
		return nil, classed(err)
	}
	return &Session{
		name:    g.Name,
		inputs:  slices.Clone(g.Inputs),
		outputs: slices.Clone(g.Outputs),
		inPlace: maps.Clone(g.InPlace),
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

// sessionOptions are for steady numbers and for a machine that is shared.
// Measured on two cores with version 1.24.3, training steps with two threads:
//
//   - Graph optimisation: the levels differ by less than the noise for CaffeNet,
//     SqueezeNet and small networks (our graphs come without constants to fold,
//     and weights are inputs); so it is the library's default.
//   - Spinning threads save at most 5 % of a step of SqueezeNet (556 to 529 ms)
//     and 17 % of a small network's (10.6 to 8.8 ms) on an idle machine, and make
//     CaffeNet three times slower beside other work (492 to 1481 ms). They would
//     also take the processor from the goroutine that prepares the next batch.
//   - Memory patterns, one block planned for a whole run, save no time, but
//     raise the peak: 4.5 GB instead of 3.0 with CaffeNet at batch 64.
//   - Pad_Fusion makes a Pad with zeros before a MaxPool the padding of that pool,
//     whose elements count as smaller than any: wrong for negative numbers (1.24.3;
//     TestPaddingBeforeMaxPool).
//
// Denormals are left as they are: to flush them is a property of the thread that
// runs, and which thread that is, is Go's choice.
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
		o.AddSessionConfigEntry("optimization.disable_specified_optimizers", "Pad_Fusion"),
		o.SetMemPattern(false),
	)
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

// Run reads inputs and writes outputs, in the order of the graph's Inputs and
// Outputs. Each tensor must have the type and shape of the graph's; an output
// must not share memory with any other tensor, but for those of the graph's
// InPlace.
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
		return fmt.Errorf("graph %q: %w", s.name, classed(err))
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
