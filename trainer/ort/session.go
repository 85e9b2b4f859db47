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
	memory          *memory  // nil: the host's
	binding         *binding // for a memory of its own

	mu      sync.Mutex
	session *onnxruntime.DynamicAdvancedSession // nil once closed
}

// newSession opens a graph, and says what of it the device leaves to the CPU.
func (r *Runtime) newSession(g *onnx.Graph) (s *Session, left []Placement, err error) {
	if err := checkStatic(g); err != nil {
		return nil, nil, err
	}
	model, err := onnx.Encode(g)
	if err != nil {
		return nil, nil, err
	}
	options, err := r.sessionOptions()
	if err != nil {
		return nil, nil, fmt.Errorf("session options: %w", err)
	}
	defer func() { _ = options.Destroy() }() // only fails where there is nothing to free
	session, err := onnxruntime.NewDynamicAdvancedSessionWithONNXData(model, names(g.Inputs), names(g.Outputs), options)
	if err != nil {
		return nil, nil, classed(err)
	}
	defer func() {
		if err != nil {
			_ = session.Destroy() // frees memory only
		}
	}()
	s = &Session{
		name:    g.Name,
		inputs:  slices.Clone(g.Inputs),
		outputs: slices.Clone(g.Outputs),
		inPlace: maps.Clone(g.InPlace),
		memory:  r.memory,
		session: session,
	}
	if left, err = r.placement(g.Name, session); err != nil {
		return nil, nil, err
	}
	if r.memory != nil {
		s.binding, err = newBinding(r.lib.api, session, names(g.Inputs), names(g.Outputs))
	}
	return s, left, err
}

// placement lists what of a session is left to the CPU.
func (r *Runtime) placement(graph string, session *onnxruntime.DynamicAdvancedSession) ([]Placement, error) {
	if r.device == "cpu" {
		return nil, nil
	}
	nodes, err := r.lib.api.assignments(sessionHandle(session))
	if err != nil {
		return nil, err
	}
	left := leftToCPU(graph, nodes)
	if len(left) > 0 && r.tuning.Strict {
		return nil, &PlacementError{Device: r.device, Left: left}
	}
	return left, nil
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
func (r *Runtime) sessionOptions() (*onnxruntime.SessionOptions, error) {
	o, err := onnxruntime.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetExecutionMode(onnxruntime.ExecutionModeSequential),
		o.SetIntraOpNumThreads(r.threads),
		o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(onnxruntime.GraphOptimizationLevelEnableAll),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		o.AddSessionConfigEntry("optimization.disable_specified_optimizers", "Pad_Fusion"),
		o.SetMemPattern(false),
	)
	if err == nil && r.device != "cpu" {
		err = r.deviceOptions(o)
	}
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

// deviceOptions are for a device that is no processor.
func (r *Runtime) deviceOptions(o *onnxruntime.SessionOptions) error {
	if err := appendProvider(o, r.device, r.tuning); err != nil {
		return r.deviceError(err)
	}
	// CUDA's fast sums are in a fixed order where our graphs have any (see compile's
	// rewriter); asked for determinism, the provider has cuDNN compute them all.
	if r.tuning.Deterministic && r.device != "cuda" {
		if err := r.lib.api.setDeterministic(o); err != nil {
			return err
		}
	}
	return o.AddSessionConfigEntry("session.record_ep_graph_assignment_info", "1")
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
	if s.memory != nil {
		if err := s.runBound(inputs, outputs); err != nil {
			return fmt.Errorf("graph %q: %w", s.name, err)
		}
		return nil
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
	if s.binding != nil {
		s.binding.close()
	}
	return session.Destroy()
}
