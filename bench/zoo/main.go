// Command zoo trains each of the ONNX files given for ten steps on one fixed
// mini-batch and prints the first and the last loss. It fails when one cannot be
// imported or compiled, or when a loss does not fall.
//
//	python3 bench/zoo/export.py build/zoo && go run ./bench/zoo build/zoo/*.onnx
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/rng"
)

const (
	batch = 4
	steps = 10
	rate  = 0.01
)

func main() {
	rt, err := ort.New(ort.Options{Threads: 2})
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
	defer rt.Close()
	failed := 0
	for _, file := range os.Args[1:] {
		losses, err := train(rt, file)
		if err == nil && !(losses[steps-1] < losses[0]) {
			err = fmt.Errorf("the loss does not fall: %.4f", losses)
		}
		if err != nil {
			failed++
			fmt.Printf("%-36s FAILED %v\n", filepath.Base(file), err)
			continue
		}
		fmt.Printf("%-36s %.4f -> %.4f\n", filepath.Base(file), losses[0], losses[steps-1])
	}
	if failed > 0 {
		fmt.Printf("%d of %d failed\n", failed, len(os.Args)-1)
		os.Exit(1)
	}
}

func train(rt *ort.Runtime, file string) ([]float32, error) {
	model, err := onnximport.Load(file)
	if err != nil {
		return nil, err
	}
	shape := model.Inputs[0].Shape
	p, err := compile.Train(model, compile.Options{
		Batch: batch, Channels: shape[1], Height: shape[2], Width: shape[3], FloatInput: true, Momentum: 0.9, ClipNorm: 1,
	})
	if err != nil {
		return nil, err
	}
	session, err := rt.Open(p.Graph)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	return run(session, model, p)
}

// run takes the steps; state that is not written in place changes places with
// its new value.
func run(session *ort.Session, model *onnx.Graph, p *compile.Program) ([]float32, error) {
	memory := start(model, p)
	inputs, outputs := make([]*onnx.Tensor, len(p.Graph.Inputs)), make([]*onnx.Tensor, len(p.Graph.Outputs))
	for _, v := range p.Graph.Outputs {
		if old := p.Graph.InPlace[v.Name]; old != nil {
			memory[v.Name] = memory[old[0]]
		} else {
			memory[v.Name] = onnx.NewTensor(v.Type, v.Shape...)
		}
	}
	var losses []float32
	for range steps {
		for i, v := range p.Graph.Inputs {
			inputs[i] = memory[v.Name]
		}
		for i, v := range p.Graph.Outputs {
			outputs[i] = memory[v.Name]
		}
		if err := session.Run(inputs, outputs); err != nil {
			return nil, err
		}
		losses = append(losses, memory["loss"].F32()[0])
		for _, s := range p.State {
			if s.Updated && !s.InPlace {
				memory[s.Name], memory[s.Name+"'"] = memory[s.Name+"'"], memory[s.Name]
			}
		}
	}
	return losses, nil
}

// start is a fixed mini-batch of noise, with the model's weights.
func start(model *onnx.Graph, p *compile.Program) map[string]*onnx.Tensor {
	memory := map[string]*onnx.Tensor{}
	for _, v := range p.Graph.Inputs {
		memory[v.Name] = onnx.NewTensor(v.Type, v.Shape...)
	}
	noise := rng.New(1, "zoo")
	for i := range memory["images"].F32() {
		memory["images"].F32()[i] = float32(noise.NormFloat64())
	}
	for i := range batch {
		memory["labels"].I64()[i] = int64(i)
		memory["weights"].F32()[i] = 1. / batch
	}
	memory["learning_rate"].F32()[0] = rate
	for _, m := range p.Masks {
		for i := range memory[m.Input].F32() {
			memory[m.Input].F32()[i] = 1
		}
	}
	for _, s := range p.State {
		if !s.Zero {
			copy(memory[s.Name].F32(), model.Initializer(s.Param).F32())
		}
		for i := range s.Blocks() {
			if memory[s.Name] == nil {
				memory[s.Name] = onnx.NewTensor(onnx.Float, s.Shape...)
			}
			memory[compile.BlockName(s.Name, i)] = s.View(memory[s.Name], i)
		}
	}
	return memory
}
