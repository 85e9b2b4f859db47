package ort

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"orchestrator/trainer/onnx"
)

// Buffer is the Data of a tensor that lies in the memory of a runtime's device.
// Only the sessions of that runtime can read it; Runtime.Copy takes its elements
// out.
type Buffer struct {
	owner *memory
	of    onnx.Value
	value handle
	at    unsafe.Pointer // in the device's memory: to be handed on, never to be read
}

// memory is the memory of a device.
//
// Elements are copied by a graph that does nothing else: a session takes inputs
// from any memory and gives outputs to any, on whichever device. The allocator is
// that of this graph's session, which is therefore open as long as the runtime.
type memory struct {
	api       api
	traffic   *traffic
	host      handle // descriptions of memories
	device    handle
	session   *onnxruntime.DynamicAdvancedSession
	allocator handle
	binding   *binding
	pinned    handle // description of the host's memory that the device reads fastest
	lender    handle // its allocator; nil: there is none

	mu      sync.Mutex
	buffers map[*Buffer]struct{}
	lent    []handle // tensors in the pinned memory
}

// Traffic are bytes that went between the host's memory and the device's, of
// tensors that were fed, fetched and copied. What a provider moves by itself for
// nodes that it leaves to the CPU is not among them.
type Traffic struct{ ToDevice, ToHost int64 }

type traffic struct{ toDevice, toHost atomic.Int64 }

func (t *traffic) read() Traffic { return Traffic{t.toDevice.Load(), t.toHost.Load()} }

func newMemory(a api, name string, options *onnxruntime.SessionOptions, t *traffic) (_ *memory, err error) {
	m := &memory{api: a, traffic: t, buffers: map[*Buffer]struct{}{}}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	if m.host, err = a.memory("Cpu", ofDevice); err != nil {
		return nil, err
	}
	if m.device, err = a.memory(name, ofDevice); err != nil {
		return nil, err
	}
	model, err := onnx.Encode(copyGraph())
	if err != nil {
		return nil, err
	}
	if m.session, err = onnxruntime.NewDynamicAdvancedSessionWithONNXData(model, []string{"from"}, []string{"to"}, options); err != nil {
		return nil, err
	}
	if m.allocator, err = a.allocator(sessionHandle(m.session), m.device); err != nil {
		return nil, fmt.Errorf("no allocator for its memory %q: %w", name, err)
	}
	m.binding, err = newBinding(a, m.session, []string{"from"}, []string{"to"})
	return m, err
}

// pin finds the host's memory that the device reads without another copy.
func (m *memory) pin(name string) (err error) {
	if m.pinned, err = m.api.memory(name, ofHost); err != nil {
		return err
	}
	m.lender, err = m.api.allocator(sessionHandle(m.session), m.pinned)
	return err
}

// lend is a tensor in the pinned memory, with zeros.
func (m *memory) lend(v onnx.Value) (*onnx.Tensor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buffers == nil {
		return nil, errClosed
	}
	value, err := m.api.newValue(m.lender, v)
	if err != nil {
		return nil, fmt.Errorf("%v%v: %w", v.Type, v.Shape, classed(err))
	}
	m.lent = append(m.lent, value)
	at, err := m.api.data(value)
	if err != nil {
		return nil, err
	}
	t := &onnx.Tensor{Name: v.Name, Type: v.Type, Shape: v.Shape}
	switch v.Type {
	case onnx.Float:
		t.Data = zeros[float32](at, v.Size())
	case onnx.Int64:
		t.Data = zeros[int64](at, v.Size())
	case onnx.Uint8:
		t.Data = zeros[uint8](at, v.Size())
	default:
		return nil, fmt.Errorf("tensors of type %v are not lent", v.Type)
	}
	return t, nil
}

// zeros makes a slice of memory that is not Go's.
func zeros[T any](at unsafe.Pointer, n int) []T {
	s := unsafe.Slice((*T)(at), n)
	clear(s)
	return s
}

// copyGraph copies float vectors of any length.
func copyGraph() *onnx.Graph {
	return &onnx.Graph{
		Name:    "copy",
		Inputs:  []onnx.Value{{Name: "from", Type: onnx.Float, Shape: []int{-1}}},
		Outputs: []onnx.Value{{Name: "to", Type: onnx.Float, Shape: []int{-1}}},
		Nodes:   []*onnx.Node{{Name: "copy", Op: "Identity", Inputs: []string{"from"}, Outputs: []string{"to"}}},
	}
}

