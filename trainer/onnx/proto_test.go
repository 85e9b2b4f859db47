package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"orchestrator/tools/testenv"

	"google.golang.org/protobuf/encoding/protowire"
)

// everything is a graph with every kind of tensor, attribute and value.
func everything() *Graph {
	return &Graph{
		Name:   "everything",
		Inputs: []Value{{Name: "x", Type: Float, Shape: []int{Batch, 3, 4, 4}}, {Name: "lr", Type: Double, Shape: []int{}}},
		Outputs: []Value{
			{Name: "y", Type: Float, Shape: []int{Batch, 3}},
		},
		Initializers: []*Tensor{
			{Name: "f", Type: Float, Shape: []int{2, 2}, Data: []float32{0, -1.5, float32(math.Inf(1)), 1e-45}},
			{Name: "d", Type: Double, Shape: []int{1}, Data: []float64{math.Pi}},
			{Name: "l", Type: Int64, Shape: []int{2}, Data: []int64{math.MaxInt64, math.MinInt64}},
			{Name: "i", Type: Int32, Shape: []int{}, Data: []int32{-7}},
			{Name: "u", Type: Uint8, Shape: []int{3}, Data: []uint8{0, 1, 255}},
			{Name: "s", Type: Int8, Shape: []int{2}, Data: []int8{-128, 127}},
			{Name: "b", Type: Bool, Shape: []int{2}, Data: []bool{true, false}},
			{Name: "none", Type: Float, Shape: []int{0}, Data: []float32{}},
		},
		Nodes: []*Node{
			{Name: "odd", Op: "Odd", Inputs: []string{"x", "", "f"}, Outputs: []string{"m", ""}, Attrs: Attrs{
				"int": int64(-3), "zero": int64(0), "float": float32(0.25), "string": "text", "empty": "", "ints": []int64{1, -2},
				"floats": []float32{1, 2}, "strings": []string{"p", "q"}, "tensor": &Tensor{Type: Int64, Shape: []int{1}, Data: []int64{9}},
			}},
			{Name: "fused", Domain: "com.microsoft", Op: "FusedMatMul", Inputs: []string{"m", "f"}, Outputs: []string{"y"}, Attrs: Attrs{}},
		},
		Metadata: map[string]string{"orchestrator.a": "1", "b": ""},
	}
}

func TestEncodeDecode(t *testing.T) {
	g := everything()
	data, err := Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	file, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(file.Graph, g) {
		t.Errorf("decoded\n%s\nwant\n%s", dump(t, file.Graph), dump(t, g))
	}
	if file.IRVersion != 8 || file.Opsets[""] != Opset || file.Opsets["com.microsoft"] != 1 || len(file.Opsets) != 2 {
		t.Errorf("IR version %d, opsets %v", file.IRVersion, file.Opsets)
	}
	again, err := Encode(g)
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("the same graph gave other bytes (%v)", err)
	}
	if !bytes.Contains(data, []byte("\x12\x01N")) {
		t.Error("the open batch is not written as the dimension N")
	}
}

func dump(t *testing.T, g *Graph) string {
	t.Helper()
	var b strings.Builder
	if err := Dump(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEncodeErrors(t *testing.T) {
	for name, change := range map[string]func(*Graph){
		`"f"`:    func(g *Graph) { g.Initializers[0].Shape = []int{5} },
		`"half"`: func(g *Graph) { g.Initializers[0] = &Tensor{Name: "half", Type: Float16, Data: []uint16{1}} },
		`"odd"`:  func(g *Graph) { g.Nodes[0].Attrs["what"] = struct{}{} },
	} {
		g := everything()
		change(g)
		if _, err := Encode(g); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v; it must name %s", err, name)
		}
	}
}

// TestRealFiles: what exporters wrote survives being written and read again.
func TestRealFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Data(t, "models"), "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no networks: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if file.IRVersion < 3 || file.Opsets[""] < 7 || len(file.Graph.Nodes) < 20 {
				t.Errorf("IR version %d, opset %d, %d nodes", file.IRVersion, file.Opsets[""], len(file.Graph.Nodes))
			}
			written, err := Encode(file.Graph)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Decode(written)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(again.Graph, file.Graph) {
				t.Error("the graph changed")
			}
		})
	}
}

