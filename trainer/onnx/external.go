package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Embed is an ONNX file with the tensors inside that it keeps in other files of
// the folder dir (external data, as torch.onnx.export writes it). Without any, it
// is the file itself. Paths out of the folder are errors.
func Embed(data []byte, dir string) ([]byte, error) {
	e := &embedder{dir: dir, files: map[string]*os.File{}}
	defer e.close()
	out, err := e.message(data, modelMessage)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// messageFields are the fields of an ONNX message in which tensors may be, by
// number; tensorMessage is a tensor.
type messageFields map[protowire.Number]*messageFields

var (
	tensorMessage    = &messageFields{}
	attributeMessage = &messageFields{5: tensorMessage, 10: tensorMessage}
	nodeMessage      = &messageFields{5: attributeMessage}
	graphMessage     = &messageFields{1: nodeMessage, 5: tensorMessage}
	modelMessage     = &messageFields{7: graphMessage, 25: {7: nodeMessage}}
)

func init() { (*attributeMessage)[6], (*attributeMessage)[11] = graphMessage, graphMessage }

// embedder rewrites messages.
type embedder struct {
	dir   string
	root  *os.Root
	files map[string]*os.File
}

func (e *embedder) close() {
	for _, f := range e.files {
		_ = f.Close() // only read
	}
	if e.root != nil {
		_ = e.root.Close()
	}
}

// message is a message with its tensors' data inside; one without external data
// is returned as it is.
func (e *embedder) message(data []byte, fields *messageFields) ([]byte, error) {
	if fields == tensorMessage {
		return e.tensor(data)
	}
	var out []byte // of what lies before rest, once something has changed
	done := 0
	for rest := data; len(rest) > 0; {
		num, wire, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return data, nil // Decode says what is wrong
		}
		m := protowire.ConsumeFieldValue(num, wire, rest[n:])
		if m < 0 {
			return data, nil
		}
		start := len(data) - len(rest)
		rest = rest[n+m:]
		inner, known := (*fields)[num]
		if !known || wire != protowire.BytesType {
			continue
		}
		old, _ := protowire.ConsumeBytes(data[start+n : start+n+m])
		changed, err := e.message(old, inner)
		if err != nil {
			return nil, err
		}
		if len(changed) != len(old) || len(old) > 0 && &changed[0] != &old[0] {
			out = append(out, data[done:start]...)
			out = putBytes(out, num, changed)
			done = start + n + m
		}
	}
	if done == 0 {
		return data, nil
	}
	return append(out, data[done:]...), nil
}

// tensor is a tensor with its data inside; only one that has them elsewhere is
// copied.
func (e *embedder) tensor(data []byte) ([]byte, error) {
	var name string
	external, place := false, map[string]string{}
	err := eachField(data, func(num protowire.Number, v field) error {
		switch num {
		case 8:
			name = string(v.bytes)
		case 13:
			key, value, err := decodeEntry(v.bytes)
			place[key] = value
			return err
		case 14:
			external = v.varint == 1
		}
		return nil
	})
	if err != nil || !external {
		return data, nil
	}
	raw, err := e.read(place)
	if err != nil {
		return nil, &ExternalError{Tensor: name, File: place["location"], err: err}
	}
	var kept []byte
	err = eachField(data, func(num protowire.Number, v field) error {
		switch {
		case num == 13 || num == 14:
		case v.wire == protowire.BytesType:
			kept = putBytes(kept, num, v.bytes)
		case v.wire == protowire.VarintType:
			kept = putVarint(kept, num, int64(v.varint))
		}
		return nil
	})
	return putBytes(kept, 9, raw), err
}

// read is the part of a file that an entry names.
func (e *embedder) read(place map[string]string) ([]byte, error) {
	f, err := e.open(place["location"])
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	number := func(key string, absent int64) (int64, error) {
		if place[key] == "" {
			return absent, nil
		}
		return strconv.ParseInt(place[key], 10, 64)
	}
	offset, err := number("offset", 0)
	if err != nil || offset < 0 || offset > info.Size() {
		return nil, fmt.Errorf("the offset %q is not in the file of %d bytes", place["offset"], info.Size())
	}
	length, err := number("length", info.Size()-offset)
	if err != nil || length < 0 || length > info.Size()-offset {
		return nil, fmt.Errorf("%q bytes from %d on are not in the file of %d bytes", place["length"], offset, info.Size())
	}
	raw := make([]byte, length)
	_, err = io.ReadFull(io.NewSectionReader(f, offset, length), raw)
	return raw, err
}

// open opens a file of the folder, once for all tensors.
func (e *embedder) open(location string) (*os.File, error) {
	if f := e.files[location]; f != nil {
		return f, nil
	}
	if e.dir == "" || location == "" || !filepath.IsLocal(filepath.FromSlash(location)) {
		return nil, errors.New("it does not lie in the network's folder")
	}
	if e.root == nil {
		root, err := os.OpenRoot(e.dir)
		if err != nil {
			return nil, err
		}
		e.root = root
	}
	f, err := e.root.Open(filepath.FromSlash(location))
	if err != nil {
		return nil, err
	}
	e.files[location] = f
	return f, nil
}

// ExternalError says why a tensor that lies in another file cannot be read.
type ExternalError struct {
	Tensor, File string
	err          error
}

func (e *ExternalError) Error() string {
	return fmt.Sprintf("the data of the tensor %q are in the file %q: %v", e.Tensor, e.File, e.err)
}
func (e *ExternalError) Unwrap() error { return e.err }

// Hint says what to try.
func (e *ExternalError) Hint() string {
	return "put the file beside the network, under the name that it had when they were written; or export with the weights inside (external_data=False)"
}

// ExitCode marks the error as bad input.
func (e *ExternalError) ExitCode() int { return 2 }
