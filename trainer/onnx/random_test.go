package onnx

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// TestRandomGraphsSurviveEncoding: whatever a graph holds, it comes back, and
// the same graph gives the same bytes.
func TestRandomGraphsSurviveEncoding(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for i := range 300 {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		g := randomGraph(r)
		data, err := Encode(g)
		if err != nil {
			t.Fatalf("seed %d, graph %d: %v", seed, i, err)
		}
		file, err := Decode(data)
		if err != nil {
			t.Fatalf("seed %d, graph %d: %v", seed, i, err)
		}
		if !reflect.DeepEqual(file.Graph, g) {
			t.Fatalf("seed %d, graph %d: got\n%s\nwant\n%s", seed, i, dump(t, file.Graph), dump(t, g))
		}
		if again, err := Encode(file.Graph); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("seed %d, graph %d: other bytes the second time (%v)", seed, i, err)
		}
	}
}

// TestEmptyGraphs: nothing is something to write and read, too.
func TestEmptyGraphs(t *testing.T) {
	for _, g := range []*Graph{
		{Name: "empty", Metadata: map[string]string{}},
		{Name: "identity", Inputs: []Value{{Name: "x", Type: Float, Shape: []int{}}}, Outputs: []Value{{Name: "x", Type: Float, Shape: []int{}}}, Metadata: map[string]string{}},
	} {
		data, err := Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		file, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(file.Graph, g) {
			t.Errorf("got %+v, want %+v", file.Graph, g)
		}
	}
}

// randomGraph need not mean anything: the encoding does not look at that.
func randomGraph(r *rand.Rand) *Graph {
	g := &Graph{Name: randomText(r), Metadata: map[string]string{}}
	if g.Name == "" {
		g.Name = "graph"
	}
	for range r.IntN(3) {
		g.Metadata[randomText(r)] = randomText(r)
	}
	for range r.IntN(4) {
		g.Inputs = append(g.Inputs, randomValue(r))
	}
	for range r.IntN(4) {
		g.Outputs = append(g.Outputs, randomValue(r))
	}
	for range r.IntN(4) {
		t := randomTensor(r)
		t.Name = randomText(r)
		g.Initializers = append(g.Initializers, t)
	}
	for range r.IntN(5) {
		n := &Node{Name: randomText(r), Op: randomText(r), Domain: []string{"", microsoft}[r.IntN(2)], Attrs: Attrs{}}
		for range r.IntN(4) {
			n.Inputs = append(n.Inputs, randomText(r))
		}
		for range r.IntN(3) {
			n.Outputs = append(n.Outputs, randomText(r))
		}
		for i := range r.IntN(6) {
			n.Attrs[fmt.Sprint(randomText(r), i)] = randomAttribute(r)
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g
}

func randomText(r *rand.Rand) string {
	return []string{"", "x", "conv1/w", "a,b", "ü", "a b=\"c\"\n", "onnx::Conv_193"}[r.IntN(7)]
}

func randomValue(r *rand.Rand) Value {
	v := Value{Name: randomText(r), Type: []DType{Float, Double, Int64, Bool}[r.IntN(4)], Shape: []int{}}
	for range r.IntN(5) {
		v.Shape = append(v.Shape, 1+r.IntN(1000))
	}
	if len(v.Shape) > 0 && r.IntN(2) == 0 {
		v.Shape[0] = Batch
	}
	return v
}

func randomTensor(r *rand.Rand) *Tensor {
	shape := []int{}
	for range r.IntN(4) {
		shape = append(shape, r.IntN(4))
	}
	t := NewTensor([]DType{Float, Double, Int64, Int32, Uint8, Int8, Bool}[r.IntN(7)], shape...)
	switch data := t.Data.(type) {
	case []float32:
		for i := range data {
			data[i] = []float32{0, -1.5, math.MaxFloat32, 1e-45, float32(math.Inf(-1))}[r.IntN(5)]
		}
	case []float64:
		for i := range data {
			data[i] = r.NormFloat64()
		}
	case []int64:
		for i := range data {
			data[i] = int64(r.Uint64())
		}
	case []int32:
		for i := range data {
			data[i] = int32(r.Uint32())
		}
	case []uint8:
		for i := range data {
			data[i] = uint8(r.Uint32())
		}
	case []int8:
		for i := range data {
			data[i] = int8(r.Uint32())
		}
	case []bool:
		for i := range data {
			data[i] = r.IntN(2) == 0
		}
	}
	return t
}

func randomAttribute(r *rand.Rand) any {
	n := 1 + r.IntN(3)
	switch r.IntN(7) {
	case 0:
		return int64(r.Uint64())
	case 1:
		return float32(r.NormFloat64())
	case 2:
		return randomText(r)
	case 3:
		out := make([]int64, n)
		for i := range out {
			out[i] = int64(r.Uint64())
		}
		return out
	case 4:
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(r.NormFloat64())
		}
		return out
	case 5:
		out := make([]string, n)
		for i := range out {
			out[i] = randomText(r)
		}
		return out
	}
	return randomTensor(r)
}
