package trainer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// state is what lives from step to step: parameters, running statistics,
// optimizer state and averages. A slot that some program updates and cannot write
// in place has two buffers, one that a run reads and one that it writes; they swap
// after the run, because the graph may still need the old value after it has
// written the new one.
//
// Where the device has a memory of its own, all of it lies there, and comes back
// for checkpoints and the trained model only.
type state struct {
	slots  []*slot // in the order of the programs that brought them
	named  map[string]*slot
	memory DeviceMemory // nil: the host's
}

type slot struct {
	compile.Slot
	now  *onnx.Tensor
	next *onnx.Tensor // nil: no program updates it but in place
}

// newState makes the slots of all programs, at the values training begins with.
// Slots that are never updated share the model's memory, unless the device has its
// own.
func newState(m DeviceMemory, model *onnx.Graph, programs ...*compile.Program) (*state, error) {
	st := &state{named: map[string]*slot{}}
	for _, p := range programs {
		for _, s := range p.State {
			if err := st.add(model, s); err != nil {
				return nil, err
			}
		}
	}
	if !m.OwnMemory() {
		return st, nil
	}
	st.memory = m
	for _, s := range st.slots {
		if s.Rows > 0 {
			return nil, fmt.Errorf("%q is updated in blocks: graphs for the target %s do not run on a device with its own memory", s.Name, compile.CPU)
		}
		if err := s.place(m); err != nil {
			st.close()
			return nil, fmt.Errorf("place %q in the device's memory: %w", s.Name, err)
		}
	}
	return st, nil
}

// place moves a slot into the device's memory.
func (s *slot) place(m DeviceMemory) (err error) {
	host := s.now
	if s.now, err = m.Alloc(host.Value()); err != nil {
		return err
	}
	if s.next != nil {
		if s.next, err = m.Alloc(host.Value()); err != nil {
			return err
		}
	}
	return m.Copy(s.now, host)
}

// close gives the device's memory back; a nil state has none.
func (st *state) close() {
	if st == nil || st.memory == nil {
		return
	}
	for _, s := range st.slots {
		for _, t := range []*onnx.Tensor{s.now, s.next} {
			if t != nil {
				st.memory.Free(t)
			}
		}
	}
}

// read are a slot's present values, in the state's memory where that is the host's.
func (st *state) read(s *slot) ([]float32, error) {
	if st.memory == nil {
		return s.now.F32(), nil
	}
	host := onnx.NewTensor(onnx.Float, s.Shape...)
	if err := st.memory.Copy(host, s.now); err != nil {
		return nil, fmt.Errorf("fetch %q from the device: %w", s.Name, err)
	}
	return host.F32(), nil
}

func (st *state) add(model *onnx.Graph, s compile.Slot) error {
	old := st.named[s.Name]
	if old == nil {
		old = &slot{Slot: s}
		old.Updated = false // below
		if s.Zero {
			old.now = onnx.NewTensor(onnx.Float, s.Shape...)
		} else if old.now = model.Initializer(s.Param); old.now == nil {
			return fmt.Errorf("the model has no parameter %q", s.Param)
		}
		st.slots = append(st.slots, old)
		st.named[s.Name] = old
	}
	if s.Updated && !old.Updated {
		old.Updated = true
		if !s.Zero {
			old.now = cloneTensor(old.now)
		}
	}
	old.Rows = max(old.Rows, s.Rows) // programs that do not update it take it whole
	if s.Updated && !s.InPlace && old.next == nil {
		old.next = onnx.NewTensor(onnx.Float, s.Shape...)
	}
	return nil
}

func cloneTensor(t *onnx.Tensor) *onnx.Tensor {
	c := *t
	c.Data = slices.Clone(t.F32())
	return &c
}