// modelWith is a file whose graph has the one field.
func modelWith(num protowire.Number, field []byte) []byte {
	return putBytes(putBytes(nil, 7, putBytes(nil, num, field)), 8, putVarint(nil, 2, Opset))
}

// tensorFile is a file with one initializer t of the given type and shape; data
// are the fields that hold its elements.
func tensorFile(kind int64, shape []int64, data ...[]byte) []byte {
	var t []byte
	for _, d := range shape {
		t = putVarint(t, 1, d)
	}
	t = putString(putVarint(t, 2, kind), 8, "t")
	return modelWith(5, append(t, slices.Concat(data...)...))
}

func raw(b ...byte) []byte { return putBytes(nil, 9, b) }

func packed(num protowire.Number, xs ...uint64) []byte {
	var b []byte
	for _, x := range xs {
		b = protowire.AppendVarint(b, x)
	}
	return putBytes(nil, num, b)
}

func le32(x float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)) }

// TestTensorForms: the standard has several ways to write the same numbers.
func TestTensorForms(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		kind DType
		want any
	}{
		{"raw float", tensorFile(1, []int64{2}, raw(0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0)), Float, []float32{1, -2}},
		{"float_data packed", tensorFile(1, []int64{2}, putBytes(nil, 4, append(le32(1), le32(-2)...))), Float, []float32{1, -2}},
		{"float_data one by one", tensorFile(1, []int64{1}, append(protowire.AppendTag(nil, 4, protowire.Fixed32Type), le32(3)...)), Float, []float32{3}},
		{"int64_data", tensorFile(7, []int64{2}, packed(7, 5, math.MaxUint64)), Int64, []int64{5, -1}},
		{"int32_data", tensorFile(6, []int64{1}, packed(5, math.MaxUint64)), Int32, []int32{-1}},
		{"int32_data as bool", tensorFile(9, []int64{2}, packed(5, 1, 0)), Bool, []bool{true, false}},
		{"int32_data as uint8", tensorFile(2, []int64{1}, packed(5, 200)), Uint8, []uint8{200}},
		{"int32_data as int8", tensorFile(3, []int64{1}, packed(5, math.MaxUint64)), Int8, []int8{-1}},
		{"double_data", tensorFile(11, []int64{1}, putBytes(nil, 10, binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)))), Double, []float64{0.1}},
		{"raw int64", tensorFile(7, []int64{1}, raw(254, 255, 255, 255, 255, 255, 255, 255)), Int64, []int64{-2}},
		// halves: 1, -2, 65504, the smallest subnormal, infinity
		{"raw float16", tensorFile(10, []int64{5}, raw(0, 0x3c, 0, 0xc0, 0xff, 0x7b, 1, 0, 0, 0x7c)), Float, []float32{1, -2, 65504, 1.0 / (1 << 24), float32(math.Inf(1))}},
		{"int32_data as float16", tensorFile(10, []int64{1}, packed(5, 0x3c00)), Float, []float32{1}},
		{"raw bfloat16", tensorFile(16, []int64{2}, raw(0x80, 0x3f, 0, 0xc0)), Float, []float32{1, -2}},
		{"int32_data as bfloat16", tensorFile(16, []int64{1}, packed(5, 0x3f80)), Float, []float32{1}},
		{"a scalar", tensorFile(1, nil, raw(0, 0, 0x80, 0x3f)), Float, []float32{1}},
		{"no elements", tensorFile(1, []int64{0}), Float, []float32{}},
	} {
		file, err := Decode(c.data)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := file.Graph.Initializers[0]; got.Type != c.kind || !reflect.DeepEqual(got.Data, c.want) {
			t.Errorf("%s: %s %v, want %s %v", c.name, got.Type, got.Data, c.kind, c.want)
		}
	}
}

