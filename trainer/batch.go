package trainer

import (
	"fmt"
	"iter"
	"slices"

	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/rng"
)

// content is what mini-batches are made of, and for what.
type content struct {
	train    bool
	features bool // instead of pictures
}

// batchSpec says what one mini-batch holds.
type batchSpec struct {
	content
	epoch   int   // from 0
	step    int   // from 0, within the epoch or the evaluation
	first   int   // position of samples[0] in the epoch's order
	crops   int   // of each sample in an evaluation, which stands there as often; 0: one
	samples []int // at least one, at most the buffer's rows
}

// plan yields all mini-batches that a job needs from a position on: of each
// epoch the training steps, then the evaluation. A finished job needs its last
// evaluation only, which is of pictures in any case.
func (j *Job) plan(epoch, step int) iter.Seq[batchSpec] {
	return func(yield func(batchSpec) bool) {
		if epoch >= j.Epochs {
			epoch, step = j.Epochs-1, j.steps()
		}
		features := j.Features != nil
		for ; epoch < j.Epochs; epoch, step = epoch+1, 0 {
			order := epochOrder(j.Train, j.Seed, epoch)
			for ; step < j.steps(); step++ {
				first := step * j.batch()
				s := batchSpec{content: content{train: true, features: features}, epoch: epoch, step: step, first: first}
				s.samples = order[first:min(first+j.batch(), len(order))]
				if !yield(s) {
					return
				}
			}
			for s := range evalPlan(j.Test, j.evalBatch(), epoch, j.crops(epoch)) {
				s.features = features && epoch < j.Epochs-1
				if !yield(s) {
					return
				}
			}
		}
	}
}

// crops is how many crops of each picture the evaluation after an epoch takes:
// oversampling is for the last one alone, which is what the outcome records.
func (j *Job) crops(epoch int) int {
	if epoch < j.Epochs-1 {
		return 1
	}
	return max(j.Oversample, 1)
}

// evalPlan yields the mini-batches of one evaluation.
func evalPlan(samples []int, rows, epoch, crops int) iter.Seq[batchSpec] {
	return func(yield func(batchSpec) bool) {
		step := 0
		for part := range slices.Chunk(repeated(samples, crops), rows) {
			if !yield(batchSpec{epoch: epoch, step: step, first: step * rows, crops: crops, samples: part}) {
				return
			}
			step++
		}
	}
}

// epochOrder is the permutation in which an epoch visits the training samples.
func epochOrder(train []int, seed int64, epoch int) []int {
	order := slices.Clone(train)
	rng.New(seed, "shuffle", epoch).Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	return order
}

// batch is a buffer for mini-batches of up to rows samples, and its views, one
// per micro-batch (or just one).
type batch struct {
	batchSpec
	err    error          // of filling it
	inputs []*onnx.Tensor // the pictures, or each of the values that are the features
	labels *onnx.Tensor
	// weights of the rows in the loss: 1/n for n real samples, times the weights
	// of their classes; 0 beyond.
	weights *onnx.Tensor
	masks   []mask
	views   []feed // of micro rows each
	micro   int
}

// mask is the randomness of one Dropout for the whole mini-batch.
type mask struct {
	compile.Mask
	values *onnx.Tensor
}

// newBatch allocates a buffer of parts views of micro rows each, in memory that a
// runtime lends. of are the inputs of one sample.
func newBatch(from DeviceMemory, micro, parts int, of []onnx.Value, masks []compile.Mask) (*batch, error) {
	rows := micro * parts
	b := &batch{micro: micro}
	var err error
	lend := func(t onnx.DType, row ...int) *onnx.Tensor {
		if err != nil {
			return nil
		}
		var lent *onnx.Tensor
		lent, err = from.Lend(onnx.Value{Type: t, Shape: append([]int{rows}, row...)})
		return lent
	}
	b.labels, b.weights = lend(onnx.Int64), lend(onnx.Float)
	for _, v := range of {
		b.inputs = append(b.inputs, lend(v.Type, v.Shape...))
	}
	for _, m := range masks {
		b.masks = append(b.masks, mask{m, lend(m.Value().Type, m.Value().Shape[1:]...)})
	}
	if err != nil {
		return nil, fmt.Errorf("allocate a mini-batch: %w", err)
	}
	b.divide(parts, of)
	return b, nil
}

// divide makes the views of the micro-batches.
func (b *batch) divide(parts int, of []onnx.Value) {
	micro := b.micro
	for i := range parts {
		from, to := i*micro, (i+1)*micro
		f := feed{"labels": rowsOf(b.labels, from, to), "weights": rowsOf(b.weights, from, to)}
		for k, v := range of {
			f[v.Name] = rowsOf(b.inputs[k], from, to)
		}
		for _, m := range b.masks {
			f[m.Input] = rowsOf(m.values, from, to)
		}
		b.views = append(b.views, f)
	}
}

