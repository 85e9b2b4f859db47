package onnxeval

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"orchestrator/trainer/onnx"
)

// arr reads an array as the tables write it: an optional type, the shape, an
// equals sign and the elements in row-major order. "2x2 = 1 2 3 4" is a float
// matrix, "int64 3 = 0 1 2" a vector, "= 5" a scalar, "" an absent input.
func arr(text string) *Array {
	if text == "" {
		return nil
	}
	head, data, ok := strings.Cut(text, "=")
	if !ok {
		panic("an array without an equals sign: " + text)
	}
	a := &Array{Shape: []int{}, Data: []float64{}}
	for _, word := range strings.Fields(head) {
		switch word {
		case "int64":
			a.Type = onnx.Int64
		case "bool":
			a.Type = onnx.Bool
		case "float16":
			a.Type = onnx.Float16
		case "bfloat16":
			a.Type = onnx.BFloat16
		default:
			for _, d := range strings.Split(word, "x") {
				n, err := strconv.Atoi(d)
				if err != nil {
					panic(err)
				}
				a.Shape = append(a.Shape, n)
			}
		}
	}
	for _, word := range strings.Fields(data) {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil {
			panic(err)
		}
		a.Data = append(a.Data, x)
	}
	if len(a.Data) == 1 && product(a.Shape) > 1 { // one element fills the array
		for len(a.Data) < product(a.Shape) {
			a.Data = append(a.Data, a.Data[0])
		}
	}
	if product(a.Shape) != len(a.Data) {
		panic(fmt.Sprintf("%q: %d elements for shape %v", text, len(a.Data), a.Shape))
	}
	return a
}

// attrs are a case's attributes, with plain Go types.
type attrs map[string]any

func (a attrs) onnx() onnx.Attrs {
	out := onnx.Attrs{}
	for k, v := range a {
		switch v := v.(type) {
		case int:
			out[k] = int64(v)
		case []int:
			out[k] = toInt64s(v)
		case float64:
			out[k] = float32(v)
		default:
			out[k] = v
		}
	}
	return out
}

// opCase is one line of an operator's definition by example.
type opCase struct {
	op    string
	attrs attrs
	in    []string
	want  []string // fewer than the operator has: the first ones
}

func (c opCase) run(t *testing.T) {
	t.Helper()
	n := &onnx.Node{Op: c.op, Name: "n", Attrs: c.attrs.onnx(), Outputs: make([]string, len(c.want))}
	if domain, op, ok := strings.Cut(c.op, "microsoft."); ok {
		n.Domain, n.Op = domain+"microsoft", op
	}
	var in []*Array
	for _, text := range c.in {
		in = append(in, arr(text))
	}
	out, err := Node(n, in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < len(c.want) {
		t.Fatalf("%d outputs, want %d", len(out), len(c.want))
	}
	for i, text := range c.want {
		want := arr(text)
		if diff := compare(out[i], want, 1e-6); diff != "" {
			t.Errorf("output %d: %s\n got %v %v\nwant %v %v", i, diff, out[i].Shape, out[i].Data, want.Shape, want.Data)
		}
		if want.Type != 0 && out[i].Type != want.Type {
			t.Errorf("output %d has type %v, want %v", i, out[i].Type, want.Type)
		}
	}
}

// compare describes the first difference of shape or, beyond a relative or
// absolute tolerance, of an element.
func compare(got, want *Array, tolerance float64) string {
	if fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		return fmt.Sprintf("shape %v, want %v", got.Shape, want.Shape)
	}
	for i, w := range want.Data {
		g := got.Data[i]
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(g-w) <= tolerance*max(1, math.Abs(w))) {
			return fmt.Sprintf("element %d is %v, want %v", i, g, w)
		}
	}
	return ""
}
