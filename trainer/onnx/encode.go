package onnx

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// irVersion 8 is the first that goes with opset 18.
const irVersion = 8

// The domain of ONNX Runtime's own operators, which a graph may use.
const microsoft = "com.microsoft"

// Encode writes a graph as an ONNX file of the package's opset. The same graph
// always gives the same bytes.
func Encode(g *Graph) ([]byte, error) {
	graph, err := encodeGraph(g)
	if err != nil {
		return nil, err
	}
	var b []byte
	b = putVarint(b, 1, irVersion)
	b = putString(b, 2, "orchestrator")
	b = putBytes(b, 7, graph)
	b = putBytes(b, 8, putVarint(nil, 2, Opset))
	if slices.ContainsFunc(g.Nodes, func(n *Node) bool { return n.Domain == microsoft }) {
		b = putBytes(b, 8, putVarint(putString(nil, 1, microsoft), 2, 1))
	}
	for _, key := range slices.Sorted(maps.Keys(g.Metadata)) {
		b = putBytes(b, 14, putString(putString(nil, 1, key), 2, g.Metadata[key]))
	}
	return b, nil
}

func putVarint(b []byte, num protowire.Number, x int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(x))
}

func putBytes(b []byte, num protowire.Number, x []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), x)
}

func putString(b []byte, num protowire.Number, x string) []byte { return putBytes(b, num, []byte(x)) }

func encodeGraph(g *Graph) ([]byte, error) {
	var b []byte
	for _, n := range g.Nodes {
		node, err := encodeNode(n)
		if err != nil {
			return nil, fmt.Errorf("encode %s %q: %w", n.Op, n.Name, err)
		}
		b = putBytes(b, 1, node)
	}
	name := g.Name
	if name == "" {
		name = "graph" // the standard wants one
	}
	b = putString(b, 2, name)
	for _, t := range g.Initializers {
		tensor, err := encodeTensor(t)
		if err != nil {
			return nil, fmt.Errorf("encode tensor %q: %w", t.Name, err)
		}
		b = putBytes(b, 5, tensor)
	}
	for _, v := range g.Inputs {
		b = putBytes(b, 11, encodeValue(v))
	}
	for _, v := range g.Outputs {
		b = putBytes(b, 12, encodeValue(v))
	}
	return b, nil
}

func encodeNode(n *Node) ([]byte, error) {
	var b []byte
	for _, in := range n.Inputs {
		b = putString(b, 1, in)
	}
	for _, out := range n.Outputs {
		b = putString(b, 2, out)
	}
	b = putString(b, 3, n.Name)
	b = putString(b, 4, n.Op)
	for _, key := range slices.Sorted(maps.Keys(n.Attrs)) {
		a, err := encodeAttribute(key, n.Attrs[key])
		if err != nil {
			return nil, err
		}
		b = putBytes(b, 5, a)
	}
	if n.Domain != "" {
		b = putString(b, 7, n.Domain)
	}
	return b, nil
}

func encodeAttribute(name string, value any) ([]byte, error) {
	b := putString(nil, 1, name)
	switch v := value.(type) {
	case float32:
		b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(v))
		return putVarint(b, 20, 1), nil
	case int64:
		return putVarint(putVarint(b, 3, v), 20, 2), nil
	case string:
		return putVarint(putString(b, 4, v), 20, 3), nil
	case *Tensor:
		t, err := encodeTensor(v)
		return putVarint(putBytes(b, 5, t), 20, 4), err
	case *Graph:
		g, err := encodeGraph(v)
		return putVarint(putBytes(b, 6, g), 20, 5), err
	case []float32:
		for _, x := range v {
			b = protowire.AppendFixed32(protowire.AppendTag(b, 7, protowire.Fixed32Type), math.Float32bits(x))
		}
		return putVarint(b, 20, 6), nil
	case []int64:
		for _, x := range v {
			b = putVarint(b, 8, x)
		}
		return putVarint(b, 20, 7), nil
	case []string:
		for _, x := range v {
			b = putString(b, 9, x)
		}
		return putVarint(b, 20, 8), nil
	}
	return nil, fmt.Errorf("attribute %q has the type %T", name, value)
}

func encodeTensor(t *Tensor) ([]byte, error) {
	n, ok := t.length()
	if !ok || n != NumElements(t.Shape) {
		return nil, fmt.Errorf("its data do not fit type %s and shape %v", t.Type, t.Shape)
	}
	var b []byte
	for _, d := range t.Shape {
		b = putVarint(b, 1, int64(d))
	}
	b = putVarint(b, 2, int64(t.Type))
	if t.Name != "" {
		b = putString(b, 8, t.Name)
	}
	raw, err := binary.Append(nil, binary.LittleEndian, t.Data)
	return putBytes(b, 9, raw), err
}

// encodeValue writes an input or output; open dimensions get a name, the batch
// "N".
func encodeValue(v Value) []byte {
	var shape []byte
	for i, d := range v.Shape {
		if d >= 0 {
			shape = putBytes(shape, 1, putVarint(nil, 1, int64(d)))
			continue
		}
		shape = putBytes(shape, 1, putString(nil, 2, "N"+strings.Repeat("'", i)))
	}
	tensor := putVarint(nil, 1, int64(v.Type))
	if v.Shape != nil {
		tensor = putBytes(tensor, 2, shape)
	}
	return putBytes(putString(nil, 1, v.Name), 2, putBytes(nil, 1, tensor))
}
