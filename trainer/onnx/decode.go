package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// File is an ONNX file as it is: of any operator-set version, nothing checked
// but the encoding.
type File struct {
	IRVersion int
	Opsets    map[string]int // version by domain; "" is the standard domain
	Producer  string
	Graph     *Graph
	Functions []*Function
}

// Function is an operator that a file defines by others.
type Function struct {
	Domain, Name    string
	Inputs, Outputs []string
	Defaults        Attrs // of attributes
	Nodes           []*Node
	Opset           int // of the standard domain; 0 where it is not said
}

// AttrRef is the value of an attribute in a Function: that of the named attribute
// of the node that calls it.
type AttrRef string

// maxDepth is how deep graphs may lie in nodes of graphs.
const maxDepth = 16

// Decode reads an ONNX file (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
// Any bytes give a File or an error, and never need more than a small multiple
// of their own length in memory. Half-precision tensors are widened to float.
// Tensors kept in other files are errors that name them; Embed brings them in.
func Decode(data []byte) (*File, error) {
	f := &File{Opsets: map[string]int{}}
	meta := map[string]string{}
	err := eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			f.IRVersion = int(v.varint)
		case 2:
			f.Producer = string(v.bytes)
		case 7:
			g, err := decodeGraph(v.bytes, 0)
			f.Graph = g
			return err
		case 25:
			fn, err := decodeFunction(v.bytes)
			f.Functions = append(f.Functions, fn)
			return err
		case 8:
			domain, version, err := decodeOpset(v.bytes)
			f.Opsets[domain] = version
			return err
		case 14:
			key, value, err := decodeEntry(v.bytes)
			meta[key] = value
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("not a valid ONNX file: %w", err)
	}
	if f.Graph == nil || len(f.Opsets) == 0 {
		return nil, errors.New("not a valid ONNX file: it has no graph or no operator-set version")
	}
	f.Graph.Metadata = meta
	return f, nil
}

// field is one decoded field: one of the two is set, by wire type.
type field struct {
	wire   protowire.Type
	varint uint64 // varint, fixed32 and fixed64
	bytes  []byte
}

// eachField walks a message. Groups are refused: ONNX has none.
func eachField(data []byte, visit func(protowire.Number, field) error) error {
	for len(data) > 0 {
		num, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		v := field{wire: wire}
		switch wire {
		case protowire.VarintType:
			v.varint, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(data)
			v.varint = uint64(x)
		case protowire.Fixed64Type:
			v.varint, n = protowire.ConsumeFixed64(data)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(data)
		default:
			return fmt.Errorf("field %d has wire type %d", num, wire)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if err := visit(num, v); err != nil {
			return err
		}
	}
	return nil
}

func decodeOpset(data []byte) (domain string, version int, err error) {
	err = eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			domain = string(v.bytes)
		case 2:
			version = int(v.varint)
		}
		return nil
	})
	if domain == "ai.onnx" {
		domain = ""
	}
	return domain, version, err
}

func decodeEntry(data []byte) (key, value string, err error) {
	err = eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			key = string(v.bytes)
		case 2:
			value = string(v.bytes)
		}
		return nil
	})
	return key, value, err
}

func decodeFunction(data []byte) (*Function, error) {
	f := &Function{Defaults: Attrs{}}
	err := eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			f.Name = string(v.bytes)
		case 4:
			f.Inputs = append(f.Inputs, string(v.bytes))
		case 5:
			f.Outputs = append(f.Outputs, string(v.bytes))
		case 7:
			n, err := decodeNode(v.bytes, 0)
			f.Nodes = append(f.Nodes, n)
			return err
		case 9:
			domain, version, err := decodeOpset(v.bytes)
			if domain == "" {
				f.Opset = version
			}
			return err
		case 10:
			f.Domain = string(v.bytes)
		case 11:
			name, value, err := decodeAttribute(v.bytes, 0)
			f.Defaults[name] = value
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("function %q: %w", f.Name, err)
	}
	return f, nil
}

func decodeGraph(data []byte, depth int) (*Graph, error) {
	if depth > maxDepth {
		return nil, errors.New("graphs lie too deep in graphs")
	}
	g := &Graph{}
	err := eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			n, err := decodeNode(v.bytes, depth)
			g.Nodes = append(g.Nodes, n)
			return err
		case 2:
			g.Name = string(v.bytes)
		case 5:
			t, err := decodeTensor(v.bytes)
			g.Initializers = append(g.Initializers, t)
			return err
		case 11:
			in, err := decodeValue(v.bytes)
			g.Inputs = append(g.Inputs, in)
			return err
		case 12:
			out, err := decodeValue(v.bytes)
			g.Outputs = append(g.Outputs, out)
			return err
		case 15:
			return errors.New("sparse initializers are not supported")
		}
		return nil
	})
	return g, err
}

