package features

import (
	"context"
	"fmt"

	"orchestrator/trainer"
	"orchestrator/trainer/cachefile"
	"orchestrator/trainer/onnx"
)

// filler writes the cache file of a pass.
type filler struct {
	*pass
	Options
	draft *cachefile.Draft

	session         trainer.Session // nil until something has to be computed
	inputs, outputs []*onnx.Tensor
	placed          []*onnx.Tensor // in the device's own memory
}

// fill gets every chunk, from the store where it is, computed where it is not.
func (f *filler) fill(ctx context.Context) error {
	for first := 0; first < f.Pictures; first += f.chunk {
		if err := f.get(ctx, first, min(first+f.chunk, f.Pictures)); err != nil {
			return err
		}
	}
	return nil
}

// compute runs the network over the pictures of a chunk, which begins at a
// multiple of batch, and writes what it answers to the draft.
func (f *filler) compute(ctx context.Context, first, end int) error {
	if err := f.open(); err != nil {
		return err
	}
	for ; first < end; first += batch {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		rows := min(batch, end-first)
		if err := f.load(first, rows); err != nil {
			return err
		}
		if err := f.session.Run(f.inputs, f.outputs); err != nil {
			return fmt.Errorf("pictures %d to %d: %w", first, first+rows-1, err)
		}
		for i, v := range f.values {
			if _, err := f.draft.WriteAt(bytesOf(f.outputs[i].F32()[:rows*v.row]), v.at+int64(first)*v.Bytes()); err != nil {
				return fmt.Errorf("write the cache: %w", err)
			}
		}
		f.Report(first+rows, f.Pictures)
	}
	return nil
}

// open opens the session and allocates what it reads and writes.
func (f *filler) open() (err error) {
	if f.session != nil {
		return nil
	}
	g := f.program.Graph
	if f.session, err = f.Runtime.Open(g); err != nil {
		return err
	}
	params := map[string]string{}
	for _, s := range f.program.State {
		params[s.Name] = s.Param
	}
	for _, v := range g.Inputs {
		t := f.Model.Initializer(params[v.Name])
		if t == nil {
			t = onnx.NewTensor(v.Type, v.Shape...) // the pictures
		} else if t, err = f.place(t); err != nil {
			return err
		}
		f.inputs = append(f.inputs, t)
	}
	for _, v := range g.Outputs {
		f.outputs = append(f.outputs, onnx.NewTensor(v.Type, v.Shape...))
	}
	return nil
}

// place has a parameter where the device wants it, for all runs.
func (f *filler) place(t *onnx.Tensor) (*onnx.Tensor, error) {
	if !f.Runtime.OwnMemory() {
		return t, nil
	}
	on, err := f.Runtime.Alloc(t.Value())
	if err != nil {
		return nil, fmt.Errorf("place %q in the device's memory: %w", t.Name, err)
	}
	f.placed = append(f.placed, on)
	if err := f.Runtime.Copy(on, t); err != nil {
		return nil, fmt.Errorf("place %q in the device's memory: %w", t.Name, err)
	}
	return on, nil
}

func (f *filler) close() {
	for _, t := range f.placed {
		f.Runtime.Free(t)
	}
	if f.session != nil {
		_ = f.session.Close() // frees memory only
	}
}

// load puts rows pictures, from number first on, into the input; rows that are
// left over repeat them.
func (f *filler) load(first, rows int) error {
	images := f.inputs[0].Data.([]uint8)
	size := len(images) / batch
	_, height, width, crop := f.Data.Geometry()
	top, left := 0, 0
	if crop > 0 {
		top, left = (height-crop)/2, (width-crop)/2
	}
	for i := range rows {
		if err := f.Data.Window(images[i*size:(i+1)*size], first+i, top, left, false); err != nil {
			return fmt.Errorf("picture %s: %w", f.Data.File(first+i), err)
		}
	}
	for i := rows; i < batch; i++ {
		from := i % rows
		copy(images[i*size:(i+1)*size], images[from*size:(from+1)*size])
	}
	return nil
}
