package caffe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"orchestrator/trainer/onnx"
)

// Mean reads the mean of the training pictures, a .binaryproto or a .npy file, and
// reduces it to the mean of each channel: a mean picture differs from its mean
// pixel by little, and a pixel fits every size. The channels are in the file's
// order, of Caffe's networks blue, green, red.
func Mean(data []byte) ([]float64, error) {
	values, shape, err := readNPY(data)
	if !bytes.HasPrefix(data, npyMagic) {
		values, shape, err = readBlob(data)
	}
	if err != nil {
		return nil, &Error{Reason: "the mean file: " + err.Error(), Try: "give a .binaryproto or a .npy file"}
	}
	for len(shape) > 1 && shape[0] == 1 { // the number of pictures
		shape = shape[1:]
	}
	if len(shape) != 1 && len(shape) != 3 || shape[0] != 1 && shape[0] != 3 {
		return nil, &Error{Reason: fmt.Sprintf("the mean file: its shape %v is not channels, height and width", shape), Try: "give the mean of pictures with 1 or 3 channels"}
	}
	mean := make([]float64, shape[0])
	plane := len(values) / len(mean)
	for i, v := range values {
		mean[i/plane] += v / float64(plane)
	}
	for _, m := range mean {
		if !(m >= 0 && m <= 255) {
			return nil, &Error{Reason: fmt.Sprintf("the mean file: a mean of %v, but pixels are from 0 to 255", m), Try: "multiply by 255 a mean of pixels from 0 to 1"}
		}
	}
	return mean, nil
}

// readBlob reads a BlobProto.
func readBlob(data []byte) ([]float64, []int, error) {
	m, err := readBinary(data, "blob", 0)
	if err != nil {
		return nil, nil, err
	}
	shape := m.dims()
	values := make([]float64, len(m.data))
	for i, v := range m.data {
		values[i] = float64(v)
	}
	if len(values) == 0 || !holds(shape, len(values)) {
		return nil, nil, fmt.Errorf("%d values for the shape %v", len(values), shape)
	}
	return values, shape, nil
}

// dims is the shape of a blob of either form; nil where it does not say.
func (m *message) dims() []int {
	var shape []int
	for _, d := range m.child("shape").all("dim") {
		shape = append(shape, int(d))
	}
	if shape == nil && len(m.all("num")) > 0 {
		for _, name := range []string{"num", "channels", "height", "width"} {
			shape = append(shape, m.integer(name, 1))
		}
	}
	return shape
}

// holds tells whether a shape has that many elements.
func holds(shape []int, n int) bool {
	for _, d := range shape {
		if d < 1 || d > n {
			return false
		}
	}
	return len(shape) <= 4 && onnx.NumElements(shape) == n
}

var (
	npyMagic = []byte("\x93NUMPY")
	npyType  = regexp.MustCompile(`'descr':\s*'<f([48])'`)
	npyShape = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// readNPY reads an array that numpy saved: float32 or float64, row by row.
func readNPY(data []byte) ([]float64, []int, error) {
	if !bytes.HasPrefix(data, npyMagic) || len(data) < 12 {
		return nil, nil, fmt.Errorf("it is neither a blob nor an array of numpy's")
	}
	start, size := 10, int(binary.LittleEndian.Uint16(data[8:]))
	if data[6] >= 2 {
		start, size = 12, int(binary.LittleEndian.Uint32(data[8:]))
	}
	if size < 0 || size > len(data)-start {
		return nil, nil, fmt.Errorf("the array's header is cut off")
	}
	header := string(data[start : start+size])
	kind, dims := npyType.FindStringSubmatch(header), npyShape.FindStringSubmatch(header)
	if kind == nil || dims == nil || strings.Contains(header, "'fortran_order': True") {
		return nil, nil, fmt.Errorf("the array is not of float32 or float64, row by row: %s", strings.TrimSpace(header))
	}
	var shape []int
	for _, word := range strings.FieldsFunc(dims[1], func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.Atoi(word)
		if err != nil {
			return nil, nil, err
		}
		shape = append(shape, d)
	}
	content := data[start+size:]
	width := int(kind[1][0] - '0')
	values := make([]float64, len(content)/width)
	for i := range values {
		if width == 4 {
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(content[4*i:])))
		} else {
			values[i] = math.Float64frombits(binary.LittleEndian.Uint64(content[8*i:]))
		}
	}
	if len(values) == 0 || !holds(shape, len(values)) {
		return nil, nil, fmt.Errorf("%d values for the shape %v", len(values), shape)
	}
	return values, shape, nil
}
