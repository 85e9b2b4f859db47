package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"orchestrator/trainer/optim"
)

// withDefaults fills in what was left out and refuses what cannot be compiled.
func (o Options) withDefaults() (Options, error) {
	if o.Features {
		o.Channels, o.Height, o.Width, o.Mean, o.Scale = 1, 1, 1, nil, nil // nothing is fed that has them
	}
	if o.Batch < 1 || o.Channels < 1 || o.Height < 1 || o.Width < 1 {
		return o, fmt.Errorf("compile: pictures [%d,%d,%d,%d]: every dimension must be positive", o.Batch, o.Channels, o.Height, o.Width)
	}
	o.Target = cmp.Or(o.Target, CPU)
	if !slices.Contains(Targets, o.Target) {
		return o, fmt.Errorf("compile: there is no target %q: it is one of %v", o.Target, Targets)
	}
	o.Loss, o.Optimizer = cmp.Or(o.Loss, "softmax"), cmp.Or(o.Optimizer, "sgd")
	if _, ok := losses[o.Loss]; !ok {
		return o, &lossError{o.Loss}
	}
	if _, ok := precisions[o.Precision]; !ok {
		return o, fmt.Errorf("compile: there is no precision %q; use one of %s", o.Precision, strings.Join(Precisions(), ", "))
	}
	if o.Mean == nil {
		o.Mean = make([]float32, o.Channels)
	}
	if o.Scale == nil {
		o.Scale = slices.Repeat([]float32{1}, o.Channels)
	}
	if len(o.Mean) != o.Channels || len(o.Scale) != o.Channels {
		return o, fmt.Errorf("compile: %d means and %d scales for %d channels", len(o.Mean), len(o.Scale), o.Channels)
	}
	return o, nil
}

// rule is the optimizer, with what it needs.
func (o Options) rule() (optim.Rule, error) {
	rule, err := optim.Lookup(cmp.Or(o.Optimizer, "sgd"))
	if err == nil {
		err = rule.Check(o.Hyper)
	}
	return rule, err
}

// rates are the multipliers of a parameter.
func (o Options) rates(param string) Rates {
	if r, ok := o.Rates[param]; ok {
		return r
	}
	return Rates{LR: 1, Decay: 1}
}