func decodeNode(data []byte, depth int) (*Node, error) {
	n := &Node{Attrs: Attrs{}}
	err := eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			n.Inputs = append(n.Inputs, string(v.bytes))
		case 2:
			n.Outputs = append(n.Outputs, string(v.bytes))
		case 3:
			n.Name = string(v.bytes)
		case 4:
			n.Op = string(v.bytes)
		case 5:
			name, value, err := decodeAttribute(v.bytes, depth)
			if err != nil {
				return fmt.Errorf("attribute %q: %w", name, err)
			}
			n.Attrs[name] = value
		case 7:
			if n.Domain = string(v.bytes); n.Domain == "ai.onnx" {
				n.Domain = ""
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", n.Op, n.Name, err)
	}
	return n, nil
}

// decodeAttribute reads an attribute. Writers before IR version 3 leave the type
// out; the field that is there then tells.
func decodeAttribute(data []byte, depth int) (name string, value any, err error) {
	var ints []int64
	var floats []float32
	var strs []string
	kind := 0
	err = eachField(data, func(num protowire.Number, v field) (err error) {
		switch num {
		case 1:
			name = string(v.bytes)
		case 2:
			value = math.Float32frombits(uint32(v.varint))
		case 3:
			value = int64(v.varint)
		case 4:
			value = string(v.bytes)
		case 5:
			value, err = decodeTensor(v.bytes)
		case 6:
			value, err = decodeGraph(v.bytes, depth+1)
		case 11:
			err = errors.New("lists of graphs are not supported")
		case 7:
			floats, err = appendFloats(floats, v)
		case 8:
			ints, err = appendInts(ints, v)
		case 9:
			strs = append(strs, string(v.bytes))
		case 10, 22:
			err = errors.New("lists of tensors and sparse tensors are not supported")
		case 20:
			kind = int(v.varint)
		case 21:
			value = AttrRef(v.bytes)
		}
		return err
	})
	if _, ref := value.(AttrRef); ref {
		kind = 0
	}
	switch {
	case err != nil:
	case kind == 6 || floats != nil:
		value = floats
	case kind == 7 || ints != nil:
		value = ints
	case kind == 8 || strs != nil:
		value = strs
	case value == nil: // proto3 writers omit zeros
		value = map[int]any{1: float32(0), 2: int64(0), 3: ""}[kind]
		if value == nil {
			err = fmt.Errorf("it has no value of type %d", kind)
		}
	}
	return name, value, err
}

func appendInts(out []int64, v field) ([]int64, error) {
	if v.wire == protowire.VarintType {
		return append(out, int64(v.varint)), nil
	}
	for b := v.bytes; len(b) > 0; {
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		out, b = append(out, int64(x)), b[n:]
	}
	return out, nil
}

func appendFloats(out []float32, v field) ([]float32, error) {
	if v.wire == protowire.Fixed32Type {
		return append(out, math.Float32frombits(uint32(v.varint))), nil
	}
	if len(v.bytes)%4 != 0 {
		return nil, errors.New("packed floats are cut off")
	}
	for b := v.bytes; len(b) > 0; b = b[4:] {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return out, nil
}

// decodeValue reads a typed input or output. Open dimensions are Batch.
func decodeValue(data []byte) (Value, error) {
	var value Value
	err := eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			value.Name = string(v.bytes)
		case 2:
			return eachField(v.bytes, func(num protowire.Number, v field) error {
				if num != 1 {
					return fmt.Errorf("%q is not a dense tensor", value.Name)
				}
				return decodeTensorType(v.bytes, &value)
			})
		}
		return nil
	})
	return value, err
}

func decodeTensorType(data []byte, value *Value) error {
	return eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 1:
			value.Type = DType(v.varint)
		case 2:
			value.Shape = []int{}
			return eachField(v.bytes, func(num protowire.Number, v field) error {
				if num != 1 {
					return nil
				}
				d, err := decodeDim(v.bytes)
				value.Shape = append(value.Shape, d)
				return err
			})
		}
		return nil
	})
}

func decodeDim(data []byte) (int, error) {
	dim := Batch
	err := eachField(data, func(num protowire.Number, v field) error {
		if num == 1 {
			if dim = int(v.varint); dim <= 0 {
				dim = Batch // some writers say 0 or -1 for a dimension that is not known
			}
		}
		return nil
	})
	return dim, err
}
