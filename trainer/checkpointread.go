package trainer

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"orchestrator/trainer/onnx"
)

// DecodeCheckpoint reads what EncodeCheckpoint wrote. It is strict: anything
// missing, unknown, overlapping or left over is an error, so that a
// damaged object is never taken for a checkpoint. It allocates no more than what
// has been read, whatever the header claims.
func DecodeCheckpoint(r io.Reader) (*Checkpoint, error) {
	c, err := decodeCheckpoint(r)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	if err != nil {
		return nil, fmt.Errorf("not a valid checkpoint: %w", err)
	}
	return c, nil
}

func decodeCheckpoint(r io.Reader) (*Checkpoint, error) {
	var size [8]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n < 2 || n > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes", n)
	}
	header, err := readBytes(r, int64(n))
	if err != nil {
		return nil, err
	}
	meta, entries, err := decodeHeader(header)
	if err != nil {
		return nil, err
	}
	c, err := decodeMetadata(meta)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		t, err := readTensor(r, e)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.name, err)
		}
		c.Tensors = append(c.Tensors, t)
	}
	if extra, err := io.CopyN(io.Discard, r, 1); extra > 0 || (err != nil && !errors.Is(err, io.EOF)) {
		return nil, errors.Join(errors.New("bytes follow after the last tensor"), err)
	}
	return c, nil
}

// readBytes reads n bytes, growing as they come.
func readBytes(r io.Reader, n int64) ([]byte, error) {
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, n); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// entry is a tensor's place in the file, checked.
type entry struct {
	headerTensor
	name  string
	count int // of elements
}

// decodeHeader returns the metadata and the tensors in file order.
func decodeHeader(header []byte) (meta map[string]string, entries []entry, err error) {
	d := json.NewDecoder(bytes.NewReader(header))
	if err := expectDelim(d, '{'); err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, headerError(err)
		}
		name := key.(string)
		if seen[name] {
			return nil, nil, fmt.Errorf("%q appears twice in the header", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			if err := d.Decode(&meta); err != nil {
				return nil, nil, headerError(err)
			}
			continue
		}
		e := entry{name: name}
		d.DisallowUnknownFields()
		if err := d.Decode(&e.headerTensor); err != nil {
			return nil, nil, headerError(err)
		}
		if err := e.check(); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, e)
	}
	if err := expectDelim(d, '}'); err != nil {
		return nil, nil, err
	}
	if rest := bytes.TrimLeft(header[d.InputOffset():], " "); len(rest) > 0 {
		return nil, nil, errors.New("the header goes on after its object")
	}
	return meta, entries, checkPlaces(entries)
}

func expectDelim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return headerError(err)
	}
	if t != want {
		return fmt.Errorf("the header has %v where %v is expected", t, want)
	}
	return nil
}

// headerError hides the io.EOF of a header that ends too early: the file does not.
func headerError(err error) error { return errors.New("the header: " + err.Error()) }

// check computes count.
func (e *entry) check() error {
	if e.DType != elementType {
		return fmt.Errorf("type %q", e.DType)
	}
	if e.Shape == nil {
		return errors.New("no shape")
	}
	const most = math.MaxInt64 / elementSize
	count := int64(1)
	for _, d := range e.Shape {
		if d < 0 || (d > 0 && count > most/int64(d)) {
			return fmt.Errorf("shape %v", e.Shape)
		}
		count *= int64(d)
	}
	if from, to := e.Offsets[0], e.Offsets[1]; from < 0 || to < from || to-from != count*elementSize {
		return fmt.Errorf("offsets %v do not fit %s%v", e.Offsets, e.DType, e.Shape)
	}
	e.count = int(count)
	return nil
}

// checkPlaces sees to it that the tensors follow one another without a gap.
func checkPlaces(entries []entry) error {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return slices.Compare(a.Offsets[:], b.Offsets[:])
	})
	at := int64(0)
	for _, e := range entries {
		if e.Offsets[0] != at {
			return fmt.Errorf("tensor %q begins at %d instead of %d", e.name, e.Offsets[0], at)
		}
		at = e.Offsets[1]
	}
	return nil
}

func decodeMetadata(meta map[string]string) (*Checkpoint, error) {
	if meta["format"] != checkpointFormat {
		return nil, fmt.Errorf("format %q instead of %q", meta["format"], checkpointFormat)
	}
	keys := 7
	c := &Checkpoint{}
	var errs [7]error
	c.Epoch, errs[0] = natural(meta, "epoch")
	c.Step, errs[1] = natural(meta, "step")
	c.LossCount, errs[2] = natural(meta, "loss_count")
	c.LossSum, errs[3] = finite(meta, "loss_sum")
	c.Seconds, errs[4] = finite(meta, "seconds")
	errs[5] = strictly("history", meta["history"], &c.History)
	if scale, ok := meta["loss_scale"]; ok {
		keys++
		if errs[6] = strictly("loss scale", scale, &c.LossScale); errs[6] == nil {
			errs[6] = c.LossScale.check()
		}
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, headerError(err)
	}
	if len(meta) != keys {
		return nil, fmt.Errorf("%d entries of metadata instead of %d", len(meta), keys)
	}
	if len(c.History) == 0 {
		c.History = nil
	}
	return c, nil
}

// strictly decodes a JSON text that holds nothing that to has no place for.
func strictly(what, text string, to any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err == nil && d.InputOffset() != int64(len(text)) {
		err = fmt.Errorf("the %s goes on after its end", what)
	}
	return err
}

func natural(meta map[string]string, key string) (int, error) {
	n, err := strconv.Atoi(meta[key])
	if err == nil && n < 0 {
		err = fmt.Errorf("%s is %d", key, n)
	}
	return n, err
}

func finite(meta map[string]string, key string) (float64, error) {
	x, err := strconv.ParseFloat(meta[key], 64)
	if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
		err = fmt.Errorf("%s is %v", key, x)
	}
	return x, err
}

// readTensor reads the data in pieces.
func readTensor(r io.Reader, e entry) (*onnx.Tensor, error) {
	data := make([]float32, 0, min(e.count, pieceBytes/elementSize))
	buf := make([]byte, min(pieceBytes, e.count*elementSize))
	for len(data) < e.count {
		piece := buf[:min(len(buf), (e.count-len(data))*elementSize)]
		if _, err := io.ReadFull(r, piece); err != nil {
			return nil, err
		}
		for ; len(piece) > 0; piece = piece[elementSize:] {
			data = append(data, math.Float32frombits(binary.LittleEndian.Uint32(piece)))
		}
	}
	return &onnx.Tensor{Name: e.name, Type: onnx.Float, Shape: e.Shape, Data: data}, nil
}
