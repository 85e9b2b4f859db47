package trainer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// A stored checkpoint is a safetensors file
// (https://github.com/huggingface/safetensors, "Format"): the length of the
// header in 8 bytes, the header, a JSON object that gives each tensor's type,
// shape and place, then the tensors' bytes without gaps; everything is
// little-endian. Any safetensors reader opens it. The rest of the Checkpoint is
// in the header's __metadata__, under these keys:
//
//	format      "orchestrator checkpoint 1"
//	epoch, step, loss_count   decimal integers
//	loss_sum, seconds         shortest decimal that gives the same double
//	history                   JSON array of EpochResult
//	loss_scale                LossScale as JSON; of jobs in float16 alone
const checkpointFormat = "orchestrator checkpoint 1"

const (
	// maxHeader bounds the header, as the safetensors reference reader does.
	maxHeader = 100 << 20
	// All state is float32.
	elementType = "F32"
	elementSize = 4
	// pieceBytes is how much of a tensor is converted at a time.
	pieceBytes = 64 << 10
)

// EncodeCheckpoint writes c.
func EncodeCheckpoint(w io.Writer, c Checkpoint) error {
	header, err := encodeHeader(c)
	if err != nil {
		return fmt.Errorf("encode the checkpoint: %w", err)
	}
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(header)))
	if _, err := w.Write(append(size[:], header...)); err != nil {
		return err
	}
	for _, t := range c.Tensors {
		if err := writeTensor(w, t.F32()); err != nil {
			return fmt.Errorf("write checkpoint tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// CheckpointSize is the number of bytes that EncodeCheckpoint writes.
func CheckpointSize(c Checkpoint) (int64, error) {
	header, err := encodeHeader(c)
	if err != nil {
		return 0, err
	}
	n := int64(8 + len(header))
	for _, t := range c.Tensors {
		n += int64(t.Value().Size() * elementSize)
	}
	return n, nil
}

// headerTensor is a tensor's entry in the header.
type headerTensor struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // from the end of the header
}

func encodeHeader(c Checkpoint) ([]byte, error) {
	meta, err := encodeMetadata(c)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"__metadata__":`)
	out = append(out, meta...)
	seen := map[string]bool{"__metadata__": true}
	at := int64(0)
	for _, t := range c.Tensors {
		if d, ok := t.Data.([]float32); !ok || len(d) != t.Value().Size() {
			return nil, fmt.Errorf("tensor %q is a %v%v in a %T", t.Name, t.Type, t.Shape, t.Data)
		}
		if seen[t.Name] || t.Name == "" {
			return nil, fmt.Errorf("a tensor cannot have the name %q, or not a second one", t.Name)
		}
		seen[t.Name] = true
		end := at + int64(t.Value().Size()*elementSize)
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		entry, err := json.Marshal(headerTensor{DType: elementType, Shape: append([]int{}, t.Shape...), Offsets: [2]int64{at, end}})
		if err != nil {
			return nil, err
		}
		out = append(append(append(append(out, ','), name...), ':'), entry...)
		at = end
	}
	out = append(out, '}')
	for len(out)%8 != 0 { // so that tensors are aligned in a mapped file
		out = append(out, ' ')
	}
	return out, nil
}

func encodeMetadata(c Checkpoint) ([]byte, error) {
	history := c.History
	if history == nil {
		history = []EpochResult{}
	}
	lines, err := json.Marshal(history)
	if err != nil {
		return nil, err
	}
	for name, x := range map[string]float64{"loss sum": c.LossSum, "time": c.Seconds} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("the %s is %v", name, x)
		}
	}
	meta := map[string]string{
		"format":     checkpointFormat,
		"epoch":      strconv.Itoa(c.Epoch),
		"step":       strconv.Itoa(c.Step),
		"loss_count": strconv.Itoa(c.LossCount),
		"loss_sum":   strconv.FormatFloat(c.LossSum, 'g', -1, 64),
		"seconds":    strconv.FormatFloat(c.Seconds, 'g', -1, 64),
		"history":    string(lines),
	}
	if c.LossScale.Factor != 0 {
		scale, err := json.Marshal(c.LossScale)
		if err == nil {
			err = c.LossScale.check()
		}
		if err != nil {
			return nil, err
		}
		meta["loss_scale"] = string(scale)
	}
	return json.Marshal(meta)
}

// writeTensor writes the data in pieces, to need no second copy of a tensor that
// may be hundreds of megabytes.
func writeTensor(w io.Writer, data []float32) error {
	buf := make([]byte, 0, pieceBytes)
	for piece := range slices.Chunk(data, pieceBytes/elementSize) {
		buf = buf[:0]
		for _, x := range piece {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
