// Package artifacts stores objects under keys: in a folder, in MinIO or any
// other S3-compatible store, or in memory for tests. The store is the truth of
// the whole system; queues only dispatch.
//
// Open turns an address into a Store. Package artifactstest holds the suite
// that every implementation passes. Keys are opaque here: FORMAT.md describes
// what the system keeps under which.
package artifacts

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// The errors that callers tell apart, with errors.Is.
var (
	ErrNotFound = errors.New("no such object")
	ErrExists   = errors.New("the object exists already")
	// ErrUnavailable: the store could not be reached or asked to try later;
	// the same call may succeed later.
	ErrUnavailable = errors.New("the artifact store is not available")
	// ErrDenied: wrong credentials or missing rights; trying again is useless.
	ErrDenied = errors.New("the artifact store refused access")
	// ErrNoSpace: the disk or the quota is full. Nothing was written.
	ErrNoSpace = errors.New("the artifact store is full")
	// ErrInvalidKey: the key breaks the rules that Store states.
	ErrInvalidKey = errors.New("not a valid object key")
	// ErrSize: the reader held more or fewer bytes than announced. Nothing was
	// written.
	ErrSize = errors.New("the data is not of the announced size")
	// ErrDigest: the bytes read do not have the expected SHA-256.
	ErrDigest = errors.New("the object does not have the expected SHA-256")
)

// Info describes an object.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time // from S3 in whole seconds where it is not from List
}

// Same tells whether two descriptions of an object, by whichever calls, are of one and
// the same write, as far as size and time tell.
func (i Info) Same(other Info) bool {
	a, b := i.Modified, other.Modified
	if a.Nanosecond() == 0 || b.Nanosecond() == 0 {
		a, b = a.Truncate(time.Second), b.Truncate(time.Second)
	}
	return i.Size == other.Size && a.Equal(b)
}

// Store keeps objects. All methods may be called at the same time from any
// number of goroutines and processes.
//
// Promises, checked by artifactstest on every implementation:
//   - A reader sees a whole object or none: never part of one, also after the
//     writer was killed at any moment. One that was open when its object was
//     replaced or deleted reads the old bytes to their end, or fails.
//   - A successful write is read back by every later call in any process, and
//     survives a power cut if the medium keeps its word.
//   - A failed write changes nothing, except that a write whose answer was
//     lost (ErrUnavailable, a cancelled context) may or may not have happened.
//   - Of any number of concurrent Creates of a key exactly one succeeds.
//   - Keys are slash-separated, [A-Za-z0-9._-] in each part, no part "." or
//     "..", at most 512 bytes; any other key is ErrInvalidKey. An object and
//     objects below it ("a" and "a/b") cannot be kept together.
//
// Every error is an *Error, which names operation, key and store, holds one of
// the package's Err values where one applies, and never a secret. Where the
// context was cancelled it holds the context's error.
type Store interface {
	// Get opens an object; ErrNotFound where there is none. The context must
	// live until the reader is closed.
	Get(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// Put writes or replaces an object of exactly size bytes; ErrSize if r
	// holds more or fewer. r is not closed, and not read after the return.
	Put(ctx context.Context, key string, r io.Reader, size int64) error
	// Create writes an object that must not exist; ErrExists otherwise.
	Create(ctx context.Context, key string, r io.Reader, size int64) error
	// Stat describes an object; ErrNotFound where there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// List yields the objects whose keys begin with prefix, in key order (of
	// bytes). An error ends the sequence.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes an object; deleting what is not there succeeds.
	Delete(ctx context.Context, key string) error
	// String names the store in messages, without secrets: "folder /x" or
	// "s3 http://host:9000/bucket".
	String() string
}