// averaged is a view of the network's values alone, each by its average where
// there is one. It shares the slots.
func (st *state) averaged() *state {
	view := &state{named: map[string]*slot{}, memory: st.memory}
	for _, s := range st.slots {
		if s.Zero || s.Name == compile.Averaged(s.Param) {
			continue
		}
		scored := s
		if mean := st.named[compile.Averaged(s.Param)]; mean != nil {
			scored = mean
		}
		view.slots = append(view.slots, scored)
		view.named[s.Name] = scored
	}
	return view
}

// clearSums makes the sums of gradients zero, in the host's memory.
func (st *state) clearSums() {
	for _, s := range st.slots {
		if s.Sum {
			clear(s.now.F32())
		}
	}
}

// saved yields the slots that a checkpoint holds: all that change, but for the
// sums of gradients, which are zero between steps.
func (st *state) saved() []*slot {
	var out []*slot
	for _, s := range st.slots {
		if s.Updated && !s.Sum {
			out = append(out, s)
		}
	}
	return out
}

// tensors are the saved slots' present values under the slots' names. They may
// share the state's memory.
func (st *state) tensors() ([]*onnx.Tensor, error) {
	var out []*onnx.Tensor
	for _, s := range st.saved() {
		values, err := st.read(s)
		if err != nil {
			return nil, err
		}
		out = append(out, &onnx.Tensor{Name: s.Name, Type: onnx.Float, Shape: s.Shape, Data: values})
	}
	return out, nil
}

// restore takes the values from a checkpoint, which must hold exactly the slots
// of this job.
func (st *state) restore(tensors []*onnx.Tensor) error {
	saved := st.saved()
	if len(tensors) != len(saved) {
		return fmt.Errorf("it holds %d tensors, but the job has %d", len(tensors), len(saved))
	}
	for _, t := range tensors {
		s := st.named[t.Name]
		if s == nil || !slices.Contains(saved, s) {
			return fmt.Errorf("the job has no state %q", t.Name)
		}
		if t.Type != onnx.Float || !slices.Equal(t.Shape, s.Shape) {
			return fmt.Errorf("%q is %v%v, but the job needs %v%v", t.Name, t.Type, t.Shape, onnx.Float, s.Shape)
		}
		if st.memory == nil {
			copy(s.now.F32(), t.F32())
		} else if err := st.memory.Copy(s.now, t); err != nil {
			return fmt.Errorf("place %q in the device's memory: %w", s.Name, err)
		}
	}
	return nil
}

// old is the tensor for an input that is a slot or a block of one, else nil.
func (st *state) old(v onnx.Value) *onnx.Tensor {
	s, block := st.find(v.Name)
	if s == nil {
		return nil
	}
	return part(s.Slot, s.now, block)
}

// new is the tensor for an output that is the new value of a slot or of a block of
// one, else nil.
func (st *state) new(v onnx.Value, inPlace bool) *onnx.Tensor {
	name, ok := strings.CutSuffix(v.Name, "'")
	s, block := st.find(name)
	if !ok || s == nil {
		return nil
	}
	t := s.next
	if inPlace {
		t = s.now
	}
	if t = part(s.Slot, t, block); t != nil && len(t.Shape) != len(v.Shape) { // a vector of its elements
		t = &onnx.Tensor{Name: t.Name, Type: t.Type, Shape: v.Shape, Data: t.Data}
	}
	return t
}

// find is the slot of that name, or the slot and the number of its block; -1 is
// the whole.
func (st *state) find(name string) (s *slot, block int) {
	if s := st.named[name]; s != nil {
		return s, -1
	}
	at := strings.LastIndex(name, "#")
	if at < 0 {
		return nil, -1
	}
	block, err := strconv.Atoi(name[at+1:])
	if s := st.named[name[:at]]; s != nil && err == nil && block < s.Blocks() {
		return s, block
	}
	return nil, -1
}

// part is a block of a tensor, in the tensor's memory; -1 is the whole.
func part(s compile.Slot, t *onnx.Tensor, block int) *onnx.Tensor {
	if block < 0 || t == nil {
		return t
	}
	return s.View(t, block)
}
