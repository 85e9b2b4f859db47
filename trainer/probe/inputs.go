package probe

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"unsafe"

	"orchestrator/trainer/cachefile"
	"orchestrator/trainer/linear"
)

// Inputs are the rows that classifiers are fitted to, one for each picture of a
// data set, with the inner products of the pictures' features.
type Inputs struct {
	Matrix   *linear.Matrix
	Features int // that they stand for
	file     *cachefile.File
}

// Close unmaps the file; the matrix must not be used after it.
func (in *Inputs) Close() error { return in.file.Close() }

// header is what stands before the numbers of a file: columns and features.
const header = 2

// Open returns the inputs of that key from the machine's cache. Where they are
// not there, compute is asked for the features, a row for each of n pictures,
// and close is called when they have been read; processes that want the same wait
// for the one that computes.
func Open(ctx context.Context, dir, key string, n int, compute func(context.Context) (*Rows, error)) (*Inputs, error) {
	name := sha256.Sum256([]byte(key))
	path := filepath.Join(dir, "probes", hex.EncodeToString(name[:16])+".f64")
	digest := hex.EncodeToString(name[:])
	// A matrix has at most n columns. What is not used of the file takes no room.
	file, err := cachefile.Open(ctx, path, "probe "+digest, 8*int64(header+n*n), func(ctx context.Context, d *cachefile.Draft) error {
		rows, err := compute(ctx)
		if err != nil {
			return err
		}
		defer rows.Close()
		m, err := linear.Compress(n, rows.Features, rows.Row)
		if err != nil {
			return err
		}
		head := binary.NativeEndian.AppendUint64(nil, uint64(m.Cols))
		head = binary.NativeEndian.AppendUint64(head, uint64(rows.Features))
		if _, err := d.WriteAt(head, 0); err != nil {
			return fmt.Errorf("write the cache: %w", err)
		}
		if _, err := d.WriteAt(bytesOf(m.Data), int64(len(head))); err != nil {
			return fmt.Errorf("write the cache: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	data := file.Bytes()
	columns := int(binary.NativeEndian.Uint64(data))
	numbers := unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(data))), header+n*n)[header:]
	return &Inputs{
		Matrix:   &linear.Matrix{Rows: n, Cols: columns, Data: numbers[:n*columns]},
		Features: int(binary.NativeEndian.Uint64(data[8:])), file: file,
	}, nil
}

// Rows are the features of a layer.
type Rows struct {
	Features int
	Row      func(picture int) []float32
	Close    func()
}

func bytesOf(x []float64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x))
}
