package providers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/ort"
	"orchestrator/worker/device"
)

// Serve is the half of the package that runs in a process of its own: it reads an
// order, one line of JSON, tries, and writes the answer.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	line, err := bufio.NewReader(in).ReadBytes('\n')
	var o Order
	if err != nil || json.Unmarshal(line, &o) != nil || o.Device == "" {
		return errors.New("no order came on the standard input; this command is for other commands to start")
	}
	a := Answer{Device: o.Device}
	if err := a.try(ctx, o); err != nil {
		a.Error = err.Error()
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) {
			a.Hint = hinted.Hint()
		}
	}
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

// try fills in the answer, as far as it comes.
func (a *Answer) try(ctx context.Context, o Order) (err error) {
	if err := a.library(o.Library, o.Device); err != nil {
		return err
	}
	rt, err := ort.New(ort.Options{Library: o.Library, Threads: threads, Device: o.Device, Tuning: o.Tuning})
	if err != nil {
		return err
	}
	defer func() {
		a.LeftToCPU, a.Versions = rt.Placement(), device.Loaded()
		err = errors.Join(err, rt.Close())
	}()
	if err := convolve(rt); err != nil {
		return err
	}
	a.Opens = true
	a.train(ctx, rt, o.Train)
	return nil
}

// library asks the library what it is, by way of the CPU, which every one has.
func (a *Answer) library(path, forDevice string) error {
	path, _, err := ort.FindLibrary(path, forDevice)
	if err != nil {
		return err
	}
	rt, err := ort.New(ort.Options{Library: path, Threads: threads})
	if err != nil {
		return err
	}
	a.Library, a.Version, a.Providers = rt.Library(), rt.Version(), rt.Providers()
	return rt.Close()
}

// convolve makes sure that the provider can do what every network needs: for CUDA it
// is cuDNN's, which is loaded at the first convolution.
func convolve(rt *ort.Runtime) error {
	const side = 4
	b := onnx.NewBuilder("convolution")
	x, w := b.Input("x", onnx.Float, 1, 3, side, side), b.Input("w", onnx.Float, 2, 3, 3, 3)
	b.Output("y", b.Op("Conv", nil, x, w))
	g, err := b.Graph()
	if err != nil {
		return err
	}
	s, err := rt.Open(g)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // it is of no use any more
	in := []*onnx.Tensor{onnx.NewTensor(onnx.Float, 1, 3, side, side), onnx.NewTensor(onnx.Float, 2, 3, 3, 3)}
	for _, t := range in {
		for i := range t.F32() {
			t.F32()[i] = 1
		}
	}
	y := onnx.NewTensor(onnx.Float, 1, 2, side-2, side-2)
	if err := s.Run(in, []*onnx.Tensor{y}); err != nil {
		return err
	}
	for _, sum := range y.F32() {
		if math.Abs(float64(sum)-27) > 0.1 { // exact in all precisions
			return fmt.Errorf("it computes wrongly: the sum of 27 ones is %v", sum)
		}
	}
	return nil
}
