package caffe

import (
	"math"
	"strconv"
)

// message is a protobuf message by field names, wherever it came from.
type message struct {
	words    map[string][]string  // texts, names of enums, and numbers of a prototxt
	numbers  map[string][]float64 // numbers of a binary file
	messages map[string][]*message
	data     []float32 // of a blob
	line     int       // in a prototxt
}

func newMessage(line int) *message {
	return &message{words: map[string][]string{}, numbers: map[string][]float64{}, messages: map[string][]*message{}, line: line}
}

// none stands for a message that is not there: all of its fields have defaults.
var none = newMessage(0)

// child is the first message of a field, or none.
func (m *message) child(name string) *message {
	if all := m.messages[name]; len(all) > 0 {
		return all[0]
	}
	return none
}

// word is the first text of a field, or def.
func (m *message) word(name, def string) string {
	if all := m.words[name]; len(all) > 0 {
		return all[0]
	}
	return def
}

// all are the numbers of a repeated field.
func (m *message) all(name string) []float64 {
	numbers := m.numbers[name]
	for _, w := range m.words[name] {
		numbers = append(numbers, number(w))
	}
	return numbers
}

// number reads a number or truth value of a prototxt; NaN where it is neither.
func number(w string) float64 {
	switch w {
	case "true":
		return 1
	case "false":
		return 0
	}
	x, err := strconv.ParseFloat(w, 64)
	if err != nil {
		return math.NaN()
	}
	return x
}

// float is the last number of a field, as protobuf has it, or def.
func (m *message) float(name string, def float64) float64 {
	if all := m.all(name); len(all) > 0 {
		return all[len(all)-1]
	}
	return def
}

// integer is the last whole number of a field, or def; -1<<31 where it is none.
func (m *message) integer(name string, def int) int {
	x := m.float(name, float64(def))
	if x != math.Trunc(x) || math.Abs(x) > 1<<31 {
		return math.MinInt32
	}
	return int(x)
}

func (m *message) is(name string, def bool) bool {
	if def {
		return m.integer(name, 1) != 0
	}
	return m.integer(name, 0) != 0
}
