package features

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"unsafe"

	"orchestrator/trainer"
	"orchestrator/trainer/cachefile"
)

// Store keeps features for all hosts. Package worker implements it on the
// artifact store. Both methods may be called concurrently.
type Store interface {
	// Read has use read the object; found is false where there is none. It may
	// call use again where reading failed for a reason that passes.
	Read(ctx context.Context, key string, use func(io.Reader) error) (found bool, err error)
	// Create writes an object of size bytes unless there is one of that key
	// already; created tells which.
	Create(ctx context.Context, key string, data io.ReaderAt, size int64) (created bool, err error)
}

// Options say where features are computed and kept.
type Options struct {
	Runtime  trainer.Runtime
	CacheDir string // of the machine, shared by its processes
	Store    Store  // nil: the features stay on this machine
	// Report is called after every run with the pictures done so far; nil:
	// nobody wants to know.
	Report func(done, total int)
	Log    *slog.Logger // nil: discard
}

// Open returns the features of s: from the machine's cache, else from the store,
// else computed, and then kept in both. Processes of one machine that ask for the
// same features wait for the first of them.
func Open(ctx context.Context, s Spec, o Options) (*Set, error) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, errors.New("features: this machine's byte order is not supported")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Report == nil {
		o.Report = func(int, int) {}
	}
	p, err := newPass(s)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.CacheDir, "features", p.key[:32]+".f32")
	file, err := cachefile.Open(ctx, path, "features "+p.key, p.size, func(ctx context.Context, d *cachefile.Draft) error {
		f := &filler{pass: p, Options: o, draft: d}
		defer f.close()
		return f.fill(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("features of %d pictures: %w", s.Pictures, err)
	}
	return &Set{values: p.values, pictures: s.Pictures, file: file}, nil
}

// Set holds the features of all pictures of a data set, in a mapped file. Its
// methods may be called concurrently, but for Close.
type Set struct {
	values   []Value
	pictures int
	file     *cachefile.File
}

// Values are those of the Spec, in its order.
func (s *Set) Values() []Value { return slices.Clone(s.values) }

// Pictures is their number.
func (s *Set) Pictures() int { return s.pictures }

// Row is one picture's features of value number i of Values, row-major. It is a
// view of the mapped file: read-only, and valid until Close.
func (s *Set) Row(i, picture int) []float32 {
	v := s.values[i]
	if picture < 0 || picture >= s.pictures {
		panic(fmt.Sprintf("features: there is no picture %d of %d", picture, s.pictures))
	}
	at := v.at + int64(picture)*v.Bytes()
	return floats(s.file.Bytes()[at : at+v.Bytes()])
}

// Read copies Row(i, picture) into dst.
func (s *Set) Read(dst []float32, i, picture int) error {
	if i < 0 || i >= len(s.values) || picture < 0 || picture >= s.pictures || len(dst) != s.values[i].row {
		return fmt.Errorf("features: no %d numbers of value %d for picture %d; there are %d values and %d pictures", len(dst), i, picture, len(s.values), s.pictures)
	}
	copy(dst, s.Row(i, picture))
	return nil
}

// Close unmaps the file. No method may be called after it.
func (s *Set) Close() error { return s.file.Close() }

// floats sees bytes as the numbers that they are; their length is a multiple of
// four, and they are aligned as the cache file and its rows are.
func floats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// bytesOf sees numbers as their bytes.
func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}