// rowsOf is a view of some rows of t.
func rowsOf(t *onnx.Tensor, from, to int) *onnx.Tensor {
	shape := slices.Clone(t.Shape)
	shape[0] = to - from
	row := onnx.NumElements(shape[1:])
	v := &onnx.Tensor{Type: t.Type, Shape: shape}
	switch d := t.Data.(type) {
	case []uint8:
		v.Data = d[from*row : to*row]
	case []int64:
		v.Data = d[from*row : to*row]
	case []float32:
		v.Data = d[from*row : to*row]
	}
	return v
}

// used are the views that hold at least one real sample.
func (b *batch) used() []feed {
	return b.views[:(len(b.samples)+b.micro-1)/b.micro]
}

// source says where the samples of mini-batches come from, and how they vary.
type source struct {
	data     Data
	features Features // of mini-batches that hold features
	seed     int64
	mirror   bool
	center   bool // the crop of training, too
}

// fill reads the samples of spec and draws the masks.
func (b *batch) fill(spec batchSpec, from source) error {
	b.batchSpec = spec
	n, rows := len(spec.samples), b.labels.Shape[0]
	for i, sample := range spec.samples {
		if err := b.read(i, sample, from); err != nil {
			return fmt.Errorf("picture %s: %w", from.data.File(sample), err)
		}
		b.labels.I64()[i] = int64(max(from.data.Label(sample), 0))
		b.weights.F32()[i] = 1 / float32(n)
	}
	for i := n; i < rows; i++ {
		for _, t := range b.inputs {
			copyRow(t, i, i%n)
		}
		b.labels.I64()[i] = b.labels.I64()[i%n]
		b.weights.F32()[i] = 0
	}
	if spec.train {
		b.drawMasks(from.seed)
	}
	return nil
}

// read puts a sample into row i of the inputs.
func (b *batch) read(i, sample int, from source) error {
	if !b.features {
		top, left, flip := b.window(i, from)
		return from.data.Window(rowsOf(b.inputs[0], i, i+1).Data.([]uint8), sample, top, left, flip)
	}
	for k, t := range b.inputs {
		if err := from.features.Read(rowsOf(t, i, i+1).F32(), k, sample); err != nil {
			return err
		}
	}
	return nil
}

// copyRow copies one row of t over another.
func copyRow(t *onnx.Tensor, to, from int) {
	dst, src := rowsOf(t, to, to+1), rowsOf(t, from, from+1)
	switch d := dst.Data.(type) {
	case []uint8:
		copy(d, src.Data.([]uint8))
	case []float32:
		copy(d, src.F32())
	}
}

// weigh multiplies each sample's share of the loss by its class's weight.
func (b *batch) weigh(classes []float64) {
	if classes == nil {
		return
	}
	for i, label := range b.labels.I64() {
		b.weights.F32()[i] *= float32(classes[label])
	}
}

// BalancedWeights are class weights that let every class count alike: with n
// samples, n / (classes · samples of the class), so that their mean over the
// samples is 1. A class without a sample has the weight 1.
func BalancedWeights(data Data, samples []int, classes int) []float64 {
	counts := make([]int, classes)
	present := 0
	for _, s := range samples {
		if counts[data.Label(s)]++; counts[data.Label(s)] == 1 {
			present++
		}
	}
	weights := make([]float64, classes)
	for c, n := range counts {
		weights[c] = 1
		if n > 0 {
			weights[c] = float64(len(samples)) / float64(present*n)
		}
	}
	return weights
}

// window chooses the crop of the i-th sample: in evaluation the next of its crops
// (the central one, unless there are more), in training a random one, unless it is to be central there too. Without a crop only the mirror is
// drawn.
func (b *batch) window(i int, from source) (top, left int, flip bool) {
	_, height, width, crop := from.data.Geometry()
	spareH, spareW := height-crop, width-crop
	if crop == 0 {
		spareH, spareW = 0, 0
	}
	if !b.train {
		crops := Crops(height, width, crop, b.crops)
		c := crops[(b.first+i)%len(crops)]
		return c.Top, c.Left, c.Mirror
	}
	r := rng.New(from.seed, "augment", b.epoch, b.first+i)
	top, left = r.IntN(spareH+1), r.IntN(spareW+1)
	if from.center {
		top, left = spareH/2, spareW/2
	}
	return top, left, from.mirror && r.IntN(2) == 1
}

// drawMasks draws each Dropout's mask: an element is dropped with the probability
// ratio. The same elements are, however the mask is fed.
func (b *batch) drawMasks(seed int64) {
	for i, m := range b.masks {
		r := rng.New(seed, "dropout", b.epoch, b.step, i)
		threshold := uint64(m.Ratio * (1 << 32))
		kept := func() bool { return uint64(r.Uint32()) >= threshold }
		if m.Bits {
			drawBits(m, kept)
			continue
		}
		values, keep := m.values.F32(), m.Keep()
		for k := range values {
			values[k] = 0
			if kept() {
				values[k] = keep
			}
		}
	}
}

// drawBits draws a mask of bits, picture by picture.
func drawBits(m mask, kept func() bool) {
	size := onnx.NumElements(m.Shape[1:])
	for i := range m.values.Shape[0] {
		row := rowsOf(m.values, i, i+1).Data.([]uint8)
		clear(row)
		for k := range size {
			if kept() {
				row[k/8] |= 1 << (k % 8)
			}
		}
	}
}
