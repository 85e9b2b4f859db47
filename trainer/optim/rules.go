package optim

import (
	"fmt"
	"sort"
	"strings"

	"orchestrator/trainer/onnx"
)

// Rule is one way to update parameters.
type Rule struct {
	// State names the tensors of the parameter's shape that the rule keeps for
	// it, all zero before the first step.
	State []string
	// Scalars are the inputs of shape [] that the host computes for each update,
	// in double precision and from the update's number alone: so they need no
	// state, and 1 - beta^t loses no digits.
	Scalars []Scalar
	// Whole tells that an element's update depends on more than that element.
	Whole bool

	update    func(s *Step) (param onnx.Value, state []onnx.Value)
	decoupled bool     // in any case
	needs     []string // of Hyper, to be checked
}

// Scalar is one host-fed number.
type Scalar struct {
	Name string
	// At is its value in an update, counted from 1.
	At func(h Hyper, update int) float64
}

// Hyper are the numbers that only some rules have.
type Hyper struct {
	Beta1, Beta2 float64 // adam, adamw: decay of the means of the gradient and of its square
	Epsilon      float64 // adam, adamw, rmsprop: added to the root that is divided by
	RMSDecay     float64 // rmsprop: decay of the mean square of the gradient
	Trust        float64 // lars: the trust coefficient eta
	// Decoupled takes the weight decay out of the gradient: the parameter shrinks
	// by rate·decay·parameter beside the rule's step (Loshchilov and Hutter 2019,
	// arXiv:1711.05101; with the rate as a factor, as in PyTorch). Always so for
	// adamw.
	Decoupled bool
}

// Step is the update of one parameter in one step.
type Step struct {
	*onnx.Builder
	Param    onnx.Value
	Gradient onnx.Value   // of Param's shape, without weight decay
	State    []onnx.Value // as Rule.State
	Scalars  []onnx.Value // as Rule.Scalars
	Rate     onnx.Value   // learning rate of this parameter, its multiplier included; shape []
	Decay    float64      // weight decay of this parameter, its multiplier included
	Momentum float64
	Hyper
}

// rules is the table of optimizers.
var rules = map[string]Rule{
	"adam":        {State: []string{"mean", "square"}, Scalars: corrections, update: adam, needs: []string{"betas", "epsilon"}},
	"adamw":       {State: []string{"mean", "square"}, Scalars: corrections, update: adam, needs: []string{"betas", "epsilon"}, decoupled: true},
	"lars":        {State: []string{"velocity"}, Whole: true, update: lars, needs: []string{"trust"}},
	"nesterov":    {State: []string{"velocity"}, update: nesterov},
	"rmsprop":     {State: []string{"square", "velocity"}, update: rmsprop, needs: []string{"epsilon", "rms_decay"}},
	"sgd":         {State: []string{"velocity"}, update: sgd},
	"sgd_pytorch": {State: []string{"velocity"}, update: sgdPyTorch},
}

// Update writes the new parameter and the new state, in the order of State.
func (r Rule) Update(s *Step) (param onnx.Value, state []onnx.Value) {
	if !s.Decoupled && !r.decoupled || s.Decay == 0 {
		return r.update(s)
	}
	apart := *s
	apart.Decay = 0
	param, state = r.update(&apart)
	shrink := s.Op("Mul", nil, s.Param, s.times(s.Rate, s.Decay))
	return s.Op("Sub", nil, param, shrink), state
}

// Check refuses numbers that a rule cannot work with.
func (r Rule) Check(h Hyper) error {
	for _, need := range r.needs {
		var ok bool
		switch need {
		case "betas":
			ok = fraction(h.Beta1) && fraction(h.Beta2)
		case "epsilon":
			ok = h.Epsilon > 0
		case "rms_decay":
			ok = fraction(h.RMSDecay)
		case "trust":
			ok = h.Trust > 0
		}
		if !ok {
			return fmt.Errorf("the optimizer's %s cannot be as in %+v", need, h)
		}
	}
	return nil
}

func fraction(x float64) bool { return x >= 0 && x < 1 }

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

// times is v·x.
func (s *Step) times(v onnx.Value, x float64) onnx.Value { return s.Op("Mul", nil, v, s.Scalar(x)) }

// decayed is the gradient with the weight decay in it: g + wd·w.
func (s *Step) decayed() onnx.Value {
	if s.Decay == 0 {
		return s.Gradient
	}
	return s.Op("Add", nil, s.Gradient, s.times(s.Param, s.Decay))
}

// moved is decay·mean + (1-decay)·x.
func (s *Step) moved(mean, x onnx.Value, decay float64) onnx.Value {
	return s.Op("Add", nil, s.times(mean, decay), s.times(x, 1-decay))
}
