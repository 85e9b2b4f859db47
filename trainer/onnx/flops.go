package onnx

import "strings"

// FLOPs adds up the floating-point operations of all nodes of a graph. A
// multiply-add counts as two, as everywhere in this program; what papers give as
// "FLOPs" are often multiply-adds (MACs), half of it. An open batch is one picture.
func FLOPs(g *Graph) (int64, error) {
	b, err := shapesOf(g)
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, n := range g.Nodes {
		sum += flops(n, b)
	}
	return sum, nil
}

// flops counts the arithmetic of a node: exactly for convolutions and matrix
// products, one operation for each element that a window or a reduction takes in,
// one per output element otherwise, and none for moving data.
func flops(n *Node, b *Builder) int64 {
	out := int64(b.Named(n.Outputs[0]).Size())
	in := func(i int) Value { return b.Named(n.Inputs[i]) }
	op := n.FullOp()
	switch {
	case moves[op]:
		return 0
	case strings.HasPrefix(op, "Reduce"), strings.HasPrefix(op, "Arg"), strings.HasPrefix(op, "Global"):
		return int64(in(0).Size())
	}
	switch op {
	case "Conv": // each weight of a kernel, which sees the channels of its group only
		return 2*out*int64(NumElements(in(1).Shape[1:])) + biasFlops(n, out)
	case "ConvTranspose":
		return 2*int64(in(0).Size())*int64(NumElements(in(1).Shape[1:])) + biasFlops(n, out)
	case "Gemm":
		return 2*out*int64(in(0).Shape[1-n.Int("transA", 0)]) + biasFlops(n, out)
	case "MatMul":
		a := in(0).Shape
		return 2 * out * int64(a[len(a)-1])
	case "com.microsoft.FusedMatMul":
		a := in(0).Shape
		return 2 * out * int64(a[len(a)-1-n.Int("transA", 0)])
	case "Einsum":
		return einsumFlops(n, b)
	case "MaxPool", "AveragePool", "LpPool":
		return out * int64(NumElements(n.Ints("kernel_shape")))
	case "LRN":
		return out * int64(n.Int("size", 1))
	case "ScatterElements", "ScatterND":
		if n.Str("reduction", "none") == "none" {
			return 0
		}
		return int64(in(2).Size())
	}
	return out
}

// moves are the operators that compute nothing, but copy, rearrange or pick.
var moves = map[string]bool{
	"Reshape": true, "Flatten": true, "Transpose": true, "Concat": true, "Split": true, "Slice": true, "Identity": true,
	"Dropout": true, "Squeeze": true, "Unsqueeze": true, "Expand": true, "Gather": true, "GatherElements": true,
	"GatherND": true, "Pad": true, "Cast": true, "Shape": true, "Size": true, "Constant": true, "ConstantOfShape": true,
	"Range": true, "Tile": true, "DepthToSpace": true, "SpaceToDepth": true, "OneHot": true, "Trilu": true, "Where": true,
}

func biasFlops(n *Node, out int64) int64 {
	if len(n.Inputs) > 2 && n.Inputs[2] != "" {
		return out
	}
	return 0
}

// einsumFlops is a multiply-add for every combination of the indices, for each
// operand after the first; a sum over one operand is an addition each.
func einsumFlops(n *Node, b *Builder) int64 {
	operands, _, _ := strings.Cut(strings.ReplaceAll(n.Str("equation", ""), " ", ""), "->")
	sizes := map[byte]int{}
	for i, indices := range strings.Split(operands, ",") {
		for k, d := range b.Named(n.Inputs[i]).Shape {
			sizes[indices[k]] = max(sizes[indices[k]], d)
		}
	}
	all := int64(max(1, 2*(len(n.Inputs)-1)))
	for _, d := range sizes {
		all *= int64(d)
	}
	return all
}
