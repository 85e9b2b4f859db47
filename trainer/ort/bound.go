package ort

// #include <stdlib.h>
import "C"

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"orchestrator/trainer/onnx"
)

// binding runs a session on values that lie in any memory.
type binding struct {
	api             api
	session         handle
	handle          handle
	inputs, outputs []*C.char
}

func newBinding(a api, s *onnxruntime.DynamicAdvancedSession, inputs, outputs []string) (*binding, error) {
	b := &binding{api: a, session: sessionHandle(s)}
	var err error
	if b.handle, err = a.newBinding(b.session); err != nil {
		return nil, err
	}
	for _, name := range inputs {
		b.inputs = append(b.inputs, C.CString(name))
	}
	for _, name := range outputs {
		b.outputs = append(b.outputs, C.CString(name))
	}
	return b, nil
}

// run executes the session once and holds on to no value.
func (b *binding) run(inputs, outputs []handle) error {
	defer b.api.clearBinding(b.handle)
	for i, v := range inputs {
		if err := b.api.bindInput(b.handle, b.inputs[i], v); err != nil {
			return fmt.Errorf("input %q: %w", C.GoString(b.inputs[i]), classed(err))
		}
	}
	for i, v := range outputs {
		if err := b.api.bindOutput(b.handle, b.outputs[i], v); err != nil {
			return fmt.Errorf("output %q: %w", C.GoString(b.outputs[i]), classed(err))
		}
	}
	return classed(b.api.run(b.session, b.handle))
}

func (b *binding) close() {
	b.api.releaseBinding(b.handle)
	for _, name := range append(b.inputs, b.outputs...) {
		C.free(unsafe.Pointer(name))
	}
}

// runBound is Run for a device with a memory of its own: tensors there are used
// where they lie, those in the host's memory are sent and fetched.
func (s *Session) runBound(inputs, outputs []*onnx.Tensor) error {
	var lent lending
	defer lent.end(s.memory)
	in, err := lent.all(s.memory, inputs)
	if err != nil {
		return fmt.Errorf("input %w", err)
	}
	sent := lent.bytes
	out, err := lent.all(s.memory, outputs)
	if err != nil {
		return fmt.Errorf("output %w", err)
	}
	if err := s.binding.run(in, out); err != nil {
		return err
	}
	s.memory.traffic.toDevice.Add(sent)
	s.memory.traffic.toHost.Add(lent.bytes - sent)
	return nil
}

// lending lends Go's memory to the library for one run.
type lending struct {
	pinner runtime.Pinner
	values []handle // to be released
	bytes  int64
}

// all are the values of tensors.
func (l *lending) all(m *memory, tensors []*onnx.Tensor) ([]handle, error) {
	values := make([]handle, len(tensors))
	for i, t := range tensors {
		b, device := t.Data.(*Buffer)
		if device && slices.Equal(b.of.Shape, t.Shape) {
			values[i] = b.value
			continue
		}
		where, at := m.device, address(t)
		if !device {
			where = m.host
			l.pinner.Pin(at)
			l.bytes += int64(t.Value().Size()) * t.Type.Size()
		}
		v, err := m.api.valueOf(where, at, t.Value())
		if err != nil {
			return nil, fmt.Errorf("%v%v: %w", t.Type, t.Shape, err)
		}
		l.values = append(l.values, v)
		values[i] = v
	}
	return values, nil
}

func (l *lending) end(m *memory) {
	for _, v := range l.values {
		m.api.releaseValue(v)
	}
	l.pinner.Unpin()
}
