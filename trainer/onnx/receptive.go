package onnx

import "fmt"

// Field is what part of the picture a place of a value's maps sees: a square whose
// side is Size pixels, the first of which begins at Start and the next ones every
// Step pixels. The part may reach beyond the picture, where there is padding.
type Field struct{ Size, Step, Start float64 }

// ReceptiveField follows a value of g back to the picture. Where branches meet it
// is what any of them sees. A layer that sees the picture as a whole is an error.
func ReceptiveField(g *Graph, value string) (Field, error) {
	fields := map[string]Field{g.Inputs[0].Name: {Size: 1, Step: 1}}
	for _, n := range g.Nodes {
		f, err := fieldOf(n, fields)
		if err != nil {
			return Field{}, err
		}
		if f.Size > 0 && len(n.Outputs) > 0 {
			fields[n.Outputs[0]] = f
		}
		if n.Outputs[0] == value {
			if f.Size == 0 {
				return f, fmt.Errorf("layer %q sees the picture as a whole", n.Name)
			}
			return f, nil
		}
	}
	return Field{}, fmt.Errorf("no layer computes %q", value)
}

// fieldOf is the field of a node's output; of Size 0 where it has none.
func fieldOf(n *Node, fields map[string]Field) (Field, error) {
	var in Field
	for _, name := range n.Inputs {
		f, ok := fields[name]
		switch {
		case !ok:
		case in.Size == 0:
			in = f
		case f.Step != in.Step:
			return Field{}, fmt.Errorf("layer %q joins maps of different steps", n.Name)
		default:
			end := max(in.Start+in.Size, f.Start+f.Size)
			in.Start = min(in.Start, f.Start)
			in.Size = end - in.Start
		}
	}
	switch n.Op {
	case "Conv", "MaxPool", "AveragePool":
		if in.Size == 0 {
			return in, nil
		}
		kernel := n.Ints("kernel_shape", 1, 1)
		stride, dilation, pad := n.Ints("strides", 1, 1)[0], n.Ints("dilations", 1, 1)[0], n.Ints("pads", 0, 0, 0, 0)[0]
		return Field{
			Size: in.Size + float64((kernel[0]-1)*dilation)*in.Step, Step: in.Step * float64(stride), Start: in.Start - float64(pad)*in.Step,
		}, nil
	case "GlobalAveragePool", "GlobalMaxPool", "Flatten", "Reshape", "Gemm", "MatMul", "Resize", "ReduceMean", "Transpose", "ConvTranspose", "DepthToSpace":
		return Field{}, nil
	}
	return in, nil
}