// TestHalfToFloat compares with the definition of binary16 for every number.
func TestHalfToFloat(t *testing.T) {
	for h := range 1 << 16 {
		exp, frac := h>>10&0x1f, float64(h&0x3ff)
		want := math.Ldexp(1+frac/1024, exp-15)
		switch exp {
		case 0:
			want = math.Ldexp(frac/1024, -14)
		case 31:
			want = math.Inf(1)
			if frac != 0 {
				want = math.NaN()
			}
		}
		if h>>15 == 1 {
			want = -want
		}
		got := float64(halfToFloat(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) && !math.IsNaN(want) {
			t.Fatalf("%#04x is %v, want %v", h, got, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	attribute := func(field []byte) []byte {
		a := append(putString(nil, 1, "body"), field...)
		return modelWith(1, putBytes(putString(putString(nil, 3, "loop1"), 4, "Loop"), 5, a))
	}
	for _, c := range []struct {
		name string
		data []byte
		says []string
	}{
		{"nothing", nil, []string{"ONNX"}},
		{"text", []byte("hello"), []string{"ONNX"}},
		{"no graph", putBytes(nil, 8, putVarint(nil, 2, Opset)), []string{"graph"}},
		{"too few bytes", tensorFile(1, []int64{2}, raw(0, 0, 0, 0)), []string{`"t"`, "4 bytes"}},
		{"too few floats", tensorFile(1, []int64{2}, putBytes(nil, 4, le32(1))), []string{`"t"`}},
		{"an enormous shape", tensorFile(1, []int64{1 << 40, 1 << 40}), []string{`"t"`}},
		{"a negative shape", tensorFile(1, []int64{-4}), []string{`"t"`}},
		{"strings", tensorFile(8, []int64{1}), []string{`"t"`, "not supported"}},
		{"data in another file", tensorFile(1, []int64{1}, putBytes(nil, 13, putString(nil, 1, "location"))), []string{`"t"`, "another file"}},
		{"graphs in a node", attribute(putBytes(nil, 11, putString(nil, 2, "inner"))), []string{"loop1", "body"}},
		{"graphs without end", attribute(nested(40)), []string{"loop1", "too deep"}},
		{"a sparse initializer", modelWith(15, nil), []string{"sparse"}},
		{"a sparse attribute", attribute(putBytes(nil, 22, nil)), []string{"loop1", "sparse"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(c.data)
			if err == nil {
				t.Fatal("it was decoded")
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not speak of %q", err, word)
				}
			}
		})
	}
}

// TestDecodeAllocatesByTheData: a few bytes that promise gigabytes cost nothing.
func TestDecodeAllocatesByTheData(t *testing.T) {
	data := tensorFile(1, []int64{1 << 20, 1 << 12})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decode(data)
	runtime.ReadMemStats(&after)
	if err == nil || after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Errorf("%d bytes of input took %d bytes (%v)", len(data), after.TotalAlloc-before.TotalAlloc, err)
	}
}

// FuzzDecode: any bytes give a file or an error, and what was decoded can be
// written and read again.
func FuzzDecode(f *testing.F) {
	data, err := Encode(everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add(tensorFile(10, []int64{1}, packed(5, 0x3c00)))
	f.Add(tensorFile(1, []int64{2}, putBytes(nil, 4, append(le32(1), le32(-2)...))))
	f.Add(tensorFile(1, []int64{1 << 40, 1 << 40}))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Decode(data)
		if err != nil {
			return
		}
		written, err := Encode(file.Graph)
		if err != nil {
			t.Fatalf("decoded, but not to be encoded: %v", err)
		}
		again, err := Decode(written)
		if err != nil {
			t.Fatalf("encoded, but not to be decoded: %v", err)
		}
		second, err := Encode(again.Graph)
		if err != nil || !bytes.Equal(second, written) {
			t.Fatalf("the second time round gave other bytes (%v)", err)
		}
	})
}

// nested is an attribute with a graph whose only node has one, and so on.
func nested(depth int) []byte {
	var attribute []byte
	for range depth {
		node := putBytes(putString(nil, 4, "If"), 5, append(putString(nil, 1, "then_branch"), attribute...))
		attribute = putBytes(nil, 6, putBytes(nil, 1, node))
	}
	return attribute
}
