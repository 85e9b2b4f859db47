package autodiff

import (
	"strings"

	"orchestrator/trainer/onnx"
)

// einsumX: the gradient by an operand is an Einsum too, of dY and the other
// operands, onto that operand's letters. A letter that it alone has was summed
// over: the gradient is the same all along it.
func einsumX(e *edge) onnx.Value {
	ranks := make([]int, len(e.node.Inputs))
	for k := range ranks {
		ranks[k] = e.X(k).Rank()
	}
	terms, result, err := onnx.SpellEinsum(e.node.Str("equation", ""), ranks)
	if err != nil {
		return e.Fail("%v", err)
	}
	left, operands := []string{result}, []onnx.Value{e.DY()}
	for k, term := range terms {
		if k != e.I() {
			left, operands = append(left, term), append(operands, e.X(k))
		}
	}
	known, kept := strings.Join(left, ""), ""
	var alone []int
	for i, letter := range terms[e.I()] {
		switch {
		case strings.ContainsRune(kept, letter):
			return e.Fail("Einsum with a diagonal (%q) has no gradient rule", terms[e.I()])
		case strings.ContainsRune(known, letter):
			kept += string(letter)
		default:
			alone = append(alone, i)
		}
	}
	dx := e.Op("Einsum", onnx.Attrs{"equation": strings.Join(left, ",") + "->" + kept}, operands...)
	if len(alone) == 0 || e.Err() != nil {
		return dx
	}
	return e.Op("Unsqueeze", nil, dx, e.Ints(alone...)) // fit expands it
}
