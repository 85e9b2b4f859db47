package compile

import (
	"fmt"
	"slices"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

// blockElements is how many elements of a large parameter are updated at a time:
// 4 MB, so that what passes from one operator of the update to the next stays in
// the processor's cache. The two largest of CaffeNet's parameters take a sixth of
// a step of 32 pictures; in blocks they take half of that. Other devices have no
// such use for them.
const blockElements = 1 << 20

// BlockName is the name under which a program has the i-th block of rows of a
// slot with Slot.Rows.
func BlockName(slot string, i int) string { return fmt.Sprintf("%s#%d", slot, i) }

// Blocks is the number of blocks of rows, 0 where there are none.
func (s Slot) Blocks() int {
	if s.Rows == 0 {
		return 0
	}
	return (s.Shape[0] + s.Rows - 1) / s.Rows
}

// Block is the first row of a block and the shape of the block.
func (s Slot) Block(i int) (row int, shape []int) {
	row = i * s.Rows
	return row, append([]int{min(s.Rows, s.Shape[0]-row)}, s.Shape[1:]...)
}

// View is a block of a tensor of the slot's shape, in the tensor's memory.
func (s Slot) View(t *onnx.Tensor, i int) *onnx.Tensor {
	row, shape := s.Block(i)
	from := row * onnx.NumElements(shape[1:])
	return &onnx.Tensor{Name: t.Name, Type: t.Type, Shape: shape, Data: t.F32()[from : from+onnx.NumElements(shape)]}
}

// rowsPerBlock is Slot.Rows of a parameter and of its optimizer state: matrices
// of several blocks, where the rule works element by element.
func (s *step) rowsPerBlock(rule optim.Rule, param string) int {
	shape := s.model.Initializer(param).Shape
	if s.o.Target != CPU || len(shape) != 2 || onnx.NumElements(shape) < 2*blockElements || rule.Whole || s.o.ClipNorm > 0 || s.o.ClipValue > 0 {
		return 0
	}
	return max(1, blockElements/shape[1])
}

// declareBlocks declares the inputs that a slot is updated from in blocks.
func (s *step) declareBlocks(slot Slot) {
	for i := range slot.Blocks() {
		_, shape := slot.Block(i)
		s.Input(BlockName(slot.Name, i), onnx.Float, shape...)
	}
}

// updateParts updates a parameter and its optimizer state, at once or block by
// block; p is what the blocks have in common.
func (s *step) updateParts(param Slot, state []Slot, rule optim.Rule, p optim.Step) {
	gradient := p.Gradient
	for i, part := range param.parts() {
		if param.Rows > 0 {
			row, shape := param.Block(i)
			p.Gradient = s.rowsOf(gradient, row, shape[0])
		}
		p.Param, p.State = s.Named(part), nil
		for _, slot := range state {
			p.State = append(p.State, s.Named(slot.parts()[i]))
		}
		next, moved := rule.Update(&p)
		s.next[part] = next
		for k, slot := range state {
			s.next[slot.parts()[i]] = moved[k]
		}
	}
}

// rowsOf is some rows of a gradient. Those of a product of matrices are the
// product with some rows of its first factor, so that the whole is never there.
func (s *step) rowsOf(gradient onnx.Value, row, rows int) onnx.Value {
	n := optim.Product(s.Builder, gradient)
	if n == nil {
		return s.slice(gradient, 0, row, rows)
	}
	a := s.slice(s.Named(n.Inputs[0]), n.Int("transA", 0), row, rows)
	return s.Op("Gemm", n.Attrs, a, s.Named(n.Inputs[1]))
}

func (s *step) slice(v onnx.Value, axis, from, length int) onnx.Value {
	return s.Op("Slice", nil, v, s.Ints(from), s.Ints(from+length), s.Ints(axis))
}

// parts are the names under which a program has a slot's new value: the slot's
// own or its blocks'.
func (s Slot) parts() []string {
	if s.Rows == 0 {
		return []string{s.Name}
	}
	var names []string
	for i := range s.Blocks() {
		names = append(names, BlockName(s.Name, i))
	}
	return names
}

// shares are the inputs with the memory of a part.
func (p *Program) shares(s Slot, part string) []string {
	names := []string{part}
	if part != s.Name && slices.ContainsFunc(p.Graph.Inputs, func(v onnx.Value) bool { return v.Name == s.Name }) {
		names = append(names, s.Name)
	}
	return names
}
