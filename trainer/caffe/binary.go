package caffe

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// readBinary reads a message of a schema. What it allocates is bounded by what the
// data hold. strict refuses fields that a network has.
func readBinary(data []byte, schema string, depth int) (*message, error) {
	const deepest = 10
	if depth > deepest {
		return nil, fmt.Errorf("messages nest deeper than %d", deepest)
	}
	m := newMessage(0)
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		data = data[n:]
		n = protowire.ConsumeFieldValue(number, wire, data)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		if f, known := schemas[schema][int(number)]; known {
			if err := m.read(f, wire, data[:n], depth); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		data = data[n:]
	}
	return m, nil
}

// read takes one field's value.
func (m *message) read(f field, wire protowire.Type, data []byte, depth int) error {
	switch {
	case wire == protowire.BytesType:
		content, _ := protowire.ConsumeBytes(data)
		return m.readBytes(f, content, depth)
	case wire == protowire.VarintType && f.kind == integer:
		x, _ := protowire.ConsumeVarint(data)
		m.numbers[f.name] = append(m.numbers[f.name], float64(int64(x)))
	case wire == protowire.VarintType && f.kind == enum:
		x, _ := protowire.ConsumeVarint(data)
		m.words[f.name] = append(m.words[f.name], enumName(f, int(x)))
	case wire == protowire.Fixed32Type && f.kind == float:
		x, _ := protowire.ConsumeFixed32(data)
		m.addFloats(f.name, math.Float32frombits(x))
	case wire == protowire.Fixed64Type && f.kind == double:
		x, _ := protowire.ConsumeFixed64(data)
		m.addFloats("data", float32(math.Float64frombits(x)))
	default:
		return fmt.Errorf("it is written as no such field is (wire type %d)", wire)
	}
	return nil
}

func enumName(f field, x int) string {
	if name, ok := f.enum[x]; ok {
		return name
	}
	return fmt.Sprintf("%s %d", f.name, x)
}

// readBytes takes a text, a message, or packed numbers.
func (m *message) readBytes(f field, data []byte, depth int) error {
	switch f.kind {
	case text:
		m.words[f.name] = append(m.words[f.name], string(data))
	case nested:
		child, err := readBinary(data, f.of, depth+1)
		if err != nil {
			return err
		}
		m.messages[f.name] = append(m.messages[f.name], child)
	case float:
		if len(data)%4 != 0 {
			return fmt.Errorf("%d bytes are no float numbers", len(data))
		}
		values := make([]float32, len(data)/4)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		m.addFloats(f.name, values...)
	case double:
		if len(data)%8 != 0 {
			return fmt.Errorf("%d bytes are no double numbers", len(data))
		}
		values := make([]float32, len(data)/8)
		for i := range values {
			values[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])))
		}
		m.addFloats("data", values...)
	case integer, enum:
		for len(data) > 0 {
			x, n := protowire.ConsumeVarint(data)
			if n < 0 {
				return protowire.ParseError(n)
			}
			m.numbers[f.name] = append(m.numbers[f.name], float64(int64(x)))
			data = data[n:]
		}
	}
	return nil
}

// addFloats keeps a blob's values in 32 bits, and other numbers with the rest.
func (m *message) addFloats(name string, values ...float32) {
	if name == "data" {
		if len(m.data) == 0 && len(values) > 1 {
			m.data = values
			return
		}
		m.data = append(m.data, values...)
		return
	}
	for _, x := range values {
		m.numbers[name] = append(m.numbers[name], float64(x))
	}
}
