package optim

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"orchestrator/trainer/onnx"
)

// Rule is one way to update parameters.
type Rule struct {
	// State names the tensors of the parameter's shape that the rule keeps for
	// it, all zero before the first step.
	State []string
	// Update writes the new parameter and the new state, in the order of State.
	Update func(s *Step) (param onnx.Value, state []onnx.Value)
}

// Step is the update of one parameter in one step.
type Step struct {
	*onnx.Builder
	Param    onnx.Value
	Gradient onnx.Value   // of Param's shape, without weight decay
	State    []onnx.Value // as Rule.State
	Rate     onnx.Value   // learning rate of this parameter, its multiplier included; shape []
	Decay    float64      // weight decay of this parameter, its multiplier included
	Momentum float64
}

// rules is the table of optimizers.
var rules = map[string]Rule{
	"nesterov": {State: []string{"velocity"}, Update: nesterov},
	"sgd":      {State: []string{"velocity"}, Update: sgd},
}

// Lookup returns the rule of that name.
func Lookup(name string) (Rule, error) {
	if r, ok := rules[name]; ok {
		return r, nil
	}
	return Rule{}, &UnknownError{Name: name}
}

// Names lists the rules in alphabetical order.
func Names() []string {
	names := make([]string, 0, len(rules))
	for name := range rules {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// UnknownError says that there is no optimizer of a name.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no optimizer %q", e.Name) }

// Hint lists those that there are.
func (e *UnknownError) Hint() string { return "use one of " + strings.Join(Names(), ", ") }

// ExitCode marks the error as one of the input.
func (e *UnknownError) ExitCode() int { return 2 }

// sgd: v' = mu·v + lr·(g + wd·w);  w' = w - v'.
func sgd(s *Step) (onnx.Value, []onnx.Value) {
	v := s.velocity()
	return s.Op("Sub", nil, s.Param, v), []onnx.Value{v}
}

// nesterov: v' as in sgd;  w' = w - ((1+mu)·v' - mu·v), the form of Caffe's
// NesterovSolver.
func nesterov(s *Step) (onnx.Value, []onnx.Value) {
	v := s.velocity()
	ahead := s.Op("Sub", nil, s.times(v, 1+s.Momentum), s.times(s.State[0], s.Momentum))
	return s.Op("Sub", nil, s.Param, ahead), []onnx.Value{v}
}

// velocity is mu·v + lr·(g + wd·w).
func (s *Step) velocity() onnx.Value {
	if product := s.product(); product != nil && s.Momentum != 0 {
		return s.velocityOf(product)
	}
	kept := s.times(s.State[0], s.Momentum)
	if s.Decay != 0 {
		kept = s.Op("Add", nil, kept, s.Op("Mul", nil, s.Param, s.times(s.Rate, s.Decay)))
	}
	return s.Op("Add", nil, kept, s.Op("Mul", nil, s.Gradient, s.Rate))
}

// velocityOf is the velocity where the gradient is a bare product of matrices,
// as it is for fully connected layers: lr scales its smaller factor, and
// v + lr·wd/mu·w is the C of its Gemm with beta = mu. The largest parameters are
// so read and written three times less; of CaffeNet's step that is about 5%.
func (s *Step) velocityOf(product *onnx.Node) onnx.Value {
	kept := s.State[0]
	if s.Decay != 0 {
		kept = s.Op("Add", nil, kept, s.Op("Mul", nil, s.Param, s.times(s.Rate, s.Decay/s.Momentum)))
	}
	attrs := maps.Clone(product.Attrs)
	attrs["beta"] = float32(s.Momentum)
	a := s.Op("Mul", nil, s.Named(product.Inputs[0]), s.Rate)
	return s.Op("Gemm", attrs, a, s.Named(product.Inputs[1]), kept)
}

// product is the Gemm without C that made the gradient, or nil.
func (s *Step) product() *onnx.Node {
	for _, n := range slices.Backward(s.Nodes()) {
		if slices.Contains(n.Outputs, s.Gradient.Name) {
			if n.Op == "Gemm" && n.Domain == "" && len(n.Inputs) == 2 {
				return n
			}
			return nil
		}
	}
	return nil
}

func (s *Step) times(v onnx.Value, x float64) onnx.Value { return s.Op("Mul", nil, v, s.Scalar(x)) }
