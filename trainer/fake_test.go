package trainer

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"orchestrator/tools/testenv"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/ort/orttest"
	"orchestrator/trainer/rng"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(testenv.Exit)) }

// pictures is a data set in memory. Class c has its brightest spot in the c-th
// quarter of the picture, under noise.
type pictures struct {
	channels, size, crop, classes int
	bytes                         [][]uint8
	labels                        []int
	broken                        int // sample whose Window fails; -1: none
}

func newPictures(n, classes int) *pictures {
	const channels, size = 2, 8
	d := &pictures{channels: channels, size: size, crop: 6, classes: classes, broken: -1}
	r := rng.New(1, "pictures")
	for i := range n {
		label := i % classes
		picture := make([]uint8, channels*size*size)
		for k := range picture {
			picture[k] = uint8(r.IntN(120))
		}
		for y := range size / 2 {
			for x := range size / 2 {
				at := (y+label/2*size/2)*size + x + label%2*size/2
				picture[at] += 100
			}
		}
		d.bytes, d.labels = append(d.bytes, picture), append(d.labels, label)
	}
	return d
}

func (d *pictures) Label(sample int) int          { return d.labels[sample] }
func (d *pictures) File(sample int) string        { return fmt.Sprintf("%d.png", sample) }
func (d *pictures) Geometry() (c, h, w, crop int) { return d.channels, d.size, d.size, d.crop }
func (d *pictures) Normalisation() (mean, scale []float32) {
	return []float32{80, 60}, []float32{0.02, 0.02}
}

func (d *pictures) Window(dst []uint8, sample, top, left int, mirror bool) error {
	if sample == d.broken {
		return fmt.Errorf("sample %d is broken", sample)
	}
	side := d.crop
	if side == 0 {
		side = d.size
	}
	for c := range d.channels {
		for y := range side {
			row := dst[(c*side+y)*side:][:side]
			copy(row, d.bytes[sample][(c*d.size+y+top)*d.size+left:])
			if mirror {
				slices.Reverse(row)
			}
		}
	}
	return nil
}

// layers of the test network.
type layers struct{ dropout, batchNorm, softmax bool }

// network is conv 3x3, [batch norm], relu, max pool 2x2, [dropout], linear,
// [softmax], for 2x6x6 pictures.
func network(classes int, with layers) *onnx.Graph {
	const channels, maps, side = 2, 4, 6
	r := rng.New(3, "weights")
	g := &onnx.Graph{
		Name:     "tiny",
		Inputs:   []onnx.Value{{Name: "data", Type: onnx.Float, Shape: []int{onnx.Batch, channels, side, side}}},
		Metadata: map[string]string{},
	}
	at := "data"
	add := func(op string, attrs onnx.Attrs, params ...*onnx.Tensor) {
		n := &onnx.Node{Name: op, Op: op, Inputs: []string{at}, Outputs: []string{op + "_out"}, Attrs: attrs}
		for _, p := range params {
			g.Initializers = append(g.Initializers, p)
			n.Inputs = append(n.Inputs, p.Name)
		}
		g.Nodes = append(g.Nodes, n)
		at = n.Outputs[0]
	}
	param := func(name string, scale float64, shape ...int) *onnx.Tensor {
		t := onnx.NewTensor(onnx.Float, shape...)
		t.Name, t.Param = name, true
		for i := range t.F32() {
			t.F32()[i] = float32(scale * r.NormFloat64())
		}
		return t
	}
	add("Conv", onnx.Attrs{"kernel_shape": []int64{3, 3}, "pads": []int64{1, 1, 1, 1}},
		param("conv_w", 0.3, maps, channels, 3, 3), param("conv_b", 0, maps))
	if with.batchNorm {
		scale, mean, variance := param("bn_s", 0, maps), param("bn_m", 0, maps), param("bn_v", 0, maps)
		mean.Param, variance.Param = false, false
		for i := range maps {
			scale.F32()[i], variance.F32()[i] = 1, 1
		}
		add("BatchNormalization", nil, scale, param("bn_b", 0, maps), mean, variance)
	}
	add("Relu", nil)
	add("MaxPool", onnx.Attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}})
	if with.dropout {
		add("Dropout", nil)
	}
	add("Flatten", onnx.Attrs{"axis": int64(1)})
	features := maps * side / 2 * side / 2
	add("Gemm", onnx.Attrs{"transB": int64(1)}, param("fc_w", 0.1, classes, features), param("fc_b", 0, classes))
	if with.softmax {
		add("Softmax", onnx.Attrs{"axis": int64(1)})
	}
	g.Outputs = []onnx.Value{{Name: at, Type: onnx.Float, Shape: []int{onnx.Batch, classes}}}
	return g
}

// smallJob trains on 10 samples in mini-batches of 4, 4 and 2, and tests on 5.
func smallJob(with layers) Job {
	return Job{
		Model: network(2, with), Classes: []string{"a", "b"}, Data: newPictures(15, 2),
		Train: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, Test: []int{14, 13, 12, 11, 10},
		LearningRate: 0.05, Momentum: 0.9, WeightDecay: 0.001, Policy: Policy{Name: "step", EveryEpochs: 1, Gamma: 0.5},
		Epochs: 2, BatchSize: 4, EvalBatch: 2, Seed: 42, Mirror: true,
		Metadata: map[string]string{"classes": `["a","b"]`},
	}
}

// memory keeps the newest checkpoint in its stored form.
type memory struct {
	stored    []byte
	positions [][2]int // epoch and step of every checkpoint saved
	err       error
}

func (m *memory) Save(c Checkpoint) error {
	var buf bytes.Buffer
	if err := EncodeCheckpoint(&buf, c); err != nil {
		return err
	}
	m.stored = buf.Bytes()
	m.positions = append(m.positions, [2]int{c.Epoch, c.Step})
	return m.err
}

func (m *memory) Latest() (*Checkpoint, error) {
	if m.err != nil || m.stored == nil {
		return nil, m.err
	}
	return DecodeCheckpoint(bytes.NewReader(m.stored))
}

func newRuntime(t testing.TB) Runtime {
	t.Helper()
	return RuntimeOf(orttest.New(t, 2))
}

// counting calls after after each run of any session.
type counting struct {
	Runtime
	after func()
}

func (c counting) Open(g *onnx.Graph) (Session, error) {
	s, err := c.Runtime.Open(g)
	return countingSession{s, c.after}, err
}

type countingSession struct {
	Session
	after func()
}

func (c countingSession) Run(inputs, outputs []*onnx.Tensor) error {
	err := c.Session.Run(inputs, outputs)
	c.after()
	return err
}

// hostMemory lends Go's memory.
type hostMemory struct{ DeviceMemory }

func (hostMemory) Lend(v onnx.Value) (*onnx.Tensor, error) {
	return onnx.NewTensor(v.Type, v.Shape...), nil
}

func mustBatch(t testing.TB, micro, parts int, of []onnx.Value, masks []compile.Mask) *batch {
	t.Helper()
	b, err := newBatch(hostMemory{}, micro, parts, of, masks)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