// alloc is a tensor of any content.
func (m *memory) alloc(v onnx.Value) (*onnx.Tensor, error) {
	if v.Type != onnx.Float {
		return nil, fmt.Errorf("tensors of type %v are not kept on a device", v.Type)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buffers == nil {
		return nil, errClosed
	}
	value, err := m.api.newValue(m.allocator, v)
	if err != nil {
		return nil, fmt.Errorf("%v%v: %w", v.Type, v.Shape, classed(err))
	}
	b := &Buffer{owner: m, of: v, value: value}
	if b.at, err = m.api.data(value); err != nil {
		m.api.releaseValue(value)
		return nil, err
	}
	m.buffers[b] = struct{}{}
	return &onnx.Tensor{Name: v.Name, Type: v.Type, Shape: v.Shape, Data: b}, nil
}

// free gives a tensor's memory back; a second time it does nothing.
func (m *memory) free(b *Buffer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.buffers[b]; there {
		delete(m.buffers, b)
		m.api.releaseValue(b.value)
	}
}

// copy copies the elements of one tensor to another of the same size, either of
// them on the device.
func (m *memory) copy(to, from *onnx.Tensor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buffers == nil {
		return errClosed
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	source, err := m.flat(from, &pinner)
	if err != nil {
		return err
	}
	defer m.api.releaseValue(source)
	target, err := m.flat(to, &pinner)
	if err != nil {
		return err
	}
	defer m.api.releaseValue(target)
	m.count(to, from)
	return m.binding.run([]handle{source}, []handle{target})
}

// count adds a copy to the traffic.
func (m *memory) count(to, from *onnx.Tensor) {
	bytes := int64(from.Value().Size()) * from.Type.Size()
	if _, host := from.Data.([]float32); host {
		m.traffic.toDevice.Add(bytes)
	}
	if _, host := to.Data.([]float32); host {
		m.traffic.toHost.Add(bytes)
	}
}

// flat is a tensor's memory as a vector.
func (m *memory) flat(t *onnx.Tensor, pinner *runtime.Pinner) (handle, error) {
	v := onnx.Value{Type: t.Type, Shape: []int{t.Value().Size()}}
	switch d := t.Data.(type) {
	case *Buffer:
		if _, there := m.buffers[d]; !there {
			return nil, errFreed
		}
		return m.api.valueOf(m.device, d.at, v)
	case []float32:
		if len(d) != v.Shape[0] {
			return nil, fmt.Errorf("shape %v has %d elements, but the data has %d", t.Shape, v.Shape[0], len(d))
		}
		at := unsafe.Pointer(unsafe.SliceData(d))
		pinner.Pin(at)
		return m.api.valueOf(m.host, at, v)
	}
	return nil, fmt.Errorf("a %T is not copied to or from a device", t.Data)
}

var errClosed = errors.New("the runtime is closed")

var errFreed = errors.New("the tensor's memory on the device was given back, or is another runtime's")

// close gives everything back.
func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for b := range m.buffers {
		m.api.releaseValue(b.value)
	}
	for _, v := range m.lent {
		m.api.releaseValue(v)
	}
	m.buffers, m.lent = nil, nil
	if m.binding != nil {
		m.binding.close()
	}
	for _, allocator := range []handle{m.allocator, m.lender} {
		if allocator != nil {
			m.api.releaseAllocator(allocator)
		}
	}
	if m.session != nil {
		_ = m.session.Destroy() // frees memory only
	}
	for _, description := range []handle{m.host, m.device, m.pinned} {
		if description != nil {
			m.api.releaseMemory(description)
		}
	}
}

// check makes sure that a tensor's buffer is of its type and size, and not freed.
func (b *Buffer) check(t *onnx.Tensor) error {
	b.owner.mu.Lock()
	defer b.owner.mu.Unlock()
	if _, there := b.owner.buffers[b]; !there {
		return errFreed
	}
	if b.of.Type != t.Type || b.of.Size() != t.Value().Size() {
		return fmt.Errorf("want %v%v, but the buffer on the device is %v%v", t.Type, t.Shape, b.of.Type, b.of.Shape)
	}
	return nil
}
