package main

import (
	"fmt"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/worker"
)

// baseNetworks are the networks that trials start from, as files and imported for
// the pictures of each preprocessing.
type baseNetworks struct {
	encoded map[string][]byte
	graphs  map[string]*onnx.Graph
}

func newBaseNetworks() *baseNetworks {
	return &baseNetworks{encoded: map[string][]byte{}, graphs: map[string]*onnx.Graph{}}
}

// of is the base of a trial with these settings.
func (b *baseNetworks) of(c plan.Config) (*onnx.Graph, error) {
	options, err := worker.ImportOptions(c)
	if err != nil {
		return nil, err
	}
	key, err := sameAs(c.Model.Base, options)
	if err != nil || b.graphs[key] != nil {
		return b.graphs[key], err
	}
	if b.graphs[key], err = onnximport.ReadWith(b.encoded[c.Model.Base], options); err != nil {
		return nil, fmt.Errorf("model.base %s: %w", c.Model.Base, err)
	}
	return b.graphs[key], nil
}
