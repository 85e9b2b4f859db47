package trainer

import (
	"testing"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// A slot that programs take in blocks of rows is one tensor: what is written to
// a block is in the whole, in the buffer that a run may write.
func TestBlocksOfASlotAreItsRows(t *testing.T) {
	now, next := onnx.NewTensor(onnx.Float, 5, 3), onnx.NewTensor(onnx.Float, 5, 3)
	s := &slot{Slot: compile.Slot{Name: "param:w", Shape: []int{5, 3}, Rows: 2}, now: now, next: next}
	st := &state{named: map[string]*slot{"param:w": s, "param:v#1": {Slot: compile.Slot{Name: "param:v#1", Shape: []int{5, 3}}, now: onnx.NewTensor(onnx.Float, 5, 3)}}}
	last := onnx.Value{Name: "param:w#2", Type: onnx.Float, Shape: []int{1, 3}}
	st.old(last).F32()[1] = 7
	if now.F32()[13] != 7 {
		t.Errorf("the last block is not the last row: %v", now.F32())
	}
	last.Name += "'"
	st.new(last, true).F32()[1] = 8
	st.new(last, false).F32()[1] = 9
	if now.F32()[13] != 8 || next.F32()[13] != 9 {
		t.Errorf("new values are %v in place and %v beside, want 8 and 9", now.F32()[13], next.F32()[13])
	}
	if got := st.old(onnx.Value{Name: "param:w"}); got != now {
		t.Error("the whole is not the slot's tensor")
	}
	if got := st.old(onnx.Value{Name: "param:v#1"}); len(got.F32()) != 15 {
		t.Error("a slot whose own name ends like a block's is taken for a block")
	}
	for _, name := range []string{"param:w#3", "param:w#x", "param:u", "loss"} {
		if st.old(onnx.Value{Name: name}) != nil {
			t.Errorf("there is a tensor for %q", name)
		}
	}
	if st.new(onnx.Value{Name: "param:w"}, false) != nil {
		t.Error("an output without ' is taken for a new value")
	}
}
